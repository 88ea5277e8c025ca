package provider

import (
	"path"
	"slices"
	"strings"
	"time"

	"sluice/internal/fault"
)

// forgejo is Forgejo Actions, and Gitea Actions as far as its tokens say the same. What they say was read in Forgejo's
// source (services/actions/auth.go and context.go, routers/api/actions/id_token.go and oidc.go), its page on OpenID
// Connect, and Gitea's services/actions/oidc.go:
//   - The issuer is the instance's address with /api/actions, of Gitea /api/actions/oidc.
//   - Forgejo sends repository_id and repository_owner_id since version 16, Gitea always. All claims are strings.
//   - Forgejo's tokens have no id (jti), no deployment environment, no kind of runner, and no file of the job. Jobs of
//     reusable workflows bear the event workflow_call instead of what started them. Gitea tells the job's file.
//   - Forgejo says ref_protected "false" of every ref, and Gitea's runners are all "self-hosted": neither is kept.
//   - A run's page has the run's number in its address. Gitea's is not linked, for its address has changed.
type forgejo struct{}

// forgejoFolders are where workflows can be, the usual one first: a rule that names another has it in the file's name.
var forgejoFolders = []string{".forgejo/workflows/", ".gitea/workflows/", ".github/workflows/"}

func (forgejo) Traits() Traits {
	return Traits{
		Name: "forgejo", Title: "Forgejo Actions",
		Marks: []string{forgejoIssuer},
		// An instance's operator chooses; RS256 is the default.
		Algorithms: []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"},
		// Tokens live an hour unless the instance's operator chose otherwise.
		MaxLifetime: 2 * time.Hour,
		Fields: []Field{
			{Slot: OwnerSlot, Name: "repository_owner", Label: "Owner", Example: "acme", Help: "The user or organisation."},
			{Slot: RepositorySlot, Name: "repository", Label: "Repository", Example: "forge"},
			{Slot: WorkflowSlot, Name: "workflow", Label: "Workflow file", Example: "build.yml",
				Help: "The name of a file in .forgejo/workflows, or the path of one in .gitea/workflows or .github/workflows."},
		},
		Claims: map[string]string{"event": "event_name"},
		Events: []string{"push", "release", "workflow_dispatch", "schedule"},
		Risky:  forgejoRisky,
		Refs:   true, OwnerWide: true,
	}
}

// forgejoRisky are the events that strangers or unreviewed code can fire, or that hide what did.
var forgejoRisky = map[string]string{
	"pull_request_target": githubSteered, "workflow_run": githubSteered,
	"issue_comment": githubAnybody, "issues": githubAnybody, "fork": githubAnybody, "watch": githubAnybody,
	"pull_request": githubReviewed, "pull_request_comment": githubReviewed, "pull_request_review": githubReviewed,
	"pull_request_review_comment": githubReviewed, "pull_request_review_approved": githubReviewed, "pull_request_review_rejected": githubReviewed,
	"workflow_call": "The job lives in a reusable workflow, and its token tells neither which nor what started it: upload from a job of the started file itself",
}

// Read takes the allow-listed claims. Without the ids a name that was given up and taken by somebody else could not be
// told from the first.
func (forgejo) Read(c Claims) (Provenance, error) {
	p := Provenance{Provider: "forgejo"}
	r := reader{claims: c, update: "Forgejo sends all claims since version 16, so an older server must be updated"}
	r.required(&p.Repository, "repository", text)
	r.required(&p.Owner, "repository_owner", text)
	r.required(&p.RepositoryID, "repository_id", digits)
	r.required(&p.OwnerID, "repository_owner_id", digits)
	r.optional(&p.Visibility, "repository_visibility", text)
	r.required(&p.WorkflowRef, "workflow_ref", text)
	r.optional(&p.WorkflowSHA, "workflow_sha", text)
	r.optional(&p.JobWorkflowRef, "job_workflow_ref", text)
	r.optional(&p.JobWorkflowSHA, "job_workflow_sha", text)
	r.optional(&p.Ref, "ref", text)
	r.optional(&p.RefType, "ref_type", text)
	r.optional(&p.SHA, "sha", text)
	r.optional(&p.Event, "event_name", text)
	r.required(&p.RunID, "run_id", digits)
	r.optional(&p.RunNumber, "run_number", digits)
	r.optional(&p.RunAttempt, "run_attempt", digits)
	for i, folder := range forgejoFolders {
		if name := workflowFile(p.WorkflowRef, p.Repository, "/"+folder); name != "" {
			p.Workflow = name
			if i > 0 {
				p.Workflow = folder + name
			}
		}
	}
	return p, r.err
}

// Compare builds the workflow reference that the rule wants whole, as that of GitHub does.
func (forgejo) Compare(r Rule, p Provenance) Verdict {
	v := compareRepository(r, p, forgejoNames(p) && digits(p.RepositoryID) && digits(p.OwnerID))
	if !v.Proven {
		return v
	}
	folder := "/" + forgejoFolders[0]
	if strings.Contains(r.Workflow, "/") {
		folder = "/"
	}
	file := actionsWorkflow(r, p, []string{folder})
	if file.Code != "" && file.Hint == "" && path.Base(p.Workflow) == path.Base(r.Workflow) && p.Workflow != r.Workflow {
		file.Hint = "They differ only in the folder: a name alone is that of a file in .forgejo/workflows"
	}
	v.Points = append(v.Points, file, forgejoJob(p))
	return v
}

// forgejoJob wants the job in the started file, as far as the token tells where it lives.
func forgejoJob(p Provenance) Point {
	d := Point{Field: "job's workflow", Claim: "job_workflow_ref", Got: p.JobWorkflowRef, Want: p.WorkflowRef}
	if p.JobWorkflowRef != "" && p.JobWorkflowRef != p.WorkflowRef {
		d.Code, d.Final = fault.ReusableWorkflow, true
		d.Hint = "The job lives in a reusable workflow: put it into the started file itself"
	}
	return d
}

func forgejoNames(p Provenance) bool {
	owner, repo, ok := strings.Cut(p.Repository, "/")
	return ok && foldEqual(owner, p.Owner) && githubRepo(owner) && githubRepo(repo)
}

// Links builds addresses from the issuer's instance and checked parts.
func (forgejo) Links(p Provenance) Links {
	site := forgejoSite(p.Issuer)
	if site == "" || !forgejoNames(p) {
		return Links{}
	}
	l := Links{Repository: site + "/" + p.Repository}
	if digits(p.RunNumber) && !strings.HasSuffix(p.Issuer, giteaIssuer) {
		l.Run = l.Repository + "/actions/runs/" + p.RunNumber
	}
	if hexSHA(p.SHA) {
		l.Commit = l.Repository + "/commit/" + p.SHA
		if forgejoFile(p.Workflow) {
			l.Workflow = l.Repository + "/src/commit/" + p.SHA + "/" + escapePath(forgejoPath(p.Workflow))
		}
	}
	return l
}

// What instances add to their address for that of their issuer.
const (
	forgejoIssuer = "/api/actions"
	giteaIssuer   = "/api/actions/oidc"
)

// forgejoSite is the instance that belongs to an issuer, or "" for one of no known form.
func forgejoSite(issuer string) string {
	for _, tail := range []string{giteaIssuer, forgejoIssuer} {
		if site, ok := strings.CutSuffix(issuer, tail); ok {
			return instance(site)
		}
	}
	return ""
}

// forgejoPath is a rule's file as a path in the repository.
func forgejoPath(workflow string) string {
	if strings.Contains(workflow, "/") {
		return workflow
	}
	return forgejoFolders[0] + workflow
}

// forgejoFile reports whether s is a file of one of the folders, as a rule names it.
func forgejoFile(s string) bool {
	folder, name := cutLast(s)
	return githubFile(name) && (folder == "" && name == s || slices.Contains(forgejoFolders[1:], folder+"/"))
}
