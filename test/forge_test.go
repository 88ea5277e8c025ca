package test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/internal/standin"
	"sluice/internal/trust"
	"sluice/test/clients"
)

// TestForge is the story that Sluice is for: a folder of recipes, a channel, and no stored key anywhere.
func TestForge(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		recipes := t.TempDir()
		if err := os.CopyFS(recipes, os.DirFS("../docs/forge/template/recipes")); err != nil {
			t.Fatal(err)
		}
		w.Publisher(t, w.forge, trust.PublisherSpec{})

		all := []string{"tidecli", "tidelib", "tidewatch"}
		first := w.ci(t, recipes, "conda")
		if !slices.Equal(first.names(t), all) || len(first.Skipped) != 0 {
			t.Fatalf("the first run built %v and skipped %v, want all built", first.names(t), first.Skipped)
		}
		w.wantRun(t, first)

		before := len(w.asked())
		second := w.ci(t, recipes, "conda")
		if len(second.Built) != 0 || !slices.Equal(second.Skipped, all) {
			t.Fatalf("the second run built %v and skipped %v, want all skipped", second.names(t), second.Skipped)
		}
		for _, line := range w.asked()[before:] {
			if strings.HasPrefix(line, "POST ") {
				t.Errorf("the second run sent %s, want nothing sent", line)
			}
		}

		bump(t, recipes)
		third := w.ci(t, recipes, "tar-bz2") // the old format, for once
		if !slices.Equal(third.names(t), []string{"tidelib"}) {
			t.Fatalf("after the bump of tidelib the run built %v and skipped %v, want tidelib alone built", third.names(t), third.Skipped)
		}
		w.wantRun(t, third)
		w.consume(t)
	})
}

// ciRun is what a run of the forge's workflow built, and where it ran.
type ciRun struct {
	Built []struct {
		File, Path, Subdir, SHA256 string
		Size                       int64
	}
	Skipped []string
	user    *clients.User
}

// names returns what was built, by file name.
func (r ciRun) names(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, b := range r.Built {
		names = append(names, nameOf(t, b.File))
	}
	return names
}

// paths returns the files to upload.
func (r ciRun) paths() []string {
	var paths []string
	for _, b := range r.Built {
		paths = append(paths, b.Path)
	}
	return paths
}

// build is the first step of the workflow, on a fresh machine: what the channel has is not built again.
func (w *world) build(t *testing.T, run standin.Run, recipes, format string) ciRun {
	t.Helper()
	r := ciRun{user: w.inJob(t, run)}
	r.user.Drive(t, "build.py", "--recipe", recipes, "--channel", w.channelURL(w.forge),
		"--skip-existing", "all", "--package-format", format, "--output", t.TempDir()).Into(t, &r)
	return r
}

// ci is the whole workflow: build, and upload what was built, if anything was.
func (w *world) ci(t *testing.T, recipes, format string) ciRun {
	t.Helper()
	r := w.build(t, standin.Run{}, recipes, format)
	if len(r.Built) > 0 {
		r.user.Drive(t, "upload.py", append([]string{"--url", w.URL, "--channel", "forge"}, r.paths()...)...).Into(t, &struct{}{})
	}
	return r
}

// bump raises the version of tidelib.
func bump(t *testing.T, recipes string) {
	t.Helper()
	file := filepath.Join(recipes, "tidelib/recipe.yaml")
	recipe, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	bumped := strings.Replace(string(recipe), `version: "1.0.0"`, `version: "1.1.0"`, 1)
	if err := os.WriteFile(file, []byte(bumped), 0o600); err != nil || bumped == string(recipe) {
		t.Fatalf("the version of %s was not raised: %v", file, err)
	}
}

// wantRun makes sure that each file of the run is known by its hash and by who published it.
func (w *world) wantRun(t *testing.T, r ciRun) {
	t.Helper()
	for _, b := range r.Built {
		var got struct {
			SHA256     string
			Size       int64
			Provenance struct{ Sentence string }
		}
		status, _, body := w.Get(t, "/api/v1/channels/forge/packages/"+b.Subdir+"/"+b.File, "")
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %s", b.File, status, body)
		}
		if got.SHA256 != b.SHA256 || got.Size != b.Size || !strings.HasPrefix(got.Provenance.Sentence, "Published by build.yml of acme/forge, run ") {
			t.Errorf("%s = %+v, want %+v, published by build.yml of acme/forge", b.File, got, b)
		}
	}
}

// consume installs the set from the channel into fresh prefixes, with every client and by every index file,
// and runs it.
func (w *world) consume(t *testing.T) {
	const watched = "the tide at dover is high (tidelib 1.1.0)\n1 places watched (tidewatch 1.0.0)\n"
	url := w.channelURL(w.forge)
	for _, via := range []string{"shards", "zst", "json"} {
		t.Run("install by py-rattler via "+via, func(t *testing.T) {
			before := len(w.asked())
			var got struct {
				Records []record
				Stdout  string
			}
			clients.NewUser(t).Drive(t, "read.py", "install", "--channel", url, "--via", via, "--spec", "tidewatch",
				"--prefix", t.TempDir(), "--run", "tidewatch", "dover").Into(t, &got)
			if len(got.Records) != 3 || got.Stdout != watched {
				t.Errorf("installed %+v, which printed %q, want three packages and %q", got.Records, got.Stdout, watched)
			}
			wantSource(t, w.asked()[before:], via)
		})
	}
	t.Run("install by the rattler command", func(t *testing.T) {
		u, prefix := clients.NewUser(t), t.TempDir()
		if ran := u.Rattler(t, "create", "--prefix", prefix, "--channel", url, "tidewatch"); ran.Status != 0 {
			t.Fatal(ran)
		}
		if ran := u.Rattler(t, "run", "--prefix", prefix, "tidewatch", "dover"); ran.Stdout != watched {
			t.Errorf("%s, want %q", ran, watched)
		}
	})
	t.Run("solve by the browser's client", func(t *testing.T) {
		var got struct{ Records []record }
		clients.NewUser(t).Drive(t, "browser.cjs", "solve", "--channel", url, "--spec", "tidewatch").Into(t, &got)
		if len(got.Records) != 3 {
			t.Errorf("solved %+v, want three packages", got.Records)
		}
	})
	t.Run("an older version stays", func(t *testing.T) {
		var got struct{ Records []record }
		clients.NewUser(t).Drive(t, "read.py", "solve", "--channel", url, "--spec", "tidewatch", "--spec", "tidelib ==1.0.0").Into(t, &got)
		if !slices.ContainsFunc(got.Records, func(r record) bool { return r.Name == "tidelib" && r.Version == "1.0.0" }) {
			t.Errorf("solved %+v, want tidelib 1.0.0 among them", got.Records)
		}
	})
}
