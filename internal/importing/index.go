package importing

import (
	"cmp"
	"errors"
	"io"
	"os"
	"slices"

	"github.com/klauspost/compress/zstd"

	"sluice/internal/conda"
	"sluice/internal/conda/repodata"
)

// Text is a JSON file of a place of a source. It is read from its beginning any number of times, by one goroutine.
type Text struct {
	file *os.File
	// packed says that the file is one of zstd.
	packed bool
}

// Index is what a place of a source lists.
type Index struct {
	Text

	// names are all there is where there is no index file.
	names []string
}

// bareIndex lists the packages among the names of a folder without an index.
func bareIndex(names []string) *Index {
	names = slices.DeleteFunc(names, func(s string) bool {
		_, err := conda.ParseFilename(s)
		return err != nil
	})
	slices.Sort(names)
	return &Index{names: names}
}

// Close closes the file.
func (x *Text) Close() error {
	if x.file == nil {
		return nil
	}
	return x.file.Close()
}

func sortedSubdirs(found map[conda.Subdir]bool) []conda.Subdir {
	var out []conda.Subdir
	for d := range found {
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b conda.Subdir) int { return cmp.Compare(a.String(), b.String()) })
	return out
}

// maxWindow bounds what a frame of an index needs in memory, in bytes; level 22 uses all of it.
const maxWindow = 128 << 20

// open returns the file from its beginning, unpacked.
func (x *Text) open() (io.ReadCloser, error) {
	if _, err := x.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if !x.packed {
		return io.NopCloser(x.file), nil
	}
	dec, err := zstd.NewReader(x.file, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return dec.IOReadCloser(), nil
}

// Read reads the index file of a subdir from its beginning, until done is called. A folder without one has nothing to read.
func (x *Index) Read(d conda.Subdir) (source *repodata.Source, done func(), err error) {
	r, err := x.open()
	if err != nil {
		return nil, nil, err
	}
	return repodata.NewSource(r, d), func() { _ = r.Close() }, nil // it was only read
}

// read calls do for every file that the index names, and returns its info.base_url, which is known for certain at
// the end. An error of do ends it.
func (x *Index) read(d conda.Subdir, do func(entry) error) (base string, err error) {
	if x.file == nil {
		for _, name := range x.names {
			f, _ := conda.ParseFilename(name) // bareIndex looked
			if err := do(entry{file: f}); err != nil {
				return "", err
			}
		}
		return "", nil
	}
	source, done, err := x.Read(d)
	if err != nil {
		return "", err
	}
	defer done()
	for found, err := range source.Entries() {
		e := entry{file: found.File, yanked: found.Place == repodata.Removed, listed: found.Listed}
		if bad, ok := errors.AsType[*repodata.EntryError](err); ok {
			e.key, e.bad = bad.Key, bad.Unwrap()
		} else if err != nil {
			return "", err
		}
		if !e.yanked && e.bad == nil {
			e.record, e.runExports = &found.Record, found.RunExports
		}
		if err := do(e); err != nil {
			return "", err
		}
	}
	return source.Info().BaseURL, nil
}
