package standin

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
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
	// RunID, RunNumber and Attempt count up from the service's first job when 0.
	RunID, RunNumber, Attempt int
	// Runner is "github-hosted" (default) or "self-hosted".
	Runner string
}

// Job is a started job: it can ask for identity tokens, and has a log that people can read.
type Job struct {
	Run
	service *Service
	request string   // the bearer string of its token requests
	lines   []string // its log; guarded by service.mu
	started time.Time
}

// Start begins a job.
func (s *Service) Start(r Run) *Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := &Job{Run: r.filled(s.nextID), service: s, request: rand.Text() + rand.Text(), started: s.now()}
	s.nextID++
	s.jobs = append(s.jobs, j)
	return j
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
	r.SHA = cmp.Or(r.SHA, fmt.Sprintf("%08x%032x", hash(r.Repository+strconv.Itoa(r.RunID)), r.RunID))
	r.JobWorkflow = cmp.Or(r.JobWorkflow, r.WorkflowRef())
	return r
}

// idOf makes the same id of the same name, always.
func idOf(name string) string { return strconv.Itoa(1_000_000 + int(hash(name)%90_000_000)) }

func hash(s string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s)) // never fails
	return h.Sum32()
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
		"GITHUB_SERVER_URL=" + j.service.issuer,
		"GITHUB_REPOSITORY=" + j.FullName(), "GITHUB_REPOSITORY_OWNER=" + j.Owner,
		"GITHUB_REF=" + j.Ref, "GITHUB_SHA=" + j.SHA, "GITHUB_EVENT_NAME=" + j.Event,
		"GITHUB_WORKFLOW_REF=" + j.WorkflowRef(),
		"GITHUB_RUN_ID=" + strconv.Itoa(j.RunID), "GITHUB_RUN_NUMBER=" + strconv.Itoa(j.RunNumber),
		"GITHUB_RUN_ATTEMPT=" + strconv.Itoa(j.Attempt),
	}
}

// PageURL is the page on which the run's log can be read.
func (j *Job) PageURL() string {
	return fmt.Sprintf("%s/%s/actions/runs/%d/attempts/%d", j.service.issuer, j.FullName(), j.RunID, j.Attempt)
}

// Log adds a line to the job's log.
func (j *Job) Log(line string) {
	j.service.mu.Lock()
	defer j.service.mu.Unlock()
	j.lines = append(j.lines, line)
}

// log returns the lines so far.
func (j *Job) log() []string {
	j.service.mu.Lock()
	defer j.service.mu.Unlock()
	return slices.Clone(j.lines)
}

// Token makes an identity token for the audience; empty means the one that GitHub then takes, the owner's address.
func (j *Job) Token(audience string) (string, error) {
	return j.service.Sign(nil, j.Claims(audience))
}

// Claims are the claims of a token for the audience: the set that GitHub documents, each token with an id of its
// own. The caller may change them.
func (j *Job) Claims(audience string) map[string]any {
	now := j.service.now()
	claims := map[string]any{
		"jti": rand.Text(), "iss": j.service.issuer, "aud": cmp.Or(audience, j.service.issuer+"/"+j.Owner),
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
	return claims
}

func (j *Job) refType() string {
	if len(j.Ref) > 10 && j.Ref[:10] == "refs/tags/" {
		return "tag"
	}
	return "branch"
}

// subject has the form of repositories made since July 2026, with ids in it. Nobody should decide by it.
func (j *Job) subject() string {
	what := "ref:" + j.Ref
	if j.Environment != "" {
		what = "environment:" + j.Environment
	}
	return fmt.Sprintf("repo:%s@%s/%s@%s:%s", j.Owner, j.OwnerID, j.Repository, j.RepositoryID, what)
}

// claimNames are the names of all claims, for the discovery document.
func claimNames() []string {
	j := &Job{Run: Run{Environment: "x"}.filled(0), service: &Service{now: time.Now}}
	return slices.Sorted(maps.Keys(j.Claims("")))
}
