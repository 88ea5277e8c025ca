package importing

import (
	"cmp"
	"context"
	"crypto/md5" //nolint:gosec // clients of the format still ask for it beside SHA-256
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/internal/blob"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/publish"
)

// ready is a package that came, was found good, and waits for its commit.
type ready struct {
	entry

	staged blob.Staged
	commit publish.Commit
	// patched says that an overlay lies over what the package says.
	patched bool
	// left are why attestations that the source has were left out.
	left []string
}

// ownError is an error of this side, which ends the import; all others refuse the file at hand.
type ownError struct{ error }

// Unwrap returns the error.
func (e ownError) Unwrap() error { return e.error }

// tooMany files in a row that could not be fetched mean that the source is gone.
const tooMany = 20

// fetchAll fetches what is wanted, Jobs at once, until nothing more is.
func (j *job) fetchAll(ctx context.Context) error {
	var failed atomic.Int32 // since one was fetched
	group, ctx := errgroup.WithContext(ctx)
	for range j.Jobs {
		group.Go(func() error {
			for e := range j.wanted {
				r, err := j.fetch(ctx, e)
				_, own := errors.AsType[ownError](err)
				_, unreachable := errors.AsType[*TransientError](err)
				switch {
				case ctx.Err() != nil:
					return errors.Join(context.Cause(ctx), r.discard())
				case own:
					return err
				case unreachable && failed.Add(1) > tooMany:
					return fmt.Errorf("the source does not answer any more: %w. Run the same command again later: it goes on from here", err)
				case err != nil:
					j.tally.refuse(e, err)
					continue
				}
				failed.Store(0)
				if r.staged.Stage == nil {
					continue // it was there
				}
				select {
				case j.ready <- r:
				case <-ctx.Done():
					return errors.Join(context.Cause(ctx), r.discard())
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (r ready) discard() error {
	if r.staged.Stage == nil {
		return nil
	}
	return r.staged.Stage.Discard()
}

// fetch brings one package into the staging area, and holds it against what the source says. Of one that is there it brings the
// attestations alone, and returns nothing.
func (j *job) fetch(ctx context.Context, e entry) (r ready, err error) {
	if e.there != [32]byte{} {
		return r, j.addLater(ctx, e)
	}
	if e.size() > j.MaxSize {
		return r, publish.TooLarge(j.MaxSize)
	}
	var got arrival
	err = patiently(ctx, cmp.Or(j.Pause, FirstPause), func() error {
		got, err = j.receive(ctx, e)
		return err
	})
	switch {
	case errors.Is(err, fs.ErrNotExist) && e.yanked:
		return r, errors.New("the source calls it removed, and does not have it any more")
	case errors.Is(err, fs.ErrNotExist):
		return r, fmt.Errorf("the source names it in its index, and does not have it: %w", err)
	case err != nil:
		return r, err
	}
	if r, err = j.describe(ctx, e, got); err == nil {
		err = j.attest(ctx, &r)
	}
	if err != nil {
		return ready{}, errors.Join(err, got.stage.Discard())
	}
	return r, nil
}

// arrival is a body in the staging area.
type arrival struct {
	stage      blob.Stage
	sha256     [32]byte
	md5        [16]byte
	modifiedAt time.Time
}

// receive reads a body to its end. After an error nothing of it stays.
func (j *job) receive(ctx context.Context, e entry) (a arrival, err error) {
	body, err := j.Source.Package(ctx, e.place, e.base, e.file)
	if err != nil {
		return a, err
	}
	defer func() { _ = body.Close() }() // it was only read
	a.modifiedAt = body.ModifiedAt
	if a.stage, err = j.Blobs.Stage(ctx); err != nil {
		return a, ownError{err}
	}
	if err := j.fill(&a, body); err != nil {
		return a, errors.Join(err, a.stage.Discard())
	}
	return a, nil
}

// copyBuffer is how much of a body is in memory at once.
const copyBuffer = 64 << 10

func (j *job) fill(a *arrival, body io.Reader) error {
	sha, md := sha256.New(), md5.New() //nolint:gosec // see the import
	buf := make([]byte, copyBuffer)
	for {
		n, err := body.Read(buf)
		sha.Write(buf[:n])
		md.Write(buf[:n])
		if _, err := a.stage.Write(buf[:n]); err != nil {
			return ownError{err}
		}
		j.Progress.CameBytes.Add(int64(n))
		switch {
		case a.stage.Size() > j.MaxSize:
			return publish.TooLarge(j.MaxSize)
		case errors.Is(err, io.EOF):
			sha.Sum(a.sha256[:0])
			md.Sum(a.md5[:0])
			return nil
		case err != nil:
			return err
		}
	}
}

// readTime bounds the reading of one package: bzip2 gives the slowest.
const readTime = 30 * time.Minute

// describe reads a package and makes the commit of it.
func (j *job) describe(ctx context.Context, e entry, a arrival) (r ready, err error) {
	if err := verify(e, a); err != nil {
		return r, err
	}
	reading, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	limits := j.Limits
	limits.Now, limits.Imported = j.Now(), true
	pkg, err := artifact.Read(reading, a.stage, a.stage.Size(), e.file, limits)
	if err != nil {
		return r, err
	}
	rec := pkg.Record
	rec.MD5, rec.SHA256, rec.Size = a.md5, a.sha256, a.stage.Size()
	if rec.Subdir.IsZero() {
		rec.Subdir = e.place.Subdir
	}
	if rec.Subdir != e.place.Subdir {
		return r, fmt.Errorf("the package says that it is for %s, and its source has it in %s", rec.Subdir, e.place.Subdir)
	}
	patch, err := e.patch(rec, pkg.RunExports)
	if err != nil {
		return r, err
	}
	yank := &Yank{}
	if e.yanked {
		if yank, err = j.yankOf(ctx, e); err != nil {
			return r, err
		}
	}
	const v3 = 3 // CEP 48
	r = ready{entry: e, staged: blob.Staged{Stage: a.stage, Sum: a.sha256}, patched: !patch.IsZero()}
	r.commit = publish.Commit{
		Channel: j.Channel, Labels: e.labels, File: e.file, Record: rec, RunExports: pkg.RunExports, RawIndex: pkg.RawIndex, About: pkg.About, Traits: pkg.Traits,
		V3: rec.NeedsV3() || pkg.SchemaVersion >= v3, Patch: patch,
		Import: &publish.Import{
			Source: j.Source.String(), UploadedAt: a.modifiedAt, IndexedAt: e.indexedAt(a.modifiedAt, j.Now()), IndexedIn: e.indexedIn,
			Yanked: e.yanked, YankedAt: yank.At, YankedWhy: yank.Reason,
		},
	}
	if _, _, err := patch.Apply(rec, pkg.RunExports, r.commit.V3); err != nil {
		return ready{}, err
	}
	return r, publish.CheckRevision(r.commit)
}

// verify holds what came against the source's record: its size, and the strongest digest that it tells.
func verify(e entry, a arrival) error {
	switch rec := e.record; {
	case a.stage.Size() == 0:
		return errors.New("it is empty")
	case rec == nil:
		return nil
	case rec.Size > 0 && rec.Size != a.stage.Size():
		return fmt.Errorf("%d bytes came, and the source's index says %d: the file was changed or damaged there", a.stage.Size(), rec.Size)
	case rec.SHA256 != [32]byte{} && rec.SHA256 != a.sha256:
		return fmt.Errorf("what came has SHA-256 %x, and the source's index says %x: the file was changed or damaged there", a.sha256, rec.SHA256)
	case rec.SHA256 == [32]byte{} && rec.MD5 != [16]byte{} && rec.MD5 != a.md5:
		return fmt.Errorf("what came has MD5 %x, and the source's index says %x: the file was changed or damaged there", a.md5, rec.MD5)
	}
	return nil
}

// patch is the overlay that makes of the package's own record what the source's index says.
func (e entry) patch(own conda.Record, exports conda.RunExports) (conda.Patch, error) {
	if e.record == nil {
		return conda.Patch{}, nil
	}
	published := *e.record
	if published.TimestampMS == 0 { // not every server passes it on
		published.TimestampMS = own.TimestampMS
	}
	patch, err := conda.PatchBetween(own, published)
	if err == nil && e.runExports != nil && !sameExports(*e.runExports, exports) {
		patch.RunExports = e.runExports
	}
	return patch, err
}

func sameExports(a, b conda.RunExports) bool {
	return slices.Equal(a.Weak, b.Weak) && slices.Equal(a.Strong, b.Strong) && slices.Equal(a.Noarch, b.Noarch) &&
		slices.Equal(a.WeakConstrains, b.WeakConstrains) && slices.Equal(a.StrongConstrains, b.StrongConstrains)
}
