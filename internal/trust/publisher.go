package trust

import (
	"strings"
	"time"

	"sluice/internal/conda"
)

// A Publisher is a channel owner's rule: runs that satisfy Rule may publish packages whose names fit Packages
// into the channel.
type Publisher struct {
	// ID is the publisher's number, never used again after its removal; 0 before it is stored.
	ID int64
	// ChannelID and Channel say where. The id decides: a channel made anew under the same name is another.
	ChannelID int64
	Channel   conda.Channel
	// Rule says which runs.
	Rule
	// Packages are the names that may be published; empty means every package of the channel.
	Packages []conda.Pattern
	// Version is raised by every change that an owner makes. Publish tokens are bound to it, so a change ends
	// them. Pinning ids and following a rename do not raise it.
	Version int64
	// CreatedAt and CreatedBy say when the rule was made, and the name of the user who made it.
	CreatedAt time.Time
	CreatedBy string
	// LastUsedAt is when a token was last minted for it, LastRun by which run; zero before the first use.
	LastUsedAt time.Time
	LastRun    Provenance
}

// RepositoryKey is the repository's name as candidates are looked up by: "owner/name" with the ASCII letters
// lower-cased, and nothing else changed. The database keeps it in a column of its own, because its own
// lower-casing differs from dialect to dialect.
func RepositoryKey(fullName string) string { return foldASCII(fullName) }

// Weak says why anybody with a foot in the repository could use the publisher, or "" when it is narrow enough.
func (p Publisher) Weak() string {
	if p.Environment == "" {
		return "Any branch can publish, because no environment is named."
	}
	return ""
}

// A Part is a piece of a sentence; Strong parts are the ones that a reader should check.
type Part struct {
	Text   string
	Strong bool
}

// Parts are the rule as a sentence without a stop: "Runs of build.yml in acme/forge with environment release
// may publish libtide* of forge".
func (p Publisher) Parts() []Part {
	parts := []Part{
		{Text: "Runs of "}, {Text: p.Workflow, Strong: true},
		{Text: " in "}, {Text: p.FullName(), Strong: true},
	}
	if p.Environment != "" {
		parts = append(parts, Part{Text: " with environment "}, Part{Text: p.Environment, Strong: true})
	}
	return append(parts, Part{Text: " may publish "}, Part{Text: shownPatterns(p.Packages), Strong: true},
		Part{Text: " of " + p.Channel.String()})
}

// Sentence is the text of Parts.
func (p Publisher) Sentence() string {
	var b strings.Builder
	for _, part := range p.Parts() {
		b.WriteString(part.Text)
	}
	return b.String()
}

// allows reports whether one of the patterns fits, or there are none.
func allows(patterns []conda.Pattern, name string) bool {
	for _, p := range patterns {
		if p.Match(name) {
			return true
		}
	}
	return len(patterns) == 0
}

func shownPatterns(patterns []conda.Pattern) string {
	words := make([]string, len(patterns))
	for i, p := range patterns {
		if p.IsAll() {
			return "every package"
		}
		words[i] = p.String()
	}
	if len(words) == 0 {
		return "every package"
	}
	return list(words, "and")
}
