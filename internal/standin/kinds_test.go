package standin_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/standin"
)

// vouched is a job of any service.
type vouched interface {
	Token(audience string) (string, error)
	Claims(audience string) map[string]any
	Env() []string
}

func listenAs(t *testing.T, kind standin.Kind, path string) *standin.Service {
	t.Helper()
	s, err := standin.ListenAs(kind, "127.0.0.1:0"+path, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// types writes down what the members of an object are, as JSON has them.
func types(object map[string]any) map[string]string {
	out := map[string]string{}
	for name, v := range object {
		switch v := v.(type) {
		case []any:
			out[name] = "list"
			if len(v) > 0 {
				out[name] += fmt.Sprintf(" of %T", v[0])
			}
		default:
			out[name] = fmt.Sprintf("%T", v)
		}
	}
	return out
}

// of says of claims, named in one string, that they have a type.
func of(kind, claims string) map[string]string {
	out := map[string]string{}
	for name := range strings.FieldsSeq(claims) {
		out[name] = kind
	}
	return out
}

func all(parts ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, p := range parts {
		maps.Copy(out, p)
	}
	return out
}

const circle = " oidc.circleci.com/"

// What tokens of each service hold. Each set is written from what the service itself says of its tokens.
func TestTokensHaveTheClaimsOfTheirService(t *testing.T) {
	t.Parallel()
	times := of("float64", "iat exp")
	// docs.github.com, Actions, OpenID Connect reference: everything but times is a string.
	github := all(times, of("float64", "nbf"), of("string", `jti iss aud sub actor actor_id base_ref check_run_id environment
		environment_node_id enterprise enterprise_id event_name head_ref job_workflow_ref job_workflow_sha ref ref_protected
		ref_type repository repository_id repository_owner repository_owner_id repository_visibility run_attempt run_id
		run_number runner_environment sha workflow workflow_ref workflow_sha`))
	// docs.gitlab.com, ID token authentication, and gitlabhq: lib/gitlab/ci/jwt.rb, jwt_v2.rb, json_web_token.
	old := all(times, of("float64", "nbf runner_id"), of("list of string", "groups_direct"),
		of("list of map[string]interface {}", "user_identities"), of("string", `jti iss aud sub namespace_id namespace_path
		project_id project_path user_id user_login user_email user_access_level pipeline_id pipeline_source job_id ref ref_type
		ref_path ref_protected runner_environment sha ci_config_ref_uri ci_config_sha project_visibility`))
	gitlab := all(old, of("string", "job_project_id job_project_path job_namespace_id job_namespace_path job_source"))
	environment := of("string", "environment environment_protected deployment_tier environment_action")
	// forgejo: services/actions/auth.go (IDTokenCustomClaims) and routers/api/actions/id_token.go.
	named := all(times, of("float64", "nbf"), of("string", `iss aud sub actor base_ref event_name head_ref ref ref_protected
		ref_type repository repository_owner run_attempt run_id run_number sha workflow workflow_ref`))
	forgejo := all(named, of("string", "actor_id repository_id repository_owner_id"))
	// buildkite/docs: pages/agent/cli/reference/oidc.md, claims and optional claims.
	buildkite := all(times, of("float64", "nbf build_number"), of("<nil>", "step_key"), of("string", `iss aud sub organization_slug
		pipeline_slug build_branch build_commit build_source job_id agent_id runner_environment`))
	// circleci-docs: openid-connect-tokens.adoc; discuss.circleci.com/t/54214 for org-id and the pipeline's ids.
	webhook := all(times, of("string", "iss aud sub"+strings.Join([]string{"", "org-id", "project-id", "pipeline-id",
		"pipeline-definition-id", "workflow-id", "job-id"}, circle)), of("list", circle+"context-ids"), of("bool", circle+"ssh-rerun"))
	circleci := all(webhook, of("string", circle+"vcs-origin"+circle+"vcs-ref"))
	// cloud.google.com, Compute Engine, verifying the identity of instances.
	google := all(times, of("string", "iss aud azp sub email"), of("bool", "email_verified"))

	for _, tt := range []struct {
		name  string
		kind  standin.Kind
		path  string
		start func(*standin.Service) vouched
		want  map[string]string
		life  time.Duration
	}{
		{"github", standin.GitHub, "", func(s *standin.Service) vouched {
			return s.Start(standin.Run{Environment: "release", Enterprise: "octo-inc"})
		}, github, 5 * time.Minute},
		{"github enterprise server", standin.GitHub, "/_services/token", func(s *standin.Service) vouched {
			return s.Start(standin.Run{Environment: "release", Enterprise: "octo-inc"})
		}, github, 5 * time.Minute},
		{"gitlab", standin.GitLab, "", func(s *standin.Service) vouched { return s.StartGitLab(standin.GitLabRun{}) }, gitlab, time.Hour},
		{"gitlab below a path", standin.GitLab, "/gitlab", func(s *standin.Service) vouched {
			return s.StartGitLab(standin.GitLabRun{Environment: "production", Timeout: 3 * time.Hour})
		}, all(gitlab, environment), 3 * time.Hour},
		{"gitlab of old", standin.GitLab, "", func(s *standin.Service) vouched {
			return s.StartGitLab(standin.GitLabRun{Unpatched: true})
		}, old, time.Hour},
		{"forgejo", standin.Forgejo, "", func(s *standin.Service) vouched { return s.StartForgejo(standin.ForgejoRun{}) }, forgejo, time.Hour},
		{"forgejo without ids", standin.Forgejo, "/git", func(s *standin.Service) vouched {
			return s.StartForgejo(standin.ForgejoRun{NoIDs: true})
		}, named, time.Hour},
		{"buildkite", standin.Buildkite, "", func(s *standin.Service) vouched {
			return s.StartBuildkite(standin.BuildkiteRun{})
		}, buildkite, 5 * time.Minute},
		{"buildkite with what was asked for", standin.Buildkite, "", func(s *standin.Service) vouched {
			return s.StartBuildkite(standin.BuildkiteRun{Tag: "v1", StepKey: "release", OIDCTokenClaims: "organization_id,pipeline_id,queue_key"})
		}, all(buildkite, of("string", "build_tag step_key organization_id pipeline_id queue_key")), 5 * time.Minute},
		{"circleci", standin.CircleCI, "", func(s *standin.Service) vouched { return s.StartCircleCI(standin.CircleCIRun{}) }, circleci, time.Hour},
		{"circleci by webhook", standin.CircleCI, "", func(s *standin.Service) vouched {
			return s.StartCircleCI(standin.CircleCIRun{Webhook: true, Contexts: []string{"c"}})
		}, all(webhook, of("list of string", circle+"context-ids")), time.Hour},
		{"google", standin.Google, "", func(s *standin.Service) vouched { return s.StartGoogle(standin.GoogleRun{}) }, google, time.Hour},
		{"generic", standin.Generic, "/oidc", func(s *standin.Service) vouched {
			return s.StartGeneric(standin.GenericRun{Claims: map[string]any{"sub": "https://ci.acme.dev/job/forge/", "build_number": 7}})
		}, all(times, of("string", "iss aud sub jti"), of("float64", "build_number")), 5 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := listenAs(t, tt.kind, tt.path)
			token, err := tt.start(s).Token("conda.acme.dev")
			if err != nil {
				t.Fatal(err)
			}
			claims, err := verify(t, s, token)
			if err != nil {
				t.Fatalf("signature: %v", err)
			}
			if d := cmp.Diff(tt.want, types(claims)); d != "" {
				t.Error(d)
			}
			if claims["iss"] != s.URL() || claims["aud"] != "conda.acme.dev" {
				t.Errorf("iss %v, aud %v", claims["iss"], claims["aud"])
			}
			if life := claims["exp"].(float64) - claims["iat"].(float64); life != tt.life.Seconds() {
				t.Errorf("the token lives %v s, want %v", life, tt.life)
			}
		})
	}
}

// The addresses at which services of each kind publish what verifiers need.
func TestServicesPublishWhereTheRealOnesDo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind                     standin.Kind
		path, site, issuer, keys string
	}{
		{standin.GitHub, "", "", "", "/.well-known/jwks"},
		{standin.GitHub, "/octo-inc", "", "/octo-inc", "/octo-inc/.well-known/jwks"},
		{standin.GitHub, "/_services/token", "", "/_services/token", "/_services/token/.well-known/jwks"},
		{standin.GitLab, "", "", "", "/oauth/discovery/keys"},
		{standin.GitLab, "/gitlab", "/gitlab", "/gitlab", "/gitlab/oauth/discovery/keys"},
		{standin.Forgejo, "", "", "/api/actions", "/api/actions/.well-known/keys"},
		{standin.Forgejo, "/git", "/git", "/git/api/actions", "/git/api/actions/.well-known/keys"},
		{standin.Buildkite, "", "", "", "/.well-known/jwks"},
		{standin.CircleCI, "", "", "", "/.well-known/jwks"},
		{standin.Generic, "/oidc", "/oidc", "/oidc", "/oidc/jwks"},
	} {
		s := listenAs(t, tt.kind, tt.path)
		root := strings.TrimSuffix(s.URL(), tt.issuer)
		if strings.Count(root, "/") != 2 || s.URL() != root+tt.issuer || s.Site() != root+tt.site {
			t.Errorf("%s at %q: issuer %s, site %s", tt.kind, tt.path, s.URL(), s.Site())
		}
		_, body := get(t, s.URL()+"/.well-known/openid-configuration", "")
		var doc struct {
			JWKSURI string `json:"jwks_uri"`
		}
		if err := json.Unmarshal([]byte(body), &doc); err != nil || doc.JWKSURI != root+tt.keys {
			t.Errorf("%s: keys at %q (%v), want %s", tt.kind, doc.JWKSURI, err, root+tt.keys)
		}
	}
}

func TestGooglesKeysAreOnAnotherHost(t *testing.T) {
	t.Parallel()
	s := listenAs(t, standin.Google, "")
	_, body := get(t, s.URL()+"/.well-known/openid-configuration", "")
	var doc struct {
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(doc.JWKSURI, s.URL()) || !strings.HasSuffix(doc.JWKSURI, "/oauth2/v3/certs") {
		t.Errorf("keys at %s, the issuer is %s", doc.JWKSURI, s.URL())
	}
	if status, _ := get(t, doc.JWKSURI, ""); status != http.StatusOK {
		t.Errorf("%s: status %d", doc.JWKSURI, status)
	}
	if status, _ := get(t, s.URL()+"/oauth2/v3/certs", ""); status != http.StatusNotFound {
		t.Errorf("the issuer's own host has keys too: status %d", status)
	}
}

func TestListenRefusesWhatItCannotStandInFor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind    standin.Kind
		address string
	}{
		{"jenkins", "127.0.0.1:0"},
		{standin.GitHub, "127.0.0.1:0/a//b"},
		{standin.GitHub, "127.0.0.1:0/../a"},
		{standin.GitHub, "127.0.0.1:0/{owner}"},
		{standin.GitHub, "127.0.0.1:0/a?b"},
		{standin.Google, "192.0.2.1:0"},
	} {
		if s, err := standin.ListenAs(tt.kind, tt.address, time.Now); err == nil {
			t.Errorf("ListenAs(%s, %q) serves", tt.kind, tt.address)
			_ = s.Close()
		}
	}
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "github") || !strings.Contains(text, "gitlab") {
			t.Errorf("a job of GitLab on the stand-in for GitHub: %q", text)
		}
	}()
	listen(t).StartGitLab(standin.GitLabRun{})
}
