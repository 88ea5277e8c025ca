package mail

import (
	"slices"
	"strconv"
	"strings"

	"sluice/internal/audit"
	"sluice/internal/fault"
)

// Reader is who is told of an event.
type Reader int

// The readers of events.
const (
	// Owners are the owners of the event's channel, whoever of them did it: what was done in an owner's name
	// may have been somebody else.
	Owners Reader = iota + 1
	// Account is the account that the event's subject begins with, unless it did it itself.
	Account
)

// rule is a line of the table of what is told.
type rule struct {
	kind audit.Kind
	// codes narrow refusals to these; none takes whatever the event has.
	codes []fault.Code
	// found narrows to what somebody did without an account, who reported a token as found.
	found bool
	to    Reader
	// daily tells one a day of those that are about the same.
	daily bool
	// what ends the subject of a mail. It is the same for all lines of a kind.
	what string
}

const (
	apiTokenEnded = "an API token was revoked"
	keyFound      = "a token was reported as found"
)

// rules is everything that is told by mail. An event of no line is told to nobody.
func rules() []rule {
	return []rule{
		{kind: audit.PublisherAdded, to: Owners, what: "a trusted publisher was added"},
		{kind: audit.PublisherChanged, to: Owners, what: "a trusted publisher was changed"},
		{kind: audit.PublisherRemoved, to: Owners, what: "a trusted publisher was removed"},
		{kind: audit.PublisherPinned, to: Owners, what: "a trusted publisher was used for the first time"},
		{kind: audit.PublisherNews, to: Owners, what: "a trusted publisher was used in a new way"},
		{kind: audit.PublisherRenamed, to: Owners, what: "the repository of a trusted publisher was renamed"},
		{kind: audit.PublisherExpiring, to: Owners, what: "a trusted publisher will be off soon"},
		{kind: audit.PublisherDisabled, to: Owners, what: "a trusted publisher is off"},
		{kind: audit.MintRefused, codes: lookAlikes(), to: Owners, daily: true, what: "a look-alike of a trusted publisher was refused"},
		{kind: audit.TokenRevoked, found: true, to: Owners, what: keyFound},
		{kind: audit.APITokenRevoked, to: Account, what: apiTokenEnded},
		{kind: audit.APITokenRevoked, found: true, to: Owners, what: apiTokenEnded},
		{kind: audit.SessionRevoked, found: true, to: Account, what: keyFound},
		{kind: audit.AccountChanged, to: Account, what: "your account was changed"},
	}
}

// lookAlikes are the refusals of a repository that has the name of a publisher's, and is another.
func lookAlikes() []fault.Code { return []fault.Code{fault.IDMismatch, fault.OwnerChanged} }

// means reports whether e is told by the line r.
func (r rule) means(e audit.Event) bool {
	switch {
	case r.kind != e.Kind, len(r.codes) > 0 && !slices.Contains(r.codes, fault.Code(e.Code)), r.found && e.Actor.Kind != audit.Anonymous:
		return false
	case r.to == Owners:
		return e.ChannelID != 0
	}
	return e.Actor.Kind != audit.User || e.Actor.Name != accountOf(e)
}

// accountOf is the account that e is about: its subject is "ann", or "ann/laptop" of a token.
func accountOf(e audit.Event) string {
	name, _, _ := strings.Cut(e.Subject, "/")
	return name
}

// Telling is to whom an event is told.
type Telling struct {
	To Reader
	// Account is the name of the account, where To is Account.
	Account string
	// Once is the same for events of which an account is told one in OnceIn; empty where it is told all.
	Once string
}

// maxOnce bounds Telling.Once, in bytes.
const maxOnce = 400

// Tell says to whom e is told; nothing when nobody is. Who is reached in two ways is told once.
func Tell(e audit.Event) []Telling {
	var out []Telling
	for _, r := range rules() {
		if !r.means(e) {
			continue
		}
		t := Telling{To: r.to}
		if r.to == Account {
			t.Account = accountOf(e)
			// What ends in several channels at once is several events, and one for the account.
			t.Once = once(e, strconv.FormatInt(e.At.UnixMicro(), 10))
		}
		if r.daily {
			t.Once = once(e, e.Channel)
		}
		out = append(out, t)
	}
	return out
}

func once(e audit.Event, in string) string {
	return fault.OneLine(strings.Join([]string{string(e.Kind), e.Code, in, strings.ToLower(e.Subject)}, " "), maxOnce)
}

// Notable is which events owners of a channel are told of: those of Kinds; those of Coded with one of the Codes; those
// of Found by anonymous actors.
type Notable struct {
	Kinds, Coded, Found []audit.Kind
	Codes               []fault.Code
}

// ToOwners is what owners are told of, for whoever looks for it in the log.
func ToOwners() Notable {
	var n Notable
	for _, r := range rules() {
		switch {
		case r.to != Owners:
		case len(r.codes) > 0:
			n.Coded, n.Codes = append(n.Coded, r.kind), append(n.Codes, r.codes...)
		case r.found:
			n.Found = append(n.Found, r.kind)
		default:
			n.Kinds = append(n.Kinds, r.kind)
		}
	}
	return n
}
