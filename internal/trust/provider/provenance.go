package provider

import (
	"cmp"
	"strings"
)

// Provenance is what an identity token said of the run that it was made for: an allow-list of claims, kept
// for ever with every artifact that the run publishes. It holds nothing about persons. All values come from
// outside and are shown escaped. Every field but Provider, Issuer, Repository and RepositoryID may be empty, for
// services differ in what they tell. The zero value means that no CI run is known. All fields are strings, so
// that the audit log can keep them as its facts.
type Provenance struct {
	// Provider is the Traits.Name of the CI service, Issuer the address of the one that signed.
	Provider string `json:"provider"`
	Issuer   string `json:"issuer"`
	// Repository is "owner/name"; Owner what stands before the name, which may hold slashes.
	Repository string `json:"repository"`
	Owner      string `json:"owner"`
	// RepositoryID and OwnerID never change and are never given to another. Where a service has no owners, both are the
	// repository's.
	RepositoryID string `json:"repository_id"`
	OwnerID      string `json:"owner_id"`
	// Visibility is "public", "private" or "internal" at the time of the run.
	Visibility string `json:"visibility,omitempty"`
	// Workflow is the file name of the workflow that was started, when it could be told for certain.
	Workflow string `json:"workflow,omitempty"`
	// WorkflowRef is the whole name of the workflow that was started, "owner/name/path@ref", WorkflowSHA its commit.
	WorkflowRef string `json:"workflow_ref,omitempty"`
	WorkflowSHA string `json:"workflow_sha,omitempty"`
	// JobWorkflowRef names the workflow file that holds the job; it differs when a reusable workflow is called.
	JobWorkflowRef string `json:"job_workflow_ref,omitempty"`
	JobWorkflowSHA string `json:"job_workflow_sha,omitempty"`
	// Ref is the full git ref ("refs/heads/main"), RefType "branch" or "tag", SHA the commit.
	Ref     string `json:"ref,omitempty"`
	RefType string `json:"ref_type,omitempty"`
	SHA     string `json:"sha,omitempty"`
	// RefProtected is "true" when rules protect the ref, as far as the service says so.
	RefProtected string `json:"ref_protected,omitempty"`
	// Event is what started the run: "push".
	Event string `json:"event,omitempty"`
	// Environment is the deployment environment that the job named.
	Environment string `json:"environment,omitempty"`
	// RunID finds the run; RunNumber is what people see; RunAttempt counts re-runs from 1. Decimal digits.
	RunID      string `json:"run_id"`
	RunNumber  string `json:"run_number,omitempty"`
	RunAttempt string `json:"run_attempt,omitempty"`
	// Runner is "github-hosted", "self-hosted", or what the service calls it.
	Runner string `json:"runner,omitempty"`
	// JobID finds the job within the run, for services whose logs are pages of jobs.
	JobID string `json:"job_id,omitempty"`
	// Fork is where the job ran, when that is another repository than the one whose code it ran; "(not told)" when it
	// may be another, and the token is silent.
	Fork string `json:"fork,omitempty"`
	// Shell is "true" when a person could type into the job.
	Shell string `json:"shell,omitempty"`
	// RunLink is the run's page as the issuer's configuration has it, for services that Sluice does not know. It was
	// made when the token was read.
	RunLink string `json:"run_link,omitempty"`
}

// IsZero reports whether no run is known.
func (p Provenance) IsZero() bool { return p == Provenance{} }

// Name is the repository without its owner.
func (p Provenance) Name() string { return strings.TrimPrefix(p.Repository, p.Owner+"/") }

// RunURL is the page of the run and attempt, or "".
func (p Provenance) RunURL() string { return p.links().Run }

// CommitURL is the page of the commit, or "".
func (p Provenance) CommitURL() string { return p.links().Commit }

// WorkflowURL is the page of the workflow file at the commit that ran, or "".
func (p Provenance) WorkflowURL() string { return p.links().Workflow }

// RepositoryURL is the page of the repository, or "".
func (p Provenance) RepositoryURL() string { return p.links().Repository }

func (p Provenance) links() Links {
	if s, ok := ByName(p.Provider); ok {
		return s.Links(p)
	}
	if safeLink(p.RunLink) { // of a service that only its issuer's configuration knows
		return Links{Run: p.RunLink}
	}
	return Links{}
}

// Sentence says who published: "Published by build.yml of acme/forge, run 1234 attempt 1, commit abc1234 on
// main". It ends without a stop. Claims are in it as they came: escape it for where it is shown.
func (p Provenance) Sentence() string {
	s := "Published by " + p.Byline()
	if c := p.ShortSHA(); c != "" {
		s += ", commit " + c
	}
	if r := p.ShownRef(); r != "" {
		s += " on " + r
	}
	return s
}

// Byline is the part of Sentence that names the run: "build.yml of acme/forge, run 1234 attempt 1". Where the service
// does not count attempts there is none, and where its name of a workflow is a number it says nothing to people.
func (p Provenance) Byline() string {
	s := "a run of " + p.Repository
	if p.Workflow != "" && !uuid(p.Workflow) {
		s = p.Workflow + " of " + p.Repository
	}
	if n := cmp.Or(p.RunNumber, p.RunID); n != "" {
		s += ", run " + n
		if p.RunAttempt != "" {
			s += " attempt " + p.RunAttempt
		}
	}
	return s
}

// ShortSHA is the commit in seven characters, or "".
func (p Provenance) ShortSHA() string { return p.SHA[:min(len(p.SHA), 7)] }

// ShownRef is the ref as people call it: "main" for a branch, "tag v1.2" for a tag, else the full ref.
func (p Provenance) ShownRef() string {
	if b, ok := strings.CutPrefix(p.Ref, "refs/heads/"); ok {
		return b
	}
	if t, ok := strings.CutPrefix(p.Ref, "refs/tags/"); ok {
		return "tag " + t
	}
	return p.Ref
}

// A Sight is one thing about where a run came from that owners want to hear of when it is new.
type Sight struct{ Kind, Value string }

// Sights are the run's ref, event and runner, as far as they are told. All tags count as one, and so do all pull
// requests: every release has another.
func (p Provenance) Sights() []Sight {
	var out []Sight
	for _, s := range []Sight{{"ref", refClass(p.Ref)}, {"event", p.Event}, {"runner", p.Runner}} {
		if s.Value != "" {
			out = append(out, s)
		}
	}
	return out
}

func refClass(ref string) string {
	for _, prefix := range []string{"refs/tags/", "refs/pull/", "refs/merge-requests/"} {
		if strings.HasPrefix(ref, prefix) {
			return prefix + "*"
		}
	}
	return ref
}
