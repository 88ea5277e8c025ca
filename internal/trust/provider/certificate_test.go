package provider_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/attest/fulcio"
	"sluice/internal/trust/provider"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

// signers are certificates as Fulcio writes them, and the runs of the tokens that they were given for.
func signers() map[string]struct {
	fulcio.Signer
	run provider.Provenance
} {
	return map[string]struct {
		fulcio.Signer
		run provider.Provenance
	}{
		"github": {
			fulcio.Signer{
				Identity: "https://github.com/acme/forge/.github/workflows/build.yml@refs/heads/main", Issuer: "https://token.actions.githubusercontent.com",
				BuildSigner: "https://github.com/acme/forge/.github/workflows/build.yml@refs/heads/main", BuildSignerDigest: commit, Runner: "github-hosted",
				Repository: "https://github.com/acme/forge", Commit: commit, Ref: "refs/heads/main", RepositoryID: "1234", Owner: "https://github.com/acme", OwnerID: "99",
				BuildConfig: "https://github.com/acme/forge/.github/workflows/build.yml@refs/heads/main", BuildConfigDigest: commit, Trigger: "push",
				Run: "https://github.com/acme/forge/actions/runs/77/attempts/2", Visibility: "public", Environment: "release",
			},
			provider.Provenance{
				Provider: "github", Issuer: "https://token.actions.githubusercontent.com", Repository: "acme/forge", Owner: "acme", RepositoryID: "1234", OwnerID: "99", Visibility: "public",
				Workflow: "build.yml", WorkflowRef: "acme/forge/.github/workflows/build.yml@refs/heads/main", WorkflowSHA: commit,
				JobWorkflowRef: "acme/forge/.github/workflows/build.yml@refs/heads/main", JobWorkflowSHA: commit, Ref: "refs/heads/main", RefType: "branch", SHA: commit,
				Event: "push", Environment: "release", RunID: "77", RunAttempt: "2", Runner: "github-hosted",
			},
		},
		"gitlab": {
			fulcio.Signer{
				Identity: "https://gitlab.com/acme/tools/forge//.gitlab-ci.yml@refs/tags/v1", Issuer: "https://gitlab.com",
				BuildSigner: "https://gitlab.com/acme/tools/forge//.gitlab-ci.yml@refs/tags/v1", BuildSignerDigest: commit, Runner: "gitlab-hosted",
				Repository: "https://gitlab.com/acme/tools/forge", Commit: commit, Ref: "refs/tags/v1", RepositoryID: "1234", Owner: "https://gitlab.com/acme/tools", OwnerID: "99",
				BuildConfig: "https://gitlab.com/acme/tools/forge//.gitlab-ci.yml@refs/tags/v1", BuildConfigDigest: commit, Trigger: "push",
				Run: "https://gitlab.com/acme/tools/forge/-/jobs/501", Visibility: "private",
			},
			provider.Provenance{
				Provider: "gitlab", Issuer: "https://gitlab.com", Repository: "acme/tools/forge", Owner: "acme/tools", RepositoryID: "1234", OwnerID: "99", Visibility: "private",
				Workflow: ".gitlab-ci.yml", WorkflowRef: "gitlab.com/acme/tools/forge//.gitlab-ci.yml@refs/tags/v1", WorkflowSHA: commit, Ref: "refs/tags/v1", RefType: "tag", SHA: commit,
				Event: "push", Runner: "gitlab-hosted", JobID: "501",
			},
		},
	}
}

func certifier(t *testing.T, name string) provider.Certifier {
	t.Helper()
	p, _ := provider.ByName(name)
	c, ok := p.(provider.Certifier)
	if !ok {
		t.Fatalf("%s certifies nothing", name)
	}
	return c
}

func TestCertified(t *testing.T) {
	t.Parallel()
	for name, tt := range signers() {
		got, ok := certifier(t, name).Certified(tt.Signer)
		if diff := cmp.Diff(tt.run, got); !ok || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", name, ok, diff)
		}
		// The token's own run, with what certificates do not have.
		token := tt.run
		token.RunNumber, token.RefProtected = "12", "true"
		if name == "gitlab" {
			token.RunID, token.JobID = "9000", "502" // another job of the pipeline signed
		} else {
			token.RunAttempt = "3" // the job was run again
		}
		if d := provider.SameRun(token, got); d != nil {
			t.Errorf("%s: its own run differs in %v", name, d)
		}
	}
}

// Each value that a certificate must have in common with the token is missed when it is gone or another one.
func TestSameRunSeesEveryDifference(t *testing.T) {
	t.Parallel()
	for name, tt := range signers() {
		changes := map[string]func(*provider.Provenance, string){
			"issuer":        func(p *provider.Provenance, s string) { p.Issuer = s },
			"repository_id": func(p *provider.Provenance, s string) { p.RepositoryID = s },
			"owner_id":      func(p *provider.Provenance, s string) { p.OwnerID = s },
			"workflow_ref":  func(p *provider.Provenance, s string) { p.WorkflowRef = s },
			"run_id":        func(p *provider.Provenance, s string) { p.RunID = s },
			"sha":           func(p *provider.Provenance, s string) { p.SHA = s },
		}
		for claim, change := range changes {
			if claim == "sha" && name == "github" || claim == "run_id" && name == "gitlab" {
				continue
			}
			other := tt.run
			change(&other, "other")
			if d := provider.SameRun(tt.run, other); len(d) != 1 || d[0].Claim != claim || d[0].Got != "other" {
				t.Errorf("%s: another %s makes %v", name, claim, d)
			}
			if d := provider.SameRun(other, tt.run); len(d) != 1 {
				t.Errorf("%s: another %s of the token makes %v", name, claim, d)
			}
			// Nothing is like nothing.
			none := tt.run
			change(&none, "")
			if d := provider.SameRun(none, none); len(d) == 0 {
				t.Errorf("%s: no %s on both sides is taken for the same", name, claim)
			}
		}
	}
}

// What does not hang together is nobody's certificate.
func TestCertifiedRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range signers() {
		for what, change := range map[string]func(*fulcio.Signer){
			"no repository":              func(s *fulcio.Signer) { s.Repository = "" },
			"no repository id":           func(s *fulcio.Signer) { s.RepositoryID = "" },
			"no owner id":                func(s *fulcio.Signer) { s.OwnerID = "" },
			"ids that are none":          func(s *fulcio.Signer) { s.RepositoryID = "12a" },
			"another site":               func(s *fulcio.Signer) { s.Repository = strings.Replace(s.Repository, "https://", "https://evil.", 1) },
			"plain http":                 func(s *fulcio.Signer) { s.Repository = strings.Replace(s.Repository, "https://", "http://", 1) },
			"credentials":                func(s *fulcio.Signer) { s.Repository = strings.Replace(s.Repository, "https://", "https://a@", 1) },
			"a query":                    func(s *fulcio.Signer) { s.Repository += "?x" },
			"an escaped path":            func(s *fulcio.Signer) { s.Repository = strings.Replace(s.Repository, "acme", "%61cme", 1) },
			"no run":                     func(s *fulcio.Signer) { s.Run = "" },
			"the run of another project": func(s *fulcio.Signer) { s.Run = strings.Replace(s.Run, "acme", "evil", 1) },
			"a run that is none":         func(s *fulcio.Signer) { s.Run = strings.NewReplacer("77", "x", "501", "x").Replace(s.Run) },
		} {
			s := tt.Signer
			change(&s)
			if got, ok := certifier(t, name).Certified(s); ok {
				t.Errorf("%s with %s is %+v", name, what, got)
			}
		}
	}
	// The pipeline of a merge request may have run a fork's code.
	s := signers()["gitlab"].Signer
	s.Trigger = "merge_request_event"
	if got, _ := certifier(t, "gitlab").Certified(s); got.Fork == "" {
		t.Error("a merge request's pipeline is taken for the project's own")
	}
}
