// Package exporting writes a channel as a folder that any file server can serve: index files as the server gives
// them, byte for byte, packages, and labels below label/NAME. Whoever leaves takes all of it along.
//
// It only reads from the server's data, so it works beside a server that runs; and a reader of the folder sees, in the
// middle of it, old files or new ones, and no index that names a file which is not there yet. The same holds for what a
// power cut leaves, and the next export goes on from there. It must not know of SQL,
// flags, or how progress is shown.
package exporting

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"sluice/internal/blob"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/index"
)

// Stored is where the bytes of an artifact are, and since when.
type Stored struct {
	SHA256 [32]byte
	// Size is in bytes.
	Size int64
	// UploadedAt becomes the time of the file, which import takes it from again.
	UploadedAt time.Time
	// Attested says that it has attestations.
	Attested bool
}

// Store is what is asked of the database.
type Store interface {
	// Places are the places of a channel that have an index.
	Places(ctx context.Context, channelID int64) ([]index.Place, error)
	// Stored tells of those of the files that are in a subdir, by name; deleted ones are not there.
	Stored(ctx context.Context, channelID int64, d conda.Subdir, filenames []string) (map[string]Stored, error)
	// Sidecars are the files of attestations that an artifact of a place has and had, the newest last.
	Sidecars(ctx context.Context, p index.Place, f conda.Filename) ([][]byte, error)
}

// Blobs reads bytes.
type Blobs interface {
	Open(ctx context.Context, sum blob.Sum) (io.ReadSeekCloser, int64, error)
}

// Config is what an export is made of. All fields are required.
type Config struct {
	Channel channel.Channel
	Store   Store
	Index   *index.Index
	Blobs   Blobs
	// Dir is the folder that is written. It must be new, empty, or that of an earlier export.
	Dir string
	// Prune removes what earlier exports wrote and the channel does not have any more.
	Prune bool
	// Verify reads every file that is there already, instead of trusting its size and its time.
	Verify bool
	// Progress is moved as the export goes on.
	Progress *Progress
}

// Progress can be looked at by any goroutine while an export runs.
type Progress struct {
	// Files are those of packages that are in place; Written and Bytes are those of them that were written.
	Files, Written, Bytes atomic.Int64
}

// Summary is what became of an export.
type Summary struct {
	// Packages are in place now, of which Written were written, with so many Bytes, Linked share the bytes of another
	// label, and Removed are files that were pruned.
	Packages, Written, Linked, Removed, Bytes int64
	Labels                                    int
}

// exporter is one export under way.
type exporter struct {
	Config

	root *os.Root
	disk *disk
	sum  Summary
}

// Run exports.
func Run(ctx context.Context, c Config) (s Summary, err error) {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil { //nolint:gosec // what it holds is to be served to others
		return s, fmt.Errorf("make the folder of the export: %w", err)
	}
	root, err := os.OpenRoot(c.Dir)
	if err != nil {
		return s, fmt.Errorf("open the folder of the export: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	d, err := newDisk(root)
	if err != nil {
		return s, fmt.Errorf("open the folder of the export: %w", err)
	}
	defer func() { err = errors.Join(err, d.close()) }()
	return export(ctx, c, d)
}

func export(ctx context.Context, c Config, d *disk) (Summary, error) {
	x := &exporter{Config: c, root: d.root, disk: d}
	err := x.run(ctx)
	return x.sum, err
}

func (x *exporter) run(ctx context.Context) error {
	before, err := x.claim()
	if err != nil {
		return err
	}
	places, err := x.places(ctx)
	if err != nil {
		return err
	}
	labels := labelsOf(places)
	x.sum.Labels = len(labels)
	// Named before they are filled: an export that is cut is then known as one.
	if err := x.writeLabels(union(before, labels)); err != nil {
		return err
	}
	for _, p := range places {
		if err := x.place(ctx, p, places); err != nil {
			return fmt.Errorf("export %s of label %s: %w", p.Subdir, p.Label, err)
		}
	}
	if err := x.writeBeside(ctx, labels); err != nil {
		return err
	}
	if x.Prune {
		if err := x.pruneLabels(before, labels, places); err != nil {
			return err
		}
		if err := x.writeLabels(labels); err != nil {
			return err
		}
	}
	return x.disk.flush()
}

// dirOf is the folder of a place.
func dirOf(p index.Place) string { return filepath.Join(labelDir(p.Label), p.Subdir.String()) }

func labelDir(l conda.Label) string {
	if l == conda.MainLabel() {
		return "."
	}
	return filepath.Join("label", filepath.FromSlash(l.String()))
}
