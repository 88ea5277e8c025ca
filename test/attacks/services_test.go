package attacks

import (
	"fmt"
	"testing"
	"time"

	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
)

// job is a job of some service, and what becomes of its token.
type job struct {
	row  int
	name string
	// token is that of the job, rule the publisher that it is held against.
	token func(s *services) (string, error)
	rule  trust.PublisherSpec
	want  want
}

func TestOtherServices(t *testing.T) {
	t.Parallel()
	// changed signs a job's claims with something changed in them.
	changed := func(service *standin.Service, claims map[string]any, change func(map[string]any)) (string, error) {
		change(claims)
		return service.Sign(nil, claims)
	}
	gitlab := func(r standin.GitLabRun, change ...func(map[string]any)) func(*services) (string, error) {
		return func(s *services) (string, error) {
			claims := s.gitlab.StartGitLab(r).Claims(audience)
			for _, f := range change {
				f(claims)
			}
			return s.gitlab.Sign(nil, claims)
		}
	}
	forgejo := func(r standin.ForgejoRun) func(*services) (string, error) {
		return func(s *services) (string, error) { return s.forgejo.StartForgejo(r).Token(audience) }
	}
	buildkite := func(r standin.BuildkiteRun) func(*services) (string, error) {
		return func(s *services) (string, error) { return s.buildkite.StartBuildkite(r).Token(audience) }
	}
	circleci := func(r standin.CircleCIRun, change ...func(map[string]any)) func(*services) (string, error) {
		return func(s *services) (string, error) {
			claims := s.circleci.StartCircleCI(r).Claims(audience)
			for _, f := range change {
				f(claims)
			}
			return s.circleci.Sign(nil, claims)
		}
	}
	google := func(r standin.GoogleRun, change ...func(map[string]any)) func(*services) (string, error) {
		return func(s *services) (string, error) {
			return changed(s.google, s.google.StartGoogle(r).Claims(audience), func(c map[string]any) {
				for _, f := range change {
					f(c)
				}
			})
		}
	}
	jenkins := func(claims map[string]any) func(*services) (string, error) {
		return func(s *services) (string, error) {
			return s.jenkins.StartGeneric(standin.GenericRun{Claims: claims}).Token(audience)
		}
	}
	const org, project, other = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333"
	ofGitLab := trust.PublisherSpec{Provider: "gitlab", Owner: "acme/tools", Repository: "forge", Workflow: ".gitlab-ci.yml"}
	narrow := func(s trust.PublisherSpec, c trust.Conditions) trust.PublisherSpec { s.Conditions = c; return s }
	ofForgejo := trust.PublisherSpec{Provider: "forgejo", Owner: "acme", Repository: "forge", Workflow: "build.yml"}
	ofBuildkite := trust.PublisherSpec{Provider: "buildkite", Owner: "acme", Repository: "forge"}
	ofCircleCI := trust.PublisherSpec{Provider: "circleci", OwnerID: org, RepositoryID: project}
	ofGoogle := trust.PublisherSpec{Provider: "google", Repository: "forge@acme.iam.gserviceaccount.com", RepositoryID: "100000000000000000007"}
	ofJenkins := trust.PublisherSpec{Provider: "jenkins", Repository: "forge"}
	run := standin.GitLabRun{Namespace: "acme/tools", Project: "forge"}
	withRun := func(f func(*standin.GitLabRun)) standin.GitLabRun { r := run; f(&r); return r }
	origin := standin.CircleCIRun{Organization: org, Project: project, Origin: "github.com/acme/forge"}
	withOrigin := func(f func(*standin.CircleCIRun)) standin.CircleCIRun { r := origin; f(&r); return r }
	account := standin.GoogleRun{Email: "forge@acme.iam.gserviceaccount.com", Subject: "100000000000000000007"}
	cases := []job{
		{58, "GitLab, a push", gitlab(run), ofGitLab, passes},
		{58, "GitLab, a merge request from a fork", gitlab(withRun(func(r *standin.GitLabRun) { r.MergeRequestFrom = "mallory/forge" })), ofGitLab, refused("no_publisher", "token is of mallory/forge")},
		{58, "GitLab, a merge request from a fork, before 18.2", gitlab(withRun(func(r *standin.GitLabRun) { r.MergeRequestFrom, r.Unpatched = "mallory/forge", true })), ofGitLab,
			refused("fork_pipeline", "The pipeline runs a fork's code")},
		{59, "GitLab, the configuration of another project", gitlab(withRun(func(r *standin.GitLabRun) { r.Config = "ci.yml@mallory/ci" })), ofGitLab, refused("workflow_mismatch", "")},
		{59, "GitLab, a configuration from an address", gitlab(run, set("ci_config_ref_uri", nil, "ci_config_sha", nil)), ofGitLab, refused("missing_claim", "no ci_config_ref_uri")},
		{59, "GitLab, the same path on another host", gitlab(run, set("ci_config_ref_uri", "gitlab.evil.example/acme/tools/forge//.gitlab-ci.yml@refs/heads/main")), ofGitLab, refused("workflow_mismatch", "")},
		{59, "GitLab, another file", gitlab(withRun(func(r *standin.GitLabRun) { r.Config = "ci/release.yml" })), ofGitLab, refused("workflow_mismatch", "ci/release.yml")},
		{40, "GitLab, no audience of ours", gitlab(run, set("aud", "https://gitlab.example")), ofGitLab, untrusted("wrong_audience", "_ID_TOKEN")},
		{51, "GitLab, an unprotected branch", gitlab(withRun(func(r *standin.GitLabRun) { r.Unprotected = true })), narrow(ofGitLab, trust.Conditions{ProtectedRef: true}), refused("ref_not_protected", "")},
		{51, "GitLab, a protected branch", gitlab(run), narrow(ofGitLab, trust.Conditions{ProtectedRef: true}), passes},
		{49, "GitLab, the environment in other letters", gitlab(withRun(func(r *standin.GitLabRun) { r.Environment = "Release" })), narrow(ofGitLab, trust.Conditions{Environment: "release"}), refused("environment_mismatch", "only in upper and lower case")},
		{54, "GitLab, a project of the same name elsewhere", gitlab(withRun(func(r *standin.GitLabRun) { r.Namespace = "acme" })), ofGitLab, refused("no_publisher", "acme/forge")},
		{62, "GitLab, an id that is a number", gitlab(run, set("project_id", 7)), ofGitLab, untrusted("bad_claim", "project_id is a number")},

		{42, "Forgejo, a push", forgejo(standin.ForgejoRun{}), ofForgejo, passes},
		{61, "Forgejo, a server whose tokens have no ids", forgejo(standin.ForgejoRun{NoIDs: true}), ofForgejo, refused("missing_claim", "repository_id")},
		{43, "Forgejo, another file", forgejo(standin.ForgejoRun{Workflow: "evil.yml"}), ofForgejo, refused("workflow_mismatch", "evil.yml")},
		{43, "Forgejo, the file in another folder", forgejo(standin.ForgejoRun{Folder: ".github/workflows"}), ofForgejo, refused("workflow_mismatch", ".github/workflows")},

		{61, "Buildkite, as it is", buildkite(standin.BuildkiteRun{}), ofBuildkite, refused("missing_claim", "BUILDKITE_OIDC_TOKEN_CLAIMS=organization_id,pipeline_id")},
		{61, "Buildkite, with ids", buildkite(standin.BuildkiteRun{OIDCTokenClaims: "organization_id,pipeline_id"}), ofBuildkite, passes},
		{54, "Buildkite, another pipeline", buildkite(standin.BuildkiteRun{Pipeline: "other", OIDCTokenClaims: "organization_id,pipeline_id"}), ofBuildkite, refused("no_publisher", "")},

		{64, "CircleCI, a job", circleci(origin), ofCircleCI, passes},
		{64, "CircleCI, a job with a shell in it", circleci(withOrigin(func(r *standin.CircleCIRun) { r.SSHRerun = true })), ofCircleCI, refused("ssh_rerun", "Somebody could type into this job")},
		{64, "CircleCI, the same as text", circleci(origin, func(c map[string]any) {
			for name := range c {
				if name == "oidc.circleci.com/ssh-rerun" {
					c[name] = "true"
				}
			}
		}), ofCircleCI, refused("ssh_rerun", "")},
		{65, "CircleCI, the repository from another project", circleci(withOrigin(func(r *standin.CircleCIRun) { r.Organization, r.Project = other, other })), ofCircleCI, refused("no_publisher", "")},

		{66, "Google, an account", google(account), ofGoogle, passes},
		{66, "Google, another account", google(standin.GoogleRun{Email: "evil@evil.iam.gserviceaccount.com"}), ofGoogle, refused("no_publisher", "")},
		{66, "Google, an account that was made anew", google(standin.GoogleRun{Email: account.Email, Subject: "100000000000000000008"}), ofGoogle, refused("id_mismatch", "")},
		{66, "Google, an address that it does not vouch for", google(standin.GoogleRun{Email: account.Email, Subject: account.Subject, Unverified: true}), ofGoogle, untrusted("bad_claim", "email_verified")},
		{66, "Google, true as text", google(account, set("email_verified", "true")), ofGoogle, untrusted("bad_claim", "email_verified")},

		{42, "a service of the operator's own", jenkins(map[string]any{"job": "forge", "sub": "job-17", "branch": "refs/heads/main", "build": "3"}), ofJenkins, passes},
		{42, "another job of it", jenkins(map[string]any{"job": "evil", "sub": "job-18"}), ofJenkins, refused("no_publisher", "")},
		{61, "a job of it without its number", jenkins(map[string]any{"job": "forge", "sub": nil}), ofJenkins, want{403, "missing_claim", ""}},
	}
	var s *services
	both(t, func(t *testing.T, w *world) {
		for _, tt := range cases {
			t.Run(fmt.Sprint(tt.row, " ", tt.name), func(t *testing.T) {
				p := must(w.Publishers.Add(t.Context(), operator, w.tools, tt.rule))(t)
				tok := must(tt.token(s))(t)
				w.mint(t, tok).check(t, tt.want, tok)
				if used := w.publisher(t, p)["state"] == "active"; used != (tt.want.code == "") {
					t.Errorf("the publisher was used: %v", used)
				}
				if err := w.Publishers.Remove(t.Context(), operator, w.tools, p.ID); err != nil {
					t.Fatal(err)
				}
				w.clock.advance(30 * time.Second) // so that the limit on refusals of one repository is never met
			})
		}
	}, func(t *testing.T, o *servertest.Options) {
		s = &services{}
		s.trustEverybody(t, o)
	})
}
