package provider

import (
	"strings"
	"time"

	"sluice/internal/fault"
)

// buildkite is Buildkite. Its slugs can be renamed and taken by others, so that tokens must bring the ids.
type buildkite struct{}

const buildkiteIssuer = "https://agent.buildkite.com"

func buildkiteMapping() Mapping {
	return Mapping{Name: "buildkite", Claims: map[string]string{
		ownerPart: "organization_slug", namePart: "pipeline_slug", ownerIDPart: "organization_id", repositoryIDPart: "pipeline_id",
		branchPart: "build_branch", tagPart: "build_tag", shaPart: "build_commit", eventPart: "build_source",
		runIDPart: "build_number", jobIDPart: "job_id", runnerPart: "runner_environment",
	}}
}

func (buildkite) Traits() Traits {
	return Traits{
		Name: "buildkite", Title: "Buildkite", Issuer: buildkiteIssuer, Marks: []string{buildkiteIssuer},
		Algorithms: []string{"RS256"},
		// Tokens live five minutes unless the job asks for more.
		MaxLifetime: 2 * time.Hour,
		Fields: []Field{
			{Slot: OwnerSlot, Name: "organization", Label: "Organization", Example: "acme", Help: "Its slug, as in the pipeline's address."},
			{Slot: RepositorySlot, Name: "pipeline", Label: "Pipeline", Example: "forge", Help: "Its slug, as in the pipeline's address."},
			{Slot: OwnerIDSlot, Name: "organization_id", Label: "Organization's id", Example: "0190b0a1-7c3e-4d52-9a60-2f1e6c0d7b11", Optional: true,
				Help: "Pinned at the first use if it is left empty."},
			{Slot: RepositoryIDSlot, Name: "pipeline_id", Label: "Pipeline's id", Example: "0190b0a2-51f4-4a9b-8c55-7e0a4b9d3c22", Optional: true,
				Help: "Pinned at the first use if it is left empty. Jobs need BUILDKITE_OIDC_TOKEN_CLAIMS=organization_id,pipeline_id."},
		},
		Claims: map[string]string{"ref": "build_branch", "event": "build_source", "runner": "runner_environment"},
		// Whoever starts a build by the API or from another pipeline names its branch, tag and commit as they like.
		Events: []string{"webhook", "ui", "schedule"},
		Hosted: "buildkite-hosted", Refs: true, OwnerWide: true,
	}
}

// Read wants the ids, which a job has to ask for.
func (buildkite) Read(c Claims) (Provenance, error) {
	for _, id := range []string{"organization_id", "pipeline_id"} {
		if v, ok := c[id]; !ok || v == nil || v == "" {
			return Provenance{Provider: "buildkite"}, fault.New(fault.MissingClaim, "Claim is missing [%s]: the token has no %s, and a slug alone can be another's tomorrow. "+
				"Set BUILDKITE_OIDC_TOKEN_CLAIMS=organization_id,pipeline_id in the job's environment.", fault.MissingClaim, id)
		}
	}
	return buildkiteMapping().read(c)
}

// Compare wants slugs exactly, and UUIDs.
func (buildkite) Compare(r Rule, p Provenance) Verdict {
	if !buildkiteNames(p) || !uuid(p.RepositoryID) || !uuid(p.OwnerID) {
		return Verdict{Code: fault.NoPublisher}
	}
	return buildkiteMapping().compare(r, p)
}

func buildkiteNames(p Provenance) bool {
	org, pipeline, ok := strings.Cut(p.Repository, "/")
	return ok && org == p.Owner && buildkiteSlug(org) && buildkiteSlug(pipeline)
}

func buildkiteSlug(s string) bool {
	return within(s, 100, func(c byte) bool { return alnum(c) || c == '-' || c == '_' })
}

// Normalise takes the pipeline's address, or "organization/pipeline", in either field.
func (buildkite) Normalise(r Rule) (Rule, []Problem) {
	r.Owner, r.Repository = strings.TrimPrefix(strings.TrimSpace(r.Owner), "buildkite.com/"), strings.TrimPrefix(strings.TrimSpace(r.Repository), "buildkite.com/")
	if r.AnyRepository {
		r.Owner, r.Repository = githubPath(r.Owner), ""
	} else {
		r.Owner, r.Repository = githubFullName(r.Owner, r.Repository)
	}
	r.Workflow = strings.TrimSpace(r.Workflow)
	var out []Problem
	if !buildkiteSlug(r.Owner) {
		out = append(out, Problem{"owner", r.Owner, "the slug of an organization on Buildkite: letters, digits and -" + plainNote(r.Owner)})
	}
	if !buildkiteSlug(r.Repository) && !r.AnyRepository {
		out = append(out, Problem{"repository", r.Repository, "the slug of a pipeline: letters, digits and -" + plainNote(r.Repository)})
	}
	if r.Workflow != "" {
		out = append(out, Problem{"workflow", r.Workflow, "to be left out: tokens of Buildkite do not tell it"})
	}
	return r, append(out, uuidProblems(&r, false)...)
}

// uuidProblems brings the ids of a rule into their one spelling.
func uuidProblems(r *Rule, needed bool) []Problem {
	var out []Problem
	for _, slot := range []Slot{OwnerIDSlot, RepositoryIDSlot} {
		id := strings.ToLower(strings.TrimSpace(slot.Get(*r)))
		slot.Set(r, id)
		if id != "" && !uuid(id) || id == "" && needed {
			out = append(out, Problem{string(slot), id, "a UUID such as 0190b0a1-7c3e-4d52-9a60-2f1e6c0d7b11" + plainNote(id)})
		}
	}
	return out
}

// Links lead to the build, and in it to the job.
func (buildkite) Links(p Provenance) Links {
	if p.Issuer != buildkiteIssuer || !buildkiteNames(p) {
		return Links{}
	}
	l := Links{Repository: "https://buildkite.com/" + p.Repository}
	if digits(p.RunID) {
		l.Run = l.Repository + "/builds/" + p.RunID
		if uuid(p.JobID) {
			l.Run += "#" + p.JobID
		}
	}
	return l
}
