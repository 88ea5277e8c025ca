package trust

import (
	"slices"
	"strings"
	"time"

	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/trust/provider"
)

// maxPatterns bounds the package patterns of one publisher.
const maxPatterns = 200

// PublisherSpec is what a person typed, or a program sent, to make a publisher.
type PublisherSpec struct {
	// Provider is the CI service's name; empty means "github".
	Provider string
	// Issuer chooses among several configured issuers of the provider; empty means the first of them.
	Issuer string
	// Owner may also hold "owner/repository" or the repository's address, and Repository likewise; Workflow may
	// be a path or the file's address. Environment is optional.
	Owner, Repository, Workflow, Environment string
	// Packages are patterns; each string may hold several, parted by commas or white space. None: every package.
	Packages []string
}

// NewPublisher reads a spec into a publisher of the channel, not stored yet. What a form usually gets is
// brought into shape: white space, addresses instead of names, paths instead of file names. All mistakes come
// in one fault.InvalidField, one Difference a field; the publisher beside it then holds what was understood.
func NewPublisher(spec PublisherSpec, issuers []Issuer, ch conda.Channel, channelID int64, by string, now time.Time) (Publisher, error) {
	p := Publisher{Channel: ch, ChannelID: channelID, Version: 1, CreatedAt: now, CreatedBy: by}
	is, problem := chooseIssuer(spec, issuers)
	if problem != nil {
		return p, invalid([]provider.Problem{*problem})
	}
	rule, problems := is.Provider.Normalise(Rule{
		Provider: is.Provider.Traits().Name, Issuer: is.URL,
		Owner: spec.Owner, Repository: spec.Repository, Workflow: spec.Workflow, Environment: spec.Environment,
	})
	p.Rule = rule
	packages, problem := parsePatterns(spec.Packages)
	p.Packages = packages
	if problem != nil {
		problems = append(problems, *problem)
	}
	return p, invalid(problems)
}

// chooseIssuer finds the configured issuer that a spec means.
func chooseIssuer(spec PublisherSpec, issuers []Issuer) (Issuer, *provider.Problem) {
	name := strings.TrimSpace(spec.Provider)
	if name == "" {
		name = "github"
	}
	var known []string
	for _, is := range issuers {
		if is.Provider.Traits().Name != name {
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

// parsePatterns reads package patterns, lower-cased as package names are, without repeats.
func parsePatterns(specs []string) ([]conda.Pattern, *provider.Problem) {
	var out []conda.Pattern
	for _, word := range strings.FieldsFunc(strings.Join(specs, ","), func(r rune) bool {
		return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r'
	}) {
		p, err := conda.ParsePattern(foldASCII(word))
		if err != nil {
			return out, &provider.Problem{Field: "packages", Got: word,
				Want: "package names, or beginnings with one * at the end such as libtide*; " + err.Error()}
		}
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	if len(out) > maxPatterns {
		return nil, &provider.Problem{Field: "packages", Got: out[maxPatterns].String(), Want: "at most 200 patterns"}
	}
	return out, nil
}

// invalid makes one refusal of all problems, or nil.
func invalid(problems []provider.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	var text []string
	var diffs []fault.Difference
	for _, p := range problems {
		text = append(text, p.Field+" "+shown(p.Got)+" needs "+p.Want)
		diffs = append(diffs, fault.Difference{Claim: p.Field, Got: fault.OneLine(p.Got, shownLen), Want: p.Want})
	}
	return fault.New(fault.InvalidField, "%s.", strings.Join(text, "; ")).With(diffs)
}
