package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/internal/config"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
	"sluice/test/clients"
)

// service is a CI service whose jobs the stock client knows, as one of its jobs finds it.
type service struct {
	kind standin.Kind
	// publisher is the rule that the job satisfies.
	publisher trust.PublisherSpec
	// job starts one and returns its environment. Programs that the runner has go into the folder.
	job func(s *standin.Service, programs string) ([]string, error)
	// byline is how the package's provenance begins.
	byline string
}

// stock are the services of which the stock client gets tokens by itself.
func stock() []service {
	return []service{
		{standin.GitHub, trust.PublisherSpec{Provider: "github", Owner: "acme", Repository: "forge", Workflow: "build.yml"},
			func(s *standin.Service, _ string) ([]string, error) { return s.Start(standin.Run{}).Env(), nil }, "Published by build.yml of acme/forge, run "},
		{standin.GitLab, trust.PublisherSpec{Provider: "gitlab", Owner: "acme/tools", Repository: "forge"},
			func(s *standin.Service, _ string) ([]string, error) {
				j := s.StartGitLab(standin.GitLabRun{Namespace: "acme/tools"})
				err := j.IDToken("127_0_0_1_ID_TOKEN", "127.0.0.1")
				return j.Env(), err
			}, "Published by .gitlab-ci.yml of acme/tools/forge, run "},
		{standin.Forgejo, trust.PublisherSpec{Provider: "forgejo", Owner: "acme", Repository: "forge", Workflow: "build.yml"},
			func(s *standin.Service, _ string) ([]string, error) {
				return s.StartForgejo(standin.ForgejoRun{}).Env(), nil
			}, "Published by build.yml of acme/forge, run "},
		{standin.Buildkite, trust.PublisherSpec{Provider: "buildkite", Owner: "acme", Repository: "forge"},
			func(s *standin.Service, programs string) ([]string, error) {
				j := s.StartBuildkite(standin.BuildkiteRun{OIDCTokenClaims: "organization_id,pipeline_id"})
				return j.Env(), j.Programs(programs)
			}, "Published by a run of acme/forge, run "},
		{standin.CircleCI, trust.PublisherSpec{Provider: "circleci", OwnerID: "11111111-1111-4111-8111-111111111111", RepositoryID: "22222222-2222-4222-8222-222222222222"},
			func(s *standin.Service, programs string) ([]string, error) {
				j := s.StartCircleCI(standin.CircleCIRun{Organization: "11111111-1111-4111-8111-111111111111", Project: "22222222-2222-4222-8222-222222222222"})
				return j.Env(), j.Programs(programs)
			}, "Published by a run of github.com/acme/forge, run "},
	}
}

// Jobs of every service that the stock client knows publish with it into one server, without a stored key, and the
// record of each package says from where it came. A job that no publisher means does not.
func TestTheClientPublishesFromEveryService(t *testing.T) {
	t.Parallel()
	for _, o := range []servertest.Options{{}, {Postgres: true}} {
		name := map[bool]string{false: "sqlite", true: "postgres"}[o.Postgres]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			running := map[standin.Kind]*standin.Service{}
			o.Configure = func(c *config.Config) {
				for _, s := range stock() {
					service, err := standin.ListenAs(s.kind, "127.0.0.1:0", time.Now)
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { _ = service.Close() })
					running[s.kind] = service
					c.Issuers[string(s.kind)] = config.Issuer{URL: service.URL()}
				}
			}
			w := newWorld(t, servertest.New(t, o))
			for _, s := range stock() {
				t.Run(string(s.kind), func(t *testing.T) { w.publishesFrom(t, s, running[s.kind]) })
			}
		})
	}
}

func (w *world) publishesFrom(t *testing.T, s service, ci *standin.Service) {
	t.Helper()
	programs := t.TempDir()
	env, err := s.job(ci, programs)
	if err != nil {
		t.Fatal(err)
	}
	user := clients.NewUser(t).With(variables(append(env, "PATH="+programs+":"+os.Getenv("PATH"))))
	p := pack(t, build.Package{Name: "from-" + string(s.kind), Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic", License: "MIT"}, conda.ExtConda)
	file := filepath.Join(t.TempDir(), p.file)
	if err := os.WriteFile(file, p.body, 0o600); err != nil {
		t.Fatal(err)
	}
	ch := w.Channel(t, w.ann, "by-"+string(s.kind), channel.Public)
	upload := []string{file, "--url", w.URL, "--channel", ch.Name.String()}

	before := user.Drive(t, "upload.py", upload...)
	if before.OK {
		t.Fatalf("published without a publisher: %+v", before)
	}
	if _, err := w.Publishers.Add(t.Context(), audit.Actor{Kind: audit.Operator}, ch, s.publisher); err != nil {
		t.Fatal(err)
	}
	env, err = s.job(ci, programs) // a token of before may be spent, or be the same as the next of that second
	if err != nil {
		t.Fatal(err)
	}
	after := user.With(variables(append(env, "PATH="+programs+":"+os.Getenv("PATH")))).Drive(t, "upload.py", upload...)
	if !after.OK {
		t.Fatalf("refused: %s", after.Error)
	}
	status, _, said := w.Get(t, "/api/v1/channels/"+ch.Name.String()+"/packages/noarch/"+p.file, "")
	var shown struct {
		Provenance struct{ Sentence, Issuer string }
	}
	if err := json.Unmarshal([]byte(said), &shown); err != nil || status != 200 {
		t.Fatalf("%d %s", status, said)
	}
	if !strings.HasPrefix(shown.Provenance.Sentence, s.byline) || shown.Provenance.Issuer != ci.URL() {
		t.Errorf("provenance %+v, want %q by %s", shown.Provenance, s.byline, ci.URL())
	}
}
