package generate

import (
	"context"
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
	for _, s := range []conda.Subdir{noarch, linux64} {
		if err := os.MkdirAll(filepath.Join(dir, s.String()), 0o755); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan Package, 64)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			f := NewFiler()
			for p := range todo {
				if err := f.write(dir, p); err != nil {
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

// send hands p on unless ctx ends first.
func send(ctx context.Context, to chan<- Package, p Package) bool {
	select {
	case to <- p:
		return true
	case <-ctx.Done():
		return false
	}
}

func (f *Filer) write(dir string, p Package) error {
	b, err := f.File(p)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, p.Record.Subdir.String(), p.File.String()), b, 0o644)
}
