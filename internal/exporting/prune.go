package exporting

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"sluice/internal/conda"
	"sluice/internal/index"
)

// prune removes the packages and shards of a folder that its index does not name any more. What an export never
// writes stays.
func (x *exporter) prune(dir string, k kept) error {
	for _, sub := range []string{"", shardDir} {
		entries, err := fs.ReadDir(x.root.FS(), filepath.ToSlash(filepath.Join(dir, sub)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		for _, e := range entries {
			name := filepath.Join(sub, e.Name())
			if k[name] || !ours(sub, e.Name()) || e.IsDir() {
				continue
			}
			if err := x.disk.remove(filepath.Join(dir, name)); err != nil {
				return err
			}
			x.sum.Removed++
		}
	}
	return nil
}

// ours reports whether an export writes packages, attestations or shards of such names.
func ours(sub, name string) bool {
	if sub == shardDir {
		return strings.HasSuffix(name, shardExt)
	}
	if at := strings.LastIndex(name, sidecarExt); at >= 0 {
		name = name[:at]
	}
	_, err := conda.ParseFilename(name)
	return err == nil
}

// pruneLabels removes the places that earlier exports wrote and the channel does not have any more.
func (x *exporter) pruneLabels(before, now []conda.Label, places []index.Place) error {
	for _, l := range union(before, now) {
		entries, err := fs.ReadDir(x.root.FS(), filepath.ToSlash(labelDir(l)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		for _, e := range entries {
			d, err := conda.ParseSubdir(e.Name())
			p := index.Place{ChannelID: x.Channel.ID, Label: l, Subdir: d}
			if err == nil && e.IsDir() && !slices.Contains(places, p) {
				if err := x.removePlace(dirOf(p)); err != nil {
					return err
				}
			}
		}
		if !slices.Contains(now, l) {
			_ = x.disk.remove(filepath.Join(labelDir(l), noticesFile)) // they may be gone
			_ = x.disk.remove(filepath.Join(labelDir(l), string(index.ChannelData)))
			_ = x.disk.remove(labelDir(l)) // it stays where it holds anything else
		}
	}
	return nil
}

// removePlace removes the index files first, so that no reader finds one that names a file which is gone.
func (x *exporter) removePlace(dir string) error {
	for _, n := range slices.Backward(names) {
		if err := x.disk.remove(filepath.Join(dir, string(n))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := x.disk.flush(); err != nil {
		return err
	}
	if err := x.prune(dir, kept{}); err != nil {
		return err
	}
	_ = x.disk.remove(filepath.Join(dir, shardDir)) // these stay where they hold anything else
	_ = x.disk.remove(dir)
	return nil
}
