package standin

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// CircleCIRun describes a job of a workflow, as CircleCI would know it. What is empty gets a likely value.
type CircleCIRun struct {
	// Organization, Project and Definition are the UUIDs of the organization, the project and its definition of the
	// pipeline. They follow from the names in Origin when empty.
	Organization, Project, Definition string
	// Origin is the repository that began the pipeline, such as "github.com/acme/forge", which is a fork's where the
	// project builds forks. Ref is the full ref. Default refs/heads/main.
	Origin, Ref string
	// Webhook is set when a custom webhook began the pipeline: its tokens tell of no repository.
	Webhook bool
	// SSHRerun is set when a person began the job anew, with a shell in it.
	SSHRerun bool
	// Contexts are the UUIDs of the contexts that the job uses.
	Contexts []string
	// Pipeline, Workflow and Job are the UUIDs of the run. They are new for each job when empty.
	Pipeline, Workflow, Job string
}

// CircleCIJob is a started job, which can ask for identity tokens by the program circleci.
type CircleCIJob struct {
	CircleCIRun
	job
}

// StartCircleCI begins a job. The service must be one of CircleCI.
func (s *Service) StartCircleCI(r CircleCIRun) *CircleCIJob {
	return begin(s, CircleCI, func(base job, n int) *CircleCIJob { return &CircleCIJob{r.filled(n), base} })
}

func (r CircleCIRun) filled(n int) CircleCIRun {
	r.Origin, r.Ref = cmp.Or(r.Origin, "github.com/acme/forge"), cmp.Or(r.Ref, "refs/heads/main")
	owner := r.Origin[:strings.LastIndexByte(r.Origin, '/')+1]
	r.Organization = cmp.Or(r.Organization, uuidOf("organization "+owner))
	r.Project = cmp.Or(r.Project, uuidOf("project "+r.Origin))
	r.Definition = cmp.Or(r.Definition, uuidOf("definition "+r.Project))
	run := fmt.Sprintf("%s %d", r.Project, n)
	r.Pipeline, r.Workflow = cmp.Or(r.Pipeline, uuidOf("pipeline "+run)), cmp.Or(r.Workflow, uuidOf("workflow "+run))
	r.Job = cmp.Or(r.Job, uuidOf("job "+run))
	return r
}

// Env is what a runner sets for the job's steps, as "NAME=value".
func (j *CircleCIJob) Env() []string {
	env := []string{
		"CI=true", "CIRCLECI=true", "CIRCLE_ORGANIZATION_ID=" + j.Organization, "CIRCLE_PROJECT_ID=" + j.Project,
		"CIRCLE_PIPELINE_ID=" + j.Pipeline, "CIRCLE_WORKFLOW_ID=" + j.Workflow, "CIRCLE_WORKFLOW_JOB_ID=" + j.Job,
	}
	if branch, ok := strings.CutPrefix(j.Ref, "refs/heads/"); ok {
		env = append(env, "CIRCLE_BRANCH="+branch)
	}
	if tag, ok := strings.CutPrefix(j.Ref, "refs/tags/"); ok {
		env = append(env, "CIRCLE_TAG="+tag)
	}
	return env
}

// Token makes an identity token for the audience; empty means the one that CircleCI then takes, the organization.
func (j *CircleCIJob) Token(audience string) (string, error) {
	return j.service.Sign(nil, j.Claims(audience))
}

// circleci begins the names of CircleCI's own claims, wherever its service is.
const circleci = "oidc.circleci.com/"

// Claims are the claims of a token for the audience: the set that CircleCI documents (circleci-docs, OpenID Connect
// tokens, and its announcement of org-id and the pipeline's ids). The tokens have neither an id nor a beginning of
// validity. The caller may change them.
func (j *CircleCIJob) Claims(audience string) map[string]any {
	now := j.service.now()
	claims := map[string]any{
		"iss": j.service.issuer, "aud": cmp.Or(audience, j.Organization),
		"sub": fmt.Sprintf("org/%s/project/%s/user/%s", j.Organization, j.Project, uuidOf("mara")),
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		circleci + "org-id": j.Organization, circleci + "project-id": j.Project,
		circleci + "pipeline-definition-id": j.Definition, circleci + "pipeline-id": j.Pipeline,
		circleci + "workflow-id": j.Workflow, circleci + "job-id": j.Job,
		circleci + "context-ids": append([]string{}, j.Contexts...), circleci + "ssh-rerun": j.SSHRerun,
	}
	if !j.Webhook {
		claims[circleci+"vcs-origin"], claims[circleci+"vcs-ref"] = j.Origin, j.Ref
	}
	return claims
}

// Programs writes circleci into a folder, which belongs at the front of the PATH of the job's steps. It knows the
// command by which a job asks for an identity token of the issuer that all organizations share.
func (j *CircleCIJob) Programs(dir string) error { return j.writeProgram(dir, "circleci") }

func circleciRoutes(s *Service) {
	program(s, "circleci", func(j *CircleCIJob, r *http.Request) bool { return j.asks(r) },
		func(j *CircleCIJob, args []string, _ url.Values) (string, error) {
			var root bool
			var claims string
			err := after("run oidc get", args, func(f *flag.FlagSet) {
				f.BoolVar(&root, "root-issuer", false, "")
				f.StringVar(&claims, "claims", "", "")
			})
			switch {
			case err != nil:
				return "", err
			case !root:
				return "", errors.New("run oidc get: this stand-in is the root issuer alone: add --root-issuer")
			}
			audience, err := audienceClaim(claims)
			if err != nil {
				return "", err
			}
			return j.Token(audience)
		})
}

// audienceClaim reads the claims that a job asks for, which can be its audience alone.
func audienceClaim(claims string) (string, error) {
	if claims == "" {
		return "", nil
	}
	asked := map[string]string{}
	if err := json.Unmarshal([]byte(claims), &asked); err != nil {
		return "", fmt.Errorf("run oidc get: --claims is no JSON object of strings: %w", err)
	}
	for name := range asked {
		if name != "aud" {
			return "", fmt.Errorf("run oidc get: the claim %q cannot be chosen, aud alone can", name)
		}
	}
	return asked["aud"], nil
}

func circleciClaims(s *Service) []string {
	j := &CircleCIJob{CircleCIRun{}.filled(0), job{service: s}}
	return names(j.Claims(""))
}
