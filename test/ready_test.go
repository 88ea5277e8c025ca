package test

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/internal/config"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
	"sluice/test/clients"
	"sluice/test/runner"
)

const forgeFolder = "../docs/forge/template"

// theForge is the folder that people begin with, and its packages.
var theForge = []string{"tidecli", "tidelib", "tidewatch"}

// localised does to a ready file what it tells people to do: it names their server in it.
func localised(t *testing.T, file, url string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(strings.NewReplacer("https://conda.example.com", url, "CONDA_EXAMPLE_COM_ID_TOKEN", "LOCALHOST_ID_TOKEN",
		"conda.example.com", "localhost").Replace(string(text)))
}

// workflow reads a ready workflow file.
func (w *world) workflow(t *testing.T, file string) *runner.Workflow {
	t.Helper()
	parsed, err := runner.Parse(localised(t, file, w.URL))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// repository is a copy of the template, as somebody has it.
func (w *world) repository(t *testing.T) runner.Forge {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(forgeFolder)); err != nil {
		t.Fatal(err)
	}
	return runner.Forge{Repository: folder, CI: w.CI}
}

// wantResults compares how the jobs ended.
func wantResults(t *testing.T, got runner.Outcomes, want map[string]string) {
	t.Helper()
	results := map[string]string{}
	for id, o := range got {
		results[id] = o.Result
	}
	if !maps.Equal(results, want) {
		t.Errorf("the jobs ended as %v, want %v", results, want)
		for id, o := range got {
			t.Logf("%s: %s\n%s", id, o.Result, o.Log)
		}
	}
}

// sent is what the server was sent after so many requests.
func (w *world) sent(before int) []string {
	return slices.DeleteFunc(slices.Clone(w.asked()[before:]), func(line string) bool { return !strings.HasPrefix(line, "POST ") })
}

// TestTemplate begins a forge with the folder that people are given: what it builds is published, nothing is built
// or sent again, and others install it.
func TestTemplate(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		w.Publisher(t, w.forge, trust.PublisherSpec{Conditions: trust.Conditions{Environment: "release"}})
		f, file := w.repository(t), w.workflow(t, filepath.Join(forgeFolder, ".github/workflows/build.yml"))

		f.Run = standin.Run{Ref: "refs/heads/try"}
		wantResults(t, f.Start(t, file), map[string]string{"build": "success", "publish": "skipped"})
		if sent := w.sent(0); len(sent) != 0 {
			t.Errorf("a branch that does not publish sent %q", sent)
		}
		f.Run = standin.Run{}
		wantResults(t, f.Start(t, file), map[string]string{"build": "success", "publish": "success"})
		w.wantForge(t)

		before := len(w.asked())
		wantResults(t, f.Start(t, file), map[string]string{"build": "success", "publish": "success"})
		if sent := w.sent(before); len(sent) != 0 {
			t.Errorf("the second run sent %q, want nothing", sent)
		}
	})
}

// wantForge reads the published forge as others do, and looks who published it.
func (w *world) wantForge(t *testing.T) {
	t.Helper()
	u, prefix := clients.NewUser(t), t.TempDir()
	if ran := u.Rattler(t, "create", "--prefix", prefix, "--channel", w.channelURL(w.forge), "tidewatch"); ran.Status != 0 {
		t.Fatal(ran)
	}
	const watched = "the tide at dover is high (tidelib 1.0.0)\n1 places watched (tidewatch 1.0.0)\n"
	if ran := u.Rattler(t, "run", "--prefix", prefix, "tidewatch", "dover"); ran.Stdout != watched {
		t.Errorf("%s, want %q", ran, watched)
	}
	var names []string
	for _, subdir := range []string{"linux-64", "noarch"} {
		for _, file := range w.listed(t, "forge", subdir, "") {
			names = append(names, nameOf(t, file))
			_, _, body := w.Get(t, "/api/v1/channels/forge/packages/"+subdir+"/"+file, "")
			if !strings.Contains(body, "Published by build.yml of acme/forge, run ") {
				t.Errorf("%s does not say who published it: %s", file, body)
			}
		}
	}
	if !slices.Equal(names, theForge) {
		t.Errorf("the channel has %q, want %q", names, theForge)
	}
}

// listed are the packages of a subdir, by file name.
func (w *world) listed(t *testing.T, channel, subdir, bearer string) []string {
	t.Helper()
	status, _, body := w.Get(t, "/"+channel+"/"+subdir+"/repodata.json", bearer)
	var index struct {
		Packages map[string]any `json:"packages.conda"`
	}
	if err := json.Unmarshal([]byte(body), &index); err != nil || status != http.StatusOK {
		t.Fatalf("%s/%s: %d %v", channel, subdir, status, err)
	}
	return slices.Sorted(maps.Keys(index.Packages))
}

// TestReadyFiles runs the other ready files. The identity tokens of all are those of the one issuer that the server
// trusts here; how each service hands them to the client is the file's matter, and tried for real.
func TestReadyFiles(t *testing.T) {
	t.Parallel()
	t.Run("forgejo", func(t *testing.T) {
		w := newWorld(t, servertest.New(t, servertest.Options{}))
		w.Publisher(t, w.forge, trust.PublisherSpec{})
		f, file := w.repository(t), w.workflow(t, filepath.Join(forgeFolder, ".forgejo/workflows/build.yml"))
		withoutInstall(t, file)
		file.Jobs["publish"].OpenID = false
		wantResults(t, f.Start(t, file), map[string]string{"build": "success", "publish": "failure"})
		file.Jobs["publish"].OpenID = true
		wantResults(t, f.Start(t, file), map[string]string{"build": "success", "publish": "success"})
		w.wantForge(t)
	})
	t.Run("gitlab", func(t *testing.T) {
		w := newWorld(t, servertest.New(t, servertest.Options{Configure: func(c *config.Config) { c.Audiences = append(c.Audiences, "localhost") }}))
		w.Publisher(t, w.forge, trust.PublisherSpec{Conditions: trust.Conditions{Environment: "release"}})
		p, err := runner.ParsePipeline(localised(t, filepath.Join(forgeFolder, ".gitlab-ci.yml"), strings.Replace(w.URL, "127.0.0.1", "localhost", 1)))
		if err != nil {
			t.Fatal(err)
		}
		wantResults(t, w.repository(t).StartPipeline(t, p, "publish"), map[string]string{"build": "success", "publish": "success"})
		w.wantForge(t)
	})
	t.Run("matrix", func(t *testing.T) {
		w := newWorld(t, servertest.New(t, servertest.Options{}))
		w.Publisher(t, w.forge, trust.PublisherSpec{Conditions: trust.Conditions{Environment: "release"}})
		w.matrix(t, w.repository(t), w.workflow(t, "../docs/forge/github-matrix.yml"))
	})
}

// withoutInstall leaves out the steps that fetch rattler-build, which the machine then has from the start.
func withoutInstall(t *testing.T, w *runner.Workflow) {
	t.Helper()
	for _, j := range w.Jobs {
		before := len(j.Steps)
		j.Steps = slices.DeleteFunc(j.Steps, func(s runner.Step) bool { return strings.Contains(s.Run, "releases/download") })
		if len(j.Steps) != before-1 {
			t.Errorf("a job fetches rattler-build %d times", before-len(j.Steps))
		}
		j.Steps = slices.Insert(j.Steps, 0, runner.Step{
			Uses: "prefix-dev/rattler-build-action@test", With: map[string]string{"setup-only": "true", "rattler-build-version": "any"},
		})
	}
}

// matrix runs the file with a job a recipe and platform: first for all, then for nothing, then for what was raised.
func (w *world) matrix(t *testing.T, f runner.Forge, file *runner.Workflow) {
	t.Helper()
	all := map[string]string{"find": "success", "publish": "success"}
	for _, place := range []string{"tidecli, linux-64", "tidecli, linux-aarch64", "tidecli, osx-arm64", "tidelib, linux-64", "tidewatch, linux-64"} {
		all["build ("+place+")"] = "success"
	}
	wantResults(t, f.Start(t, file), all)
	w.wantForge(t)
	for _, subdir := range []string{"linux-aarch64", "osx-arm64"} {
		if got := w.listed(t, "forge", subdir, ""); len(got) != 1 || nameOf(t, got[0]) != "tidecli" {
			t.Errorf("%s has %q, want tidecli", subdir, got)
		}
	}

	before := len(w.asked())
	wantResults(t, f.Start(t, file), map[string]string{"find": "success", "build": "skipped", "publish": "skipped"})
	if sent := w.sent(before); len(sent) != 0 {
		t.Errorf("the second run sent %q, want nothing", sent)
	}
	bump(t, filepath.Join(f.Repository, "recipes"))
	wantResults(t, f.Start(t, file), map[string]string{"find": "success", "build (tidelib, linux-64)": "success", "publish": "success"})
}
