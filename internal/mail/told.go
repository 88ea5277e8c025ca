package mail

import (
	"slices"
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
	to    Reader
	// daily tells one a day of those that are about the same.
	daily bool
	// what ends the subject of a mail.
	what string
}

// rules is everything that is told by mail. An event of no line is told to nobody.
func rules() []rule {
	return []rule{
		{kind: audit.PublisherAdded, to: Owners, what: "a trusted publisher was added"},
		{kind: audit.PublisherRemoved, to: Owners, what: "a trusted publisher was removed"},
		{kind: audit.PublisherChanged, to: Owners, what: "a trusted publisher was changed"},
		{kind: audit.PublisherNews, to: Owners, what: "a trusted publisher was used in a new way"},
		{kind: audit.PublisherExpiring, to: Owners, what: "a trusted publisher will be off soon"},
		{kind: audit.PublisherDisabled, to: Owners, what: "a trusted publisher is off"},
		{kind: audit.PublisherPinned, to: Owners, what: "a trusted publisher was used for the first time"},
		{kind: audit.PublisherRenamed, to: Owners, what: "the repository of a trusted publisher was renamed"},
		{kind: audit.MintRefused, codes: lookAlikes(), to: Owners, daily: true, what: "a look-alike of a trusted publisher was refused"},
		{kind: audit.APITokenRevoked, to: Account, what: "an API token of yours was revoked"},
		{kind: audit.AccountChanged, to: Account, what: "your account was changed"},
	}
}

// lookAlikes are the refusals of a repository that has the name of a publisher's, and is another.
func lookAlikes() []fault.Code { return []fault.Code{fault.IDMismatch, fault.OwnerChanged} }

func ruleFor(e audit.Event) (rule, bool) {
	all := rules()
	i := slices.IndexFunc(all, func(r rule) bool {
		return r.kind == e.Kind && (len(r.codes) == 0 || slices.Contains(r.codes, fault.Code(e.Code)))
	})
	if i < 0 || all[i].to == Owners && e.ChannelID == 0 {
		return rule{}, false
	}
	return all[i], true
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

// Tell says to whom e is told, and false when nobody is.
func Tell(e audit.Event) (Telling, bool) {
	r, ok := ruleFor(e)
	if !ok {
		return Telling{}, false
	}
	t := Telling{To: r.to}
	if r.to == Account {
		t.Account, _, _ = strings.Cut(e.Subject, "/")
		if e.Actor.Kind == audit.User && e.Actor.Name == t.Account {
			return Telling{}, false
		}
	}
	if r.daily {
		t.Once = fault.OneLine(strings.Join([]string{string(e.Kind), e.Code, e.Channel, strings.ToLower(e.Subject)}, " "), maxOnce)
	}
	return t, true
}

// Notable are the kinds of events that owners of a channel are told of: those of kinds whatever their code, and
// those of coded with one of the codes.
func Notable() (kinds []audit.Kind, coded audit.Kind, codes []fault.Code) {
	for _, r := range rules() {
		switch {
		case r.to != Owners:
		case len(r.codes) == 0:
			kinds = append(kinds, r.kind)
		default:
			coded, codes = r.kind, r.codes
		}
	}
	return kinds, coded, codes
}
