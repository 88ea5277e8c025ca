package generate

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"sluice/internal/conda"
)

// WriteFolder writes package files as dir/SUBDIR/FILE, on all processors at once. The folders that every
// channel has are made even where they stay empty. The files are not synced to the disk. It ends early with
// the first error, or with that of ctx.
func WriteFolder(ctx context.Context, dir string, packages iter.Seq[Package]) error {
	return writeFolder(ctx, dir, packages, func(Package, []byte) error { return nil })
}

// WriteChannel is WriteFolder with the repodata.json of both subdirs, so that the folder is a channel.
func WriteChannel(ctx context.Context, dir string, packages iter.Seq[Package]) (err error) {
	l, err := newListings(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	return writeFolder(ctx, dir, packages, l.add)
}

// writeFolder tells written of each file, from several goroutines.
func writeFolder(ctx context.Context, dir string, packages iter.Seq[Package], written func(Package, []byte) error) error {
	if err := makeSubdirs(dir); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan Package, 64)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			f := NewFiler()
			for p := range todo {
				b, err := f.write(dir, p)
				if err = errors.Join(err, written(p, b)); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	for p := range packages {
		if !send(ctx, todo, p) {
			break
		}
	}
	close(todo)
	wg.Wait()
	return context.Cause(ctx)
}

// subdirs are those that a generated channel may have.
func subdirs() []conda.Subdir { return []conda.Subdir{noarch, linux64} }

func makeSubdirs(dir string) error {
	for _, s := range subdirs() {
		if err := os.MkdirAll(filepath.Join(dir, s.String()), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// send hands p on unless ctx ends first.
func send(ctx context.Context, to chan<- Package, p Package) bool {
	select {
	case to <- p:
		return true
	case <-ctx.Done():
		return false
	}
}

func (f *Filer) write(dir string, p Package) ([]byte, error) {
	b, err := f.File(p)
	if err != nil {
		return nil, err
	}
	return b, os.WriteFile(filepath.Join(dir, p.Record.Subdir.String(), p.File.String()), b, 0o644)
}
