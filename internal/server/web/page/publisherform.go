package page

import (
	"maps"
	"net/url"
)

// PublisherForm is the form for a new publisher, empty, or as it came back.
type PublisherForm struct {
	// Services are the CI services to choose from, Service is the chosen one's name.
	Services []Choice
	Service  string
	// Issuers are the issuers of it, Issuer the chosen one.
	Issuers []Choice
	Issuer  Field
	// Fields are what names a run of it, in its own words.
	Fields []NamedField
	// Environments says that the service tells the environment of a job.
	Environments          bool
	Environment, Packages Field
	// Understood is what the fields mean, part by part: "owner acme"; empty while nothing was sent.
	Understood []string
	// Error is why the rule was not made, where no single field is to blame.
	Error string
	// Rule is what the form would allow, as a sentence; nil while that is not known.
	Rule []Phrase
	// Confirm says that the rule is open wider than most owners mean, so nothing was made yet: Warnings say
	// how, one sentence each, and sending the form once more makes it. The form then sends the text of Rule
	// as "confirmed", so that another rule than the one shown cannot be confirmed.
	Confirm  bool
	Warnings []string
}

// NamedField is an input in a CI service's own words.
type NamedField struct {
	// Name is what it is sent as, of letters, digits, '_' and '-'; Label and Help are for people, Example is a likely value.
	Name, Label, Help, Example string
	Optional                   bool
	Field
}

// RuleForm is everything that a publisher can say, for the page of its own.
type RuleForm struct {
	PublisherForm
	// Tells says what the tokens of the service tell: only that can be asked for.
	Tells Tells
	// AnyRepository, Protected, Hosted and NewNames are ticked when their value is "true".
	AnyRepository, Protected, Hosted, NewNames Field
	// Refs and Events are one a line.
	Refs, Events, Reusable, Subdirs Field
	// Files, Bytes and Names bound one run.
	Files, Bytes, Names Field
	// Attestations and Signer are what it demands beyond the channel; empty: nothing.
	Attestations, Signer Field
	// Expires is a date, IdleDays a number of days; empty for the usual.
	Expires, IdleDays Field
	// Right is "publish" or "read".
	Right Field
	// SafeEvents are let in when no event is named; Risky never are unless they are named.
	SafeEvents []string
	Risky      []RiskyEvents
	// OwnerID and RepositoryID are the pinned ids; empty before the first use.
	OwnerID, RepositoryID string
	// Version is the publisher's as the form shows it; empty for a new one.
	Version string
}

// Tells says what the tokens of a CI service tell of a run.
type Tells struct{ OwnerWide, Refs, ProtectedRefs, Events, Hosted, Reusable bool }

// RiskyEvents are events that strangers or unreviewed code can fire, and why, as a sentence without a stop.
type RiskyEvents struct {
	Names []string
	Why   string
}

// RuleView is the page on which a publisher is made or changed with everything that it can say.
type RuleView struct {
	Head ChannelHead
	// Publisher is the one to change; its ID is empty for a new one.
	Publisher Publisher
	Form      RuleForm
}

// path is where the form is sent.
func (v RuleView) path() string {
	if v.Publisher.ID == "" {
		return PublisherNewPath(v.Head.Name)
	}
	return PublisherEditPath(v.Head.Name, v.Publisher.ID)
}

func (v RuleView) title() string {
	if v.Publisher.ID == "" {
		return "Add a publisher with more rules"
	}
	return "Edit " + v.Publisher.name()
}

func (v RuleView) button() string {
	if v.Publisher.ID == "" {
		return "Add publisher"
	}
	return "Save the rule"
}

// paired reports whether the first two fields fit beside one another.
func (f PublisherForm) paired() bool {
	return len(f.Fields) > 2 && f.Fields[0].Help == "" && f.Fields[1].Help == ""
}

func (n NamedField) input() input {
	in := input{id: ident(n.Name), label: show(n.Label), kind: "text", mono: true, required: !n.Optional, hint: show(n.Example), max: "400"}
	if n.Help != "" {
		in.help = show(n.Help)
	}
	if n.Optional {
		in.note = "optional"
	}
	return in
}

// switchPath reloads the form for another service.
func (f PublisherForm) switchPath(base, service string) string {
	return base + "?" + url.Values{"provider": {service}}.Encode()
}

// rightChoices are what a publisher can let its runs do.
func rightChoices() []Choice {
	return []Choice{{"publish", "publish packages"}, {"read", "only read the private channel (trusted reader)"}}
}

func demandChoices() []Choice {
	return []Choice{{"", "As the channel has it"}, {"required", "Required"}}
}

func narrowerSigners() []Choice {
	return []Choice{{"", "As the channel has it"}, {"publisher", "Any run of a trusted publisher"}, {"run", "The run that uploads"}}
}

// Named are the fields by the names that they are sent as.
func (f *PublisherForm) Named() map[string]*Field {
	out := map[string]*Field{"issuer": &f.Issuer, "environment": &f.Environment, "packages": &f.Packages}
	if len(f.Issuers) < 2 {
		delete(out, "issuer") // it is not seen
	}
	for i := range f.Fields {
		out[f.Fields[i].Name] = &f.Fields[i].Field
	}
	return out
}

// Named are the fields by the names that they are sent as.
func (f *RuleForm) Named() map[string]*Field {
	out := f.PublisherForm.Named()
	maps.Copy(out, map[string]*Field{
		"any_repository": &f.AnyRepository, "protected_ref": &f.Protected, "hosted_runner": &f.Hosted, "new_names": &f.NewNames,
		"refs": &f.Refs, "events": &f.Events, "reusable": &f.Reusable, "subdirs": &f.Subdirs, "files_per_run": &f.Files, "bytes_per_run": &f.Bytes,
		"new_names_per_run": &f.Names, "expires_at": &f.Expires, "idle_days": &f.IdleDays, "right": &f.Right,
		"attestations": &f.Attestations, "signer": &f.Signer,
	})
	return out
}
