package test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/channel"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
	"sluice/test/runner"
)

// ourAction is a repository that has taken over the composite action.
func ourAction(t *testing.T, ci *standin.Service) runner.Forge {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(filepath.Join(folder, ".github/actions/sluice-token"), os.DirFS("../integrations/github")); err != nil {
		t.Fatal(err)
	}
	return runner.Forge{Repository: folder, CI: ci}
}

// job is a workflow of one job that takes the action with inputs, and then runs a script.
func job(t *testing.T, inputs map[string]string, script string) *runner.Workflow {
	t.Helper()
	return &runner.Workflow{Jobs: map[string]*runner.Job{"test": {
		Permissions: map[string]string{"id-token": "write"},
		Steps: []runner.Step{
			{Uses: "actions/checkout@" + strings.Repeat("0", 40)},
			{ID: "sluice", Uses: "./.github/actions/sluice-token", With: inputs},
			{Run: script, Env: map[string]string{"TOKEN": "${{ steps.sluice.outputs.token }}"}},
		},
	}}}
}

// TestAction reads a private channel from a job that has no key, in each way that the action knows.
func TestAction(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servertest.New(t, servertest.Options{}))
	v := newVault(t, w)
	w.Publisher(t, v.ch, trust.PublisherSpec{Right: "read"})
	create := rattler(t) + " create --prefix prefix --channel " + v.channelURL(v.ch) + " door"
	me := "curl --silent --fail-with-body " + w.URL + "/api/v1/me"

	for _, tt := range []struct {
		name, script string
		inputs       map[string]string
	}{
		{"an output", me + ` -H "Authorization: Bearer $TOKEN"`, nil},
		{"a variable", me + ` -H "Authorization: Bearer $SLUICE_TOKEN"`, map[string]string{"env": "SLUICE_TOKEN"}},
		{"rattler's file", create, map[string]string{"rattler-auth": "true"}},
		{"a netrc", me + ` --netrc-file "$NETRC"`, map[string]string{"netrc": "true"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inputs := map[string]string{"url": w.URL + "/", "channel": "vault"}
			maps.Copy(inputs, tt.inputs)
			got := ourAction(t, w.CI).Start(t, job(t, inputs, tt.script))
			wantResults(t, got, map[string]string{"test": "success"})
			wantMasked(t, got["test"].Log, 2)
		})
		t.Run("without "+tt.name, func(t *testing.T) {
			got := ourAction(t, w.CI).Start(t, job(t, map[string]string{"url": w.URL}, strings.ReplaceAll(tt.script, "$TOKEN", "")))
			wantResults(t, got, map[string]string{"test": "failure"})
		})
	}
}

// wantMasked makes sure that what a job hid is hidden before anything else is said of it, and never shown after.
func wantMasked(t *testing.T, log string, want int) {
	t.Helper()
	var masks []string
	for line := range strings.Lines(log) {
		for _, secret := range masks {
			if strings.Contains(line, secret) {
				t.Errorf("a secret is shown: %s", line)
			}
		}
		if secret, found := strings.CutPrefix(strings.TrimSpace(line), "::add-mask::"); found {
			masks = append(masks, secret)
		}
	}
	if len(masks) != want {
		t.Errorf("%d secrets are masked, want %d:\n%s", len(masks), want, log)
	}
}

// TestActionAsDocumented runs the job that the action's document shows.
func TestActionAsDocumented(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servertest.New(t, servertest.Options{}))
	v := newVault(t, w)
	w.Publisher(t, v.ch, trust.PublisherSpec{Right: "read"})
	document := string(localised(t, "../integrations/github/README.md", w.URL))
	_, example, _ := strings.Cut(document, "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	file, err := runner.Parse([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	steps := file.Jobs["test"].Steps
	file.Jobs["test"].Steps = steps[:len(steps)-1] // this server does not take tokens back yet
	f := ourAction(t, w.CI)
	f.Replace = []string{"pixi install", rattler(t) + " create --prefix prefix --channel " + v.channelURL(v.ch) + " door"}
	got := f.Start(t, file)
	wantResults(t, got, map[string]string{"test": "success"})
	wantMasked(t, got["test"].Log, 2)
}

// rattler is the rattler command, as a script names it.
func rattler(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../.cache/bin/rattler")
	if err != nil {
		t.Fatal(err)
	}
	return "'" + path + "'"
}

// TestActionRefused is told what to do, and leaves nothing behind.
func TestActionRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servertest.New(t, servertest.Options{}))
	vault := w.Channel(t, w.ann, "vault", channel.Private)
	w.Publisher(t, vault, trust.PublisherSpec{Right: "read"})
	liar := func(status int, text string) string {
		s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(status)
			_, _ = rw.Write([]byte(text))
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	address := "The input url is not the address of a server"
	for _, tt := range []struct {
		name   string
		change func(*runner.Forge, *runner.Job, map[string]string)
		want   string
	}{
		{"no permission", func(_ *runner.Forge, j *runner.Job, _ map[string]string) { j.Permissions = nil }, `"id-token: write"`},
		{"another repository", func(f *runner.Forge, _ *runner.Job, _ map[string]string) { f.Run.Repository = "other" }, "[no_publisher]"},
		{"another file", func(f *runner.Forge, _ *runner.Job, _ map[string]string) { f.Run.Workflow = "x.yml" }, "[workflow_mismatch]"},
		{"the channel is named", func(f *runner.Forge, _ *runner.Job, _ map[string]string) { f.Run.Workflow = "x.yml" }, " refused a token for channel vault (HTTP 403): "},
		{"a path", func(_ *runner.Forge, _ *runner.Job, in map[string]string) { in["url"] += "/vault" }, address},
		{"http elsewhere", func(_ *runner.Forge, _ *runner.Job, in map[string]string) { in["url"] = "http://conda.example.com" }, address},
		{"a user in the address", func(_ *runner.Forge, _ *runner.Job, in map[string]string) { in["url"] = "https://a@conda.example.com" }, address},
		{"a command in the address", func(_ *runner.Forge, _ *runner.Job, in map[string]string) { in["url"] = "https://x$(touch taken)" }, address},
		{"two lines", func(_ *runner.Forge, _ *runner.Job, in map[string]string) { in["url"] += "\n" + in["url"] }, address},
		{"an odd variable", func(_ *runner.Forge, _ *runner.Job, in map[string]string) { in["env"] = "A=B\nC" }, "The input env is not the name"},
		{"the runner's variable", func(_ *runner.Forge, _ *runner.Job, in map[string]string) { in["env"] = "GITHUB_ENV" }, "The input env names a variable that the runner keeps"},
		{"neither yes nor no", func(_ *runner.Forge, _ *runner.Job, in map[string]string) { in["netrc"] = "yes" }, `The input netrc is "true" or "false"`},
		{"no server", func(_ *runner.Forge, _ *runner.Job, in map[string]string) { in["url"] = "http://127.0.0.1:9" }, "could not be asked for a token for channel vault"},
		{"another server", func(_ *runner.Forge, _ *runner.Job, in map[string]string) {
			in["url"] = liar(200, "<html>\n::stop-commands::x\n")
		}, "is no token of a Sluice server"},
		{"a server that gives commands", func(_ *runner.Forge, _ *runner.Job, in map[string]string) {
			in["url"] = liar(403, "no%0A\n::stop-commands::x\r\n::warning::y")
		}, "(HTTP 403): no%250A"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, inputs := ourAction(t, w.CI), map[string]string{"url": w.URL, "channel": "vault", "env": "T"}
			file := job(t, inputs, "echo went on")
			tt.change(&f, file.Jobs["test"], inputs)
			got := f.Start(t, file)
			wantResults(t, got, map[string]string{"test": "failure"})
			log := got["test"].Log
			if !strings.Contains(log, "::error title=Sluice::") || !strings.Contains(log, tt.want) || strings.Contains(log, "went on") {
				t.Errorf("the log is\n%s\nwant an error with %q, and the end", log, tt.want)
			}
			for line := range strings.Lines(log) {
				if strings.HasPrefix(line, "::") && !strings.HasPrefix(line, "::error title=Sluice::") && !strings.HasPrefix(line, "::add-mask::") {
					t.Errorf("the runner would obey %q", line)
				}
			}
		})
	}
}
