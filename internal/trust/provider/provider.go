// Package provider knows what the identity tokens of CI services say, one file a service: which claims
// name a run, how a channel owner's rule is compared with them, and where the service shows a run to people.
//
// Everything here is a pure function of values. The package must not know of keys, signatures, audiences,
// storage or HTTP: whoever hands it claims has verified them.
package provider

import (
	"slices"
	"time"

	"sluice/internal/fault"
)

// A Provider is one kind of CI service. It has no state: github.com and every GitHub Enterprise Server are
// one Provider with different issuers.
type Provider interface {
	// Traits are the facts that verification needs before it can look at single claims.
	Traits() Traits
	// Read takes what Sluice keeps from verified claims. It refuses with fault.BadClaim when a claim has the
	// wrong type or an impossible value, and with fault.MissingClaim when one is absent without which no rule
	// could be safely compared.
	Read(Claims) (Provenance, error)
	// Normalise turns what a person typed or pasted into a form into a rule. The rule that it returns beside
	// problems holds what was understood, so that the form can show it. Each problem is one field.
	Normalise(Rule) (Rule, []Problem)
	// Match compares a rule with a run of the same issuer. It decides on whole strings only.
	Match(Rule, Provenance) Verdict
	// Links returns the pages that the service shows of a run. Each is built from a host that is fixed for the
	// issuer and from parts that were checked; what is not safe to link is empty.
	Links(Provenance) Links
}

// Traits are the constants of one kind of CI service.
type Traits struct {
	// Name is the word for it in flags, files and JSON: "github".
	Name string
	// Title is its name for people: "GitHub Actions".
	Title string
	// Issuer is the address of the public service's issuer.
	Issuer string
	// Algorithms are the JWS algorithms (RFC 7518 §3.1) that its tokens are signed with.
	Algorithms []string
	// MaxLifetime is the longest time that a token of it may span from iat to exp.
	MaxLifetime time.Duration
	// NeedsJTI says that every token of it has an id.
	NeedsJTI bool
}

// Claims are the members of a verified token's payload. Numbers are json.Number.
type Claims map[string]any

// A Rule is the identity part of a trusted publisher: which runs it means.
// Names are kept as they were given; comparing folds them where the service does.
type Rule struct {
	// Provider is the Traits.Name of the service.
	Provider string `json:"provider"`
	// Issuer is the issuer's address, byte for byte as configured.
	Issuer string `json:"issuer"`
	// Owner and Repository name the repository: "acme", "forge".
	Owner      string `json:"owner"`
	Repository string `json:"repository"`
	// Workflow is the file name of the workflow, without its folder: "build.yml".
	Workflow string `json:"workflow"`
	// Environment is the deployment environment that the job must name; empty takes any job.
	Environment string `json:"environment,omitempty"`
	// OwnerID and RepositoryID are the service's unchangeable ids, pinned at the first use; empty before.
	OwnerID      string `json:"owner_id,omitempty"`
	RepositoryID string `json:"repository_id,omitempty"`
}

// FullName is "owner/repository" as the rule spells it.
func (r Rule) FullName() string { return r.Owner + "/" + r.Repository }

// Pinned reports whether the rule holds the unchangeable ids of its repository.
func (r Rule) Pinned() bool { return r.RepositoryID != "" && r.OwnerID != "" }

// A Problem is one field of a form whose value cannot be.
type Problem struct {
	// Field is the field's name in JSON and in forms.
	Field string
	// Got is the value as it came.
	Got string
	// Want says what would do, as an end of the sentence "… needs ".
	Want string
}

// A Verdict is the outcome of comparing one rule with one run.
type Verdict struct {
	// Proven: the run belongs to the rule's own repository, by the pinned ids, or by name while nothing is
	// pinned. Only then may the caller be shown anything of the rule.
	Proven bool
	// Granted: every condition of the rule holds.
	Granted bool
	// Renamed: the pinned ids fit and the name has changed since; the rule's shown name should follow.
	Renamed bool
	// Code is why the rule does not hold; empty when Granted, fault.NoPublisher when the rule has nothing to
	// do with the run.
	Code fault.Code
	// Differences are all points that differ, in the order of the form's fields. Filled only when Proven.
	Differences []Difference
}

// A Difference is one point in which a run is not what a rule wants.
type Difference struct {
	// Field is the word for the point in a sentence: "workflow".
	Field string
	// Code is the refusal that this point alone would be.
	Code fault.Code
	// Claim, Got and Want are the claim that was compared, its value, and the rule's.
	Claim, Got, Want string
	// Hint is one sentence without a stop, with the fix where there is a typical one; never empty when Final.
	Hint string
	// Final says that no rule could allow it: the job must change.
	Final bool
}

// Links are addresses of pages about a run; each may be empty.
type Links struct{ Run, Commit, Workflow, Repository string }

// All returns the kinds of CI services that this version knows, in the order in which forms offer them.
func All() []Provider { return []Provider{github{}} }

// ByName returns the provider of that name, and false when there is none.
func ByName(name string) (Provider, bool) {
	all := All()
	i := slices.IndexFunc(all, func(p Provider) bool { return p.Traits().Name == name })
	if i < 0 {
		return nil, false
	}
	return all[i], true
}
