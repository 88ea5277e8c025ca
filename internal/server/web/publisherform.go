package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"sluice/internal/channel"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/server/web/page"
	"sluice/internal/trust"
)

// spec is what the short form's fields ask for. Inputs bear the names of the chosen service's own fields.
func (s *site) spec(fields url.Values) trust.PublisherSpec {
	o := s.chosenService(fields)
	out := trust.PublisherSpec{
		Provider: fields.Get("provider"), Issuer: fields.Get("issuer"),
		Conditions: trust.Conditions{Environment: fields.Get("environment")}, Packages: []string{fields.Get("packages")},
	}
	var r trust.Rule
	for _, f := range o.traits.Fields {
		f.Slot.Set(&r, fields.Get(f.Name))
	}
	out.Owner, out.Repository, out.Workflow, out.OwnerID, out.RepositoryID = r.Owner, r.Repository, r.Workflow, r.OwnerID, r.RepositoryID
	if out.Provider == "" {
		out.Provider = o.name
	}
	return out
}

// prefilled is the form as an address fills it in. Nothing is sent by it.
func (s *site) prefilled(r *http.Request, ch channel.Channel, q url.Values) page.PublisherForm {
	if !s.fills(q) {
		return s.sent(q)
	}
	p, err := s.Publishers.Read(caller.From(r.Context()).Actor(), ch, s.spec(q))
	if err != nil {
		return s.sent(q)
	}
	form := s.understood(q, p)
	form.Understood = nil // nobody has typed anything
	return form
}

// fills reports whether an address names a run.
func (s *site) fills(q url.Values) bool {
	for _, f := range s.chosenService(q).traits.Fields {
		if q.Has(f.Name) {
			return true
		}
	}
	return false
}

// addPublisher makes a publisher. A rule that is open wider than most owners mean has to be sent twice, the
// second time with the sentence that was shown: another rule than that cannot be confirmed.
func (s *site) addPublisher(w http.ResponseWriter, r *http.Request) error {
	fields, err := form(w, r)
	if err != nil {
		return err
	}
	ch, err := s.enterAs(r, s.Access.MayManage)
	if err != nil {
		return err
	}
	by := caller.From(r.Context()).Actor()
	p, err := s.Publishers.Read(by, ch, s.spec(fields))
	if fault.Is(err, fault.InvalidField) {
		return s.showPublishers(w, r, ch, http.StatusUnprocessableEntity, s.wrong(fields, p, err))
	} else if err != nil {
		return err
	}
	again := s.understood(fields, p)
	if again.Warnings = wide(p); len(again.Warnings) > 0 && fields.Get("confirmed") != p.Sentence() {
		again.Confirm = true
		return s.showPublishers(w, r, ch, http.StatusOK, again)
	}
	p, err = s.Publishers.Add(r.Context(), by, ch, s.spec(fields))
	if fault.Is(err, fault.Conflict) {
		again.Error = detail(err)
		return s.showPublishers(w, r, ch, http.StatusConflict, again)
	} else if err != nil {
		return err
	}
	return goToPublisher(w, r, ch, p.ID)
}

// goToPublisher leads to the list, at one publisher.
func goToPublisher(w http.ResponseWriter, r *http.Request, ch channel.Channel, number int64) error {
	id := strconv.FormatInt(number, 10)
	// The form may have been sent to #add, and a redirect without a fragment of its own would lead back there.
	return redirect(w, r, page.PublisherPath(ch.Name.String(), id)+"#publisher-"+id)
}

// wide says what of a rule lets in more than most owners mean.
func wide(p trust.Publisher) []string {
	var out []string
	if weak := p.Weak(); weak != "" {
		out = append(out, weak)
	}
	if p.Right == trust.Publish && everything(p) {
		out = append(out, "No packages are named, so it covers every package of "+p.Channel.String()+".")
	}
	return out
}

// sent is the form with just what was sent, or an address asks for.
func (s *site) sent(fields url.Values) page.PublisherForm {
	o := s.chosenService(fields)
	form := page.PublisherForm{
		Service: o.name, Issuers: o.issuerChoices(), Issuer: field(fields.Get("issuer")),
		Environments: o.traits.Environments, Environment: field(fields.Get("environment")), Packages: field(fields.Get("packages")),
	}
	if form.Issuer.Value == "" && len(o.issuers) > 0 {
		form.Issuer.Value = o.issuers[0].URL
	}
	for _, other := range s.services() {
		form.Services = append(form.Services, page.Choice{Value: other.name, Label: shortTitle(other.traits.Title)})
	}
	for _, f := range o.traits.Fields {
		form.Fields = append(form.Fields, page.NamedField{Name: f.Name, Label: f.Label, Help: f.Help, Example: f.Example, Optional: f.Optional, Field: field(fields.Get(f.Name))})
	}
	return form
}

// understood is the form with what its fields mean, and the rule that they make.
func (s *site) understood(fields url.Values, p trust.Publisher) page.PublisherForm {
	form := s.sent(fields)
	form.Rule = phrases(p)
	s.meant(&form, fields, p)
	form.Packages = field(strings.Join(patterns(p), ", "))
	return form
}

// meant puts what was understood into the form's own fields, and says so of those that will do.
func (s *site) meant(form *page.PublisherForm, fields url.Values, p trust.Publisher) {
	if p.Issuer == "" {
		return
	}
	form.Environment.Value, form.Issuer.Value = p.Environment, p.Issuer
	for i, f := range s.chosenService(fields).traits.Fields {
		value := f.Slot.Get(p.Rule)
		form.Fields[i].Value = value
		if value != "" && form.Fields[i].Error == "" {
			form.Understood = append(form.Understood, inSentence(f.Label)+" "+value)
		}
	}
}

// inSentence is a label as it stands inside a sentence: "Owner" begins small there, "CI file" does not.
func inSentence(label string) string {
	if len(label) > 1 && 'a' <= label[1] && label[1] <= 'z' {
		return strings.ToLower(label[:1]) + label[1:]
	}
	return label
}

// wrong is the form with what was understood of it, and beside each field what cannot be.
func (s *site) wrong(fields url.Values, p trust.Publisher, err error) page.PublisherForm {
	form := s.sent(fields)
	form.Error = blame(err, form.Named())
	s.meant(&form, fields, p)
	return form
}

// blame puts the mistakes of a form beside their fields. What no field is to blame for it returns.
func blame(err error, byName map[string]*page.Field) string {
	refusal, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return ""
	}
	var rest string
	for _, d := range refusal.Differences {
		if f, ok := byName[d.Claim]; ok {
			f.Error = "Needs " + d.Want + "."
		} else {
			rest = refusal.Detail
		}
	}
	return rest
}
