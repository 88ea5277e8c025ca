package exporting_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/blob"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/build"
	"sluice/internal/conda/repodata"
	"sluice/internal/curate"
	"sluice/internal/exporting"
	"sluice/internal/importing"
	"sluice/internal/index"
	"sluice/internal/publish"
	"sluice/internal/servertest"
)

// world is a server with a channel that has something of everything.
type world struct {
	*servertest.Server
	ch    channel.Channel
	blobs *blob.Folder
	key   string
}

func newWorld(t *testing.T, s *servertest.Server) *world {
	t.Helper()
	ann := s.User(t, "ann", true)
	w := &world{Server: s, ch: s.Channel(t, ann, "forge", channel.Public), key: s.Token(t, ann, nil, account.Upload)}
	root, err := os.OpenRoot(s.Data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	if w.blobs, err = blob.NewFolder(root, s.DB.Referenced); err != nil {
		t.Fatal(err)
	}
	return w
}

// upload uploads a package as clients do.
func (w *world) upload(t *testing.T, p build.Package, ext string) {
	t.Helper()
	b, err := p.Conda()
	if ext == conda.ExtTarBz2 {
		b, err = p.TarBz2()
	}
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+"/api/v1/upload/forge", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.key)
	req.Header.Set("X-File-Name", p.Stem()+ext)
	req.Header.Set("X-File-SHA256", fmt.Sprintf("%x", sha256.Sum256(b)))
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("upload %s: %s", p.Stem(), res.Status)
	}
}

// curate changes the files of a name and version.
func (w *world) curate(t *testing.T, version string, c curate.Change) {
	t.Helper()
	some, err := w.DB.Select(t.Context(), w.ch.ID, curate.Selection{Name: "tide", Version: version}, 0, 10)
	if err != nil || len(some) == 0 {
		t.Fatalf("select %s: %v, %v", version, some, err)
	}
	var ids []int64
	for _, a := range some {
		ids = append(ids, a.ID)
	}
	if _, err := w.DB.Curate(t.Context(), w.ch, ids, c, audit.Event{Kind: audit.Listed}); err != nil {
		t.Fatal(err)
	}
}

func label(t *testing.T, s string) conda.Label {
	t.Helper()
	l, err := conda.ParseLabel(s)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func tide(version, subdir string, depends ...string) build.Package {
	p := build.Package{Name: "tide", Version: version, Build: "0", Subdir: subdir, Depends: depends, License: "MIT", RunExports: conda.RunExports{Weak: []string{"tide >=" + version}}}
	if subdir == "noarch" {
		p.Noarch = "generic"
	}
	return p
}

// fill makes a channel with labels, a yanked file, a corrected one, and one that is held.
func (w *world) fill(t *testing.T) {
	t.Helper()
	w.upload(t, tide("0.9", "noarch"), conda.ExtConda)
	w.upload(t, tide("1.0", "noarch"), conda.ExtConda)
	w.upload(t, tide("1.1", "noarch"), conda.ExtTarBz2)
	w.upload(t, tide("1.2", "linux-64", "python"), conda.ExtConda)
	w.upload(t, tide("2.0", "noarch"), conda.ExtConda)
	dev := label(t, "dev")
	w.curate(t, "1.1", curate.Change{Kind: curate.List, Label: dev})
	w.curate(t, "2.0", curate.Change{Kind: curate.Move, Label: conda.MainLabel(), To: dev})
	w.curate(t, "0.9", curate.Change{Kind: curate.TakeOut, Label: conda.MainLabel()})
	w.curate(t, "1.0", curate.Change{Kind: curate.Yank, Reason: "It eats files."})
	w.curate(t, "1.2", curate.Change{Kind: curate.Patch, Patch: conda.Patch{
		Depends: &[]string{"python <3.14"}, RunExports: &conda.RunExports{Weak: []string{"tide >=1.2,<1.3"}},
	}})
}

// export exports the channel, and returns what became of it.
func (w *world) export(t *testing.T, dir string, change func(*exporting.Config)) exporting.Summary {
	t.Helper()
	c := exporting.Config{
		Channel: w.ch, Store: w.DB, Index: index.New(w.DB, 1<<20), Blobs: w.blobs, Dir: dir, Progress: &exporting.Progress{},
	}
	if change != nil {
		change(&c)
	}
	sum, err := exporting.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// files are those of a folder by their paths.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		rel, err2 := filepath.Rel(dir, p)
		out[filepath.ToSlash(rel)] = string(b)
		return errors.Join(err, err2)
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (w *world) get(t *testing.T, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL+"/forge/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, b.String()
}

// What lies in the folder is what the server gives, and all of it; imported elsewhere it is the same channel.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		w := newWorld(t, s)
		w.fill(t)
		dir := t.TempDir()
		sum := w.export(t, dir, nil)
		if sum.Labels != 2 || sum.Packages != 5 || sum.Written != 4 || sum.Linked != 1 {
			t.Errorf("%+v", sum)
		}
		out := files(t, dir)
		for path, content := range out {
			if path == "labels.json" {
				continue
			}
			if status, served := w.get(t, path); status != http.StatusOK || served != content {
				t.Errorf("%s: the server answers %d and %d bytes, the file has %d", path, status, len(served), len(content))
			}
		}
		var names []string
		for name := range out {
			if !strings.Contains(name, "shards/") {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		if d := cmp.Diff(wantNames(), names); d != "" {
			t.Errorf("files (-want +got):\n%s", d)
		}

		other := newWorld(t, servertest.New(t, servertest.Options{Postgres: s.Address == ""})) // to the other database
		other.bring(t, dir)
		again := t.TempDir()
		other.export(t, again, nil)
		back := files(t, again)
		for name, content := range out {
			// The others follow from these, and name the time of their generation.
			if strings.HasSuffix(name, ".json") || strings.HasSuffix(name, ".conda") || strings.HasSuffix(name, ".tar.bz2") {
				if back[name] != content {
					t.Errorf("%s came back as\n%s\nand was\n%s", name, back[name], content)
				}
			}
		}
		if d := cmp.Diff(times(t, dir), times(t, again)); d != "" {
			t.Errorf("times of upload (-first +second):\n%s", d)
		}
	})
}

func wantNames() []string {
	var out []string
	for _, dir := range []string{"label/dev/linux-64/", "label/dev/noarch/", "linux-64/", "noarch/"} {
		for _, n := range []string{"repodata.json", "repodata.json.zst", "repodata_shards.msgpack.zst", "run_exports.json", "run_exports.json.zst"} {
			out = append(out, dir+n)
		}
	}
	out = append(out, "labels.json", "notices.json", "label/dev/notices.json", "channeldata.json", "label/dev/channeldata.json", "noarch/tide-1.0-0.conda", "noarch/tide-1.1-0.tar.bz2",
		"linux-64/tide-1.2-0.conda", "label/dev/noarch/tide-1.1-0.tar.bz2", "label/dev/noarch/tide-2.0-0.conda")
	out = slices.DeleteFunc(out, func(s string) bool { return strings.HasPrefix(s, "label/dev/linux-64") })
	slices.Sort(out)
	return out
}

// times are those of the packages of a folder.
func times(t *testing.T, dir string) map[string]time.Time {
	t.Helper()
	out := map[string]time.Time{}
	for name := range files(t, dir) {
		if strings.Contains(name, "/tide-") {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			out[name] = info.ModTime().UTC()
		}
	}
	return out
}

func (w *world) bring(t *testing.T, dir string) {
	t.Helper()
	source, err := importing.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	limits := artifact.DefaultLimits()
	limits.Memory = publish.NewMemory(limits)
	sum, err := importing.Run(t.Context(), importing.Config{
		Source: source, Channel: w.ch, Store: w.DB, Blobs: w.blobs, Jobs: 2, Limits: limits, MaxSize: 1 << 20, Now: time.Now,
	})
	if err != nil || sum.Refused > 0 {
		t.Fatalf("import: %+v, %v", sum, err)
	}
}

// A second export writes what is new, leaves what is there, and removes nothing unless it is told to.
func TestSecondExport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servertest.New(t, servertest.Options{}))
	w.fill(t)
	dir := t.TempDir()
	w.export(t, dir, nil)
	first := files(t, dir)
	if sum := w.export(t, dir, nil); sum.Written != 0 || sum.Linked != 0 {
		t.Errorf("the second export: %+v", sum)
	}
	if d := cmp.Diff(first, files(t, dir)); d != "" {
		t.Errorf("the second export changed files:\n%s", d)
	}

	damaged := filepath.Join(dir, "noarch", "tide-1.0-0.conda")
	info, err := os.Stat(damaged)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		at      time.Time
		verify  bool
		written int64
	}{
		{at: info.ModTime(), written: 0}, // looks like the one that was written
		{at: info.ModTime(), verify: true, written: 1},
		{at: time.Now(), written: 1},
	} {
		if err := errors.Join(os.WriteFile(damaged, bytes.Repeat([]byte("x"), int(info.Size())), 0o600), os.Chtimes(damaged, tt.at, tt.at)); err != nil {
			t.Fatal(err)
		}
		if sum := w.export(t, dir, func(c *exporting.Config) { c.Verify = tt.verify }); sum.Written != tt.written {
			t.Errorf("%+v: %+v", tt, sum)
		}
	}

	w.upload(t, tide("3.0", "noarch"), conda.ExtConda)
	w.curate(t, "1.1", curate.Change{Kind: curate.Delete, Reason: "It holds a secret."})
	w.curate(t, "2.0", curate.Change{Kind: curate.Move, Label: label(t, "dev"), To: conda.MainLabel()})
	for _, name := range []string{".sluice-LEFT", "shards/.sluice-LEFT", "robots.txt"} {
		if err := os.WriteFile(filepath.Join(dir, "noarch", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sum := w.export(t, dir, nil)
	out := files(t, dir)
	if sum.Written != 2 || sum.Removed != 0 || out["noarch/tide-1.1-0.tar.bz2"] == "" || out["label/dev/noarch/tide-2.0-0.conda"] == "" {
		t.Errorf("without prune: %+v, %q", sum, slices.Sorted(maps.Keys(out)))
	}
	w.export(t, dir, func(c *exporting.Config) { c.Prune = true })
	out = files(t, dir)
	fresh := t.TempDir()
	w.export(t, fresh, nil)
	want := files(t, fresh)
	want["noarch/robots.txt"] = ""
	if d := cmp.Diff(want, out); d != "" {
		t.Errorf("pruned, beside a new export (-new +pruned):\n%s", d)
	}
}

// Whoever reads the folder while it is written finds every file that an index names.
func TestReadersInTheMiddle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servertest.New(t, servertest.Options{}))
	dir := t.TempDir()
	w.upload(t, tide("1.0", "noarch"), conda.ExtConda)
	w.export(t, dir, nil)
	ctx, end := context.WithCancel(t.Context())
	reads, ended := 0, make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if err := whole(filepath.Join(dir, "noarch")); err != nil {
				t.Error(err)
			}
			reads++
		}
	}()
	for i := range 12 {
		w.upload(t, tide(fmt.Sprintf("2.%d", i), "noarch"), conda.ExtConda)
		w.export(t, dir, nil)
	}
	end()
	<-ended
	if reads == 0 {
		t.Error("nothing was read")
	}
}

// whole reads the indexes of a folder, and then looks for what they name.
func whole(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "repodata.json"))
	packed, err2 := os.ReadFile(filepath.Join(dir, "repodata_shards.msgpack.zst"))
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	for e, err := range repodata.NewSource(bytes.NewReader(text), conda.Noarch()).Entries() {
		if err != nil {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, e.File.String()))
		if err != nil || sha256.Sum256(b) != e.Record.SHA256 {
			return fmt.Errorf("%s has %d bytes: %w", e.File, len(b), err)
		}
	}
	shards, err := repodata.ReadShardIndex(packed)
	if err != nil {
		return err
	}
	for name, sum := range shards.Hashes {
		b, err := os.ReadFile(filepath.Join(dir, "shards", fmt.Sprintf("%x.msgpack.zst", sum)))
		if err != nil || sha256.Sum256(b) != sum {
			return fmt.Errorf("the shard of %s has %d bytes: %w", name, len(b), err)
		}
	}
	return nil
}

func TestForeignFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servertest.New(t, servertest.Options{}))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.txt"), []byte("Years of work."), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := exporting.Run(t.Context(), exporting.Config{Channel: w.ch, Store: w.DB, Index: index.New(w.DB, 1<<20), Blobs: w.blobs, Dir: dir, Prune: true, Progress: &exporting.Progress{}})
	if err == nil || !strings.Contains(err.Error(), "holds other things (thesis.txt)") {
		t.Errorf("error = %v", err)
	}
	if out := files(t, dir); len(out) != 1 {
		t.Errorf("the folder holds %q", out)
	}
}
