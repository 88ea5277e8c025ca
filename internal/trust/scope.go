package trust

import (
	"slices"
	"strconv"
	"strings"

	"sluice/internal/attest/policy"
	"sluice/internal/conda"
	"sluice/internal/fault"
)

// Right is what a publisher lets its runs do in its channel.
type Right string

// The rights. Whoever may publish into a private channel may read it.
const (
	// Publish uploads packages.
	Publish Right = "publish"
	// Read reads a private channel: a trusted reader.
	Read Right = "read"
)

// A Scope is what a publisher lets its runs do.
type Scope struct {
	// Right is Publish or Read. Everything below is about publishing.
	Right Right
	// Packages are the names that may be published; empty means every package of the channel.
	Packages []Pattern
	// Subdirs are where they may lie; empty means any.
	Subdirs []conda.Subdir
	// NewNames lets a run create package names that the channel does not have yet.
	NewNames bool
	// PerRun bounds what one run may do.
	PerRun Limits
	// Demand is what its uploads must bring of attestations, beyond what the channel demands.
	Demand policy.Demand
}

// Limits bound what one run publishes by one publisher, all of its attempts, jobs and tokens together. They stop
// what runs away with a repository: it publishes as fast as it can.
type Limits struct {
	// Files is the number of artifacts, Bytes their size.
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
	// Names is the number of package names that it creates.
	Names int64 `json:"names"`
}

// DefaultLimits are those of a publisher that names none. A hundred recipes for five platforms fit into one run,
// if at most fifty of their names are new to the channel.
func DefaultLimits() Limits { return Limits{Files: 500, Bytes: 50 << 30, Names: 50} }

// MaxLimits are the highest that an owner can set.
func MaxLimits() Limits { return Limits{Files: 1e6, Bytes: 100 << 40, Names: 1e6} }

// Check refuses use that is over the limits (fault.RunLimit): what the run has published, with what it is about to.
func (l Limits) Check(used Limits) error {
	const what, do = "Run has published all it may", "An owner of the channel raises the publisher's limit, or the next run goes on"
	over := func(used, most int64, unit string) error {
		return refuse(fault.RunLimit, what, "with this file it would come to "+number(used)+" "+unit+", and its publisher lets one run have "+number(most), do)
	}
	switch {
	case used.Files > l.Files:
		return over(used.Files, l.Files, "files")
	case used.Bytes > l.Bytes:
		return over(used.Bytes, l.Bytes, "bytes")
	case used.Names > l.Names:
		return over(used.Names, l.Names, "new package names")
	}
	return nil
}

// everything reports whether the scope covers every package of the channel.
func (s Scope) everything() bool {
	return len(s.Packages) == 0 || slices.ContainsFunc(s.Packages, Pattern.IsAll)
}

// namesFor returns the package names that runs of the repository of that name may publish. ok is false when the
// scope names packages and none of them can be the repository's.
func (s Scope) namesFor(repository string) (names []conda.Pattern, ok bool) {
	for _, p := range s.Packages {
		if name, err := p.For(repository); err == nil {
			names = append(names, name)
		}
	}
	return names, len(names) > 0 || len(s.Packages) == 0
}

// patternWords says which packages the scope covers, for a sentence.
func (s Scope) patternWords() string {
	if s.everything() {
		return "every package"
	}
	words := make([]string, len(s.Packages))
	for i, p := range s.Packages {
		words[i] = p.String()
	}
	return list(words, "and")
}

func (s Scope) subdirWords() string {
	words := make([]string, len(s.Subdirs))
	for i, d := range s.Subdirs {
		words[i] = d.String()
	}
	return list(words, "and")
}

// shownNames says which names conda patterns cover.
func shownNames(patterns []conda.Pattern) string {
	if len(patterns) == 0 || slices.ContainsFunc(patterns, conda.Pattern.IsAll) {
		return "every package"
	}
	words := make([]string, len(patterns))
	for i, p := range patterns {
		words[i] = p.String()
	}
	return list(words, "and")
}

// allows reports whether one of the patterns fits, or there are none.
func allows(patterns []conda.Pattern, name string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p conda.Pattern) bool { return p.Match(name) })
}

// number writes n with a comma every three digits, for people.
func number(n int64) string {
	digits := []byte(strings.TrimPrefix(strconv.FormatInt(n, 10), "-"))
	var out []byte
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out = append(out, ',')
		}
		out = append(out, d)
	}
	return string(out)
}
