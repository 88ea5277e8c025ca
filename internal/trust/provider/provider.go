// Package provider knows what the identity tokens of CI services say, one file a service: which claims
// name a run, how a channel owner's rule is compared with them, and where the service shows a run to people.
//
// Everything here is a pure function of values. The package must not know of keys, signatures, audiences,
// storage or HTTP: whoever hands it claims has verified them.
package provider

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"sluice/internal/fault"
)

// A Provider is one kind of CI service. It has no state: github.com and every GitHub Enterprise Server are
// one Provider with different issuers.
type Provider interface {
	// Traits are the facts that verification, forms and the rules of publishers need of the service.
	Traits() Traits
	// Read takes what Sluice keeps from verified claims. It refuses with fault.BadClaim when a claim has the
	// wrong type or an impossible value, and with fault.MissingClaim when one is absent without which no rule
	// could be safely compared.
	Read(Claims) (Provenance, error)
	// Normalise turns what a person typed or pasted into the service's Fields into a rule. The rule that it
	// returns beside problems holds what was understood, so that the form can show it. Each problem is one
	// field. Conditions are not its business; see the function Normalise.
	Normalise(Rule) (Rule, []Problem)
	// Compare holds the identity part of a rule against a run of the same issuer: whose repository it is, and
	// which file it runs. It decides on whole strings only. Conditions are not its business; see Match.
	Compare(Rule, Provenance) Verdict
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
	// Issuer is the address of the public service's issuer; empty when every instance is somebody's own.
	Issuer string
	// Marks are pieces of an issuer's address by which it is likely an instance of the service: for hints alone.
	Marks []string
	// JWKSURI is where the public service's keys are, when that is another host than the issuer's.
	JWKSURI string
	// Algorithms are the JWS algorithms (RFC 7518 §3.1) that its tokens are signed with.
	Algorithms []string
	// MaxLifetime is the longest time that a token of it may span from iat to exp.
	MaxLifetime time.Duration
	// NeedsJTI says that every token of it has an id.
	NeedsJTI bool
	// Claims are the service's own names of claims that Provenance calls otherwise: "event" → "event_name".
	Claims map[string]string
	// Fields are what a form asks for to name a run, in their order and in the service's own words.
	Fields []Field
	// Events are the events that only people with write access, or the default branch, can fire: the allow-list
	// of a publisher that names none. Empty when its tokens do not say what started a run.
	Events []string
	// Risky says why an event is not among Events, as a sentence without a stop. Events in neither are unknown.
	Risky map[string]string
	// Hosted is the Runner of the service's own machines; empty when its tokens do not tell.
	Hosted string
	// Environments, Refs and ProtectedRefs say that tokens tell the deployment environment, the git ref, and
	// whether rules protect it: publishers may narrow by what tokens tell.
	Environments, Refs, ProtectedRefs bool
	// FoldsEnvironments says that the service takes names of environments in any case for the same.
	FoldsEnvironments bool
	// Reusable says that a job can live in another workflow file than the one that was started.
	Reusable bool
	// OwnerWide says that a rule may mean every repository of an owner.
	OwnerWide bool
	// AudienceHint says where a job names the audience that its token is for, as a sentence without a stop; nil where
	// clients name it by themselves.
	AudienceHint func(audience string) string
}

// claim is the service's own name of what Provenance calls name.
func (t Traits) claim(name string) string { return cmp.Or(t.Claims[name], name) }

// A Field is one input of the form that names a run.
type Field struct {
	// Slot is where the field's value belongs in a Rule.
	Slot Slot
	// Name is the word for it in JSON, files and forms: "repository_owner".
	Name string
	// Label is the service's own word for people, Help a sentence below the input, Example a likely value.
	Label, Help, Example string
	// Optional says that a rule may leave it empty.
	Optional bool
}

// A Slot is the part of a Rule that a Field fills.
type Slot string

// The slots. A service uses those that it has.
const (
	OwnerSlot        Slot = "owner"
	RepositorySlot   Slot = "repository"
	WorkflowSlot     Slot = "workflow"
	OwnerIDSlot      Slot = "owner_id"
	RepositoryIDSlot Slot = "repository_id"
)

// Get returns the slot's value in r.
func (s Slot) Get(r Rule) string { return *s.of(&r) }

// Set puts a value into the slot of r.
func (s Slot) Set(r *Rule, value string) { *s.of(r) = value }

func (s Slot) of(r *Rule) *string {
	switch s {
	case OwnerSlot:
		return &r.Owner
	case WorkflowSlot:
		return &r.Workflow
	case OwnerIDSlot:
		return &r.OwnerID
	case RepositoryIDSlot:
		return &r.RepositoryID
	case RepositorySlot:
	}
	return &r.Repository
}

// Claims are the members of a verified token's payload. Numbers are json.Number.
type Claims map[string]any

// A Rule says which runs a trusted publisher means: the identity of a repository and its file, and Conditions.
// Names are kept as they were given; comparing folds them where the service does.
type Rule struct {
	// Provider is the Traits.Name of the service.
	Provider string `json:"provider"`
	// Issuer is the issuer's address, byte for byte as configured.
	Issuer string `json:"issuer"`
	// Owner and Repository name the repository: "acme", "forge". Owner is empty where a service has none.
	Owner      string `json:"owner"`
	Repository string `json:"repository"`
	// AnyRepository means every repository of Owner; Repository is empty then.
	AnyRepository bool `json:"any_repository,omitempty"`
	// Workflow names the file: "build.yml" where the service has one folder for them, a path elsewhere.
	Workflow string `json:"workflow"`
	// OwnerID and RepositoryID are the service's unchangeable ids, pinned at the first use; empty before.
	OwnerID      string `json:"owner_id,omitempty"`
	RepositoryID string `json:"repository_id,omitempty"`
	// Conditions narrow it.
	Conditions
}

// FullName is "owner/repository" as the rule spells it, "owner/*" for every repository of an owner.
func (r Rule) FullName() string {
	name := r.Repository
	if r.AnyRepository {
		name = "*"
	}
	if r.Owner == "" {
		return name
	}
	return r.Owner + "/" + name
}

// Unnamed reports whether the rule names its repository by the id alone: what the service calls it shows at the
// first use.
func (r Rule) Unnamed() bool {
	return r.Owner == "" && r.RepositoryID != "" && r.Repository == r.RepositoryID
}

// Pinned reports whether the rule holds the unchangeable ids of what it means.
func (r Rule) Pinned() bool { return r.OwnerID != "" && (r.RepositoryID != "" || r.AnyRepository) }

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
	// Renamed: the pinned ids fit and the name has changed since; the rule's shown name should follow.
	Renamed bool
	// Code is why the run is not Proven; fault.NoPublisher when the rule has nothing to do with it.
	Code fault.Code
	// Points are everything that was compared, in the order of the form's fields. Filled only when Proven.
	Points []Point
}

// Granted reports whether every condition of the rule holds.
func (v Verdict) Granted() bool { return v.Proven && len(v.Differences()) == 0 }

// Differences are the points that do not hold.
func (v Verdict) Differences() []Point {
	return slices.DeleteFunc(slices.Clone(v.Points), func(p Point) bool { return p.Code == "" })
}

// A Point is one comparison of a run with a rule.
type Point struct {
	// Field is the word for the point in a sentence: "workflow".
	Field string
	// Code is the refusal that this point alone would be; empty when the point holds.
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
func All() []Provider {
	return []Provider{github{}, gitlab{}, forgejo{}, buildkite{}, circleci{}, google{}}
}

// ByName returns the provider of that name, and false when there is none.
func ByName(name string) (Provider, bool) {
	all := All()
	i := slices.IndexFunc(all, func(p Provider) bool { return p.Traits().Name == name })
	if i < 0 {
		return nil, false
	}
	return all[i], true
}

// Likely is the name of the service of which an unknown issuer is likely one, for a hint to the operator; that of the
// first where nothing tells.
func Likely(issuer string) string {
	all := All()
	i := slices.IndexFunc(all, func(p Provider) bool {
		return slices.ContainsFunc(p.Traits().Marks, func(mark string) bool { return strings.Contains(issuer, mark) })
	})
	return all[max(i, 0)].Traits().Name
}
