package standin

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// What GitLab's tokens say of the person who began a pipeline. Whoever keeps claims must keep none of these.
const (
	PrivateLogin    = "login-to-forget"
	PrivateEmail    = "mail-to-forget@private.example"
	PrivateIdentity = "identity-to-forget"
)

// GitLabRun describes a job of a pipeline, as GitLab would know it. What is empty gets a likely value.
type GitLabRun struct {
	// Namespace is the path of the group, such as "acme" or "acme/tools", Project the path of the project in it. The ids
	// follow from the paths when empty.
	Namespace, Project     string
	NamespaceID, ProjectID string
	// Visibility is "public" (default), "private" or "internal".
	Visibility string
	// Config is the path of the pipeline's definition, default .gitlab-ci.yml; "FILE@GROUP/PROJECT" where it is
	// that of another project.
	Config string
	// Ref is the short name of the branch, or of the tag when Tag is set. Default main.
	Ref string
	Tag bool
	// Unprotected is set when the ref is no protected one.
	Unprotected bool
	// SHA is the commit, Source what began the pipeline. Default push.
	SHA, Source string
	// MergeRequestFrom is the path of the fork ("mallory/forge") whose merge request this is: the pipeline runs in
	// the project, with the branch Ref of the fork. Source is then merge_request_event by default.
	MergeRequestFrom string
	// Unpatched is set for a server before GitLab 18.2: no claims tell of the project in which the job runs, and
	// those of the project name that one, even for merge requests from forks.
	Unpatched bool
	// Environment is the environment that the job deploys to; empty: none. Tier is its deployment tier, by default
	// production. UnprotectedEnvironment is set when anybody may deploy to it.
	Environment, Tier      string
	UnprotectedEnvironment bool
	// PipelineID and JobID count up from the service's first job when 0; RunnerID is 12 by default.
	PipelineID, JobID, RunnerID int
	// Runner is "gitlab-hosted" (default) or "self-hosted".
	Runner string
	// Timeout of the job, as long as which its tokens live. Default one hour.
	Timeout time.Duration
}

// GitLabJob is a started job. Its tokens are in its environment from the start.
type GitLabJob struct {
	GitLabRun
	job
	tokens []string // NAME=VALUE
}

// StartGitLab begins a job. The service must be one of GitLab.
func (s *Service) StartGitLab(r GitLabRun) *GitLabJob {
	return begin(s, GitLab, func(base job, n int) *GitLabJob { return &GitLabJob{GitLabRun: r.filled(n), job: base} })
}

func (r GitLabRun) filled(n int) GitLabRun {
	r.Namespace, r.Project = cmp.Or(r.Namespace, "acme"), cmp.Or(r.Project, "forge")
	r.NamespaceID = cmp.Or(r.NamespaceID, idOf(r.Namespace))
	r.ProjectID = cmp.Or(r.ProjectID, idOf(r.Path()))
	r.Visibility, r.Config = cmp.Or(r.Visibility, "public"), cmp.Or(r.Config, ".gitlab-ci.yml")
	if r.MergeRequestFrom != "" {
		r.Source = cmp.Or(r.Source, "merge_request_event")
	}
	r.Ref, r.Source = cmp.Or(r.Ref, "main"), cmp.Or(r.Source, "push")
	r.Tier, r.Runner = cmp.Or(r.Tier, "production"), cmp.Or(r.Runner, "gitlab-hosted")
	r.PipelineID, r.JobID = cmp.Or(r.PipelineID, 1_500_000_000+n), cmp.Or(r.JobID, 8_000_000_000+n)
	r.RunnerID, r.Timeout = cmp.Or(r.RunnerID, 12), cmp.Or(r.Timeout, time.Hour)
	r.SHA = cmp.Or(r.SHA, shaOf(r.Project, r.PipelineID))
	return r
}

// Path is "namespace/project".
func (r GitLabRun) Path() string { return r.Namespace + "/" + r.Project }

// RefPath is the full ref.
func (r GitLabRun) RefPath() string {
	if r.Tag {
		return "refs/tags/" + r.Ref
	}
	return "refs/heads/" + r.Ref
}

func (r GitLabRun) refType() string {
	if r.Tag {
		return "tag"
	}
	return "branch"
}

// ConfigRef is the claim ci_config_ref_uri: host, project in which the job runs, file, ref. A fork that has a
// branch main makes it the same as the project's own.
func (j *GitLabJob) ConfigRef() string {
	_, host, _ := strings.Cut(j.service.site, "://")
	return host + "/" + j.Path() + "//" + j.Config + "@" + j.RefPath()
}

// IDToken gives the job a variable with an identity token, as the word id_tokens does in the definition of a
// pipeline. With one audience the token's aud is a string, with more a list.
func (j *GitLabJob) IDToken(variable string, audiences ...string) error {
	claims := j.Claims("")
	switch len(audiences) {
	case 0:
	case 1:
		claims["aud"] = audiences[0]
	default:
		claims["aud"] = audiences
	}
	token, err := j.service.Sign(nil, claims)
	if err != nil {
		return err
	}
	j.service.mu.Lock()
	defer j.service.mu.Unlock()
	j.tokens = append(j.tokens, variable+"="+token)
	return nil
}

// Env is what a runner sets, as "NAME=value", with the identity tokens of IDToken.
func (j *GitLabJob) Env() []string {
	_, host, _ := strings.Cut(j.service.root, "://")
	env := []string{
		"CI=true", "GITLAB_CI=true", "CI_SERVER=yes", "CI_SERVER_URL=" + j.service.site, "CI_SERVER_FQDN=" + host,
		"CI_PROJECT_PATH=" + j.Path(), "CI_PROJECT_NAMESPACE=" + j.Namespace, "CI_PROJECT_NAME=" + j.Project,
		"CI_PROJECT_ID=" + j.ProjectID, "CI_PROJECT_URL=" + j.service.site + "/" + j.Path(),
		"CI_PROJECT_VISIBILITY=" + j.Visibility, "CI_CONFIG_PATH=" + j.Config,
		"CI_PIPELINE_ID=" + strconv.Itoa(j.PipelineID), "CI_PIPELINE_SOURCE=" + j.Source,
		"CI_JOB_ID=" + strconv.Itoa(j.JobID), "CI_JOB_URL=" + j.PageURL(), "CI_RUNNER_ID=" + strconv.Itoa(j.RunnerID),
		"CI_COMMIT_SHA=" + j.SHA, "CI_COMMIT_REF_NAME=" + j.Ref, "CI_COMMIT_REF_PROTECTED=" + strconv.FormatBool(!j.Unprotected),
	}
	switch {
	case j.Tag:
		env = append(env, "CI_COMMIT_TAG="+j.Ref)
	case j.Source != "merge_request_event":
		env = append(env, "CI_COMMIT_BRANCH="+j.Ref)
	}
	if j.Environment != "" {
		env = append(env, "CI_ENVIRONMENT_NAME="+j.Environment)
	}
	j.service.mu.Lock()
	defer j.service.mu.Unlock()
	return append(env, j.tokens...)
}

// PageURL is the page on which the job's log can be read.
func (j *GitLabJob) PageURL() string {
	return fmt.Sprintf("%s/%s/-/jobs/%d", j.service.site, j.Path(), j.JobID)
}

// Token makes an identity token for the audience; empty means the one that GitLab then takes, its own address.
func (j *GitLabJob) Token(audience string) (string, error) {
	return j.service.Sign(nil, j.Claims(audience))
}
