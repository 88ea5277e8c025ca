package exporting

import (
	"context"
	"errors"
	"os"

	"sluice/internal/index"
)

// RunSteps is Run; step is told what is about to be done to the disk, and sync goes in place of blob.SyncFS.
func RunSteps(ctx context.Context, c Config, sync func(*os.File) (bool, error), step func(what string, names ...string)) (Summary, error) {
	root, err := os.OpenRoot(c.Dir)
	if err != nil {
		return Summary{}, err
	}
	d, err := newDisk(root)
	if err != nil {
		return Summary{}, errors.Join(err, root.Close())
	}
	d.step, d.sync = step, sync
	sum, err := export(ctx, c, d)
	return sum, errors.Join(err, d.close(), root.Close())
}

// IndexNames are the index files of a place, in the order in which they are put in place.
func IndexNames() []index.Name { return names }
