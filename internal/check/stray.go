package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"sluice/internal/blob"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
)

// Stray are bytes that no artifact of any channel has.
type Stray struct {
	Difference

	// Subdir and File are those of the package that they are, by its own word; zero where they are none.
	Subdir conda.Subdir
	File   conda.Filename
}

// IsPackage reports whether the bytes are a package that can be read.
func (s Stray) IsPackage() bool { return !s.File.IsZero() && !s.Subdir.IsZero() }

// Blobs tells of bytes that no artifact of any channel has, and how many blobs there are.
func (c *Checker) Blobs(ctx context.Context, found func(Stray)) (blobs int64, err error) {
	for sum, err := range c.blobs.All(ctx) {
		if err != nil {
			return blobs, err
		}
		blobs++
		needed, err := c.needed(ctx, sum)
		if err != nil {
			return blobs, err
		}
		if needed {
			continue
		}
		s, err := c.stray(ctx, sum)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since
		} else if err != nil {
			return blobs, err
		}
		found(s)
	}
	return blobs, nil
}

// needed reports whether anything needs a blob. Uploads and purges go on meanwhile, so the order of the questions counts.
// An upload holds the blob before it is named, so between the two questions whether it is named it cannot have been
// neither; a purge puts the doubt into the database first, then a hold, then removes the blob. What is deleted is named until
// it is purged.
func (c *Checker) needed(ctx context.Context, sum blob.Sum) (bool, error) {
	for range 2 {
		if named, err := c.store.Named(ctx, sum); named || err != nil {
			return true, err
		}
		if held, err := c.blobs.Held(ctx, sum); held || err != nil {
			return true, err
		}
	}
	return false, nil
}

// stray finds out what bytes are that nothing needs.
func (c *Checker) stray(ctx context.Context, sum blob.Sum) (s Stray, err error) {
	f, size, err := c.blobs.Open(ctx, sum)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	s.Difference = Difference{Kind: BlobStray, Name: fmt.Sprintf("%x", sum), Stored: fmt.Sprintf("%d bytes", size), Expected: "none: no artifact has them", sum: sum}
	at := readerAt(f)
	name, err := artifact.Identify(ctx, at, size, c.limits)
	var pkg *artifact.Package
	if err == nil {
		pkg, err = artifact.Read(ctx, at, size, name, c.limits)
	}
	if _, bad := errors.AsType[*artifact.FormatError](err); bad {
		return s, nil
	} else if err != nil {
		return s, err
	}
	s.Subdir, s.File = pkg.Record.Subdir, name
	if s.IsPackage() {
		s.Stored += fmt.Sprintf(", the package %s/%s", s.Subdir, s.File)
	}
	return s, nil
}

// Save writes the bytes of a stray.
func (c *Checker) Save(ctx context.Context, s Stray, to io.Writer) error {
	f, _, err := c.blobs.Open(ctx, s.sum)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, &stoppable{ctx, f})
	return errors.Join(err, f.Close())
}

// RemoveStray has a server remove bytes that no artifact has, once it has made sure of that.
func (c *Checker) RemoveStray(ctx context.Context, s Stray) error {
	return c.store.Doubt(ctx, s.sum)
}
