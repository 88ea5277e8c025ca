// Package artifact reads one package file, .conda or .tar.bz2, and says what is in it.
//
// It reads for a server that does not trust the sender, and its worst enemy is a file that two programs
// read differently: one record in the index, another package on the machine of whoever installs it. So
// every part is read by hand and held to one form, the archive's geometry included, wherever the
// clients' own readers disagree: some walk a ZIP's local headers and some its directory, some take the
// first of two equal paths and some the last. What no real package does is refused.
//
// Memory does not grow with the package, but for a few bytes a path: nothing is allocated because a
// header says so, all is streamed, and every limit counts bytes that were really there. The largest
// piece is the window of a zstd frame, 128 MiB at most, cut to what the frame can fill.
//
// It must not know where the bytes lie, who sent them, or what the channel allows.
package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"sluice/internal/conda"
)

// Package is what a package file says of itself.
type Package struct {
	// Record is the index record without MD5, SHA256, Size and IndexedMS, which are not the package's to
	// say. Name, version and build equal the file name's.
	Record conda.Record
	// RunExports is info/run_exports.json in its full form; zero when the package has none.
	RunExports conda.RunExports
	// SchemaVersion is the higher of schema_version (CEP 34) and repodata_revision (as rattler-build
	// writes it), at most 3; 0 when the package names neither. 3 means that only repodata v3 can list it,
	// as Record.NeedsV3 does.
	SchemaVersion int
	// RawIndex is info/index.json as it is in the package, so that fields can be lifted from it later.
	RawIndex []byte
	// About is for people and comes from whoever built the package: show it, do not believe it.
	About About
	// Files counts the entries of info/paths.json; 0 when the package has none.
	Files int
	// Traits are what channeldata.json tells of those files (CEP 38).
	Traits conda.Traits
}

// Read reads the package in the first size bytes of r, which was uploaded under the name f. It reads all
// of it, and r in no particular order. ctx bounds the time. A file that is refused gives a *FormatError;
// every other error is the reader's, the context's, or a mistake of the caller.
func Read(ctx context.Context, r io.ReaderAt, size int64, f conda.Filename, lim Limits) (*Package, error) {
	if f.IsZero() || lim.Now.IsZero() {
		return nil, errors.New("read package: no file name or no clock given")
	}
	src := newSource(ctx, r, size, lim)
	found := &contents{lim: lim}
	var err error
	if f.Ext() == conda.ExtConda {
		err = readConda(src, f, lim, found)
	} else {
		err = readTarBz2(src, f, lim, found)
	}
	if src.err != nil { // before err: a decoder may have dressed it up as a broken file
		return nil, fmt.Errorf("read package: %w", src.err)
	}
	if err != nil {
		return nil, err
	}
	return found.pack(f)
}

func newSource(ctx context.Context, r io.ReaderAt, size int64, lim Limits) *source {
	return &source{
		r: r, size: size, stopped: func() error { return context.Cause(ctx) },
		acquire: func(n int64) error { return lim.Memory.Acquire(ctx, n) },
	}
}

func noIndex() error {
	return bad("the package has no info/index.json, which says what it is; build it with a conda build tool")
}

// pack makes the Package of what was found below info/.
func (c *contents) pack(f conda.Filename) (*Package, error) {
	if c.index == nil {
		return nil, noIndex()
	}
	p := &Package{RawIndex: c.index, Files: c.files, Traits: c.allTraits()}
	now := c.lim.Now
	if c.lim.Imported {
		now = time.Time{}
	}
	var err error
	if p.Record, p.SchemaVersion, err = readIndex(c.index, f, now); err != nil {
		return nil, within("info/index.json", err)
	}
	if err := readRunExports(&p.RunExports, c.runExports); err != nil {
		return nil, within("info/run_exports.json", err)
	}
	p.About = readAbout(c.about)
	return p, nil
}
