package test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/audit"
	"sluice/internal/blob"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/build"
	"sluice/internal/curate"
	"sluice/internal/exporting"
	"sluice/internal/importing"
	"sluice/internal/index"
	"sluice/internal/publish"
	"sluice/internal/servertest"
	"sluice/test/clients"
)

// TestLeavingAndArriving exports a channel to a folder, which clients install from through a plain file server, from each of its
// labels, and imports it into the other database from there.
func TestLeavingAndArriving(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		w.fill(t, w.forge,
			pack(t, build.Package{Name: "tidelib", Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic"}, conda.ExtConda),
			pack(t, build.Package{Name: "tidewatch", Version: "1.0", Build: "0", Subdir: "linux-64", Depends: []string{"tidelib >=1"}}, conda.ExtTarBz2))
		w.keep(t, curate.Change{Kind: curate.List, Label: label(t, "rc/1")}, "noarch/tidelib-1.0-0.conda", "linux-64/tidewatch-1.0-0.tar.bz2")
		dir := t.TempDir()
		_, err := exporting.Run(t.Context(), exporting.Config{
			Channel: w.forge, Store: w.DB, Index: index.New(w.DB, 1<<20), Blobs: w.folder(t), Dir: dir, Progress: &exporting.Progress{},
		})
		if err != nil {
			t.Fatal(err)
		}
		plain := pythonServer(t, dir)
		wantInstalls(t, plain)
		wantInstalls(t, plain+"/label/rc/1")

		other := newWorld(t, servertest.New(t, servertest.Options{Postgres: w.Address == ""}))
		source, err := importing.OpenWeb(plain, importing.Credential{})
		if err != nil {
			t.Fatal(err)
		}
		limits := artifact.DefaultLimits()
		limits.Memory = publish.NewMemory(limits)
		sum, err := importing.Run(t.Context(), importing.Config{
			Source: source, Channel: other.forge, Store: other.DB, Blobs: other.folder(t), Jobs: 2, Limits: limits, MaxSize: 1 << 20, Now: time.Now,
			Actor: audit.Actor{Kind: audit.Operator},
		})
		if err != nil || sum.Imported != 2 || sum.Refused != 0 {
			t.Fatalf("import: %+v, %v", sum, err)
		}
		wantInstalls(t, other.channelURL(other.forge))
		wantInstalls(t, other.channelURL(other.forge)+"/label/rc/1")
	})
}

// pythonServer serves a folder by http.server of Python, which knows nothing of channels, and returns its address.
func pythonServer(t *testing.T, dir string) string {
	t.Helper()
	program, err := filepath.Abs("../.venv/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", dir, "0")
	said, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	line, err := bufio.NewReader(said).ReadString('\n')
	_, address, found := strings.Cut(line, "(")
	address, _, closed := strings.Cut(address, "/)")
	if err != nil || !found || !closed {
		t.Fatalf("http.server says %q, %v", line, err)
	}
	return address
}

// wantInstalls installs what depends on what, by every index file and by the command.
func wantInstalls(t *testing.T, url string) {
	t.Helper()
	for _, via := range []string{"shards", "zst", "json"} {
		var got struct{ Records []record }
		clients.NewUser(t).Drive(t, "read.py", "install", "--channel", url, "--via", via, "--spec", "tidewatch", "--prefix", t.TempDir()).Into(t, &got)
		if len(got.Records) != 2 {
			t.Errorf("%s, by %s: installed %+v, want two packages", url, via, got.Records)
		}
	}
	if ran := clients.NewUser(t).Rattler(t, "create", "--prefix", t.TempDir(), "--channel", url, "tidewatch"); ran.Status != 0 {
		t.Error(ran)
	}
}

// folder opens the server's packages, beside the server.
func (w *world) folder(t *testing.T) *blob.Folder {
	t.Helper()
	root, err := os.OpenRoot(w.Data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	blobs, err := blob.NewFolder(root, w.DB.Referenced)
	if err != nil {
		t.Fatal(err)
	}
	return blobs
}
