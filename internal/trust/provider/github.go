package provider

import (
	"cmp"
	"net/url"
	"strings"
	"time"
)

// github is GitHub Actions: github.com, GitHub Enterprise Cloud with data residency, GitHub Enterprise Server.
type github struct{}

func (github) Traits() Traits {
	return Traits{
		Name: "github", Title: "GitHub Actions",
		Issuer:     "https://token.actions.githubusercontent.com",
		Marks:      []string{"https://token.actions.", "/_services/token"},
		Algorithms: []string{"RS256"},
		// Tokens live five minutes as documented; three times that leaves room without inviting hoarding.
		MaxLifetime: 15 * time.Minute,
		NeedsJTI:    true,
		Fields: []Field{
			{Slot: OwnerSlot, Name: "repository_owner", Label: "Owner", Example: "acme"},
			{Slot: RepositorySlot, Name: "repository", Label: "Repository", Example: "forge"},
			{Slot: WorkflowSlot, Name: "workflow", Label: "Workflow file", Example: "build.yml",
				Help: "The name only, in .github/workflows. The file that is triggered, not one it calls."},
		},
		Claims: map[string]string{"event": "event_name", "runner": "runner_environment"},
		Events: []string{"push", "release", "workflow_dispatch", "repository_dispatch", "schedule", "deployment"},
		Risky:  githubRisky,
		Hosted: "github-hosted", Environments: true, Refs: true, ProtectedRefs: true,
		FoldsEnvironments: true, Reusable: true, OwnerWide: true,
	}
}

const (
	githubSteered  = "Strangers can steer such a run, with the repository's own rights: publish from a push, a release or workflow_dispatch"
	githubAnybody  = "Any account can start such a run: publish from a push, a release or workflow_dispatch"
	githubReviewed = "Nobody has reviewed the code of such a run: publish from a push, a release or workflow_dispatch"
)

// githubRisky are the events that strangers or unreviewed code can fire.
var githubRisky = map[string]string{
	"pull_request_target": githubSteered, "workflow_run": githubSteered,
	"issue_comment": githubAnybody, "issues": githubAnybody, "discussion": githubAnybody, "discussion_comment": githubAnybody,
	"fork": githubAnybody, "watch": githubAnybody,
	"pull_request": githubReviewed, "pull_request_review": githubReviewed, "pull_request_review_comment": githubReviewed, "merge_group": githubReviewed,
}

// Read takes the allow-listed claims. The ids and both workflow references are in every token of GitHub, and
// without them neither renames nor reusable workflows could be told from attacks.
func (github) Read(c Claims) (Provenance, error) {
	p := Provenance{Provider: "github"}
	r := reader{claims: c}
	r.required(&p.Repository, "repository", text)
	r.required(&p.Owner, "repository_owner", text)
	r.required(&p.RepositoryID, "repository_id", digits)
	r.required(&p.OwnerID, "repository_owner_id", digits)
	r.optional(&p.Visibility, "repository_visibility", text)
	r.required(&p.WorkflowRef, "workflow_ref", text)
	r.optional(&p.WorkflowSHA, "workflow_sha", text)
	r.required(&p.JobWorkflowRef, "job_workflow_ref", text)
	r.optional(&p.JobWorkflowSHA, "job_workflow_sha", text)
	r.optional(&p.Ref, "ref", text)
	r.optional(&p.RefType, "ref_type", text)
	r.optional(&p.RefProtected, "ref_protected", text)
	r.optional(&p.SHA, "sha", text)
	r.optional(&p.Event, "event_name", text)
	r.optional(&p.Environment, "environment", text)
	r.required(&p.RunID, "run_id", digits)
	r.optional(&p.RunNumber, "run_number", digits)
	r.optional(&p.RunAttempt, "run_attempt", digits)
	r.optional(&p.Runner, "runner_environment", text)
	p.Workflow = workflowFile(p.WorkflowRef, p.Repository, "/.github/workflows/")
	return p, r.err
}

// Compare builds the workflow reference that the rule wants whole, from the token's repository and ref, and
// compares it whole: cutting the token's apart to decide is how a branch named "release.yml@x" gets in.
func (github) Compare(r Rule, p Provenance) Verdict {
	v := compareRepository(r, p, githubNames(p) && digits(p.RepositoryID) && digits(p.OwnerID))
	if v.Proven {
		v.Points = append(v.Points, actionsWorkflow(r, p, []string{"/.github/workflows/"}), reusableWorkflow(r, p))
	}
	return v
}

// githubNames reports whether the names are ones that GitHub gives and agree with one another. Anything else,
// look-alike letters among them, belongs to no publisher.
func githubNames(p Provenance) bool {
	owner, repo, ok := strings.Cut(p.Repository, "/")
	return ok && foldEqual(owner, p.Owner) && githubOwner(owner) && githubRepo(repo)
}

// Links builds addresses from the issuer's own site and checked parts.
func (github) Links(p Provenance) Links {
	site := githubSite(p.Issuer)
	if site == "" || !githubNames(p) {
		return Links{}
	}
	l := Links{Repository: site + "/" + p.Repository}
	if digits(p.RunID) {
		l.Run = l.Repository + "/actions/runs/" + p.RunID
		if digits(p.RunAttempt) {
			l.Run += "/attempts/" + p.RunAttempt
		}
	}
	if hexSHA(p.SHA) {
		l.Commit = l.Repository + "/commit/" + p.SHA
		if commit := cmp.Or(p.WorkflowSHA, p.SHA); githubFile(p.Workflow) && hexSHA(commit) {
			l.Workflow = l.Repository + "/blob/" + commit + "/.github/workflows/" + url.PathEscape(p.Workflow)
		}
	}
	return l
}

// githubSite is the site that belongs to an issuer, or "" for one of no known form. A loopback issuer is the
// stand-in, which shows the pages itself.
func githubSite(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	if local(u) {
		return "http://" + u.Host
	}
	tenant, residency := strings.CutPrefix(u.Host, "token.actions.")
	switch {
	case u.Scheme != "https":
		return ""
	case u.Host == "token.actions.githubusercontent.com":
		return "https://github.com"
	case residency && strings.HasSuffix(tenant, ".ghe.com"):
		return "https://" + tenant
	case u.Path == "/_services/token":
		return "https://" + u.Host
	}
	return ""
}
