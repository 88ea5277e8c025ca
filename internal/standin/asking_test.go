package standin_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/standin"
)

// How jobs of each service ask for a token, other than those of GitHub.

func TestForgejoAnswersItsRunsAlone(t *testing.T) {
	t.Parallel()
	s := listenAs(t, standin.Forgejo, "")
	j, other := s.StartForgejo(standin.ForgejoRun{}), s.StartForgejo(standin.ForgejoRun{Repository: "other"})
	e := env(j)
	if e["GITHUB_ACTIONS"] != "true" || !strings.Contains(e["ACTIONS_ID_TOKEN_REQUEST_URL"], "?") {
		t.Fatalf("environment %v lacks what clients look at, or a query to append to", e)
	}
	status, body := get(t, e["ACTIONS_ID_TOKEN_REQUEST_URL"]+"&audience=conda.acme.dev", e["ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
	var answer struct{ Value string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
		t.Fatalf("status %d, body %q", status, body)
	}
	claims, err := verify(t, s, answer.Value)
	if err != nil || claims["repository"] != "acme/forge" || claims["aud"] != "conda.acme.dev" ||
		claims["workflow_ref"] != "acme/forge/.forgejo/workflows/build.yml@refs/heads/main" ||
		claims["sub"] != "repo:acme-"+j.OwnerID+"/forge-"+j.RepositoryID+":ref:refs/heads/main" {
		t.Errorf("claims %v, %v", claims, err)
	}
	for bearer, want := range map[string]int{
		"": http.StatusUnauthorized, "guess": http.StatusUnauthorized,
		env(other)["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]: http.StatusBadRequest,
	} {
		if status, body := get(t, e["ACTIONS_ID_TOKEN_REQUEST_URL"], bearer); status != want {
			t.Errorf("bearer %q: status %d %s, want %d", bearer, status, body, want)
		}
	}
	if aud := j.Claims("")["aud"]; aud != s.Site()+"/acme" {
		t.Errorf("default audience %v, Forgejo's is the owner's address", aud)
	}
}

func TestGooglesMetadataServerVouches(t *testing.T) {
	t.Parallel()
	s := listenAs(t, standin.Google, "")
	ask := func(query string, header string) (int, string) {
		t.Helper()
		address := s.URL() + "/computeMetadata/v1/instance/service-accounts/default/identity" + query
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Metadata-Flavor", header)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	if status, _ := ask("?audience=x", "Google"); status != http.StatusNotFound {
		t.Errorf("before any job: status %d, want 404", status)
	}
	j := s.StartGoogle(standin.GoogleRun{})
	if len(j.Subject) != 21 || env(j)["GCE_METADATA_HOST"] != strings.TrimPrefix(s.URL(), "http://") {
		t.Errorf("subject %q, environment %v", j.Subject, env(j))
	}
	for query, full := range map[string]bool{"?audience=conda.acme.dev": false, "?audience=conda.acme.dev&format=full": true} {
		status, body := ask(query, "Google")
		if status != http.StatusOK {
			t.Fatalf("%s: status %d %s", query, status, body)
		}
		claims, err := verify(t, s, body)
		if _, has := claims["google"]; err != nil || has != full || claims["email"] != j.Email || claims["aud"] != "conda.acme.dev" {
			t.Errorf("%s: %v, %v", query, claims, err)
		}
	}
	if status, _ := ask("?audience=x", ""); status != http.StatusForbidden {
		t.Errorf("without the header: status %d, want 403", status)
	}
	if status, _ := ask("", "Google"); status != http.StatusBadRequest {
		t.Errorf("without an audience: status %d, want 400", status)
	}
}

// call runs a program as a client in a job does.
func call(t *testing.T, dir string, environ []string, name string, args ...string) (stdout, stderr string, ok bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, name), args...)
	cmd.Env = append(environ, "PATH="+dir+":/usr/local/bin:/usr/bin:/bin", "http_proxy=http://127.0.0.1:9")
	var out, text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &text
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), text.String(), err == nil
}

func TestBuildkiteAgentPrintsATokenOfItsJob(t *testing.T) {
	t.Parallel()
	s := listenAs(t, standin.Buildkite, "")
	plain := s.StartBuildkite(standin.BuildkiteRun{Pipeline: "plain"})
	pinned := s.StartBuildkite(standin.BuildkiteRun{OIDCTokenClaims: "organization_id,pipeline_id"})
	for _, tt := range []struct {
		name     string
		job      *standin.BuildkiteJob
		args     []string
		audience string
		id       any
	}{
		{"as clients call it", plain, []string{"--audience", "conda.acme.dev"}, "conda.acme.dev", nil},
		{"with ids by the job's variable", pinned, []string{"--audience", "conda.acme.dev"}, "conda.acme.dev", pinned.PipelineID},
		{"with an id by hand", plain, []string{"--audience", "conda.acme.dev", "--claim", "pipeline_id"}, "conda.acme.dev", plain.PipelineID},
		{"an audience with every sign", plain, []string{"--audience", "a b'c\"$(d)&e=f\n%2F"}, "a b'c\"$(d)&e=f\n%2F", nil},
		{"without an audience", plain, nil, s.Site() + "/acme", nil},
	} {
		dir := t.TempDir()
		if err := tt.job.Programs(dir); err != nil {
			t.Fatal(err)
		}
		out, text, ok := call(t, dir, tt.job.Env(), "buildkite-agent", append([]string{"oidc", "request-token"}, tt.args...)...)
		if !ok {
			t.Fatalf("%s: %s", tt.name, text)
		}
		claims, err := verify(t, s, strings.TrimSuffix(out, "\n"))
		if err != nil || claims["aud"] != tt.audience || claims["pipeline_slug"] != tt.job.Pipeline || claims["pipeline_id"] != tt.id {
			t.Errorf("%s: claims %v, %v", tt.name, claims, err)
		}
	}
	if e := env(plain); e["BUILDKITE"] != "true" || e["BUILDKITE_PIPELINE_SLUG"] != "plain" {
		t.Errorf("environment %v lacks what clients look at", e)
	}
}

func TestCircleCIPrintsATokenOfItsJob(t *testing.T) {
	t.Parallel()
	s := listenAs(t, standin.CircleCI, "")
	j := s.StartCircleCI(standin.CircleCIRun{SSHRerun: true})
	s.StartCircleCI(standin.CircleCIRun{Origin: "github.com/mallory/forge"})
	dir := t.TempDir()
	if err := j.Programs(dir); err != nil {
		t.Fatal(err)
	}
	out, text, ok := call(t, dir, j.Env(), "circleci", "run", "oidc", "get", "--root-issuer", "--claims", `{"aud":"conda.acme.dev"}`)
	if !ok {
		t.Fatal(text)
	}
	claims, err := verify(t, s, strings.TrimSuffix(out, "\n"))
	if err != nil || claims["aud"] != "conda.acme.dev" || claims["oidc.circleci.com/project-id"] != j.Project ||
		claims["oidc.circleci.com/ssh-rerun"] != true || claims["oidc.circleci.com/vcs-origin"] != "github.com/acme/forge" {
		t.Errorf("claims %v, %v", claims, err)
	}
	if e := env(j); e["CIRCLECI"] != "true" || e["CIRCLE_PROJECT_ID"] != j.Project || e["CIRCLE_BRANCH"] != "main" {
		t.Errorf("environment %v lacks what clients look at", e)
	}
	if aud := j.Claims("")["aud"]; aud != j.Organization {
		t.Errorf("default audience %v, CircleCI's is the organization", aud)
	}
}

func TestProgramsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	bk, cc := listenAs(t, standin.Buildkite, ""), listenAs(t, standin.CircleCI, "")
	dir, gone := t.TempDir(), t.TempDir()
	if err := bk.StartBuildkite(standin.BuildkiteRun{}).Programs(dir); err != nil {
		t.Fatal(err)
	}
	if err := cc.StartCircleCI(standin.CircleCIRun{}).Programs(dir); err != nil {
		t.Fatal(err)
	}
	closed := listenAs(t, standin.Buildkite, "")
	if err := closed.StartBuildkite(standin.BuildkiteRun{}).Programs(gone); err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		dir, name, args, want string
	}{
		{dir, "buildkite-agent", "", "oidc request-token"},
		{dir, "buildkite-agent", "artifact upload", "artifact upload"},
		{dir, "buildkite-agent", "oidc request-token --audience", "needs an argument"},
		{dir, "buildkite-agent", "oidc request-token --audiance x", "audiance"},
		{dir, "buildkite-agent", "oidc request-token x", `no argument "x"`},
		{dir, "buildkite-agent", "oidc request-token --claim pipeline_id,jti", `no claim "jti"`},
		{dir, "circleci", "run oidc", "run oidc get"},
		{dir, "circleci", `run oidc get --claims {"aud":"x"}`, "--root-issuer"},
		{dir, "circleci", `run oidc get --root-issuer --claims x`, "no JSON object"},
		{dir, "circleci", `run oidc get --root-issuer --claims {"aud":["x"]}`, "no JSON object"},
		{dir, "circleci", `run oidc get --root-issuer --claims {"sub":"x"}`, `"sub" cannot be chosen`},
		{gone, "buildkite-agent", "oidc request-token", "curl"},
	} {
		out, text, ok := call(t, tt.dir, nil, tt.name, strings.Fields(tt.args)...)
		if ok || out != "" || !strings.Contains(text, tt.want) {
			t.Errorf("%s %s: ok %v, printed %q, said %q, want %q", tt.name, tt.args, ok, out, text, tt.want)
		}
	}
	if status, _ := get(t, bk.Site()+"/programs/buildkite-agent", "guess"); status != http.StatusMethodNotAllowed {
		t.Errorf("GET of a program's address: status %d", status)
	}
	res, err := http.Post(bk.Site()+"/programs/buildkite-agent", "application/x-www-form-urlencoded", strings.NewReader("argument=oidc"))
	if err != nil {
		t.Fatal(err)
	}
	if _ = res.Body.Close(); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("without the job's secret: status %d, want 401", res.StatusCode)
	}
}
