package trust

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/standin"
	"sluice/internal/trust/provider"
)

// elsewhere puts a token service of another kind on the net, and a server that trusts it alone.
func elsewhere(t *testing.T, kind standin.Kind, address string, s IssuerSettings) *world {
	t.Helper()
	w := &world{t: t, clock: newClock(), log: &logbook{}}
	w.store = newMemory(w.clock.now)
	var err error
	if w.service, err = standin.NewAs(kind, address, w.clock.now); err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(address, "https://")
	w.net = &network{hosts: map[string]http.Handler{host: w.service}, now: w.clock.now}
	is, err := s.Issuer()
	if err != nil {
		t.Fatal(err)
	}
	w.x = w.server(func(c *Config) { c.Issuers = []Issuer{is} })
	return w
}

// addOf stores a publisher of the world's one issuer.
func (w *world) addOf(spec PublisherSpec) Publisher {
	w.t.Helper()
	ch, err := conda.ParseChannel("tools")
	if err != nil {
		w.t.Fatal(err)
	}
	spec.Provider = w.x.cfg.Issuers[0].Name
	p, err := NewPublisher(spec, w.x.cfg.Issuers, ch, 7, "mara", w.clock.now())
	if err != nil {
		w.t.Fatal(err)
	}
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	p.ID = int64(len(w.store.publishers) + 1)
	w.store.publishers[p.ID] = p
	return p
}

func TestBuildkiteRuns(t *testing.T) {
	t.Parallel()
	w := elsewhere(t, standin.Buildkite, "https://agent.buildkite.com", IssuerSettings{Name: "buildkite"})
	p := w.addOf(PublisherSpec{Owner: "acme", Repository: "forge"})
	const ids = "organization_id,pipeline_id"
	job := func(r standin.BuildkiteRun) map[string]any { return w.service.StartBuildkite(r).Claims(audience) }
	w.mustRefuse(w.sign(job(standin.BuildkiteRun{})), fault.MissingClaim, "BUILDKITE_OIDC_TOKEN_CLAIMS=organization_id,pipeline_id")
	w.mustRefuse(w.sign(job(standin.BuildkiteRun{OIDCTokenClaims: ids, Source: "api"})), fault.EventNotAllowed, "wants webhook, ui or schedule")
	if after := w.store.publisher(p.ID); after.Pinned() {
		t.Errorf("pinned by a refusal: %+v", after)
	}
	first := w.sign(job(standin.BuildkiteRun{OIDCTokenClaims: ids}))
	_, pt := w.mustPass(first)
	w.mustRefuse(first, fault.TokenReused, "") // without a jti
	after := w.store.publisher(p.ID)
	if !after.Pinned() || after.FullName() != "acme/forge" || pt.Run.RunURL() == "" {
		t.Errorf("after the first use: %+v", after)
	}
	w.mustRefuse(w.sign(job(standin.BuildkiteRun{OIDCTokenClaims: ids, PipelineID: after.OwnerID})), fault.IDMismatch, "not its id")
	w.mustPass(w.sign(job(standin.BuildkiteRun{OIDCTokenClaims: ids, Pipeline: "smithy", PipelineID: after.RepositoryID, OrganizationID: after.OwnerID})))
	if got := w.store.publisher(p.ID).FullName(); got != "acme/smithy" {
		t.Errorf("after a rename: %s", got)
	}
}

func TestCircleCIRuns(t *testing.T) {
	t.Parallel()
	w := elsewhere(t, standin.CircleCI, "https://oidc.circleci.com", IssuerSettings{Name: "circleci"})
	job := w.service.StartCircleCI(standin.CircleCIRun{})
	p := w.addOf(PublisherSpec{OwnerID: job.Organization, RepositoryID: job.Project})
	if p.FullName() != job.Project || !p.Pinned() || !strings.Contains(p.Weak(), "no repository is named") {
		t.Errorf("before the first use: %+v", p)
	}
	_, pt := w.mustPass(w.sign(job.Claims(audience))) // found though nobody knows its name yet
	if got := w.store.publisher(p.ID); got.FullName() != "github.com/acme/forge" || got.RepositoryID != job.Project || got.OwnerID != job.Organization {
		t.Errorf("after the first use: %+v", got)
	}
	if weak := w.store.publisher(p.ID).Weak(); weak != "Any branch can publish, because no ref is named." {
		t.Errorf("weak after the first use: %q", weak)
	}
	if pt.Run.Name() != "forge" || pt.Run.RunURL() != "https://app.circleci.com/workflow/"+job.Workflow+"/job/"+job.Job {
		t.Errorf("run %+v, link %s", pt.Run, pt.Run.RunURL())
	}
	again := func(r standin.CircleCIRun) string { return w.sign(w.service.StartCircleCI(r).Claims(audience)) }
	same := standin.CircleCIRun{Organization: job.Organization, Project: job.Project}
	ssh, fork, hook := same, same, same
	ssh.SSHRerun, fork.Origin, hook.Webhook = true, "github.com/mallory/forge", true
	w.mustPass(again(same))
	w.mustRefuse(again(ssh), fault.SSHRerun, "without SSH")
	w.mustRefuse(again(fork), fault.ForkPipeline, "perhaps of a fork")
	w.mustRefuse(again(hook), fault.ForkPipeline, "the code of another repository")
	w.mustRefuse(again(standin.CircleCIRun{Organization: p.RepositoryID, Project: p.OwnerID}), fault.NoPublisher, "which no channel") // row 65
	if twin := w.spec(PublisherSpec{OwnerID: job.Organization, RepositoryID: job.Project}); !twin.SameRule(w.store.publisher(p.ID)) {
		t.Error("the same project is another rule once it has a name")
	}
	if other := w.spec(PublisherSpec{OwnerID: job.Organization, RepositoryID: job.Pipeline, Repository: "github.com/acme/forge"}); other.SameRule(w.store.publisher(p.ID)) {
		t.Error("two projects of one repository are one rule")
	}
}

// spec reads a publisher without storing it.
func (w *world) spec(s PublisherSpec) Publisher {
	w.t.Helper()
	p := w.addOf(s)
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	delete(w.store.publishers, p.ID)
	return p
}

// An organization's own issuer is another one than the one that all share.
func TestCircleCIsOrganizationsOwnIssuer(t *testing.T) {
	t.Parallel()
	const address = "https://oidc.circleci.com/org/b9291e0d-a11e-41fb-8517-c545388b5953"
	w := elsewhere(t, standin.CircleCI, "https://oidc.circleci.com", IssuerSettings{Name: "circleci-acme", URL: address})
	own, err := standin.NewAs(standin.CircleCI, address, w.clock.now)
	if err != nil {
		t.Fatal(err)
	}
	root := w.service
	w.net.set("oidc.circleci.com", own)
	job := own.StartCircleCI(standin.CircleCIRun{})
	w.addOf(PublisherSpec{OwnerID: job.Organization, RepositoryID: job.Project})
	w.mustRefuse(w.sign(root.StartCircleCI(standin.CircleCIRun{}).Claims(audience)), fault.UnknownIssuer, address)
	w.service = own
	w.mustPass(w.sign(job.Claims(audience)))
}

func TestGoogleAccounts(t *testing.T) {
	t.Parallel()
	w := elsewhere(t, standin.Google, "https://accounts.google.com", IssuerSettings{Name: "google"})
	w.net.set("accounts.google.com", google("https://accounts.google.com", "https://www.googleapis.com/oauth2/v3/certs"))
	w.net.set("www.googleapis.com", w.service)
	job := w.service.StartGoogle(standin.GoogleRun{})
	w.addOf(PublisherSpec{Repository: job.Email, RepositoryID: job.Subject})
	_, pt := w.mustPass(w.sign(job.Claims(audience)))
	if pt.Run.Repository != job.Email || pt.Run.RunID != "" || !strings.HasPrefix(pt.RunKey(), "token:") {
		t.Errorf("run %+v with the key %s", pt.Run, pt.RunKey())
	}
	words := job.Claims(audience)
	words["email_verified"] = "true"
	for name, tt := range map[string]struct {
		claims map[string]any
		code   fault.Code
	}{
		"other account":  {w.service.StartGoogle(standin.GoogleRun{Email: "forge@evil.iam.gserviceaccount.com"}).Claims(audience), fault.NoPublisher},
		"made anew":      {w.service.StartGoogle(standin.GoogleRun{Subject: "100000000000000000001"}).Claims(audience), fault.IDMismatch},
		"not verified":   {w.service.StartGoogle(standin.GoogleRun{Unverified: true}).Claims(audience), fault.BadClaim},
		"word for true":  {words, fault.BadClaim},
		"other audience": {job.Claims("https://other.example"), fault.WrongAudience},
	} {
		t.Run(name, func(t *testing.T) { w.mustRefuse(w.sign(tt.claims), tt.code, "") })
	}
}

// google answers for Google's discovery, with whatever address of keys.
func google(issuer, keys string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": issuer, "jwks_uri": keys})
	})
}

// Rows 30, 38: Google's keys are on one other host, which is known. No other is asked, and for no other issuer.
func TestKeysOnAnotherHost(t *testing.T) {
	t.Parallel()
	const certs = "https://www.googleapis.com/oauth2/v3/certs"
	for _, tt := range []struct {
		name, issuer, url, keys string
		taken                   bool
	}{
		{"the known one", "google", "https://accounts.google.com", certs, true},
		{"own host", "google", "https://accounts.google.com", "https://accounts.google.com/oauth2/v3/certs", true},
		{"other path", "google", "https://accounts.google.com", certs + "/../v2", false},
		{"other host", "google", "https://accounts.google.com", "https://evil.example/oauth2/v3/certs", false},
		{"http", "google", "https://accounts.google.com", "http://www.googleapis.com/oauth2/v3/certs", false},
		{"metadata address", "google", "https://accounts.google.com", "http://169.254.169.254/oauth2/v3/certs", false},
		{"for another address of the service", "google-x", "https://google.example", certs, false},
		{"for another service", "buildkite", "https://agent.buildkite.com", certs, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := elsewhere(t, standin.Google, tt.url, IssuerSettings{Name: tt.issuer, URL: tt.url})
			host := strings.TrimPrefix(tt.url, "https://")
			mux := http.NewServeMux()
			mux.Handle("/.well-known/openid-configuration", google(tt.url, tt.keys))
			mux.Handle("/", w.service)
			w.net.hosts = map[string]http.Handler{host: mux, "www.googleapis.com": w.service, "evil.example": w.service, "169.254.169.254": w.service}
			w.x.issuers[tt.url].refresh(t.Context())
			w.x.running.Wait()
			h := w.x.Health()[0]
			if h.Usable != tt.taken || !tt.taken && (!strings.Contains(h.LastError, "is not on the issuer's host") || w.net.requests() != 1) {
				t.Errorf("health %+v after %d requests", h, w.net.requests())
			}
		})
	}
}

// A Jenkins whose operator has described its claims.
func TestGenericRuns(t *testing.T) {
	t.Parallel()
	const address = "https://jenkins.acme.dev/oidc"
	w := elsewhere(t, standin.Generic, "https://jenkins.acme.dev", IssuerSettings{Name: "jenkins", URL: "https://jenkins.acme.dev", Provider: "generic", Mapping: jenkins()})
	claims := map[string]any{"sub": "https://jenkins.acme.dev/job/forge/", "branch_name": "main", "build_number": "7", "job_name": "team/forge"}
	p := w.addOf(PublisherSpec{Repository: "https://jenkins.acme.dev/job/forge/", Conditions: Conditions{Refs: []string{"refs/heads/main"}}})
	run := func(change ...func(map[string]any)) map[string]any {
		c := w.service.StartGeneric(standin.GenericRun{Claims: claims}).Claims(audience)
		for _, f := range change {
			f(c)
		}
		return c
	}
	_, pt := w.mustPass(w.sign(run()))
	if got := pt.Run.RunURL(); got != "https://jenkins.acme.dev/job/team/forge/7" {
		t.Errorf("link %q", got)
	}
	if got := w.store.publisher(p.ID); got.FullName() != p.FullName() || !got.Pinned() {
		t.Errorf("after the first use: %+v", got)
	}
	w.mustRefuse(w.sign(run(func(c map[string]any) { c["branch_name"] = "evil" })), fault.RefMismatch, "refs/heads/evil")
	w.mustRefuse(w.sign(run(func(c map[string]any) { c["sub"] = "https://jenkins.acme.dev/job/Forge/" })), fault.NoPublisher, "which no channel")
	w.mustRefuse(w.sign(run(func(c map[string]any) { delete(c, "sub") })), fault.MissingClaim, "no sub")
	w.mustRefuse(w.sign(run(func(c map[string]any) { c["sub"] = 7 })), fault.BadClaim, "sub is a number")
	w.mustRefuse(w.sign(run(func(c map[string]any) { delete(c, "jti") })), fault.BadJTI, "")
	w.mustRefuse(w.sign(run(func(c map[string]any) { delete(c, "aud") })), fault.WrongAudience, "no single audience") // a Jenkins without configuration
	w.mustRefuse(w.sign(run(func(c map[string]any) { c["iss"] = address })), fault.UnknownIssuer, "")
	w.mustRefuse(w.sign(run(func(c map[string]any) { c["exp"] = w.clock.now().Unix() + 7200 })), fault.LifetimeTooLong, "60 min")
}

func jenkins() provider.Mapping {
	return provider.Mapping{
		Claims: map[string]string{"repository": "sub", "repository_id": "sub", "branch": "branch_name", "run_number": "build_number"}, NeedsJTI: true,
		RunLink: "https://jenkins.acme.dev/job/{job_name}/{build_number}",
	}
}

// An audience of one issuer is none of another.
func TestAudiencesOfOneIssuer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.issuer("127.0.0.1:9001")
	settings := IssuerSettings{Name: "github-other", URL: other.URL(), Audiences: []string{"special"}}
	is, err := settings.Issuer()
	if err != nil {
		t.Fatal(err)
	}
	w.x = w.server(func(c *Config) { c.Issuers = append(c.Issuers, is) })
	w.add()
	w.add(func(p *Publisher) { p.Issuer = is.URL })
	signed := func(s *standin.Service, aud string) string {
		claims := maps.Clone(s.Start(standin.Run{}).Claims(aud))
		tok, err := s.Sign(nil, claims)
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	w.mustPass(signed(other, "special"))
	w.mustPass(signed(other, audience))
	w.mustPass(signed(w.service, audience))
	w.mustRefuse(signed(w.service, "special"), fault.WrongAudience, "wants "+audience)
	w.mustRefuse(signed(other, "other"), fault.WrongAudience, "wants "+audience+" or special")
}
