package check

import (
	"context"
	"crypto/md5" //nolint:gosec // clients of the format still ask for it beside SHA-256
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
)

// there reports whether there are as many bytes of an artifact as there should be.
func (r *run) there(ctx context.Context, a Artifact) (bool, error) {
	f, n, err := r.blobs.Open(ctx, a.SHA256)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return n == a.Size, f.Close()
}

// bytes reads the bytes of an artifact and what the package says of itself; nil where that cannot be, which is told.
func (r *run) bytes(ctx context.Context, a Artifact) (own *Own, err error) {
	err = r.twice(ctx, a, func() (d Difference, differs bool, err error) {
		own, d, differs, err = r.Package(ctx, a)
		return d, differs, err
	})
	return own, err
}

// twice tells of a difference that look finds, if the artifact still has these bytes and look finds it once more:
// meanwhile it may have been replaced or purged, and its bytes with it.
func (r *run) twice(ctx context.Context, a Artifact, look func() (Difference, bool, error)) error {
	_, differs, err := look()
	if err != nil || !differs {
		return err
	}
	again, err := r.store.ArtifactsAfter(ctx, r.channel.ID, a.ID-1, 1)
	if err != nil || len(again) == 0 || again[0].ID != a.ID || again[0].Purged || again[0].Deleted || again[0].SHA256 != a.SHA256 {
		return err
	}
	d, differs, err := look()
	if err == nil && differs {
		r.found(d)
	}
	return err
}

// Package reads the bytes of an artifact to their end, and the package in them. Where they are not those that they should
// be, own is nil, and d says so. It may be called by several goroutines.
func (c *Checker) Package(ctx context.Context, a Artifact) (own *Own, d Difference, differs bool, err error) {
	f, n, err := c.blobs.Open(ctx, a.SHA256)
	if errors.Is(err, fs.ErrNotExist) {
		d = of(BlobMissing, a)
		d.Stored, d.Expected = "no bytes", fmt.Sprintf("%d bytes with SHA-256 %x", a.Size, a.SHA256)
		return nil, d, true, nil
	} else if err != nil {
		return nil, d, false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sha, md := sha256.New(), md5.New() //nolint:gosec // see the import
	if _, err := io.Copy(io.MultiWriter(sha, md), &stoppable{ctx, f}); err != nil {
		return nil, d, false, err
	}
	if got := [32]byte(sha.Sum(nil)); got != a.SHA256 {
		d = of(BlobChanged, a)
		d.Stored, d.Expected = fmt.Sprintf("%d bytes with SHA-256 %x", n, got), fmt.Sprintf("%d bytes with SHA-256 %x", a.Size, a.SHA256)
		return nil, d, true, nil
	}
	own, err = c.parse(ctx, f, n, a)
	if bad, ok := errors.AsType[*artifact.FormatError](err); ok {
		d = of(Unreadable, a)
		d.Stored, d.Expected = bad.Why, "a package that can be read"
		return nil, d, true, nil
	} else if err != nil {
		return nil, d, false, err
	}
	own.MD5, own.Size = [16]byte(md.Sum(nil)), n
	return own, d, false, nil
}

// v3 is the revision of repodata of CEP 48.
const v3 = 3

// parse reads what a package says of itself.
func (c *Checker) parse(ctx context.Context, f io.ReadSeeker, size int64, a Artifact) (*Own, error) {
	name, err := conda.ParseFilename(a.File)
	if err != nil {
		return nil, err
	}
	pkg, err := artifact.Read(ctx, readerAt(f), size, name, c.limits)
	if err != nil {
		return nil, err
	}
	return &Own{
		RawIndex: pkg.RawIndex, RunExports: pkg.RunExports, About: pkg.About, Traits: pkg.Traits, V3: pkg.Record.NeedsV3() || pkg.SchemaVersion >= v3,
		Depends: pkg.Record.Depends, BuildNumber: pkg.Record.BuildNumber, TimestampMS: pkg.Record.TimestampMS, License: pkg.Record.License,
	}, nil
}

// stoppable reads until its context ends.
type stoppable struct {
	ctx context.Context //nolint:containedctx // it lives for one reading of a file
	r   io.Reader
}

func (s *stoppable) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, context.Cause(s.ctx)
	}
	return s.r.Read(p)
}

func readerAt(f io.ReadSeeker) io.ReaderAt {
	if at, ok := f.(io.ReaderAt); ok {
		return at
	}
	return &seeking{f}
}

// seeking reads at any place of what can only be sought, for one goroutine.
type seeking struct{ r io.ReadSeeker }

func (s *seeking) ReadAt(p []byte, off int64) (int, error) {
	if _, err := s.r.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	return io.ReadFull(s.r, p)
}
