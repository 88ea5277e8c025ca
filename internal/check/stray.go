package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"sluice/internal/blob"
)

// Blobs tells of bytes that no artifact of any channel has, and how many blobs there are.
func (c *Checker) Blobs(ctx context.Context, found func(Difference)) (blobs int64, err error) {
	for sum, err := range c.blobs.All(ctx) {
		if err != nil {
			return blobs, err
		}
		blobs++
		stray, size, err := c.stray(ctx, sum)
		if err != nil {
			return blobs, err
		}
		if stray {
			found(Difference{
				Kind: BlobStray, Name: fmt.Sprintf("%x", sum), Stored: fmt.Sprintf("%d bytes", size), Expected: "none: no artifact has them", Repairable: true, sum: sum,
			})
		}
	}
	return blobs, nil
}

// stray reports whether nothing needs a blob. Uploads and purges go on meanwhile, so the order of the questions counts.
// An upload holds the blob before it is named, so between the two questions whether it is named it cannot have been
// neither; a purge puts the doubt into the database first, then a hold, then removes the blob.
func (c *Checker) stray(ctx context.Context, sum blob.Sum) (stray bool, size int64, err error) {
	for range 2 {
		if named, err := c.store.Named(ctx, sum); named || err != nil {
			return false, 0, err
		}
		if held, err := c.blobs.Held(ctx, sum); held || err != nil {
			return false, 0, err
		}
	}
	f, size, err := c.blobs.Open(ctx, sum)
	if errors.Is(err, fs.ErrNotExist) {
		return false, 0, nil
	} else if err != nil {
		return false, 0, err
	}
	return true, size, f.Close()
}

// RemoveStray has a server remove bytes that no artifact has, once it has made sure of that.
func (c *Checker) RemoveStray(ctx context.Context, d Difference) error {
	return c.store.Doubt(ctx, d.sum)
}
