package standin

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ForgejoRun describes a job of a workflow run, as Forgejo would know it. What is empty gets a likely value.
type ForgejoRun struct {
	// Owner and Repository: "acme", "forge". OwnerID and RepositoryID follow from the names when empty.
	Owner, Repository     string
	OwnerID, RepositoryID string
	// NoIDs is set for a server whose tokens have no ids yet (before Forgejo's change 12355).
	NoIDs bool
	// Folder is where workflows are: ".forgejo/workflows" (default), ".gitea/workflows" or ".github/workflows".
	// Workflow is the file name in it. Default build.yml.
	Folder, Workflow string
	// Ref is the full ref, default refs/heads/main; SHA the commit; Event what started the run, default push.
	Ref, SHA, Event string
	// Unprotected is set when the ref is no protected one.
	Unprotected bool
	// RunID, RunNumber and Attempt count up from the service's first job when 0.
	RunID, RunNumber, Attempt int
}

// ForgejoJob is a started job of a workflow with enable-openid-connect, which can ask for identity tokens.
type ForgejoJob struct {
	ForgejoRun
	job
}

// StartForgejo begins a job. The service must be one of Forgejo.
func (s *Service) StartForgejo(r ForgejoRun) *ForgejoJob {
	return begin(s, Forgejo, func(base job, n int) *ForgejoJob { return &ForgejoJob{r.filled(n), base} })
}

func (r ForgejoRun) filled(n int) ForgejoRun {
	r.Owner, r.Repository = cmp.Or(r.Owner, "acme"), cmp.Or(r.Repository, "forge")
	r.OwnerID = cmp.Or(r.OwnerID, idOf(r.Owner))
	r.RepositoryID = cmp.Or(r.RepositoryID, idOf(r.FullName()))
	r.Folder, r.Workflow = cmp.Or(r.Folder, ".forgejo/workflows"), cmp.Or(r.Workflow, "build.yml")
	r.Ref, r.Event = cmp.Or(r.Ref, "refs/heads/main"), cmp.Or(r.Event, "push")
	r.RunID, r.RunNumber, r.Attempt = cmp.Or(r.RunID, 700+n), cmp.Or(r.RunNumber, n), cmp.Or(r.Attempt, 1)
	r.SHA = cmp.Or(r.SHA, shaOf(r.Repository, r.RunID))
	return r
}

// FullName is "owner/repository".
func (r ForgejoRun) FullName() string { return r.Owner + "/" + r.Repository }

// WorkflowRef is the claim workflow_ref.
func (r ForgejoRun) WorkflowRef() string {
	return r.FullName() + "/" + r.Folder + "/" + r.Workflow + "@" + r.Ref
}

// forgejoRoutes registers the request endpoint that runners call, and the pages. The endpoint's address names the
// run, which must be that of the job whose token it is asked with.
func forgejoRoutes(s *Service) {
	s.handle("GET", s.issuer+"/_apis/pipelines/workflows/{run}/idtoken", func(w http.ResponseWriter, r *http.Request) {
		j := newest(s, func(j *ForgejoJob) bool { return j.asks(r) })
		switch {
		case j == nil:
			notOurs(w)
		case strconv.Itoa(j.RunID) != r.PathValue("run"):
			http.Error(w, "run-id does not match", http.StatusBadRequest)
		default:
			token, err := j.Token(r.URL.Query().Get("audience"))
			answerValue(w, token, err)
		}
	})
	forgejoPages(s)
}

// Env is what a runner sets for the job's steps, as "NAME=value": GitHub's names, which Forgejo takes over.
func (j *ForgejoJob) Env() []string {
	return []string{
		"CI=true", "GITHUB_ACTIONS=true", "FORGEJO_ACTIONS=true", "GITEA_ACTIONS=true",
		fmt.Sprintf("ACTIONS_ID_TOKEN_REQUEST_URL=%s/_apis/pipelines/workflows/%d/idtoken?placeholder=true", j.service.issuer, j.RunID),
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN=" + j.request,
		"GITHUB_SERVER_URL=" + j.service.site,
		"GITHUB_REPOSITORY=" + j.FullName(), "GITHUB_REPOSITORY_OWNER=" + j.Owner,
		"GITHUB_REF=" + j.Ref, "GITHUB_SHA=" + j.SHA, "GITHUB_EVENT_NAME=" + j.Event,
		"GITHUB_WORKFLOW=" + j.Workflow, "GITHUB_WORKFLOW_REF=" + j.WorkflowRef(),
		"GITHUB_RUN_ID=" + strconv.Itoa(j.RunID), "GITHUB_RUN_NUMBER=" + strconv.Itoa(j.RunNumber),
		"GITHUB_RUN_ATTEMPT=" + strconv.Itoa(j.Attempt),
	}
}

// PageURL is the page on which the run's log can be read. Its address has the number of the run, not the id.
func (j *ForgejoJob) PageURL() string {
	return fmt.Sprintf("%s/%s/actions/runs/%d", j.service.site, j.FullName(), j.RunNumber)
}

// Token makes an identity token for the audience; empty means the one that Forgejo then takes, the owner's address.
func (j *ForgejoJob) Token(audience string) (string, error) {
	return j.service.Sign(nil, j.Claims(audience))
}

// Claims are the claims of a token for the audience: the set of Forgejo's services/actions/auth.go, all strings but
// the times, and no id of the token. The caller may change them.
func (j *ForgejoJob) Claims(audience string) map[string]any {
	now := j.service.now()
	claims := map[string]any{
		"iss": j.service.issuer, "aud": cmp.Or(audience, j.service.site+"/"+j.Owner), "sub": j.subject(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"actor": "mara", "actor_id": idOf("mara"), "repository": j.FullName(), "repository_id": j.RepositoryID,
		"repository_owner": j.Owner, "repository_owner_id": j.OwnerID,
		"workflow": j.Workflow, "workflow_ref": j.WorkflowRef(), "event_name": j.Event,
		"ref": j.Ref, "ref_type": j.refType(), "ref_protected": strconv.FormatBool(!j.Unprotected), "sha": j.SHA,
		"head_ref": "", "base_ref": "",
		"run_id": strconv.Itoa(j.RunID), "run_number": strconv.Itoa(j.RunNumber), "run_attempt": strconv.Itoa(j.Attempt),
	}
	if j.NoIDs {
		for _, name := range []string{"actor_id", "repository_id", "repository_owner_id"} {
			delete(claims, name)
		}
	}
	return claims
}

func (j *ForgejoJob) refType() string {
	if strings.HasPrefix(j.Ref, "refs/tags/") {
		return "tag"
	}
	return "branch"
}

// subject has the form of repositories made since tokens have ids. Its hyphens may as well be part of the names:
// nobody should decide by it.
func (j *ForgejoJob) subject() string {
	what, repository := "ref:"+j.Ref, fmt.Sprintf("%s-%s/%s-%s", j.Owner, j.OwnerID, j.Repository, j.RepositoryID)
	if j.Event == "pull_request" {
		what = "pull_request"
	}
	if j.NoIDs {
		repository = j.FullName()
	}
	return "repo:" + repository + ":" + what
}

func forgejoClaims(s *Service) []string {
	j := &ForgejoJob{ForgejoRun{}.filled(0), job{service: s}}
	return names(j.Claims(""))
}
