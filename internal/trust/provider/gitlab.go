package provider

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"sluice/internal/fault"
)

// gitlab is GitLab CI/CD: gitlab.com and every self-managed instance, also one below a path of its host. What its
// tokens say was read in GitLab's source (lib/gitlab/ci/jwt.rb, jwt_v2.rb and the mappers of jwt_v2, config/settings.rb)
// and in its page on ID token authentication:
//   - ci_config_ref_uri is the instance's host, port and path, without the scheme; "/" and the project in which the job
//     runs; "//" and the path of the configuration that the project names; "@" and the full ref. Where that
//     configuration is another project's, or an address, its name stands in the place of the path.
//   - project_* are the project that the code is from, job_project_* the one in which the job runs. They differ in merge
//     requests from forks. Servers before 18.2 do not send the latter, and call the running project the former.
//   - runner_environment is gitlab-hosted on gitlab.com alone.
//
// What the file includes, and jobs that a security policy of the group adds, are in none of the claims.
type gitlab struct{}

// gitlabConfig is the configuration of projects that name none.
const gitlabConfig = ".gitlab-ci.yml"

func (gitlab) Traits() Traits {
	return Traits{
		Name: "gitlab", Title: "GitLab CI/CD",
		Issuer:     "https://gitlab.com",
		Marks:      []string{"://gitlab."},
		Algorithms: []string{"RS256"},
		// A token lives as long as its job may run, and is made when the job starts.
		MaxLifetime: 24 * time.Hour,
		NeedsJTI:    true,
		Fields: []Field{
			{Slot: OwnerSlot, Name: "namespace", Label: "Namespace", Example: "acme/tools",
				Help: "The group, with the groups that it is in, or the user."},
			{Slot: RepositorySlot, Name: "project", Label: "Project", Example: "forge", Help: "The project's last part in its address."},
			{Slot: WorkflowSlot, Name: "workflow_filepath", Label: "CI configuration file", Example: gitlabConfig, Optional: true,
				Help: "The file's path in the project, as its settings have it. Left empty: .gitlab-ci.yml."},
		},
		Claims: map[string]string{"event": "pipeline_source", "ref": "ref_path", "runner": "runner_environment"},
		Events: gitlabEvents,
		Risky:  gitlabRisky,
		Hosted: "gitlab-hosted", Environments: true, Refs: true, ProtectedRefs: true, OwnerWide: true,
		AudienceHint: gitlabAudience,
	}
}

// gitlabEvents are the pipelines that only people who may push to the project can start.
var gitlabEvents = []string{"push", "web", "api", "schedule"}

const (
	gitlabReviewed = "Nobody has reviewed the code of such a pipeline: publish from a push, a schedule or a pipeline run by hand"
	gitlabSteered  = "What starts such a pipeline chooses its variables: publish from a push, a schedule or a pipeline run by hand"
)

// gitlabRisky are the sources that strangers or unreviewed code can use, or that hide what began it all: the parent
// of a child pipeline may be a merge request's, and the child's file may have been made by a job.
var gitlabRisky = map[string]string{
	"merge_request_event": gitlabReviewed, "external_pull_request_event": gitlabReviewed,
	"parent_pipeline": "A child pipeline hides what started its parent, and jobs can write its file: publish from a job of the parent",
	"pipeline":        gitlabSteered,
	"trigger":         "Whoever holds the trigger token can start such a pipeline: publish from a push, a schedule or a pipeline run by hand",
	"chat":            gitlabSteered,
}

// gitlabOwnCode are the sources whose pipelines run the project's own code, on whatever server.
var gitlabOwnCode = append(slices.Clone(gitlabEvents), "pipeline", "trigger", "chat")

// gitlabAudience is the line of a job that has GitLab make a token for the audience.
func gitlabAudience(audience string) string {
	return "Put it into the job: id_tokens: {" + GitLabVariable(audience) + ": {aud: " + audience + "}}"
}

// GitLabVariable is where clients look for a GitLab job's token with that audience (ambient-id 0.0.11): the audience in
// capitals, with "_" for what is neither letter nor digit, and "_ID_TOKEN".
func GitLabVariable(audience string) string {
	variable := []byte(strings.ToUpper(audience) + "_ID_TOKEN")
	for i, c := range variable {
		if !alnum(c) {
			variable[i] = '_'
		}
	}
	return string(variable)
}

// untoldFork stands for the project that may be a fork, where the server is too old to tell.
const untoldFork = "(not told)"

// Read takes the allow-listed claims, and nothing about the person who began the pipeline.
func (gitlab) Read(c Claims) (Provenance, error) {
	p := Provenance{Provider: "gitlab"}
	var runsIn, runsInID string
	r := reader{claims: c, update: "GitLab sends it since version 16.3, and not where the configuration comes from an address"}
	r.required(&p.Repository, "project_path", text)
	r.required(&p.Owner, "namespace_path", text)
	r.required(&p.RepositoryID, "project_id", digits)
	r.required(&p.OwnerID, "namespace_id", digits)
	r.optional(&p.Visibility, "project_visibility", text)
	r.required(&p.WorkflowRef, "ci_config_ref_uri", text)
	r.optional(&p.WorkflowSHA, "ci_config_sha", text)
	r.optional(&p.Ref, "ref_path", text)
	r.optional(&p.RefType, "ref_type", text)
	r.optional(&p.RefProtected, "ref_protected", text)
	r.optional(&p.SHA, "sha", text)
	r.optional(&p.Event, "pipeline_source", text)
	r.optional(&p.Environment, "environment", text)
	r.required(&p.RunID, "pipeline_id", digits)
	r.required(&p.JobID, "job_id", digits)
	r.optional(&p.Runner, "runner_environment", text)
	r.optional(&runsIn, "job_project_path", text)
	r.optional(&runsInID, "job_project_id", digits)
	switch {
	case runsInID == "" && !slices.Contains(gitlabOwnCode, p.Event):
		p.Fork = untoldFork
	case runsInID != "" && runsInID != p.RepositoryID && (runsIn == "" || runsIn == p.Repository):
		p.Fork = untoldFork
	case runsInID != "" && runsInID != p.RepositoryID:
		p.Fork = runsIn
	}
	p.Workflow = gitlabConfigPath(p)
	return p, r.err
}

// gitlabProject is the project in which the job ran.
func gitlabProject(p Provenance) string {
	if p.Fork == "" || p.Fork == untoldFork {
		return p.Repository
	}
	return p.Fork
}

// gitlabConfigPath cuts the path out of a reference, to show it. It is "" when what is left is no file of the project.
func gitlabConfigPath(p Provenance) string {
	project, rest, _ := strings.Cut(p.WorkflowRef, "//")
	tail := "/" + gitlabProject(p)
	if len(project) <= len(tail) || !foldEqual(project[len(project)-len(tail):], tail) {
		return ""
	}
	for _, at := range []string{p.Ref, p.SHA} {
		if file, ok := strings.CutSuffix(rest, "@"+at); ok && at != "" && gitlabFile(file) {
			return file
		}
	}
	return ""
}

// Compare builds the reference of the configuration that the rule wants whole, and compares it whole: host, project,
// path and ref each may hold what parts the others.
func (gitlab) Compare(r Rule, p Provenance) Verdict {
	v := compareRepository(r, p, gitlabNames(p) && digits(p.RepositoryID) && digits(p.OwnerID))
	if v.Proven {
		v.Points = append(v.Points, gitlabConfiguration(r, p))
	}
	return v
}

// gitlabNames reports whether the names are ones that GitLab gives and agree with one another.
func gitlabNames(p Provenance) bool {
	namespace, project := cutLast(p.Repository)
	return foldEqual(namespace, p.Owner) && gitlabNamespace(namespace) && gitlabName(project)
}

// gitlabConfiguration compares the file that the pipeline was made of.
func gitlabConfiguration(r Rule, p Provenance) Point {
	d := Point{Field: "CI configuration", Claim: "ci_config_ref_uri", Got: p.Workflow, Want: r.Workflow}
	host, project := withoutScheme(p.Issuer)+"/", gitlabProject(p)
	ref, ours := strings.CutPrefix(p.WorkflowRef, host)
	for _, at := range []string{p.Ref, p.SHA} {
		if ours && at != "" && sameFile(ref, project, "//"+r.Workflow+"@"+at) {
			return d
		}
	}
	d.Code = fault.WorkflowMismatch
	switch {
	case p.Workflow == "" || p.Workflow == r.Workflow:
		d.Got, d.Want = p.WorkflowRef, host+project+"//"+r.Workflow+"@"+cmp.Or(p.Ref, p.SHA, "REF")
	case foldEqual(p.Workflow, r.Workflow):
		d.Hint = "They differ only in upper and lower case"
	case foldEqual(stem(p.Workflow), stem(r.Workflow)):
		d.Hint = "They differ only in the extension"
	}
	return d
}

// Links builds addresses from the issuer's own and checked parts. A job's page is in the project in which it ran.
func (gitlab) Links(p Provenance) Links {
	site := instance(p.Issuer)
	if site == "" || !gitlabNames(p) {
		return Links{}
	}
	l := Links{Repository: site + "/" + p.Repository}
	if namespace, name := cutLast(gitlabProject(p)); digits(p.JobID) && gitlabNamespace(namespace) && gitlabName(name) {
		l.Run = site + "/" + namespace + "/" + name + "/-/jobs/" + p.JobID
	}
	if hexSHA(p.SHA) {
		l.Commit = l.Repository + "/-/commit/" + p.SHA
		if commit := cmp.Or(p.WorkflowSHA, p.SHA); gitlabFile(p.Workflow) && hexSHA(commit) {
			l.Workflow = l.Repository + "/-/blob/" + commit + "/" + escapePath(p.Workflow)
		}
	}
	return l
}
