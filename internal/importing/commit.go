package importing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/internal/blob"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/publish"
)

// A batch is committed when it has so many files, or bytes, or when its oldest file has waited so long: what a kill
// costs is what was staged and not committed.
const (
	batchFiles = 500
	batchBytes = 1 << 30
	batchAge   = 10 * time.Second
	// commitTime bounds the transaction of a batch.
	commitTime = 10 * time.Minute
)

// batches gathers what is ready by subdir.
type batches struct {
	*job

	keeper  *blob.Keeper
	pending map[conda.Subdir]*pending
	// alone counts the files that failed alone since anything was committed.
	alone int
}

type pending struct {
	files []ready
	bytes int64
	since time.Time
}

// commitAll commits what is ready until nothing more comes. When it ends early it stops the others, and throws away
// whatever is staged.
func (j *job) commitAll(ctx context.Context, stop context.CancelCauseFunc) error {
	keeper, err := j.Blobs.Keeper()
	if err != nil {
		stop(err)
		return errors.Join(err, j.drain())
	}
	b := &batches{job: j, keeper: keeper, pending: map[conda.Subdir]*pending{}}
	if err = b.run(ctx); err != nil {
		stop(err)
	}
	for _, p := range b.pending {
		for _, r := range p.files {
			err = errors.Join(err, r.discard())
		}
	}
	return errors.Join(err, j.drain(), keeper.Close())
}

// drain throws away what is ready until nobody makes more.
func (j *job) drain() (err error) {
	for r := range j.ready {
		err = errors.Join(err, r.discard())
	}
	return err
}

func (b *batches) run(ctx context.Context) error {
	tick := time.NewTicker(batchAge)
	defer tick.Stop()
	for {
		select {
		case r, more := <-b.ready:
			if !more {
				return b.commitOlder(ctx, 0)
			}
			if err := b.add(ctx, r); err != nil {
				return err
			}
		case <-tick.C:
			if err := b.commitOlder(ctx, batchAge); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (b *batches) add(ctx context.Context, r ready) error {
	d := r.place.Subdir
	p := b.pending[d]
	if p == nil {
		p = &pending{since: time.Now()}
		b.pending[d] = p
	}
	p.files = append(p.files, r)
	p.bytes += r.staged.Stage.Size()
	if len(p.files) < batchFiles && p.bytes < batchBytes {
		return nil
	}
	delete(b.pending, d)
	return b.commit(ctx, p.files)
}

// commitOlder commits the batches that have waited for so long.
func (b *batches) commitOlder(ctx context.Context, age time.Duration) error {
	for d, p := range b.pending {
		if time.Since(p.since) >= age {
			delete(b.pending, d)
			if err := b.commit(ctx, p.files); err != nil {
				return err
			}
		}
	}
	return nil
}

// commit makes the bytes of a batch durable, then visible, as publish does for one upload. It goes to its end when
// ctx ends meanwhile.
func (b *batches) commit(ctx context.Context, files []ready) error {
	slices.SortFunc(files, func(x, y ready) int { return cmp.Compare(x.name(), y.name()) })
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer cancel()
	staged := make([]blob.Staged, len(files))
	for i, r := range files {
		staged[i] = r.staged
	}
	holds, err := b.keeper.Keep(ctx, staged)
	if err != nil {
		return err
	}
	return b.publish(ctx, files, holds)
}

// publish commits a batch; where that fails as a whole it goes on by halves, so that one file which the database does
// not take harms no other. When two files fail in a row, alone, it is not the files.
func (b *batches) publish(ctx context.Context, files []ready, holds []blob.Hold) error {
	results, err := b.Store.Publish(ctx, commits(files))
	switch {
	case err == nil:
		b.alone = 0
		return b.settle(ctx, files, holds, results)
	case ctx.Err() != nil || fault.Is(err, fault.NoSpace):
		return fmt.Errorf("commit %d files: %w", len(files), err)
	case len(files) == 1 && b.alone > 0:
		return fmt.Errorf("commit %s: %w", files[0].name(), err)
	case len(files) == 1: // its hold stays: whether it was committed is for the next start to find out
		b.alone++
		b.tally.refuse(files[0].entry, fmt.Errorf("the database does not take it: %w", err))
		return nil
	}
	half := len(files) / 2
	if err := b.publish(ctx, files[:half], holds[:half]); err != nil {
		return err
	}
	return b.publish(ctx, files[half:], holds[half:])
}

func commits(files []ready) []publish.Commit {
	out := make([]publish.Commit, len(files))
	for i, r := range files {
		out[i] = r.commit
	}
	return out
}

// settle ends the holds of a batch that was committed, and counts its files.
func (b *batches) settle(ctx context.Context, files []ready, holds []blob.Hold, results []publish.Result) error {
	var errs []error
	for i, r := range files {
		switch res := results[i]; {
		case res.Err != nil:
			b.tally.refuse(r.entry, res.Err)
			errs = append(errs, holds[i].Release(ctx))
		case res.Already:
			b.tally.present(r.entry)
			errs = append(errs, holds[i].Settle())
		default:
			b.tally.imported(r)
			errs = append(errs, holds[i].Settle())
		}
	}
	return errors.Join(errs...)
}
