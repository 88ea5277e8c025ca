package test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/internal/standin"
	"sluice/test/clients"
)

// The stand-ins are asked by the real client in the way in which it asks the real services: what a server gets from
// it in a job of each service is a token of that service, for the server's name.
func TestTheClientBringsATokenFromJobsOfEveryService(t *testing.T) {
	t.Parallel()
	p := pack(t, build.Package{Name: "tide", Version: "1.0", Build: "0", Subdir: "noarch"}, conda.ExtConda)
	file := filepath.Join(t.TempDir(), p.file)
	if err := os.WriteFile(file, p.body, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		kind standin.Kind
		env  func(s *standin.Service, programs string) ([]string, error)
	}{
		{standin.GitHub, func(s *standin.Service, _ string) ([]string, error) { return s.Start(standin.Run{}).Env(), nil }},
		{standin.Forgejo, func(s *standin.Service, _ string) ([]string, error) {
			return s.StartForgejo(standin.ForgejoRun{}).Env(), nil
		}},
		{standin.GitLab, func(s *standin.Service, _ string) ([]string, error) {
			j := s.StartGitLab(standin.GitLabRun{})
			err := j.IDToken("127_0_0_1_ID_TOKEN", "127.0.0.1")
			return j.Env(), err
		}},
		{standin.Buildkite, func(s *standin.Service, programs string) ([]string, error) {
			j := s.StartBuildkite(standin.BuildkiteRun{})
			return j.Env(), j.Programs(programs)
		}},
		{standin.CircleCI, func(s *standin.Service, programs string) ([]string, error) {
			j := s.StartCircleCI(standin.CircleCIRun{})
			return j.Env(), j.Programs(programs)
		}},
	} {
		t.Run(string(tt.kind), func(t *testing.T) {
			t.Parallel()
			s, err := standin.ListenAs(tt.kind, "127.0.0.1:0", time.Now)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			programs := t.TempDir()
			env, err := tt.env(s, programs)
			if err != nil {
				t.Fatal(err)
			}
			front := &mintOnly{}
			server := httptest.NewServer(front)
			t.Cleanup(server.Close)
			ran := clients.NewUser(t).With(variables(append(env, "PATH="+programs+":"+os.Getenv("PATH")))).
				Rattler(t, "upload", "prefix", "--url", server.URL, "--channel", "forge", file)
			if claims := front.claims(t); claims["iss"] != s.URL() || claims["aud"] != "127.0.0.1" {
				t.Errorf("the client brought %v, want a token of %s for 127.0.0.1\n%s", claims, s.URL(), ran)
			}
		})
	}
}

// variables turns "NAME=value" lines into what they set.
func variables(lines []string) map[string]string {
	env := map[string]string{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		env[name] = value
	}
	return env
}

// mintOnly is a server that takes identity tokens, and refuses everything.
type mintOnly struct {
	mu    sync.Mutex
	token string
}

func (m *mintOnly) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Token string `json:"token"`
	}
	if r.URL.Path == "/api/oidc/mint_token" && json.NewDecoder(r.Body).Decode(&body) == nil {
		m.mu.Lock()
		m.token = body.Token
		m.mu.Unlock()
	}
	http.Error(w, "This server only listens.", http.StatusUnauthorized)
}

// claims are those of the token that came last, or none.
func (m *mintOnly) claims(t *testing.T) map[string]any {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	_, rest, _ := strings.Cut(m.token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &claims); err != nil {
			t.Fatal(err)
		}
	}
	return claims
}
