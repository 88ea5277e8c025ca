package curate

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"sluice/internal/blob"
)

// Graves is what a Purger needs of the database. One method is one transaction.
type Graves interface {
	// PurgeDeleted takes the bytes from artifacts that were deleted before a time, at most limit, and returns how many
	// there were. What their records say goes with them; their names stay taken.
	PurgeDeleted(ctx context.Context, before time.Time, limit int) (int, error)
	// Doubts lists blobs that may be needed no more, at most limit.
	Doubts(ctx context.Context, limit int) ([]blob.Sum, error)
	// Resolve forgets the doubt about a blob.
	Resolve(ctx context.Context, sum blob.Sum) error
}

// Purger removes the bytes of what was deleted or replaced.
type Purger struct {
	Graves Graves
	Blobs  blob.Store
	Log    *slog.Logger
	Now    func() time.Time
	// Undo is how long a deleted artifact can be restored.
	Undo time.Duration
}

// purgeAtOnce bounds one transaction.
const purgeAtOnce = 100

// Run purges everything that is due, once. A crash in between leaves the doubts that are not resolved.
func (p *Purger) Run(ctx context.Context) error {
	for {
		n, err := p.Graves.PurgeDeleted(ctx, p.Now().Add(-p.Undo), purgeAtOnce)
		if err != nil {
			return err
		}
		if n > 0 {
			p.Log.LogAttrs(ctx, slog.LevelInfo, "purged what was deleted", slog.Int("artifacts", n))
		}
		if n < purgeAtOnce {
			break
		}
	}
	for {
		sums, err := p.Graves.Doubts(ctx, purgeAtOnce)
		if err != nil {
			return err
		}
		for _, sum := range sums {
			if err := p.resolve(ctx, sum); err != nil {
				return err
			}
		}
		if len(sums) < purgeAtOnce {
			return nil
		}
	}
}

// resolve holds the blob, so that the doubt is on disk before it leaves the database, and lets the store ask.
func (p *Purger) resolve(ctx context.Context, sum blob.Sum) error {
	hold, err := p.Blobs.Hold(ctx, sum)
	if err != nil {
		return err
	}
	return errors.Join(p.Graves.Resolve(ctx, sum), hold.Release(ctx))
}
