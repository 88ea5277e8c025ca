package provider

import (
	"cmp"
	"net"
	"net/url"
	"strings"
	"time"

	"sluice/internal/fault"
)

// github is GitHub Actions: github.com, GitHub Enterprise Cloud with data residency, GitHub Enterprise Server.
type github struct{}

func (github) Traits() Traits {
	return Traits{
		Name: "github", Title: "GitHub Actions",
		Issuer:     "https://token.actions.githubusercontent.com",
		Algorithms: []string{"RS256"},
		// Tokens live five minutes as documented; three times that leaves room without inviting hoarding.
		MaxLifetime: 15 * time.Minute,
		NeedsJTI:    true,
	}
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
	p.Workflow = workflowFile(p.WorkflowRef, p.Repository)
	return p, r.err
}

// Match compares as follows. Whose repository it is, the ids say once they are pinned, the name before. The
// workflow reference that the rule wants is built whole from the token's repository and ref and compared
// whole: cutting it apart to decide is how a branch named "release.yml@x" gets in.
func (github) Match(r Rule, p Provenance) Verdict {
	v := githubRepository(r, p)
	if !v.Proven {
		return v
	}
	v.Differences = append(v.Differences, githubWorkflow(r, p)...)
	v.Differences = append(v.Differences, githubEnvironment(r, p)...)
	v.Differences = append(v.Differences, githubEvent(p)...)
	if len(v.Differences) > 0 {
		v.Code = v.Differences[0].Code
		return v
	}
	v.Granted = true
	return v
}

// githubRepository decides whose repository it is. trusted-publishing.md §4 has the table.
func githubRepository(r Rule, p Provenance) Verdict {
	if !githubNames(p) || !digits(p.RepositoryID) || !digits(p.OwnerID) {
		return Verdict{Code: fault.NoPublisher}
	}
	sameName := foldEqual(r.FullName(), p.Repository)
	sameOwner := r.OwnerID == p.OwnerID || r.OwnerID == "" && sameName
	switch {
	case r.RepositoryID == "" && !sameName:
		return Verdict{Code: fault.NoPublisher}
	case r.RepositoryID == "" && sameOwner:
		return Verdict{Proven: true}
	case r.RepositoryID == p.RepositoryID && sameOwner:
		return Verdict{Proven: true, Renamed: r.FullName() != p.Repository}
	case r.RepositoryID == p.RepositoryID:
		return Verdict{Code: fault.OwnerChanged}
	case sameName:
		return Verdict{Code: fault.IDMismatch}
	}
	return Verdict{Code: fault.NoPublisher}
}

// githubNames reports whether the names are ones that GitHub gives and agree with one another. Anything else,
// look-alike letters among them, belongs to no publisher.
func githubNames(p Provenance) bool {
	owner, repo, ok := strings.Cut(p.Repository, "/")
	return ok && foldEqual(owner, p.Owner) && githubOwner(owner) && githubRepo(repo)
}

func githubWorkflow(r Rule, p Provenance) []Difference {
	// A deployment of a commit has no ref.
	tail := "/.github/workflows/" + r.Workflow + "@" + cmp.Or(p.Ref, p.SHA)
	var out []Difference
	if !sameFile(p.WorkflowRef, p.Repository, tail) {
		out = append(out, workflowDifference(r, p, tail))
	}
	if p.JobWorkflowRef != p.WorkflowRef {
		out = append(out, Difference{
			Field: "job's workflow", Code: fault.ReusableWorkflow, Claim: "job_workflow_ref",
			Got: p.JobWorkflowRef, Want: p.WorkflowRef, Final: true,
			Hint: "The job lives in a reusable workflow: upload from a job that stands in " + r.Workflow + " itself",
		})
	}
	return out
}

// sameFile reports whether ref is repository+tail, the repository compared as GitHub compares names.
func sameFile(ref, repository, tail string) bool {
	n := len(repository)
	return len(ref) == n+len(tail) && foldEqual(ref[:n], repository) && ref[n:] == tail
}

// workflowDifference explains; nothing is decided here any more.
func workflowDifference(r Rule, p Provenance, tail string) Difference {
	d := Difference{Field: "workflow", Code: fault.WorkflowMismatch, Claim: "workflow_ref", Got: p.Workflow, Want: r.Workflow}
	switch {
	case p.Workflow == "" || p.Workflow == r.Workflow:
		d.Got, d.Want = p.WorkflowRef, p.Repository+tail
	case sameFile(p.JobWorkflowRef, p.Repository, tail):
		d.Hint = "The job lives in " + r.Workflow + ", but the run was started by " + p.Workflow + ", and that one counts"
	case foldEqual(p.Workflow, r.Workflow):
		d.Hint = "They differ only in upper and lower case"
	case foldEqual(stem(p.Workflow), stem(r.Workflow)):
		d.Hint = "They differ only in the extension"
	}
	return d
}

func githubEnvironment(r Rule, p Provenance) []Difference {
	if r.Environment == "" || foldEqual(r.Environment, p.Environment) {
		return nil
	}
	d := Difference{Field: "environment", Code: fault.EnvironmentMismatch, Claim: "environment", Got: p.Environment, Want: r.Environment}
	if p.Environment == "" {
		d.Hint = "The job has no environment: add the line \"environment: " + r.Environment + "\" to it"
	}
	return []Difference{d}
}

// githubEvents are the events that only people with write access, or the default branch, can fire.
const githubEvents = "push, release, workflow_dispatch, repository_dispatch, schedule or deployment"

func githubEvent(p Provenance) []Difference {
	d := Difference{Field: "event", Code: fault.EventNotAllowed, Claim: "event_name", Got: p.Event, Want: githubEvents, Final: true,
		Hint: "Publish from a push, a release or workflow_dispatch"}
	switch p.Event {
	case "push", "release", "workflow_dispatch", "repository_dispatch", "schedule", "deployment":
		return nil
	case "pull_request_target", "workflow_run":
		d.Hint = "Strangers can steer such a run, with the repository's own rights: publish from a push, a release or workflow_dispatch"
	case "pull_request":
		d.Hint = "Nobody has reviewed the code of such a run: publish from a push, a release or workflow_dispatch"
	}
	return []Difference{d}
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
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
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
