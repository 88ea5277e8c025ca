package server_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/cijob"
	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/internal/config"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
)

// services are stand-ins for all services but GitHub that this server trusts, in one server.
type services struct{ buildkite, circleci, google, jenkins *standin.Service }

func startServices(t *testing.T) services {
	t.Helper()
	start := func(kind standin.Kind) *standin.Service {
		s, err := standin.ListenAs(kind, "127.0.0.1:0", time.Now)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	return services{start(standin.Buildkite), start(standin.CircleCI), start(standin.Google), start(standin.Generic)}
}

// configure writes the file of an operator who trusts them, and reads its issuers. Google's keys are where its own
// discovery says; the others' are found by discovery, Jenkins' are in a file.
func (s services) configure(t *testing.T) map[string]config.Issuer {
	t.Helper()
	status, keys := fetch(t, s.jenkins.URL()+"/jwks")
	var google struct {
		JWKSURI string `json:"jwks_uri"`
	}
	_, discovery := fetch(t, s.google.URL()+"/.well-known/openid-configuration")
	if err := json.Unmarshal([]byte(discovery), &google); err != nil || status != http.StatusOK {
		t.Fatalf("status %d, %v", status, err)
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "sluice.toml")
	text := `issuer = { buildkite = "` + s.buildkite.URL() + `", circleci-root = "` + s.circleci.URL() + `" }
[issuers.google]
url = "` + s.google.URL() + `"
jwks_uri = "` + google.JWKSURI + `"
[issuers.jenkins]
provider = "generic"
url = "` + s.jenkins.URL() + `"
jwks_file = "jenkins.json"
run_link = "` + s.jenkins.URL() + `/job/{job}/{build}"
[issuers.jenkins.claims]
repository = "sub"
repository_id = "sub"
run_number = "build"
`
	for name, content := range map[string]string{file: text, filepath.Join(folder, "jenkins.json"): keys} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(config.Flags{}, func(string) string { return "" }, file)
	if err != nil {
		t.Fatal(err)
	}
	return c.Issuers
}

func fetch(t *testing.T, address string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	status, _, body := servertest.Do(t, req)
	return status, body
}

// Runs of every service publish to one server, each by its own rule, and what they published tells of them.
func TestRunsOfEveryServicePublish(t *testing.T) {
	for _, postgres := range []bool{false, true} {
		t.Run(map[bool]string{false: "sqlite", true: "postgres"}[postgres], func(t *testing.T) {
			t.Parallel()
			ci := startServices(t)
			issuers := ci.configure(t)
			s := servertest.New(t, servertest.Options{Postgres: postgres, Configure: func(c *config.Config) { c.Issuers = issuers }})
			ch := s.Channel(t, s.User(t, "ann", false), "forge", channel.Public)
			bk := ci.buildkite.StartBuildkite(standin.BuildkiteRun{OIDCTokenClaims: "organization_id,pipeline_id"})
			cc := ci.circleci.StartCircleCI(standin.CircleCIRun{})
			gg := ci.google.StartGoogle(standin.GoogleRun{})
			jk := ci.jenkins.StartGeneric(standin.GenericRun{Claims: map[string]any{"sub": "https://jenkins.acme.dev/job/forge/", "job": "forge", "build": 7}})
			for _, tt := range []struct {
				name  string
				token func(audience string) (string, error)
				spec  trust.PublisherSpec
				said  string
				link  string
			}{
				{"buildkite", bk.Token, trust.PublisherSpec{Owner: "acme", Repository: "forge"}, "a run of acme/forge", ""},
				{"circleci", cc.Token, trust.PublisherSpec{OwnerID: cc.Organization, RepositoryID: cc.Project}, "of github.com/acme/forge", ""},
				{"google", gg.Token, trust.PublisherSpec{Repository: gg.Email, RepositoryID: gg.Subject}, "a run of " + gg.Email, ""},
				{"jenkins", jk.Token, trust.PublisherSpec{Repository: "https://jenkins.acme.dev/job/forge/"}, "a run of https://jenkins.acme.dev/job/forge/, run 7", ci.jenkins.URL() + "/job/forge/7"},
			} {
				id, err := tt.token("127.0.0.1")
				if err != nil {
					t.Fatal(err)
				}
				job := cijob.New(nil)
				if _, err := job.Mint(t.Context(), s.URL, id); err == nil || !strings.Contains(err.Error(), "no_publisher") {
					t.Errorf("%s without a publisher: %v", tt.name, err)
				}
				tt.spec.Provider, tt.spec.Packages = tt.name, []string{tt.name}
				if _, err := s.Publishers.Add(t.Context(), audit.Actor{Kind: audit.Operator, Means: "test"}, ch, tt.spec); err != nil {
					t.Fatal(err)
				}
				bearer, err := job.Mint(t.Context(), s.URL, id)
				if err != nil {
					t.Fatalf("%s: %v", tt.name, err)
				}
				name, body := packed(t, tt.name)
				if _, err := job.Upload(t.Context(), s.URL, "forge", bearer, name, body); err != nil {
					t.Fatalf("%s: %v", tt.name, err)
				}
				status, _, text := s.Get(t, "/api/v1/channels/forge/packages/noarch/"+name, "")
				if status != http.StatusOK || !strings.Contains(text, tt.said) || tt.link != "" && !strings.Contains(text, `"`+tt.link+`"`) {
					t.Errorf("%s: status %d, %s\nwant %q and the link %q", tt.name, status, text, tt.said, tt.link)
				}
			}
		})
	}
}

// packed is a small package of that name.
func packed(t *testing.T, name string) (filename string, body []byte) {
	t.Helper()
	p := build.Package{Name: name, Version: "1.0", Build: "0", Subdir: "noarch"}
	body, err := p.Conda()
	if err != nil {
		t.Fatal(err)
	}
	fn, err := p.Filename(conda.ExtConda)
	if err != nil {
		t.Fatal(err)
	}
	return fn.String(), body
}
