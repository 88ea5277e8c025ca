package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"sluice/internal/conda"
	"sluice/internal/importing"
)

// Whole is everything that a channel elsewhere lists, with its indexes at hand. Make one by OpenWhole, and close it.
type Whole struct {
	// Files is how many files there are, Bytes how many bytes they have together by their records. Unsized are those of which
	// the index does not tell the size.
	Files, Bytes, Unsized int64

	indexes []index
}

// OpenWhole fetches the indexes of these subdirs, and counts what they list.
func OpenWhole(ctx context.Context, w *importing.Web, subdirs []conda.Subdir) (*Whole, error) {
	all := &Whole{}
	for _, d := range subdirs {
		x, err := openIndex(ctx, w, d)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a channel need not have every subdir
		}
		if err == nil {
			all.indexes = append(all.indexes, x)
			err = x.scan(ctx, all.count)
		}
		if err != nil {
			all.Close()
			return nil, err
		}
	}
	return all, nil
}

func (a *Whole) count(c Claim) bool {
	if c.lists() {
		a.Files++
		if c.Record != nil && c.Record.Size > 0 {
			a.Bytes += c.Record.Size
		} else {
			a.Unsized++
		}
	}
	return true
}

// Listed are all files, in the order of the indexes. Removed ones are left out.
func (a *Whole) Listed(ctx context.Context) iter.Seq2[Claim, error] {
	return func(yield func(Claim, error) bool) {
		for _, x := range a.indexes {
			for c, err := range listed(func(do func(Claim) bool) error { return x.scan(ctx, do) }) {
				if !yield(c, err) || err != nil {
					return
				}
			}
		}
	}
}

// Close forgets the indexes.
func (a *Whole) Close() {
	for _, x := range a.indexes {
		x.close()
	}
}

// index is the whole index of a subdir elsewhere.
type index struct {
	channel *importing.Web
	subdir  conda.Subdir
	file    *importing.Index
}

// openIndex fetches it; fs.ErrNotExist when there is none.
func openIndex(ctx context.Context, w *importing.Web, d conda.Subdir) (index, error) {
	file, err := w.Index(ctx, importing.Place{Label: conda.MainLabel(), Subdir: d})
	return index{w, d, file}, err
}

func (x index) close() { _ = x.file.Close() } // it was only read

// scan calls do with every file that the index tells of, from its beginning until do wants no more.
func (x index) scan(ctx context.Context, do func(Claim) bool) error {
	source, done, err := x.file.Read(x.subdir)
	if err != nil {
		return err
	}
	defer done()
	err = eachEntry(source, func(c Claim) bool {
		c.Channel, c.Subdir, c.Base = x.channel, x.subdir, source.Info().BaseURL
		return ctx.Err() == nil && do(c)
	})
	if err != nil {
		return fmt.Errorf("the index of %s in %s: %w", x.subdir, x.channel, err)
	}
	return context.Cause(ctx)
}
