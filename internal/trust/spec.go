package trust

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/attest/policy"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/trust/provider"
)

// Bounds of one publisher's lists.
const (
	maxPatterns = 200
	maxSubdirs  = 50
)

// PublisherSpec is what a person typed, or a program sent, to make or change a publisher. The zero value of a field
// means the usual.
type PublisherSpec struct {
	// Provider is the CI service's name; empty means "github".
	Provider string
	// Issuer chooses among several configured issuers of the provider; empty means the first of them.
	Issuer string
	// Owner, Repository and Workflow fill the provider's Fields. Owner may also hold "owner/repository" or the
	// repository's address, and Repository likewise; Workflow may be a path or the file's address.
	Owner, Repository, Workflow string
	// OwnerID and RepositoryID pin the unchangeable ids at once, where they are known; else the first use does.
	OwnerID, RepositoryID string
	// AnyRepository means every repository of Owner. It needs Packages with {repository} in each.
	AnyRepository bool
	// Conditions narrow it.
	Conditions Conditions
	// Right is "publish" (also when empty) or "read".
	Right string
	// Packages are patterns; each string may hold several, parted by commas or white space. None: every package.
	Packages []string
	// Subdirs likewise. None: any.
	Subdirs []string
	// NewNames lets runs create package names; nil means that they may.
	NewNames *bool
	// Demand is what they must bring of attestations, beyond what the channel demands.
	Demand policy.Demand
	// PerRun bounds one run; 0 means DefaultLimits, field by field.
	PerRun Limits
	// ExpiresAt is the publisher's end; zero: none.
	ExpiresAt time.Time
	// IdleDays is after how many days without use it is switched off; 0 means the usual.
	IdleDays int
}

// NewPublisher reads a spec into a publisher of the channel, not stored yet. What a form usually gets is
// brought into shape: white space, addresses instead of names, paths instead of file names. All mistakes come
// in one fault.InvalidField, one Difference a field; the publisher beside it then holds what was understood.
func NewPublisher(spec PublisherSpec, issuers []Issuer, ch conda.Channel, channelID int64, by string, now time.Time) (Publisher, error) {
	p := Publisher{Channel: ch, ChannelID: channelID, Version: 1, CreatedAt: now, CreatedBy: by}
	is, problem := chooseIssuer(spec, issuers)
	if problem != nil {
		return p, invalid(nil, []provider.Problem{*problem})
	}
	var problems, more []provider.Problem
	p.Rule, problems = provider.Normalise(is.Provider, Rule{
		Provider: is.Provider.Traits().Name, Issuer: is.URL, Owner: spec.Owner, Repository: spec.Repository, AnyRepository: spec.AnyRepository,
		Workflow: spec.Workflow, OwnerID: strings.TrimSpace(spec.OwnerID), RepositoryID: strings.TrimSpace(spec.RepositoryID), Conditions: spec.Conditions,
	})
	p.Scope, more = readScope(spec)
	problems = append(problems, more...)
	p.Life, more = readLife(spec, now)
	problems = append(problems, more...)
	if p.AnyRepository && p.Right == Publish && (len(p.Packages) == 0 || slices.ContainsFunc(p.Packages, func(p Pattern) bool { return !p.PerRepository() })) {
		problems = append(problems, provider.Problem{Field: "packages", Got: strings.Join(spec.Packages, " "),
			Want: "patterns with " + placeholder + " in each, such as " + placeholder + "-*: else one repository of " + shown(p.Owner) + " could publish another's packages"})
	}
	return p, invalid(is.Provider.Traits().Fields, problems)
}

// chooseIssuer finds the configured issuer that a spec means.
func chooseIssuer(spec PublisherSpec, issuers []Issuer) (Issuer, *provider.Problem) {
	name := strings.TrimSpace(spec.Provider)
	if name == "" {
		name = "github"
	}
	var known []string
	for _, is := range issuers {
		if is.Provider.Traits().Name != name && is.Name != name {
			continue
		}
		if spec.Issuer == "" || spec.Issuer == is.URL {
			return is, nil
		}
		known = append(known, is.URL)
	}
	if len(known) == 0 {
		return Issuer{}, &provider.Problem{Field: "provider", Got: spec.Provider,
			Want: "to be one that this server is configured for (" + configured(issuers) + ")"}
	}
	return Issuer{}, &provider.Problem{Field: "issuer", Got: spec.Issuer, Want: "to be " + list(known, "or")}
}

func configured(issuers []Issuer) string {
	var names []string
	for _, is := range issuers {
		names = append(names, is.Provider.Traits().Name)
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

func readScope(spec PublisherSpec) (Scope, []provider.Problem) {
	var problems []provider.Problem
	s := Scope{Right: Right(strings.TrimSpace(spec.Right)), NewNames: spec.NewNames == nil || *spec.NewNames, Demand: spec.Demand}
	if s.Right == "" {
		s.Right = Publish
	}
	if s.Right != Publish && s.Right != Read {
		problems = append(problems, provider.Problem{Field: "right", Got: spec.Right, Want: "to be publish or read"})
	}
	if a := s.Demand.Attestations; a != "" && a != policy.Required {
		problems = append(problems, provider.Problem{Field: "attestations", Got: string(a), Want: "to be required, or nothing"})
	}
	if by := s.Demand.Signer; by != "" && by != policy.SignedByRun && by != policy.SignedByPublisher {
		problems = append(problems, provider.Problem{Field: "signer", Got: string(by), Want: "to be run, publisher, or nothing"})
	}
	var problem *provider.Problem
	if s.Packages, problem = parsePatterns(spec.Packages); problem != nil {
		problems = append(problems, *problem)
	}
	if s.Subdirs, problem = parseSubdirs(spec.Subdirs); problem != nil {
		problems = append(problems, *problem)
	}
	usual, most := DefaultLimits(), MaxLimits()
	for _, l := range []struct {
		field             string
		into              *int64
		got, usual, limit int64
	}{
		{"files_per_run", &s.PerRun.Files, spec.PerRun.Files, usual.Files, most.Files},
		{"bytes_per_run", &s.PerRun.Bytes, spec.PerRun.Bytes, usual.Bytes, most.Bytes},
		{"new_names_per_run", &s.PerRun.Names, spec.PerRun.Names, usual.Names, most.Names},
	} {
		if *l.into = l.got; l.got == 0 {
			*l.into = l.usual
		}
		if l.got < 0 || l.got > l.limit {
			problems = append(problems, provider.Problem{Field: l.field, Got: strconv.FormatInt(l.got, 10), Want: "a number from 1 to " + number(l.limit)})
		}
	}
	return s, problems
}

func readLife(spec PublisherSpec, now time.Time) (Life, []provider.Problem) {
	var problems []provider.Problem
	l := Life{ExpiresAt: spec.ExpiresAt.Truncate(time.Microsecond).UTC(), IdleDays: spec.IdleDays}
	if spec.ExpiresAt.IsZero() {
		l.ExpiresAt = time.Time{}
	} else if !spec.ExpiresAt.After(now) {
		problems = append(problems, provider.Problem{Field: "expires_at", Got: spec.ExpiresAt.Format(time.RFC3339), Want: "a time to come"})
	}
	if spec.IdleDays < 0 || spec.IdleDays > MaxIdleDays {
		problems = append(problems, provider.Problem{Field: "idle_days", Got: strconv.Itoa(spec.IdleDays), Want: fmt.Sprintf("a number from 1 to %d", MaxIdleDays)})
	}
	return l, problems
}

// words takes lists apart as people write them.
func words(lists []string) []string {
	return strings.FieldsFunc(strings.Join(lists, ","), func(r rune) bool {
		return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r'
	})
}

// parsePatterns reads package patterns, lower-cased as package names are, without repeats.
func parsePatterns(specs []string) ([]Pattern, *provider.Problem) {
	var out []Pattern
	for _, word := range words(specs) {
		p, err := ParsePattern(foldASCII(word))
		if err != nil {
			return out, &provider.Problem{Field: "packages", Got: word,
				Want: "package names, or beginnings with one * at the end such as libtide*; " + err.Error()}
		}
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	if len(out) > maxPatterns {
		return nil, &provider.Problem{Field: "packages", Got: out[maxPatterns].String(), Want: fmt.Sprintf("at most %d patterns", maxPatterns)}
	}
	return out, nil
}

// parseSubdirs reads subdirs, without repeats.
func parseSubdirs(specs []string) ([]conda.Subdir, *provider.Problem) {
	var out []conda.Subdir
	for _, word := range words(specs) {
		d, err := conda.ParseSubdir(word)
		if err != nil {
			return out, &provider.Problem{Field: "subdirs", Got: word, Want: "subdirs such as noarch or linux-64; " + err.Error()}
		}
		if !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	if len(out) > maxSubdirs {
		return nil, &provider.Problem{Field: "subdirs", Got: out[maxSubdirs].String(), Want: fmt.Sprintf("at most %d subdirs", maxSubdirs)}
	}
	return out, nil
}

// invalid makes one refusal of all problems, or nil. Slots are called as the provider's fields call them.
func invalid(fields []provider.Field, problems []provider.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	var text []string
	var diffs []fault.Difference
	for _, p := range problems {
		name := p.Field
		if i := slices.IndexFunc(fields, func(f provider.Field) bool { return string(f.Slot) == p.Field }); i >= 0 {
			name = fields[i].Name
		}
		text = append(text, name+" "+shown(p.Got)+" needs "+p.Want)
		diffs = append(diffs, fault.Difference{Claim: name, Got: fault.OneLine(p.Got, shownLen), Want: p.Want})
	}
	return fault.New(fault.InvalidField, "%s.", strings.Join(text, "; ")).With(diffs)
}

// Fill puts values into the slots that the provider's Fields name. It is fault.InvalidField for a name that is none
// of them, and for a slot that has another value already.
func (s *PublisherSpec) Fill(issuers []Issuer, values map[string]string) error {
	if len(values) == 0 {
		return nil
	}
	is, problem := chooseIssuer(*s, issuers)
	if problem != nil {
		return invalid(nil, []provider.Problem{*problem})
	}
	r := Rule{Owner: s.Owner, Repository: s.Repository, Workflow: s.Workflow, OwnerID: s.OwnerID, RepositoryID: s.RepositoryID}
	fields := is.Provider.Traits().Fields
	var names []string
	for _, f := range fields {
		names = append(names, f.Name)
		if v, ok := values[f.Name]; ok {
			if old := f.Slot.Get(r); old != "" && old != v {
				return invalid(nil, []provider.Problem{{Field: f.Name, Got: v, Want: "one value, and it has " + shown(old) + " as well"}})
			}
			f.Slot.Set(&r, v)
		}
	}
	for name, v := range values {
		if !slices.Contains(names, name) {
			return invalid(nil, []provider.Problem{{Field: name, Got: v, Want: "to be left out: the fields of " + is.Provider.Traits().Title + " are " + list(names, "and")}})
		}
	}
	s.Owner, s.Repository, s.Workflow, s.OwnerID, s.RepositoryID = r.Owner, r.Repository, r.Workflow, r.OwnerID, r.RepositoryID
	return nil
}
