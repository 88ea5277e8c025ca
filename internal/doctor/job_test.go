package doctor

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/servertest"
	"sluice/internal/standin"
)

// env reads "NAME=value" lines as an environment.
func env(lines ...string) func(string) string {
	return func(name string) string {
		for _, l := range lines {
			if value, ok := strings.CutPrefix(l, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

// jwt is what looks like an identity token.
func jwt(payload string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"RS256"}`)) + "." + enc([]byte(payload)) + "." + enc([]byte("signature"))
}

func TestJobs(t *testing.T) {
	t.Parallel()
	s := newSite(t, servertest.Options{}, nil)
	foreign, err := standin.Listen("127.0.0.1:0", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = foreign.Close() })
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte("the secret of the runner"))
	}))
	t.Cleanup(broken.Close)
	good := jwt(fmt.Sprintf(`{"iss": %q, "aud": "127.0.0.1", "exp": %d}`, s.CI.URL(), time.Now().Add(time.Hour).Unix()))
	for _, tt := range []struct {
		name string
		env  []string
		says string // the beginning of the one finding about the job, with its result
	}{
		{"GitHub", s.CI.Start(standin.Run{}).Env(), "ok this job gets one, made for 127.0.0.1 by http://127.0.0.1:"},
		{"GitHub without the permission", []string{"GITHUB_ACTIONS=true"}, "fail this job may not ask for one"},
		{"GitHub, another issuer", foreign.Start(standin.Run{}).Env(), "fail its issuer is http://127.0.0.1:"},
		{"GitHub in disorder", []string{"GITHUB_ACTIONS=true", "ACTIONS_ID_TOKEN_REQUEST_URL=" + broken.URL + "?secret", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=secret"},
			"fail the CI service gives none: 500 Internal Server Error"},
		{"GitHub that is away", []string{"GITHUB_ACTIONS=true", "ACTIONS_ID_TOKEN_REQUEST_URL=http://127.0.0.1:1/?secret", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=secret"},
			"fail the CI service gives none: connection refused"},
		{"GitLab", []string{"GITLAB_CI=true", "127_0_0_1_ID_TOKEN=" + good}, "ok this job gets one"},
		{"GitLab without a token", []string{"GITLAB_CI=true", "ID_TOKEN=" + good}, "fail the variable 127_0_0_1_ID_TOKEN is not set"},
		{"GitLab with something else", []string{"GITLAB_CI=true", "127_0_0_1_ID_TOKEN=secret"}, "fail what came is none: a JWT has three parts"},
		{"Buildkite without its program", []string{"BUILDKITE=true"}, "fail the program buildkite-agent is not on PATH"},
		{"CircleCI without its program", []string{"CIRCLECI=true"}, "fail the program circleci is not on PATH"},
		{"no job", []string{"GITHUB_ACTIONS=false"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range s.examine(t, func(x *Target) { x.Channel, x.Getenv = "", env(tt.env...) }) {
				if strings.Contains(f.Said+f.Do, "secret") {
					t.Errorf("tells a secret: %v", f)
				}
				if f.Check == jobCheck {
					got = append(got, string(f.Result)+" "+f.Said)
				}
			}
			if all := strings.Join(got, "\n"); len(got) > 1 || !strings.HasPrefix(all, tt.says) || (all == "") != (tt.says == "") {
				t.Errorf("= %q, want %q", got, tt.says)
			}
		})
	}
}

func TestIdentityToken(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	said := &about{Issuers: []issuer{{Issuer: "https://gitlab.example.com"}}}
	for _, tt := range []struct {
		name, token string
		said        *about
		want        string
	}{
		{"good", jwt(`{"iss": "https://gitlab.example.com", "aud": "conda.example.com", "exp": 1800000001}`), said, ""},
		{"several audiences", jwt(`{"iss": "https://gitlab.example.com", "aud": ["x", "conda.example.com"]}`), said, ""},
		{"a server that tells of no issuers", jwt(`{"iss": "https://other.example.com", "aud": "conda.example.com"}`), nil, ""},
		{"another issuer", jwt(`{"iss": "https://gitlab.example.com/", "aud": "conda.example.com"}`), said, "fail identity token: its issuer is https://gitlab.example.com/,"},
		{"another audience", jwt(`{"iss": "https://gitlab.example.com", "aud": "https://conda.example.com"}`), said, "fail identity token: it is made for https://conda.example.com, not for conda.example.com"},
		{"no audience", jwt(`{"iss": "https://gitlab.example.com"}`), said, "fail identity token: it is made for , not for"},
		{"ended", jwt(`{"iss": "https://gitlab.example.com", "aud": "conda.example.com", "exp": 1799999999}`), said, "fail identity token: it has ended"},
		{"no base64", "a.!.c", said, "fail identity token: what came is none: its second part is not base64"},
		{"no JSON", "a.YQ.c", said, "fail identity token: what came is none: its second part is no JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var want []string
			if tt.want != "" {
				want = []string{tt.want}
			}
			expect(t, []Finding{identityToken(tt.token, "conda.example.com", tt.said, now)}, want...)
		})
	}
}

// The services whose clients run a program are asked as the clients ask. No issuer of them is the server's here, so
// that a good token ends in that.
func TestJobsWithPrograms(t *testing.T) {
	t.Parallel()
	s := newSite(t, servertest.Options{}, nil)
	agent, circle := listenAs(t, standin.Buildkite), listenAs(t, standin.CircleCI)
	for _, tt := range []struct {
		name string
		job  interface {
			Env() []string
			Programs(dir string) error
		}
		breaks bool
		want   string
	}{
		{name: "Buildkite", job: agent.StartBuildkite(standin.BuildkiteRun{}), want: "fail identity token: its issuer is " + agent.URL() + ","},
		{name: "CircleCI", job: circle.StartCircleCI(standin.CircleCIRun{}), want: "fail identity token: its issuer is " + circle.URL()},
		{name: "a program that fails", job: agent.StartBuildkite(standin.BuildkiteRun{}), breaks: true, want: "fail identity token: the program buildkite-agent gives none: exit status 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := tt.job.Programs(dir); err != nil {
				t.Fatal(err)
			}
			expect(t, s.examine(t, func(x *Target) {
				x.Channel, x.Getenv = "", env(tt.job.Env()...)
				x.Run = func(ctx context.Context, name string, args ...string) ([]byte, error) {
					if tt.breaks {
						args = []string{"unknown"}
					}
					cmd := exec.CommandContext(ctx, filepath.Join(dir, name), args...)
					cmd.Env = append(os.Environ(), tt.job.Env()...)
					return cmd.Output()
				}
			}), tt.want)
		})
	}
}

func listenAs(t *testing.T, kind standin.Kind) *standin.Service {
	t.Helper()
	s, err := standin.ListenAs(kind, "127.0.0.1:0", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
