package standin_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/standin"
)

// pick takes some claims.
func pick(claims map[string]any, names ...string) map[string]any {
	out := map[string]any{}
	for _, name := range names {
		if v, ok := claims[name]; ok {
			out[name] = v
		}
	}
	return out
}

func TestGitLabTellsOfRefAndConfiguration(t *testing.T) {
	t.Parallel()
	s := listenAs(t, standin.GitLab, "")
	host := strings.TrimPrefix(s.URL(), "http://")
	j := s.StartGitLab(standin.GitLabRun{Namespace: "acme/tools", Project: "forge", Ref: "v1", Tag: true, Unprotected: true,
		Environment: "release", UnprotectedEnvironment: true})
	got := pick(j.Claims("x"), "project_path", "namespace_path", "ref", "ref_type", "ref_path", "ref_protected", "environment_protected",
		"ci_config_ref_uri", "sub", "runner_id")
	want := map[string]any{
		"project_path": "acme/tools/forge", "namespace_path": "acme/tools", "ref": "v1", "ref_type": "tag", "ref_path": "refs/tags/v1",
		"ref_protected": "false", "environment_protected": "false", "runner_id": 12,
		"ci_config_ref_uri": host + "/acme/tools/forge//.gitlab-ci.yml@refs/tags/v1",
		"sub":               "project_path:acme/tools/forge:ref_type:tag:ref:v1",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if aud := j.Claims("")["aud"]; aud != s.URL() {
		t.Errorf("default audience %v, GitLab's is its own address", aud)
	}
	if a, b := j.Claims("x")["jti"], j.Claims("x")["jti"]; a == b {
		t.Error("two tokens share an id")
	}
}

// A merge request from a fork runs in the project. Servers differ in whose name it bears there; the reference of
// the configuration names the project in all of them, and the fork's branch.
func TestGitLabTellsOfForks(t *testing.T) {
	t.Parallel()
	s := listenAs(t, standin.GitLab, "")
	host := strings.TrimPrefix(s.URL(), "http://")
	fork := standin.GitLabRun{MergeRequestFrom: "mallory/forge"}
	patched := s.StartGitLab(fork).Claims("x")
	fork.Unpatched = true
	unpatched := s.StartGitLab(fork).Claims("x")
	own := s.StartGitLab(standin.GitLabRun{}).Claims("x")

	names := []string{"project_path", "job_project_path", "pipeline_source", "ci_config_ref_uri"}
	config := host + "/acme/forge//.gitlab-ci.yml@refs/heads/main"
	for _, tt := range []struct {
		name   string
		claims map[string]any
		want   map[string]any
	}{
		{"patched", patched, map[string]any{"project_path": "mallory/forge", "job_project_path": "acme/forge",
			"pipeline_source": "merge_request_event", "ci_config_ref_uri": config}},
		{"unpatched", unpatched, map[string]any{"project_path": "acme/forge", "pipeline_source": "merge_request_event", "ci_config_ref_uri": config}},
		{"own", own, map[string]any{"project_path": "acme/forge", "job_project_path": "acme/forge", "pipeline_source": "push", "ci_config_ref_uri": config}},
	} {
		if d := cmp.Diff(tt.want, pick(tt.claims, names...)); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
	for _, id := range []string{"project_id", "namespace_id"} {
		if patched[id] == own[id] || patched["job_"+id] != own[id] || unpatched[id] != own[id] {
			t.Errorf("%s: fork %v, the job's %v, unpatched %v, own %v", id, patched[id], patched["job_"+id], unpatched[id], own[id])
		}
	}
}

func TestGitLabIssuesTokensWhenTheJobStarts(t *testing.T) {
	t.Parallel()
	start := time.Now().Truncate(time.Second)
	var later atomic.Int64
	s, err := standin.ListenAs(standin.GitLab, "127.0.0.1:0", func() time.Time { return start.Add(time.Duration(later.Load())) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	j := s.StartGitLab(standin.GitLabRun{})
	later.Store(int64(40 * time.Minute))
	if err := j.IDToken("CONDA_ACME_DEV_ID_TOKEN", "conda.acme.dev"); err != nil {
		t.Fatal(err)
	}
	if err := j.IDToken("BOTH_ID_TOKEN", "conda.acme.dev", "pypi"); err != nil {
		t.Fatal(err)
	}
	e := env(j)
	if e["GITLAB_CI"] != "true" || e["CI_PROJECT_PATH"] != "acme/forge" || e["CI_COMMIT_BRANCH"] != "main" || e["CI_SERVER_URL"] != s.URL() {
		t.Errorf("environment %v lacks what clients look at", e)
	}
	one, err := verify(t, s, e["CONDA_ACME_DEV_ID_TOKEN"])
	if err != nil {
		t.Fatal(err)
	}
	if one["aud"] != "conda.acme.dev" || one["iat"] != float64(start.Unix()) {
		t.Errorf("aud %v, iat %v, want conda.acme.dev and %d", one["aud"], one["iat"], start.Unix())
	}
	both, err := verify(t, s, e["BOTH_ID_TOKEN"])
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]any{"conda.acme.dev", "pypi"}, both["aud"]); d != "" {
		t.Error(d)
	}
	if again := env(j); again["CONDA_ACME_DEV_ID_TOKEN"] != e["CONDA_ACME_DEV_ID_TOKEN"] {
		t.Error("the variable's token changes")
	}
}

func TestPrivateWordsAreInTheTokens(t *testing.T) {
	t.Parallel()
	claims, err := json.Marshal(listenAs(t, standin.GitLab, "").StartGitLab(standin.GitLabRun{}).Claims("x"))
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{standin.PrivateLogin, standin.PrivateEmail, standin.PrivateIdentity} {
		if !strings.Contains(string(claims), word) {
			t.Errorf("no %q in %s", word, claims)
		}
	}
}

func TestPagesOfGitLabAndForgejo(t *testing.T) {
	t.Parallel()
	gl, fj := listenAs(t, standin.GitLab, "/gitlab"), listenAs(t, standin.Forgejo, "")
	g := gl.StartGitLab(standin.GitLabRun{Namespace: "acme/tools", Config: "ci/build.yml"})
	f := fj.StartForgejo(standin.ForgejoRun{Folder: ".gitea/workflows"})
	g.Log("building <zlib>")
	f.Log("building <zlib>")
	gp, fp := gl.Site()+"/acme/tools/forge", fj.Site()+"/acme/forge"
	for _, tt := range []struct {
		url, want string
	}{
		{g.PageURL(), "building &lt;zlib&gt;"},
		{gp + "/-/commit/" + g.SHA, "Commit " + g.SHA},
		{gp + "/-/blob/" + g.SHA + "/ci/build.yml", "<h2>ci/build.yml</h2>"},
		{gp, "stand-in for GitLab"},
		{f.PageURL(), "building &lt;zlib&gt;"},
		{fp + "/commit/" + f.SHA, "Commit " + f.SHA},
		{fp + "/src/commit/" + f.SHA + "/.gitea/workflows/build.yml", "<h2>.gitea/workflows/build.yml</h2>"},
		{fp, "stand-in for Forgejo"},
	} {
		if status, body := get(t, tt.url, ""); status != http.StatusOK || !strings.Contains(body, tt.want) {
			t.Errorf("%s: status %d, %q not in %q", tt.url, status, tt.want, body)
		}
	}
	for _, url := range []string{
		g.PageURL() + "9", gp + "/-/commit/abc", gp + "/-/blob/" + g.SHA + "/other.yml", gp + "/-/pipelines/1", gl.Site() + "/acme/forge",
		f.PageURL() + "9", fp + "/commit/abc", fp + "/src/commit/" + f.SHA + "/.forgejo/workflows/build.yml", fj.Site() + "/acme/other",
	} {
		if status, _ := get(t, url, ""); status != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", url, status)
		}
	}
}
