package provider

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"sluice/internal/attest/fulcio"
	"sluice/internal/fault"
)

// A Certifier is a Provider to whose jobs sigstore gives certificates that name them well enough to be compared with
// tokens and rules.
type Certifier interface {
	// Certified is the run that a certificate names, with what certificates have of it; false when it is none of the
	// service's, or lacks what could not be compared without.
	Certified(s fulcio.Signer) (Provenance, bool)
}

// Certified reads what Fulcio writes of jobs of GitHub: the claims of their tokens, put into addresses on the site.
func (github) Certified(s fulcio.Signer) (Provenance, bool) {
	p := fromCertificate("github", s)
	site, ok := onSite(&p, s)
	if !ok || githubSite(s.Issuer) != "" && githubSite(s.Issuer) != site {
		return Provenance{}, false
	}
	p.Owner, _, _ = strings.Cut(p.Repository, "/")
	p.WorkflowRef, ok = strings.CutPrefix(s.BuildConfig, site+"/")
	signer, inside := strings.CutPrefix(s.BuildSigner, site+"/")
	run, found := strings.CutPrefix(s.Run, s.Repository+"/actions/runs/")
	p.JobWorkflowRef, p.JobWorkflowSHA = signer, s.BuildSignerDigest
	p.RunID, p.RunAttempt, _ = strings.Cut(run, "/attempts/")
	p.Workflow = workflowFile(p.WorkflowRef, p.Repository, "/.github/workflows/")
	return p, ok && inside && found && githubNames(p) && digits(p.RunID)
}

// Certified reads what Fulcio writes of jobs of GitLab. The pipeline is in none of it.
func (gitlab) Certified(s fulcio.Signer) (Provenance, bool) {
	p := fromCertificate("gitlab", s)
	site, ok := onSite(&p, s)
	if !ok || instance(s.Issuer) != site {
		return Provenance{}, false
	}
	owner, inside := strings.CutPrefix(s.Owner, site+"/")
	job, found := strings.CutPrefix(s.Run, s.Repository+"/-/jobs/")
	p.Owner, p.JobID, p.WorkflowRef = owner, job, withoutScheme(s.BuildConfig)
	if !slices.Contains(gitlabOwnCode, p.Event) {
		p.Fork = untoldFork
	}
	p.Workflow = gitlabConfigPath(p)
	return p, inside && found && gitlabNames(p) && digits(p.JobID) && hexSHA(p.SHA)
}

// Certified reads what Fulcio writes of jobs of Buildkite. No id is in it: the run can be compared, by its token's issuer, and no
// rule, for rules decide by ids.
func (buildkite) Certified(s fulcio.Signer) (Provenance, bool) {
	p := fromCertificate("buildkite", s)
	name, ours := strings.CutPrefix(s.Identity, "https://buildkite.com/")
	p.Repository = name
	p.Owner, _, _ = strings.Cut(name, "/")
	run, found := strings.CutPrefix(s.Run, s.Identity+"/builds/")
	p.RunID, p.JobID, _ = strings.Cut(run, "#")
	return p, ours && found && buildkiteNames(p) && digits(p.RunID) && uuid(p.JobID)
}

// Certified reads what Fulcio writes of jobs of CircleCI. The organization is in it only where it has an issuer of its own:
// without, the run can be compared, and no rule.
func (circleci) Certified(s fulcio.Signer) (Provenance, bool) {
	p := fromCertificate("circleci", s)
	project, ours := strings.CutPrefix(s.Identity, "https://circleci.com/api/v2/projects/")
	p.RepositoryID, p.Workflow, _ = strings.Cut(project, "/pipeline-definitions/")
	p.Repository = cmp.Or(s.Repository, p.RepositoryID)
	p.Owner = p.Repository[:max(strings.LastIndexByte(p.Repository, '/'), 0)]
	p.OwnerID, _ = strings.CutPrefix(s.Issuer, circleciIssuer+"/org/")
	if !uuid(p.OwnerID) {
		p.OwnerID = ""
	}
	run, found := strings.CutPrefix(s.Run, "https://app.circleci.com//workflow/") // the authority's template has two slashes
	p.RunID, p.JobID, _ = strings.Cut(run, "/job/")
	p.Runner = ""
	switch s.Runner { // the authority keeps there whether a person began the job with a shell in it
	case "ssh-rerun":
		p.Shell = "true"
	case "", `""`:
	default:
		return Provenance{}, false
	}
	return p, ours && found && uuid(p.RepositoryID) && uuid(p.Workflow) && uuid(p.RunID) && uuid(p.JobID)
}

// fromCertificate is what every service's certificates have in the same words.
func fromCertificate(name string, s fulcio.Signer) Provenance {
	p := Provenance{
		Provider: name, Issuer: s.Issuer, RepositoryID: s.RepositoryID, OwnerID: s.OwnerID, Visibility: s.Visibility, WorkflowSHA: s.BuildConfigDigest,
		Ref: s.Ref, SHA: s.Commit, Event: s.Trigger, Environment: s.Environment, Runner: s.Runner,
	}
	switch {
	case strings.HasPrefix(s.Ref, "refs/heads/"):
		p.RefType = "branch"
	case strings.HasPrefix(s.Ref, "refs/tags/"):
		p.RefType = "tag"
	}
	return p
}

// onSite takes the repository out of its address, and returns the site. Both ids must be there.
func onSite(p *Provenance, s fulcio.Signer) (site string, ok bool) {
	u, err := url.Parse(s.Repository)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !digits(s.RepositoryID) || !digits(s.OwnerID) {
		return "", false
	}
	p.Repository = strings.TrimPrefix(u.Path, "/")
	site = u.Scheme + "://" + u.Host
	return site, site+"/"+p.Repository == s.Repository
}

// SameRun is how the run that a certificate names differs from that of a token; nothing when both are the same run.
// What is empty in the certificate is like nothing. One that names the job alone, as GitLab's do, is held to the commit.
func SameRun(token, signed Provenance) (differences []fault.Difference) {
	compare := func(claim, got, want string) {
		if got == "" || got != want {
			differences = append(differences, fault.Difference{Claim: claim, Got: got, Want: want})
		}
	}
	compare("issuer", signed.Issuer, token.Issuer)
	switch token.Provider {
	case "buildkite": // whose certificates have no ids; a build's number is the pipeline's own
		compare("repository", signed.Repository, token.Repository)
		compare("run_id", signed.RunID, token.RunID)
		return differences
	case "circleci":
		compare("repository_id", signed.RepositoryID, token.RepositoryID)
		compare("run_id", signed.RunID, token.RunID)
		return differences
	}
	compare("repository_id", signed.RepositoryID, token.RepositoryID)
	compare("owner_id", signed.OwnerID, token.OwnerID)
	compare("workflow_ref", signed.WorkflowRef, token.WorkflowRef)
	if signed.RunID == "" && signed.JobID != "" {
		compare("sha", signed.SHA, token.SHA)
	} else {
		compare("run_id", signed.RunID, token.RunID)
	}
	return differences
}
