package provider_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/internal/attest/fulcio"
	"sluice/internal/standin"
	"sluice/internal/trust/provider"
)

// told is the run of a token with these claims, as the service's provider reads it.
func told(t *testing.T, name string, claims map[string]any) provider.Provenance {
	t.Helper()
	b, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.UseNumber()
	read := provider.Claims{}
	if err := dec.Decode(&read); err != nil {
		t.Fatal(err)
	}
	p, _ := provider.ByName(name)
	run, err := p.Read(read)
	if err != nil {
		t.Fatal(err)
	}
	run.Issuer, _ = claims["iss"].(string)
	return run
}

// service is a job of a stand-in, and the certificate that Fulcio writes for its tokens by its templates.
type service struct {
	name   string
	claims map[string]any
	signer fulcio.Signer
	// differs are changes of the certificate after which it names another run, by what is told of them.
	differs map[string]func(*fulcio.Signer)
	// nobody are changes after which it names none.
	nobody map[string]func(*fulcio.Signer)
}

func otherServices(t *testing.T) []service {
	t.Helper()
	bk, err := standin.NewAs(standin.Buildkite, "http://127.0.0.1:9000", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	ci, err := standin.NewAs(standin.CircleCI, "http://127.0.0.1:9000", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	build := bk.StartBuildkite(standin.BuildkiteRun{OIDCTokenClaims: "organization_id,pipeline_id"})
	job := ci.StartCircleCI(standin.CircleCIRun{})
	b, c := build.Claims("conda.example.com"), job.Claims("conda.example.com")
	text := func(m map[string]any, name string) string { s, _ := m[name].(string); return s }
	other := "11111111-2222-4333-8444-555555555555"
	return []service{
		{
			"buildkite", b,
			fulcio.Signer{
				Identity: "https://buildkite.com/acme/forge", Issuer: text(b, "iss"), Commit: build.Commit, Runner: build.Runner, Trigger: build.Source,
				Run: "https://buildkite.com/acme/forge/builds/" + strconv.Itoa(build.Number) + "#" + text(b, "job_id"), Subject: text(b, "sub"),
			},
			map[string]func(*fulcio.Signer){
				"issuer": func(s *fulcio.Signer) { s.Issuer = "https://agent.example.com" },
				"repository": func(s *fulcio.Signer) {
					s.Identity, s.Run = strings.Replace(s.Identity, "forge", "forged", 1), strings.Replace(s.Run, "forge", "forged", 1)
				},
				"run_id": func(s *fulcio.Signer) { s.Run = strings.Replace(s.Run, "#", "2#", 1) },
			},
			map[string]func(*fulcio.Signer){
				"no identity":          func(s *fulcio.Signer) { s.Identity = "" },
				"another host":         func(s *fulcio.Signer) { s.Identity = "https://buildkite.com.example.com/acme/forge" },
				"a longer path":        func(s *fulcio.Signer) { s.Identity += "/x" },
				"no run":               func(s *fulcio.Signer) { s.Run = "" },
				"another pipeline":     func(s *fulcio.Signer) { s.Run = strings.Replace(s.Run, "acme/forge", "acme/other", 1) },
				"a number that is not": func(s *fulcio.Signer) { s.Run = strings.Replace(s.Run, "#", "x#", 1) },
				"no job":               func(s *fulcio.Signer) { s.Run, _, _ = strings.Cut(s.Run, "#") },
			},
		},
		{
			"circleci", c,
			fulcio.Signer{
				Identity: "https://circleci.com/api/v2/projects/" + job.Project + "/pipeline-definitions/" + job.Definition, Issuer: text(c, "iss"), Runner: `""`,
				Repository: job.Origin, Ref: job.Ref, BuildConfig: "https://circleci.com/api/v2/pipeline/" + job.Pipeline + "/config",
				Run: "https://app.circleci.com//workflow/" + job.Workflow + "/job/" + job.Job, Subject: text(c, "sub"),
			},
			map[string]func(*fulcio.Signer){
				"issuer":        func(s *fulcio.Signer) { s.Issuer = "https://oidc.example.com" },
				"repository_id": func(s *fulcio.Signer) { s.Identity = strings.Replace(s.Identity, job.Project, other, 1) },
				"run_id":        func(s *fulcio.Signer) { s.Run = strings.Replace(s.Run, job.Workflow, other, 1) },
			},
			map[string]func(*fulcio.Signer){
				"no identity": func(s *fulcio.Signer) { s.Identity = "" },
				"another host": func(s *fulcio.Signer) {
					s.Identity = strings.Replace(s.Identity, "circleci.com", "circleci.example.com", 1)
				},
				"a project that is no UUID": func(s *fulcio.Signer) { s.Identity = strings.Replace(s.Identity, job.Project, "forge", 1) },
				"no definition":             func(s *fulcio.Signer) { s.Identity, _, _ = strings.Cut(s.Identity, "/pipeline-definitions/") },
				"no run":                    func(s *fulcio.Signer) { s.Run = "" },
				"no job":                    func(s *fulcio.Signer) { s.Run, _, _ = strings.Cut(s.Run, "/job/") },
				"a runner of another kind":  func(s *fulcio.Signer) { s.Runner = "github-hosted" },
			},
		},
	}
}

// The certificate of a job names the run of the job's token; every difference is told, and what does not hang together is
// nobody's.
func TestOtherServicesCertify(t *testing.T) {
	t.Parallel()
	for _, tt := range otherServices(t) {
		token := told(t, tt.name, tt.claims)
		signed, ok := certifier(t, tt.name).Certified(tt.signer)
		if d := provider.SameRun(token, signed); !ok || d != nil {
			t.Errorf("%s: its own certificate: %v, differs in %v: %+v", tt.name, ok, d, signed)
		}
		for claim, change := range tt.differs {
			s := tt.signer
			change(&s)
			signed, ok := certifier(t, tt.name).Certified(s)
			if d := provider.SameRun(token, signed); !ok || len(d) != 1 || d[0].Claim != claim {
				t.Errorf("%s: another %s: %v, %v", tt.name, claim, ok, d)
			}
		}
		for what, change := range tt.nobody {
			s := tt.signer
			change(&s)
			if got, ok := certifier(t, tt.name).Certified(s); ok {
				t.Errorf("%s with %s is %+v", tt.name, what, got)
			}
		}
		// Without ids no rule is satisfied, whatever it says.
		p, _ := provider.ByName(tt.name)
		rule := provider.Rule{Owner: token.Owner, Repository: token.Name(), OwnerID: token.OwnerID, RepositoryID: token.RepositoryID}
		if !provider.Match(p, rule, token).Granted() || provider.Match(p, rule, signed).Granted() {
			t.Errorf("%s: a rule that takes the token takes a certificate without its ids", tt.name)
		}
	}
}

// An organization with an issuer of its own is named by it.
func TestCircleCIOrganizationCertifies(t *testing.T) {
	t.Parallel()
	tt := otherServices(t)[1]
	token := told(t, tt.name, tt.claims)
	tt.signer.Issuer = "https://oidc.circleci.com/org/" + token.OwnerID
	signed, ok := certifier(t, tt.name).Certified(tt.signer)
	p, _ := provider.ByName(tt.name)
	rule := provider.Rule{Owner: token.Owner, Repository: token.Name(), OwnerID: token.OwnerID, RepositoryID: token.RepositoryID}
	if !ok || !provider.Match(p, rule, signed).Granted() {
		t.Errorf("%v: %+v", ok, signed)
	}
	tt.signer.Issuer = "https://oidc.circleci.com/org/11111111-2222-4333-8444-555555555555"
	if signed, _ := certifier(t, tt.name).Certified(tt.signer); provider.Match(p, rule, signed).Granted() {
		t.Error("another organization's certificate satisfies the rule")
	}
}
