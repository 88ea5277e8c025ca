package provider

import (
	"strings"
	"time"

	"sluice/internal/fault"
)

// circleci is CircleCI. The ids of organization and project decide: all organizations may share one issuer, and
// anybody can set up a project for any repository.
type circleci struct{}

const (
	circleciIssuer = "https://oidc.circleci.com"
	circleciClaim  = "oidc.circleci.com/" // begins the names of its own claims, whatever the issuer
)

func circleciMapping() Mapping {
	return Mapping{Name: "circleci", Claims: map[string]string{
		wholeNamePart: circleciClaim + "project-id", repositoryIDPart: circleciClaim + "project-id", ownerIDPart: circleciClaim + "org-id",
		workflowPart: circleciClaim + "pipeline-definition-id",
		refPart:      circleciClaim + "vcs-ref", runIDPart: circleciClaim + "workflow-id", jobIDPart: circleciClaim + "job-id",
	}}
}

func (circleci) Traits() Traits {
	return Traits{
		Name: "circleci", Title: "CircleCI", Issuer: circleciIssuer, Marks: []string{circleciIssuer},
		Algorithms:  []string{"RS256"},
		MaxLifetime: 2 * time.Hour,
		Fields: []Field{
			{Slot: OwnerIDSlot, Name: "organization_id", Label: "Organization's id", Example: "b9291e0d-a11e-41fb-8517-c545388b5953",
				Help: "On CircleCI, in the organization's settings."},
			{Slot: RepositoryIDSlot, Name: "project_id", Label: "Project's id", Example: "c3e5fbb8-6d2f-4c4b-9e7d-2a9b1f0c4d66",
				Help: "On CircleCI, in the project's settings."},
			{Slot: RepositorySlot, Name: "repository", Label: "Repository", Example: "github.com/acme/forge", Optional: true,
				Help: "The origin of the code: runs of forks have another. Better named; pinned at the first use if it is left empty."},
			{Slot: WorkflowSlot, Name: "pipeline_definition_id", Label: "Pipeline definition's id", Example: "5034460f-c7c4-4c43-9457-de07e2029e7b", Optional: true,
				Help: "On CircleCI, in the project's settings. Empty takes any pipeline of the project."},
		},
		Claims: map[string]string{"ref": circleciClaim + "vcs-ref"},
		Refs:   true,
	}
}

// Read takes the ids, and the repository where the pipeline was begun by one. A custom webhook tells none: then the
// project's id stands for it.
func (circleci) Read(c Claims) (Provenance, error) {
	p, err := circleciMapping().read(c)
	r := reader{claims: c, err: err}
	var origin string
	r.optional(&origin, circleciClaim+"vcs-origin", text)
	if origin != "" {
		p.Repository = origin
		p.Owner = origin[:max(strings.LastIndexByte(origin, '/'), 0)]
	}
	if r.truth(circleciClaim + "ssh-rerun") {
		p.Shell = "true"
	}
	return p, r.err
}

// Compare decides by the ids. Then the code must be that of the repository which the rule knows: a fork's pull request
// runs in the project, too.
func (circleci) Compare(r Rule, p Provenance) Verdict {
	known := uuid(p.RepositoryID) && uuid(p.OwnerID) && plainName(p.Repository)
	switch {
	case !known || r.RepositoryID != p.RepositoryID:
		return Verdict{Code: fault.NoPublisher}
	case r.OwnerID != p.OwnerID:
		return Verdict{Code: fault.OwnerChanged}
	}
	v := Verdict{Proven: true}
	if !r.Unnamed() {
		d := Point{Field: "repository", Claim: circleciClaim + "vcs-origin", Got: p.Repository, Want: r.FullName()}
		if d.Got != d.Want {
			d.Code, d.Hint = fault.ForkPipeline, "The project ran the code of another repository, perhaps of a fork; if the repository was renamed, change the publisher"
		}
		v.Points = append(v.Points, d)
	}
	if r.Workflow != "" {
		d := Point{Field: "pipeline definition", Claim: circleciClaim + "pipeline-definition-id", Got: p.Workflow, Want: r.Workflow}
		if d.Got != d.Want {
			d.Code = fault.WorkflowMismatch
		}
		v.Points = append(v.Points, d)
	}
	return v
}

// Normalise wants both ids. A rule whose repository is not known yet has the project's id for a name.
func (circleci) Normalise(r Rule) (Rule, []Problem) {
	name := strings.TrimSpace(r.FullName())
	_, name, _ = cutScheme(name)
	name = strings.TrimSuffix(strings.Trim(trimQuery(name), "/ "), ".git")
	out := uuidProblems(&r, true)
	r.Workflow = strings.ToLower(strings.TrimSpace(r.Workflow))
	if r.Workflow != "" && !uuid(r.Workflow) {
		out = append(out, Problem{"workflow", r.Workflow, "the UUID of a pipeline definition" + plainNote(r.Workflow)})
	}
	if name == "" || uuid(strings.ToLower(name)) {
		name = r.RepositoryID
	}
	slash := max(strings.LastIndexByte(name, '/'), 0)
	r.Owner, r.Repository = name[:slash], strings.TrimPrefix(name[slash:], "/")
	if name != r.RepositoryID && (!plainName(name) || strings.Count(name, "/") < 1 || r.Repository == "") {
		out = append(out, Problem{"repository", name, "host, owner and repository, such as github.com/acme/forge" + plainNote(name)})
	}
	return r, out
}

// cutScheme cuts "https://" off an address.
func cutScheme(s string) (scheme, rest string, ok bool) {
	if scheme, rest, ok = strings.Cut(s, "://"); ok {
		return scheme, rest, true
	}
	return "", s, false
}

// Links lead to the job. Where the repository's host is, only the token says: it is not linked.
func (circleci) Links(p Provenance) Links {
	ours := p.Issuer == circleciIssuer || strings.HasPrefix(p.Issuer, circleciIssuer+"/org/")
	if !ours || !uuid(p.RunID) || !uuid(p.JobID) {
		return Links{}
	}
	return Links{Run: "https://app.circleci.com/workflow/" + p.RunID + "/job/" + p.JobID}
}
