package trust

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/fault"
	"sluice/internal/standin"
)

// newService makes a world whose one issuer is a stand-in of the kind at the address, and a publisher of it.
func newService(t *testing.T, kind standin.Kind, address string, spec PublisherSpec) (*world, *standin.Service, Publisher) {
	t.Helper()
	w := newWorld(t)
	s, err := standin.NewAs(kind, "http://"+address, w.clock.now)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	w.net.set(u.Host, s)
	is, err := NewIssuer(string(kind), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	w.x = w.server(func(c *Config) { c.Issuers = []Issuer{is} })
	spec.Provider = string(kind)
	p, err := NewPublisher(spec, w.x.cfg.Issuers, forge(t), 7, "mara", w.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	p.ID = 1
	w.store.publishers[p.ID] = p
	return w, s, p
}

// tokenOf is what a job gets for this server.
func tokenOf(t *testing.T, j interface{ Token(string) (string, error) }) string {
	t.Helper()
	tok, err := j.Token(audience)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestGitLabExchange(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:9001", "127.0.0.1:9001/gitlab"} {
		w, s, _ := newService(t, standin.GitLab, address, PublisherSpec{Owner: "acme/tools", Repository: "forge"})
		j := s.StartGitLab(standin.GitLabRun{Namespace: "acme/tools", Environment: "release", Ref: "v1", Tag: true})
		tok := tokenOf(t, j)
		_, pt := w.mustPass(tok)
		site := "http://" + address + "/acme/tools/forge"
		want := Provenance{
			Provider: "gitlab", Issuer: s.URL(), Repository: "acme/tools/forge", Owner: "acme/tools", RepositoryID: j.ProjectID, OwnerID: j.NamespaceID,
			Visibility: "public", Workflow: ".gitlab-ci.yml", WorkflowRef: j.ConfigRef(), WorkflowSHA: j.SHA, Ref: "refs/tags/v1", RefType: "tag",
			RefProtected: "true", SHA: j.SHA, Event: "push", Environment: "release", RunID: "1500000001", JobID: "8000000001", Runner: "gitlab-hosted",
		}
		if d := cmp.Diff(want, pt.Run); d != "" {
			t.Error(d)
		}
		if got := pt.Run.RunURL(); got != j.PageURL() || got != site+"/-/jobs/8000000001" {
			t.Errorf("run's page %s, want %s", got, j.PageURL())
		}
		w.mustRefuse(tok, fault.TokenReused, "exchanged")
		if p := w.store.publisher(1); p.RepositoryID != j.ProjectID || p.OwnerID != j.NamespaceID {
			t.Errorf("pinned to %s, %s", p.RepositoryID, p.OwnerID)
		}
	}
}

// Nothing that a token of GitLab says about a person is kept or logged.
func TestGitLabForgetsPersons(t *testing.T) {
	t.Parallel()
	w, s, _ := newService(t, standin.GitLab, "127.0.0.1:9001", PublisherSpec{Owner: "acme", Repository: "forge"})
	w.mustPass(tokenOf(t, s.StartGitLab(standin.GitLabRun{})))
	w.mustRefuse(tokenOf(t, s.StartGitLab(standin.GitLabRun{Config: "evil.yml"})), fault.WorkflowMismatch, "evil.yml")
	kept, err := json.Marshal([]any{w.store.spent, w.store.publishers, w.store.refusals})
	if err != nil {
		t.Fatal(err)
	}
	if len(w.store.refusals) != 1 || !strings.Contains(string(kept), "1500000001") {
		t.Errorf("kept no run: %s", kept)
	}
	for _, word := range []string{standin.PrivateLogin, standin.PrivateEmail, standin.PrivateIdentity, "4711"} {
		if strings.Contains(string(kept), word) || strings.Contains(w.log.String(), word) {
			t.Errorf("%q is kept in %s or logged in %s", word, kept, w.log.String())
		}
	}
}

// Rows 40, 58 and 59 of the attack catalogue, and what else a job of GitLab can have wrong, from the token to the sentence.
func TestGitLabRefusals(t *testing.T) {
	t.Parallel()
	mergeRequests := Conditions{Events: []string{"merge_request_event"}}
	for _, tt := range []struct {
		name     string
		spec     PublisherSpec
		run      standin.GitLabRun
		code     fault.Code
		fragment string
	}{
		{"58 merge request from a fork, its own publisher", PublisherSpec{Owner: "mallory", Repository: "forge", Conditions: mergeRequests}, standin.GitLabRun{MergeRequestFrom: "mallory/forge"},
			fault.ForkPipeline, "Fork does not match [fork_pipeline]: token has acme/forge, the publisher of channel forge wants mallory/forge. The pipeline runs a fork's code"},
		{"58 merge request from a fork", PublisherSpec{Owner: "acme", Repository: "forge", Conditions: mergeRequests}, standin.GitLabRun{MergeRequestFrom: "mallory/forge"},
			fault.NoPublisher, "token is of mallory/forge"},
		{"58 the same on an old server", PublisherSpec{Owner: "acme", Repository: "forge", Conditions: mergeRequests}, standin.GitLabRun{MergeRequestFrom: "mallory/forge", Unpatched: true},
			fault.ForkPipeline, "fork's code"},
		{"58 the same on an old server, usual events", PublisherSpec{Owner: "acme", Repository: "forge"}, standin.GitLabRun{MergeRequestFrom: "mallory/forge", Unpatched: true},
			fault.ForkPipeline, "event merge_request_event"},
		{"52 merge request of the project's own", PublisherSpec{Owner: "acme", Repository: "forge"}, standin.GitLabRun{Source: "merge_request_event"},
			fault.EventNotAllowed, "token has merge_request_event, the publisher of channel forge wants push, web, api or schedule. Nobody has reviewed the code"},
		{"59 configuration of another project", PublisherSpec{Owner: "acme", Repository: "forge"}, standin.GitLabRun{Config: ".gitlab-ci.yml@acme/policies"},
			fault.WorkflowMismatch, "CI configuration does not match [workflow_mismatch]: token has 127.0.0.1:9001/acme/forge//.gitlab-ci.yml@acme/policies@refs/heads/main"},
		{"43 another file", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "ci/publish.yml"}, standin.GitLabRun{},
			fault.WorkflowMismatch, "token has .gitlab-ci.yml, the publisher of channel forge wants ci/publish.yml"},
		{"49 environment", PublisherSpec{Owner: "acme", Repository: "forge", Conditions: Conditions{Environment: "release"}}, standin.GitLabRun{Environment: "Release"},
			fault.EnvironmentMismatch, "upper and lower case"},
		{"51 ref that is not protected", PublisherSpec{Owner: "acme", Repository: "forge", Conditions: Conditions{ProtectedRef: true}}, standin.GitLabRun{Unprotected: true},
			fault.RefNotProtected, "Protect refs/heads/main"},
		{"60 own runner", PublisherSpec{Owner: "acme", Repository: "forge", Conditions: Conditions{HostedRunner: true}}, standin.GitLabRun{Runner: "self-hosted"},
			fault.RunnerNotAllowed, "token has self-hosted, the publisher of channel forge wants gitlab-hosted"},
		{"55 another project of the name", PublisherSpec{Owner: "acme", Repository: "forge", OwnerID: "11", RepositoryID: "22"}, standin.GitLabRun{NamespaceID: "11", ProjectID: "23"},
			fault.IDMismatch, "acme/forge"},
		{"14 longer than a day", PublisherSpec{Owner: "acme", Repository: "forge"}, standin.GitLabRun{Timeout: 25 * time.Hour}, fault.LifetimeTooLong, "may span 24 h"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, s, _ := newService(t, standin.GitLab, "127.0.0.1:9001", tt.spec)
			w.mustRefuse(tokenOf(t, s.StartGitLab(tt.run)), tt.code, tt.fragment)
			if len(w.store.tokens) > 0 {
				t.Error("a publish token was stored")
			}
		})
	}
}

// The token that a job without an audience gets is for GitLab itself. The sentence says which variable clients read.
func TestGitLabAudience(t *testing.T) {
	t.Parallel()
	w, s, _ := newService(t, standin.GitLab, "127.0.0.1:9001", PublisherSpec{Owner: "acme", Repository: "forge"})
	j := s.StartGitLab(standin.GitLabRun{})
	tok, err := j.Token("")
	if err != nil {
		t.Fatal(err)
	}
	w.mustRefuse(tok, fault.WrongAudience, "token has http://127.0.0.1:9001, the server at https://conda.acme.dev wants conda.acme.dev. "+
		"Put it into the job: id_tokens: {CONDA_ACME_DEV_ID_TOKEN: {aud: conda.acme.dev}}")
	if err := j.IDToken("CONDA_ACME_DEV_ID_TOKEN", audience, "pypi"); err != nil {
		t.Fatal(err)
	}
	both, _ := strings.CutPrefix(j.Env()[len(j.Env())-1], "CONDA_ACME_DEV_ID_TOKEN=")
	w.mustRefuse(both, fault.WrongAudience, "no single audience")
}

// A job that goes on building after its token was made still publishes.
func TestGitLabTokensAreMadeWhenTheJobStarts(t *testing.T) {
	t.Parallel()
	w, s, _ := newService(t, standin.GitLab, "127.0.0.1:9001", PublisherSpec{Owner: "acme", Repository: "forge"})
	tok := tokenOf(t, s.StartGitLab(standin.GitLabRun{Timeout: 3 * time.Hour}))
	w.clock.advance(2*time.Hour + 50*time.Minute)
	w.mustPass(tok)
	late := tokenOf(t, s.StartGitLab(standin.GitLabRun{Timeout: time.Hour}))
	w.clock.advance(time.Hour + 2*time.Minute)
	w.mustRefuse(late, fault.Expired, "build in one job and publish in the next")
}

func TestForgejoExchange(t *testing.T) {
	t.Parallel()
	w, s, _ := newService(t, standin.Forgejo, "127.0.0.1:9001/git", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml"})
	j := s.StartForgejo(standin.ForgejoRun{})
	tok := tokenOf(t, j)
	_, pt := w.mustPass(tok)
	want := Provenance{
		Provider: "forgejo", Issuer: "http://127.0.0.1:9001/git/api/actions", Repository: "acme/forge", Owner: "acme", RepositoryID: j.RepositoryID, OwnerID: j.OwnerID,
		Workflow: "build.yml", WorkflowRef: j.WorkflowRef(), Ref: "refs/heads/main", RefType: "branch", SHA: j.SHA, Event: "push",
		RunID: "701", RunNumber: "1", RunAttempt: "1",
	}
	if d := cmp.Diff(want, pt.Run); d != "" {
		t.Error(d)
	}
	if got := pt.Run.RunURL(); got != j.PageURL() {
		t.Errorf("run's page %s, want %s", got, j.PageURL())
	}
	// Its tokens have no id: the statement itself is used up.
	w.mustRefuse(tok, fault.TokenReused, "exchanged")
	if p := w.store.publisher(1); p.RepositoryID != j.RepositoryID || p.OwnerID != j.OwnerID {
		t.Errorf("pinned to %s, %s", p.RepositoryID, p.OwnerID)
	}
	w.clock.advance(time.Second) // within a second Forgejo says the same of a job twice
	w.mustPass(tokenOf(t, j))
}

func TestForgejoRefusals(t *testing.T) {
	t.Parallel()
	spec := PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml"}
	elsewhere, pinned := spec, spec
	elsewhere.Workflow = ".gitea/workflows/build.yml"
	pinned.OwnerID, pinned.RepositoryID = "11", "22"
	for _, tt := range []struct {
		name     string
		spec     PublisherSpec
		run      standin.ForgejoRun
		code     fault.Code // "": taken
		fragment string
	}{
		{"61 no ids", spec, standin.ForgejoRun{NoIDs: true}, fault.MissingClaim, "the token has no repository_id"},
		{"61 no ids, pinned", pinned, standin.ForgejoRun{NoIDs: true}, fault.MissingClaim, "since version 16"},
		{"43 another folder", spec, standin.ForgejoRun{Folder: ".gitea/workflows"}, fault.WorkflowMismatch, "token has .gitea/workflows/build.yml, the publisher of channel forge wants build.yml. They differ only in the folder"},
		{"43 another folder, named", elsewhere, standin.ForgejoRun{Folder: ".gitea/workflows"}, "", ""},
		{"43 another folder named, the usual one", elsewhere, standin.ForgejoRun{}, fault.WorkflowMismatch, "only in the folder"},
		{"47 reusable workflow", spec, standin.ForgejoRun{Event: "workflow_call"}, fault.EventNotAllowed, "reusable workflow"},
		{"52 pull request", spec, standin.ForgejoRun{Event: "pull_request", Ref: "refs/pull/7/head"}, fault.EventNotAllowed, "reviewed"},
		{"54 fork", spec, standin.ForgejoRun{Owner: "mallory"}, fault.NoPublisher, "token is of mallory/forge"},
		{"55 another repository of the name", pinned, standin.ForgejoRun{OwnerID: "11", RepositoryID: "23"}, fault.IDMismatch, "acme/forge"},
		{"56 transferred", pinned, standin.ForgejoRun{OwnerID: "12", RepositoryID: "22"}, fault.OwnerChanged, "belonged to somebody else"},
		{"57 renamed", pinned, standin.ForgejoRun{Repository: "smithy", OwnerID: "11", RepositoryID: "22"}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, s, _ := newService(t, standin.Forgejo, "127.0.0.1:9001", tt.spec)
			tok := tokenOf(t, s.StartForgejo(tt.run))
			if tt.code == "" {
				w.mustPass(tok)
				return
			}
			w.mustRefuse(tok, tt.code, tt.fragment)
		})
	}
}

// Row 40: what Forgejo takes for the audience when the job names none is never taken here.
func TestForgejoAudience(t *testing.T) {
	t.Parallel()
	w, s, _ := newService(t, standin.Forgejo, "127.0.0.1:9001", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml"})
	tok, err := s.StartForgejo(standin.ForgejoRun{}).Token("")
	if err != nil {
		t.Fatal(err)
	}
	w.mustRefuse(tok, fault.WrongAudience, "token has http://127.0.0.1:9001/acme")
}

// A program names the fields as the service does, and is told of mistakes by the same names.
func TestFieldsAreTheServicesOwn(t *testing.T) {
	t.Parallel()
	w, _, _ := newService(t, standin.GitLab, "127.0.0.1:9001", PublisherSpec{Owner: "acme", Repository: "forge"})
	issuers := w.x.cfg.Issuers
	spec := PublisherSpec{Provider: "gitlab"}
	if err := spec.Fill(issuers, map[string]string{"namespace": "acme/tools", "project": "forge"}); err != nil {
		t.Fatal(err)
	}
	p, err := NewPublisher(spec, issuers, forge(t), 7, "mara", w.clock.now())
	if err != nil || p.FullName() != "acme/tools/forge" || p.Workflow != ".gitlab-ci.yml" {
		t.Errorf("%+v, %v", p.Rule, err)
	}
	if err := spec.Fill(issuers, map[string]string{"workflow": "x.yml"}); fault.CodeOf(err) != fault.InvalidField || !strings.Contains(err.Error(), "namespace, project and workflow_filepath") {
		t.Errorf("another service's field: %v", err)
	}
	spec.Workflow = "ci.yml@acme/policies"
	if _, err := NewPublisher(spec, issuers, forge(t), 7, "mara", w.clock.now()); fault.CodeOf(err) != fault.InvalidField || !strings.Contains(err.Error(), "workflow_filepath ci.yml@acme/policies needs") {
		t.Errorf("file of another project: %v", err)
	}
}

// What no change of a rule lets in is not proposed.
func TestNothingIsProposedThatWouldNotHelp(t *testing.T) {
	t.Parallel()
	w, s, p := newService(t, standin.Forgejo, "127.0.0.1:9001", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml", OwnerID: "11", RepositoryID: "22"})
	j := s.StartForgejo(standin.ForgejoRun{OwnerID: "11", RepositoryID: "22", Workflow: "publish.yml"})
	run := func(change func(map[string]any)) Provenance {
		claims := j.Claims(audience)
		change(claims)
		tok, err := s.Sign(nil, claims)
		if err != nil {
			t.Fatal(err)
		}
		w.mustRefuse(tok, fault.WorkflowMismatch, "publish.yml")
		return w.store.refusals[len(w.store.refusals)-1].Run
	}
	if wider, err := p.Allowing(run(func(map[string]any) {})); err != nil || wider.Workflow != "publish.yml" {
		t.Errorf("another file: %v, %v", wider.Rule, err)
	}
	called := run(func(c map[string]any) { c["job_workflow_ref"] = "acme/shared/.forgejo/workflows/p.yml@refs/heads/main" })
	if wider, err := p.Allowing(called); fault.CodeOf(err) != fault.NotPermitted {
		t.Errorf("a reusable workflow: %v, %v", wider.Rule, err)
	}
}
