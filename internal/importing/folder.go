package importing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sluice/internal/conda"
)

// Folder is a channel in a folder of this machine: SUBDIR/FILE, and the same below label/LABEL/. A subdir without an
// index lists the packages that lie in it.
type Folder struct {
	path string
	root *os.Root
}

// OpenFolder opens the channel in a folder. The caller closes it.
func OpenFolder(path string) (*Folder, error) {
	root, err := os.OpenRoot(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no folder %s: name the folder of a channel, or its address with https://", path)
	} else if err != nil {
		return nil, fmt.Errorf("open the channel %s: %w", path, err)
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return &Folder{path: path, root: root}, nil
}

// Close lets the folder go.
func (f *Folder) Close() error { return f.root.Close() }

func (f *Folder) String() string { return f.path }

// Labels implements Source.
func (f *Folder) Labels(context.Context) ([]conda.Label, error) {
	b, err := f.root.ReadFile(labelsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("read %s: %w", labelsFile, err)
	}
	var l labelList
	if err := json.Unmarshal(b, &l); err != nil {
		return nil, fmt.Errorf("read %s: %w", labelsFile, err)
	}
	return l.parse()
}

// Subdirs implements Source: all folders that have the name of one, in any label.
func (f *Folder) Subdirs(ctx context.Context) ([]conda.Subdir, error) {
	labels, err := f.Labels(ctx)
	if err != nil {
		return nil, err
	}
	found := map[conda.Subdir]bool{}
	for _, l := range append(labels, conda.MainLabel()) {
		entries, err := fs.ReadDir(f.root.FS(), dirOf(l))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list the subdirs of %s: %w", f.path, err)
		}
		for _, e := range entries {
			if d, err := conda.ParseSubdir(e.Name()); err == nil && e.IsDir() {
				found[d] = true
			}
		}
	}
	return sortedSubdirs(found), nil
}

// dirOf is the folder of a label.
func dirOf(l conda.Label) string {
	if l == conda.MainLabel() {
		return "."
	}
	return "label/" + l.String()
}

// Index implements Source.
func (f *Folder) Index(_ context.Context, p Place) (*Index, error) {
	text, err := f.text(p, repodataFile)
	if err == nil {
		return &Index{Text: *text}, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open the index of %s: %w", p.Subdir, err)
	}
	d, err := f.root.Open(placeDir(p))
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Close() }() // it was only read
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", p.Subdir, err)
	}
	return bareIndex(names), nil
}

// RunExports implements Source.
func (f *Folder) RunExports(_ context.Context, p Place) (*Text, error) {
	return f.text(p, runExportsFile)
}

// text opens a JSON file of a place, compressed or not; fs.ErrNotExist when there is neither.
func (f *Folder) text(p Place, name string) (*Text, error) {
	file, err := f.root.Open(placeDir(p) + "/" + name + packedExt)
	if err == nil {
		return &Text{file: file, packed: true}, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	file, err = f.root.Open(placeDir(p) + "/" + name)
	return &Text{file: file}, err
}

func placeDir(p Place) string { return dirOf(p.Label) + "/" + p.Subdir.String() }

// Package implements Source.
func (f *Folder) Package(_ context.Context, p Place, base string, name conda.Filename) (Body, error) {
	return f.open(p, base, name.String())
}

// Sidecar implements Source.
func (f *Folder) Sidecar(_ context.Context, p Place, base string, name conda.Filename, sum [32]byte) (Body, error) {
	return f.open(p, base, sidecarName(name, sum))
}

// Yank implements Source: an index tells no more than that a file is removed.
func (f *Folder) Yank(context.Context, conda.Subdir, conda.Filename) (Yank, error) {
	return Yank{}, nil
}

func (f *Folder) open(p Place, base, name string) (Body, error) {
	file, err := f.root.Open(placeDir(p) + "/" + name)
	if errors.Is(err, fs.ErrNotExist) && base != "" {
		return Body{}, fmt.Errorf("it is not in the folder, whose index says that packages lie at %s: import from the channel's address instead: %w", base, err)
	} else if err != nil {
		return Body{}, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file")
	}
	if err != nil {
		return Body{}, errors.Join(err, file.Close())
	}
	return Body{ReadCloser: file, ModifiedAt: info.ModTime()}, nil
}
