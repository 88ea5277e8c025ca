package trust

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"sluice/internal/attest/policy"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/trust/provider"
)

// A Publisher is a channel owner's rule: runs that satisfy Rule may do in the channel what Scope says. With the
// right Read it is a trusted reader.
type Publisher struct {
	// ID is the publisher's number, never used again after its removal; 0 before it is stored.
	ID int64
	// ChannelID and Channel say where. The id decides: a channel made anew under the same name is another.
	ChannelID int64
	Channel   conda.Channel
	// Rule says which runs.
	Rule
	// Scope says what they may do.
	Scope
	// Life says until when.
	Life
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

// Life is how long a publisher lives.
type Life struct {
	// ExpiresAt is the end that its owner gave it; zero: none.
	ExpiresAt time.Time
	// IdleDays is after how many days without use it is switched off; 0 means the usual: UnusedDays before the
	// first use, IdleDays after it.
	IdleDays int
	// DisabledAt is when an owner switched it off; zero while it is on. EnabledAt is when one switched it on again.
	DisabledAt, EnabledAt time.Time
}

// After how many days a publisher is switched off when nobody uses it. A forgotten one is a door that nobody
// watches, and one that was never used may name a repository that somebody else takes.
const (
	UnusedDays  = 30
	IdleDays    = 400
	MaxIdleDays = 3650
)

// Pending reports whether no run has used the publisher yet.
func (p Publisher) Pending() bool { return p.LastUsedAt.IsZero() }

// IdleEnd is when the publisher is switched off if nobody uses it.
func (p Publisher) IdleEnd() time.Time {
	at, _ := p.idle()
	return at
}

// idle is IdleEnd, and how long the publisher lives without use.
func (p Publisher) idle() (end time.Time, span time.Duration) {
	since, days := p.CreatedAt, cmp.Or(p.IdleDays, IdleDays)
	if p.Pending() {
		days = cmp.Or(p.IdleDays, UnusedDays)
	}
	for _, t := range []time.Time{p.EnabledAt, p.LastUsedAt} {
		since = latest(since, t)
	}
	end = since.AddDate(0, 0, days)
	return end, end.Sub(since)
}

// End is why the publisher lets nobody do anything at that time, as a code and the end of a sentence, or "".
func (p Publisher) End(now time.Time) (fault.Code, string) {
	switch {
	case !p.DisabledAt.IsZero():
		return fault.PublisherDisabled, "is switched off since " + day(p.DisabledAt)
	case !p.ExpiresAt.IsZero() && !now.Before(p.ExpiresAt):
		return fault.PublisherExpired, "ended on " + day(p.ExpiresAt)
	case !now.Before(p.IdleEnd()):
		return fault.PublisherDisabled, "is switched off since " + day(p.IdleEnd()) + ", because nobody used it"
	}
	return "", ""
}

func day(t time.Time) string { return t.UTC().Format("2 Jan 2006") }

// RepositoryKey is the name of a repository or an owner as candidates are looked up by: the ASCII letters
// lower-cased, and nothing else changed. The database keeps it in a column of its own, because its own
// lower-casing differs from dialect to dialect.
func RepositoryKey(fullName string) string { return foldASCII(fullName) }

// service is what tokens of the publisher's service tell. Of a service that its operator describes only the
// configuration knows; what its last run told is what can be said here. known is false then.
func (p Publisher) service() (t provider.Traits, known bool) {
	if service, ok := provider.ByName(p.Provider); ok {
		return service.Traits(), true
	}
	t = provider.Traits{Environments: p.LastRun.Environment != "", Refs: p.LastRun.Ref != ""}
	if p.LastRun.Event != "" {
		t.Events = []string{p.LastRun.Event}
	}
	return t, false
}

// Weak says why more runs than meant could use the publisher, as a sentence, or "" when it is narrow enough.
func (p Publisher) Weak() string {
	t, known := p.service()
	for _, event := range p.Events {
		if t.Risky[event] != "" {
			return "Runs of " + event + " can publish, which strangers or unreviewed code can start."
		}
	}
	switch {
	case known && p.Unnamed():
		return "A fork's run can be the first one and become what is trusted, because no repository is named."
	case p.Right == Read, p.Environment != "", len(p.Refs) > 0, p.ProtectedRef:
		return ""
	case t.Environments:
		return "Any branch can publish, because no environment is named."
	case t.Refs:
		return "Any branch can publish, because no ref is named."
	}
	return ""
}

// A Phrase is a piece of a sentence; Strong ones are those that a reader should check.
type Phrase struct {
	Text   string
	Strong bool
}

// Phrases are the rule as a sentence without a stop: "Runs of build.yml in acme/forge with environment release
// may publish libtide* of forge".
func (p Publisher) Phrases() []Phrase {
	var out []Phrase
	say := func(words string, strong ...string) {
		out = append(out, Phrase{Text: words})
		for _, s := range strong {
			out = append(out, Phrase{Text: s, Strong: true})
		}
	}
	if p.Workflow == "" {
		say("Runs of ")
	} else {
		say("Runs of ", p.Workflow)
		say(" in ")
	}
	if p.AnyRepository {
		out = append(out, Phrase{Text: "any repository of " + p.Owner, Strong: true})
	} else {
		out = append(out, Phrase{Text: p.FullName(), Strong: true})
	}
	p.conditions(say)
	if p.Right == Read {
		say(" may ", "read")
		say(" " + p.Channel.String())
		return out
	}
	say(" may publish ", p.patternWords())
	say(" of " + p.Channel.String())
	if len(p.Subdirs) > 0 {
		say(" in ", p.subdirWords())
	}
	if !p.NewNames {
		say(", ", "no new names")
	}
	p.demands(say)
	return out
}

// demands says what uploads must bring.
func (p Publisher) demands(say func(string, ...string)) {
	if p.Demand.Attestations == policy.Required {
		say(", and must bring ", "an attestation")
	} else if p.Demand.Signer != "" {
		say(", with attestations")
	}
	switch p.Demand.Signer {
	case policy.SignedByRun:
		say(" signed by ", "the same run")
	case policy.SignedByPublisher:
		say(" signed by ", "a trusted publisher's run")
	}
}

// conditions says what narrows the rule.
func (p Publisher) conditions(say func(string, ...string)) {
	if p.Environment != "" {
		say(" with environment ", p.Environment)
	}
	if len(p.Refs) > 0 {
		say(" on ", list(p.Refs, "or"))
	}
	if p.ProtectedRef {
		say(" on ", "protected refs")
	}
	if len(p.Events) > 0 {
		say(" started by ", list(p.Events, "or"))
	}
	if p.HostedRunner {
		say(" on ", "hosted runners")
	}
	if p.Reusable != "" {
		say(" through ", p.Reusable)
	}
}

// Sentence is the text of Phrases.
func (p Publisher) Sentence() string {
	var b strings.Builder
	for _, part := range p.Phrases() {
		b.WriteString(part.Text)
	}
	return b.String()
}

// SameRule reports whether two publishers of a channel would let the same runs do the same.
func (p Publisher) SameRule(q Publisher) bool {
	return p.sameRepository(q) && p.Workflow == q.Workflow &&
		p.Environment == q.Environment && slices.Equal(p.Refs, q.Refs) && p.ProtectedRef == q.ProtectedRef && slices.Equal(p.Events, q.Events) &&
		p.HostedRunner == q.HostedRunner && p.Reusable == q.Reusable && p.Right == q.Right
}

// sameRepository reports whether two publishers mean one repository: by its name, or by its id while one of them
// knows it by nothing else. Two ids are two repositories, whatever they are called.
func (p Publisher) sameRepository(q Publisher) bool {
	if p.Issuer != q.Issuer || p.AnyRepository != q.AnyRepository || p.RepositoryID != "" && q.RepositoryID != "" && p.RepositoryID != q.RepositoryID {
		return false
	}
	byID := p.RepositoryID != "" && q.RepositoryID != "" && (p.Unnamed() || q.Unnamed())
	return byID || RepositoryKey(p.FullName()) == RepositoryKey(q.FullName())
}
