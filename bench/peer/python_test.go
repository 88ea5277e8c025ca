package peer_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"sluice/bench/generate"
	"sluice/bench/peer"
)

const root = "../.."

// Both indexers take what we generate, and a second run takes up one more package.
func TestIndexersListEveryPackage(t *testing.T) {
	t.Parallel()
	c, err := generate.New(generate.Spec{Records: generate.MinRecords, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, indexer := range []string{peer.Rattler, peer.CondaIndex} {
		t.Run(indexer, func(t *testing.T) {
			t.Parallel()
			dir, p := t.TempDir(), peer.Python{Root: root}
			if err := generate.WriteFolder(t.Context(), dir, c.Packages()); err != nil {
				t.Fatal(err)
			}
			u, err := p.Index(t.Context(), indexer, dir)
			if err != nil {
				t.Fatal(err)
			}
			if u.Wall <= 0 || u.CPU <= 0 || u.PeakRSS < 10<<20 {
				t.Errorf("it took %+v", u)
			}
			for pkg := range c.Packages() {
				listed(t, dir, pkg, true)
			}
			extra := c.Extra(0)
			listed(t, dir, extra, false)
			if err := generate.WriteFolder(t.Context(), dir, func(yield func(generate.Package) bool) { yield(extra) }); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Index(t.Context(), indexer, dir); err != nil {
				t.Fatal(err)
			}
			listed(t, dir, extra, true)
		})
	}
}

// listed checks whether a package is in the repodata.json.zst of its subdir.
func listed(t *testing.T, dir string, p generate.Package, want bool) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, p.Record.Subdir.String(), "repodata.json.zst"))
	if err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if b, err = z.DecodeAll(b, nil); err != nil {
		t.Fatal(err)
	}
	if got := bytes.Contains(b, []byte(`"`+p.File.String()+`"`)); got != want {
		t.Errorf("%s is listed: %v, want %v", p.File, got, want)
	}
}

func TestCondaIndexFillsItsCache(t *testing.T) {
	t.Parallel()
	c, err := generate.New(generate.Spec{Records: generate.MinRecords, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := generate.WriteFolder(t.Context(), dir, c.Packages()); err != nil {
		t.Fatal(err)
	}
	if _, err := (peer.Python{Root: root}).Index(t.Context(), peer.CondaIndexCache, dir); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "linux-64", ".cache", "cache.db"))
	if err != nil || info.Size() < 50<<10 {
		t.Errorf("cache: %v, %v", info, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "linux-64", "repodata.json")); err == nil {
		t.Error("the index was written, too")
	}
}

func TestAFolderThatIsNotThere(t *testing.T) {
	t.Parallel()
	if _, err := (peer.Python{Root: root}).Index(t.Context(), peer.CondaIndex, filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no error")
	}
}
