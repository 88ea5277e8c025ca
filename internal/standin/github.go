package standin

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Run describes a job of a workflow run, as GitHub would know it. What is empty gets a likely value.
type Run struct {
	// Owner and Repository: "acme", "forge". OwnerID and RepositoryID follow from the names when empty.
	Owner, Repository     string
	OwnerID, RepositoryID string
	// Visibility is "public" (default), "private" or "internal".
	Visibility string
	// Workflow is the file name in .github/workflows. Default build.yml.
	Workflow string
	// JobWorkflow is the whole reference of the reusable workflow that holds the job; empty: the workflow itself.
	JobWorkflow string
	// Ref is the full ref, default refs/heads/main; SHA the commit; Event what started the run, default push.
	Ref, SHA, Event string
	// Environment is the deployment environment that the job names; empty: none.
	Environment string
	// Enterprise is the slug of the enterprise that the owner belongs to; empty: none.
	Enterprise string
	// RunID, RunNumber and Attempt count up from the service's first job when 0.
	RunID, RunNumber, Attempt int
	// Runner is "github-hosted" (default) or "self-hosted".
	Runner string
}

// Job is a started job: it can ask for identity tokens, and has a log that people can read.
type Job struct {
	Run
	job
}

// Start begins a job. The service must be one of GitHub.
func (s *Service) Start(r Run) *Job {
	return begin(s, GitHub, func(base job, n int) *Job { return &Job{r.filled(n), base} })
}

// githubRoutes registers the request endpoint that runners call, and the pages. What
// ACTIONS_ID_TOKEN_REQUEST_URL leads to gives the job's bearer token against an identity token for the audience
// that the query asks for.
func githubRoutes(s *Service) {
	s.handle("GET", s.issuer+"/token", func(w http.ResponseWriter, r *http.Request) {
		j := newest(s, func(j *Job) bool { return j.asks(r) })
		if j == nil {
			notOurs(w)
			return
		}
		token, err := j.Token(r.URL.Query().Get("audience"))
		answerValue(w, token, err)
	})
	githubPages(s)
}

// filled returns the run with likely values where it has none; n is the number of the job.
func (r Run) filled(n int) Run {
	r.Owner, r.Repository = cmp.Or(r.Owner, "acme"), cmp.Or(r.Repository, "forge")
	r.OwnerID = cmp.Or(r.OwnerID, idOf(r.Owner))
	r.RepositoryID = cmp.Or(r.RepositoryID, idOf(r.Owner+"/"+r.Repository))
	r.Visibility = cmp.Or(r.Visibility, "public")
	r.Workflow, r.Event = cmp.Or(r.Workflow, "build.yml"), cmp.Or(r.Event, "push")
	r.Ref, r.Runner = cmp.Or(r.Ref, "refs/heads/main"), cmp.Or(r.Runner, "github-hosted")
	r.RunID, r.RunNumber = cmp.Or(r.RunID, 9_000_000_000+n), cmp.Or(r.RunNumber, n)
	r.Attempt = cmp.Or(r.Attempt, 1)
	r.SHA = cmp.Or(r.SHA, shaOf(r.Repository, r.RunID))
	r.JobWorkflow = cmp.Or(r.JobWorkflow, r.WorkflowRef())
	return r
}

// FullName is "owner/repository".
func (r Run) FullName() string { return r.Owner + "/" + r.Repository }

// WorkflowRef is the claim workflow_ref.
func (r Run) WorkflowRef() string {
	return r.FullName() + "/.github/workflows/" + r.Workflow + "@" + r.Ref
}

// Env is what a runner sets for the job's steps, as "NAME=value": what clients look at to find out where they
// are and how to ask for an identity token.
func (j *Job) Env() []string {
	return []string{
		"CI=true", "GITHUB_ACTIONS=true",
		"ACTIONS_ID_TOKEN_REQUEST_URL=" + j.service.issuer + "/token?api-version=2.0",
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN=" + j.request,
		"GITHUB_SERVER_URL=" + j.service.site,
		"GITHUB_REPOSITORY=" + j.FullName(), "GITHUB_REPOSITORY_OWNER=" + j.Owner,
		"GITHUB_REF=" + j.Ref, "GITHUB_SHA=" + j.SHA, "GITHUB_EVENT_NAME=" + j.Event,
		"GITHUB_WORKFLOW_REF=" + j.WorkflowRef(),
		"GITHUB_RUN_ID=" + strconv.Itoa(j.RunID), "GITHUB_RUN_NUMBER=" + strconv.Itoa(j.RunNumber),
		"GITHUB_RUN_ATTEMPT=" + strconv.Itoa(j.Attempt),
	}
}

// PageURL is the page on which the run's log can be read.
func (j *Job) PageURL() string {
	return fmt.Sprintf("%s/%s/actions/runs/%d/attempts/%d", j.service.site, j.FullName(), j.RunID, j.Attempt)
}

// Token makes an identity token for the audience; empty means the one that GitHub then takes, the owner's address.
func (j *Job) Token(audience string) (string, error) {
	return j.service.Sign(nil, j.Claims(audience))
}

// Claims are the claims of a token for the audience: the set that GitHub documents (docs.github.com, OpenID Connect
// reference), each token with an id of its own. The caller may change them.
func (j *Job) Claims(audience string) map[string]any {
	now := j.service.now()
	claims := map[string]any{
		"jti": rand.Text(), "iss": j.service.issuer, "aud": cmp.Or(audience, j.service.site+"/"+j.Owner),
		"iat": now.Unix(), "nbf": now.Add(-10 * time.Minute).Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"sub": j.subject(), "repository": j.FullName(), "repository_owner": j.Owner,
		"repository_id": j.RepositoryID, "repository_owner_id": j.OwnerID, "repository_visibility": j.Visibility,
		"actor": "mara", "actor_id": idOf("mara"), "workflow": "build and publish",
		"workflow_ref": j.WorkflowRef(), "workflow_sha": j.SHA,
		"job_workflow_ref": j.JobWorkflow, "job_workflow_sha": j.SHA,
		"ref": j.Ref, "ref_type": j.refType(), "ref_protected": "true", "sha": j.SHA,
		"head_ref": "", "base_ref": "", "event_name": j.Event,
		"run_id": strconv.Itoa(j.RunID), "run_number": strconv.Itoa(j.RunNumber), "run_attempt": strconv.Itoa(j.Attempt),
		"runner_environment": j.Runner, "check_run_id": strconv.Itoa(j.RunID + 1),
	}
	if j.Environment != "" {
		claims["environment"], claims["environment_node_id"] = j.Environment, "EN_"+idOf(j.Environment)
	}
	if j.Enterprise != "" {
		claims["enterprise"], claims["enterprise_id"] = j.Enterprise, idOf("enterprise "+j.Enterprise)
	}
	return claims
}

func (j *Job) refType() string {
	if strings.HasPrefix(j.Ref, "refs/tags/") {
		return "tag"
	}
	return "branch"
}

// subject has the form of repositories made since July 2026, with ids in it, which an Enterprise Server does not
// have. Nobody should decide by it.
func (j *Job) subject() string {
	what := "ref:" + j.Ref
	if j.Environment != "" {
		what = "environment:" + j.Environment
	}
	if strings.HasSuffix(j.service.issuer, "/_services/token") {
		return fmt.Sprintf("repo:%s/%s:%s", j.Owner, j.Repository, what)
	}
	return fmt.Sprintf("repo:%s@%s/%s@%s:%s", j.Owner, j.OwnerID, j.Repository, j.RepositoryID, what)
}

func githubClaims(s *Service) []string {
	j := &Job{Run{Environment: "x"}.filled(0), job{service: s}}
	return names(j.Claims(""))
}
