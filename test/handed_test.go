package test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"sluice/internal/account"
	"sluice/internal/channel"
	"sluice/internal/server/web/page"
	"sluice/internal/servertest"
	"sluice/internal/trust"
	"sluice/test/clients"
	"sluice/test/runner"
)

// TestPagesFile runs the file that the pages hand out: one job that builds and publishes.
func TestPagesFile(t *testing.T) {
	t.Parallel()
	for _, visibility := range []channel.Visibility{channel.Public, channel.Private} {
		t.Run(string(visibility), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, servertest.New(t, servertest.Options{}))
			ch := w.Channel(t, w.ann, "own", visibility)
			w.Publisher(t, ch, trust.PublisherSpec{Conditions: trust.Conditions{Environment: "release"}})
			text := page.Workflow{
				Provider: "github",
				URL:      w.URL, Channel: "own", Private: visibility == channel.Private, Repository: "acme/forge", File: "build.yml", Environment: "release",
			}.Text()
			file, err := runner.Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			f, reader := w.repository(t), w.Token(t, w.ann, &ch, account.Read)
			wantResults(t, f.Start(t, file), map[string]string{"publish": "success"})
			if got := append(w.listed(t, "own", "linux-64", reader), w.listed(t, "own", "noarch", reader)...); len(got) != len(theForge) {
				t.Errorf("the channel has %q, want %q", got, theForge)
			}
			if visibility == channel.Private { // not without the right
				delete(file.Jobs["publish"].Permissions, "id-token")
				wantResults(t, f.Start(t, file), map[string]string{"publish": "failure"})
			}
		})
	}
}

// TestTools runs the tasks that people have beside the workflow.
func TestTools(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servertest.New(t, servertest.Options{}))
	var file struct {
		Activation struct{ Env map[string]string }
		Tasks      map[string]string
	}
	if err := toml.Unmarshal(localised(t, filepath.Join(forgeFolder, "pixi.toml"), w.URL), &file); err != nil {
		t.Fatal(err)
	}
	folder := w.repository(t).Repository
	u := clients.NewUser(t).WithRattlerBuild(t).With(file.Activation.Env).In(folder)
	for _, task := range []string{"render", "build"} {
		if ran := u.Run(t, "sh", "-c", file.Tasks[task]); ran.Status != 0 {
			t.Errorf("%s: %s", task, ran)
		}
	}
	if built := tree(folder, "output/noarch"); !slices.ContainsFunc(built, func(p string) bool { return strings.Contains(p, "tidewatch-1.0.0-") }) {
		t.Errorf("built %q, want tidewatch among them", built)
	}
	if sent := w.sent(0); len(sent) != 0 {
		t.Errorf("the tasks sent %q, want nothing", sent)
	}
}

// TestRights reads who may do what in the ready files: what builds may ask for no identity token, and what may ask
// for one does nothing but upload, on the protected branch, for an environment where there are any.
func TestRights(t *testing.T) {
	t.Parallel()
	for file, environment := range map[string]string{
		filepath.Join(forgeFolder, ".github/workflows/build.yml"):  "release",
		filepath.Join(forgeFolder, ".forgejo/workflows/build.yml"): "",
		"../docs/forge/github-matrix.yml":                          "release",
	} {
		w, err := runner.Parse(localised(t, file, "https://conda.acme.dev"))
		if err != nil {
			t.Fatal(err)
		}
		for id, j := range w.Jobs {
			if publishes := id == "publish"; w.MayAsk(j) != publishes {
				t.Errorf("%s: %s may ask for identity tokens: %t", file, id, !publishes)
			}
		}
		publish := w.Jobs["publish"]
		if !strings.Contains(publish.If, "github.ref == 'refs/heads/main'") || publish.Environment != environment {
			t.Errorf("%s: publishes if %q, for environment %q", file, publish.If, publish.Environment)
		}
		for _, s := range publish.Steps {
			if strings.Contains(s.Uses, "checkout") || strings.Contains(s.Run, "build build") {
				t.Errorf("%s: the job that publishes does more: %+v", file, s)
			}
		}
	}
	p, err := runner.ParsePipeline(localised(t, filepath.Join(forgeFolder, ".gitlab-ci.yml"), "https://conda.acme.dev"))
	if err != nil {
		t.Fatal(err)
	}
	publish := p.Jobs["publish"]
	if len(p.Jobs["build"].IDTokens) != 0 || len(publish.IDTokens) != 1 || publish.Environment.Name != "release" || publish.Variables["GIT_STRATEGY"] != "none" {
		t.Errorf("GitLab's jobs are %+v", p.Jobs)
	}
	if len(publish.Rules) != 1 || publish.Rules[0].If != `$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH && $CI_COMMIT_REF_PROTECTED == "true"` {
		t.Errorf("GitLab publishes by the rules %+v", publish.Rules)
	}
}
