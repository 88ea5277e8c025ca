package exporting_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"sluice/internal/conda"
	"sluice/internal/conda/repodata"
	"sluice/internal/curate"
	"sluice/internal/exporting"
	"sluice/internal/index"
	"sluice/internal/servertest"
)

// unsure is what a power cut may undo at a moment of an export: what was done since the disk was waited for.
type unsure struct {
	dir string
	// written are files whose bytes may be lost, named the names that may be.
	written map[string]bool
	named   []naming
}

// naming is a name that a file got. before is what had it; nil: nothing.
type naming struct {
	made, name string
	before     []byte
}

// step follows what is about to be done.
func (u *unsure) step(each bool, what string, names []string) error {
	switch what {
	case "write":
		u.written[names[0]] = true
	case "rename":
		before, err := os.ReadFile(filepath.Join(u.dir, names[1]))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		u.named = append(u.named, naming{names[0], names[1], before})
		if u.written[names[0]] {
			delete(u.written, names[0])
			u.written[names[1]] = true
		}
	case "remove":
		delete(u.written, names[0])
	case "sync":
		for name := range u.written {
			if !each || slices.Contains(names, name) {
				delete(u.written, name)
			}
		}
		u.named = slices.DeleteFunc(u.named, func(n naming) bool { return !each || slices.Contains(names, filepath.Dir(n.name)) })
	}
	return nil
}

// The ways in which what is unsure may come out.
var cuts = []string{"nothing lost", "bytes lost", "bytes and names of files lost", "names of indexes lost"}

// cut makes in another folder what is on the disk after a power cut.
func (u *unsure) cut(t *testing.T, how string) string {
	t.Helper()
	to := t.TempDir()
	linkTree(t, u.dir, to)
	if how == "nothing lost" {
		return to
	}
	for name := range u.written {
		if err := os.Remove(filepath.Join(to, name)); errors.Is(err, fs.ErrNotExist) {
			continue // it is about to be written
		} else if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range slices.Backward(u.named) {
		isIndex := slices.Contains(exporting.IndexNames(), index.Name(filepath.Base(n.name)))
		if how == "bytes lost" || isIndex != (how == "names of indexes lost") {
			continue
		}
		name := filepath.Join(to, n.name)
		if err := os.Rename(name, filepath.Join(to, n.made)); err != nil && !errors.Is(err, fs.ErrNotExist) { // it may be pruned by now
			t.Fatal(err)
		}
		if n.before != nil {
			if err := os.WriteFile(name, n.before, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return to
}

// linkTree makes a copy of a folder, of which nothing is written to in its place.
func linkTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		return os.Link(p, filepath.Join(to, rel))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sound looks for everything that an index of the folder names.
func sound(dir string) error {
	return filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		switch index.Name(d.Name()) {
		case index.RepodataJSON:
			err = hasPackages(filepath.Dir(p), b)
		case index.RepodataZst:
			dec, oops := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
			if oops != nil {
				return oops
			}
			defer dec.Close()
			if b, err = dec.DecodeAll(b, nil); err == nil {
				err = hasPackages(filepath.Dir(p), b)
			}
		case index.ShardIndex:
			err = hasShards(filepath.Dir(p), b)
		case index.RunExportsJSON, index.RunExportsZst, index.ChannelData:
			if len(b) == 0 {
				err = errors.New("it is empty")
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		return nil
	})
}

func hasPackages(dir string, text []byte) error {
	for e, err := range repodata.NewSource(bytes.NewReader(text), conda.Noarch()).Entries() {
		if err != nil {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, e.File.String()))
		if err != nil || len(b) == 0 || e.Place != repodata.Removed && sha256.Sum256(b) != e.Record.SHA256 {
			return fmt.Errorf("it names %s, which has %d bytes: %w", e.File, len(b), err)
		}
	}
	return nil
}

func hasShards(dir string, packed []byte) error {
	list, err := repodata.ReadShardIndex(packed)
	if err != nil {
		return err
	}
	for name, sum := range list.Hashes {
		b, err := os.ReadFile(filepath.Join(dir, "shards", fmt.Sprintf("%x.msgpack.zst", sum)))
		if err != nil || sha256.Sum256(b) != sum {
			return fmt.Errorf("it names the shard of %s, which has %d bytes: %w", name, len(b), err)
		}
	}
	return nil
}

// Whatever a power cut leaves of an export, and wherever it comes, no index names what is not there, and the next export
// makes of it what one that was left alone would have.
func TestPowerCutAtEveryStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servertest.New(t, servertest.Options{}))
	w.fill(t)
	dir := t.TempDir()
	t.Run("a new folder", func(t *testing.T) { w.cutEverywhere(t, dir) })
	w.upload(t, tide("3.0", "noarch"), conda.ExtConda)
	w.curate(t, "1.1", curate.Change{Kind: curate.Delete, Reason: "It holds a secret."})
	w.curate(t, "2.0", curate.Change{Kind: curate.Move, Label: label(t, "dev"), To: conda.MainLabel()})
	t.Run("a folder of an earlier export", func(t *testing.T) { w.cutEverywhere(t, dir) })
}

// cutEverywhere exports to the folder, and to copies of it in which the power is cut before each step.
func (w *world) cutEverywhere(t *testing.T, dir string) {
	t.Helper()
	fresh := t.TempDir()
	w.export(t, fresh, nil)
	want := files(t, fresh)
	shared := index.New(w.DB, 8<<20)
	config := func(dir string) exporting.Config {
		return exporting.Config{Channel: w.ch, Store: w.DB, Index: shared, Blobs: w.blobs, Dir: dir, Prune: true, Progress: &exporting.Progress{}}
	}
	before := t.TempDir()
	linkTree(t, dir, before)
	for name, each := range map[string]bool{"synced as a whole": false, "each synced": true} {
		to := t.TempDir()
		linkTree(t, before, to)
		u, steps, last := &unsure{dir: to, written: map[string]bool{}}, 0, ""
		_, err := exporting.RunSteps(t.Context(), config(to), func(*os.File) (bool, error) { return !each, nil }, func(what string, names ...string) {
			for _, how := range cuts {
				if what == "write" && last == "write" {
					break // no more came than a file without its name
				}
				left := u.cut(t, how)
				if err := sound(left); err != nil {
					t.Errorf("%s, cut before step %d (%s %q), %s: %v", name, steps, what, names, how, err)
				}
				if each { // what is left is the same
					continue
				}
				if _, err := exporting.RunSteps(t.Context(), config(left), func(*os.File) (bool, error) { return true, nil }, func(string, ...string) {}); err != nil {
					t.Errorf("the export after a cut before step %d (%s %q), %s: %v", steps, what, names, how, err)
				} else if d := cmp.Diff(want, files(t, left)); d != "" {
					t.Errorf("after a cut before step %d (%s %q), %s (-left alone +taken up):\n%s", steps, what, names, how, d)
				}
			}
			steps, last = steps+1, what
			if err := u.step(each, what, names); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, files(t, to)); d != "" || steps < 20 {
			t.Errorf("%s: after %d steps (-new +export):\n%s", name, steps, d)
		}
		if len(u.written)+len(u.named) > 0 {
			t.Errorf("%s: when the export was done, these were not durable: %v %v", name, u.written, u.named)
		}
	}
	w.export(t, dir, func(c *exporting.Config) { c.Prune = true })
	quiet := 0
	if _, err := exporting.RunSteps(t.Context(), config(dir), func(*os.File) (bool, error) { return true, nil }, func(what string, names ...string) {
		if what == "sync" || what == "rename" {
			quiet++
			t.Logf("%s %q", what, names)
		}
	}); err != nil || quiet > 0 {
		t.Errorf("an export of what has not changed: %v, %d files were put in place, or waited for", err, quiet)
	}
}
