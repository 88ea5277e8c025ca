package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"sluice/internal/channel"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/server/web/page"
	"sluice/internal/trust"
)

// spec is what the form's fields ask for.
func spec(fields url.Values) trust.PublisherSpec {
	return trust.PublisherSpec{
		Owner: fields.Get("owner"), Repository: fields.Get("repository"), Workflow: fields.Get("workflow"),
		Conditions: trust.Conditions{Environment: fields.Get("environment")}, Packages: []string{fields.Get("packages")},
	}
}

// prefilled is the form as an address fills it in. Nothing is sent by it.
func (s *site) prefilled(r *http.Request, ch channel.Channel, q url.Values) page.PublisherForm {
	if !q.Has("owner") && !q.Has("repository") {
		return page.PublisherForm{}
	}
	p, err := s.Publishers.Read(caller.From(r.Context()).Actor(), ch, spec(q))
	if err != nil {
		return sent(q)
	}
	return understood(p)
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
	p, err := s.Publishers.Read(by, ch, spec(fields))
	if fault.Is(err, fault.InvalidField) {
		return s.showPublishers(w, r, ch, http.StatusUnprocessableEntity, wrong(p, fields, err))
	} else if err != nil {
		return err
	}
	again := understood(p)
	if again.Warnings = wide(p); len(again.Warnings) > 0 && fields.Get("confirmed") != p.Sentence() {
		again.Confirm = true
		return s.showPublishers(w, r, ch, http.StatusOK, again)
	}
	p, err = s.Publishers.Add(r.Context(), by, ch, spec(fields))
	if fault.Is(err, fault.Conflict) {
		again.Error = detail(err)
		return s.showPublishers(w, r, ch, http.StatusConflict, again)
	} else if err != nil {
		return err
	}
	id := strconv.FormatInt(p.ID, 10)
	// The form was sent to #add, and a redirect without a fragment of its own would lead back there.
	return redirect(w, r, page.PublisherPath(ch.Name.String(), id)+"#publisher-"+id)
}

// wide says what of a rule lets in more than most owners mean.
func wide(p trust.Publisher) []string {
	var out []string
	if p.Environment == "" {
		out = append(out, "No environment is named, so any branch of "+p.FullName()+" can publish.")
	}
	if everything(p) {
		out = append(out, "No packages are named, so it covers every package of "+p.Channel.String()+".")
	}
	return out
}

// everything reports whether the rule covers every package.
func everything(p trust.Publisher) bool {
	return len(p.Packages) == 0 || slices.ContainsFunc(p.Packages, trust.Pattern.IsAll)
}

// sent is the form with just what was sent.
func sent(fields url.Values) page.PublisherForm {
	return page.PublisherForm{
		Owner: field(fields.Get("owner")), Repository: field(fields.Get("repository")), Workflow: field(fields.Get("workflow")),
		Environment: field(fields.Get("environment")), Packages: field(fields.Get("packages")),
	}
}

// understood is the form with what its fields mean, and the rule that they make.
func understood(p trust.Publisher) page.PublisherForm {
	var packages []string
	for _, pattern := range p.Packages {
		packages = append(packages, pattern.String())
	}
	return page.PublisherForm{
		Owner: field(p.Owner), Repository: field(p.Repository), Workflow: field(p.Workflow),
		Environment: field(p.Environment), Packages: field(strings.Join(packages, ", ")), Rule: phrases(p),
	}
}

// wrong is the form with what was understood of it, and beside each field what cannot be.
func wrong(p trust.Publisher, fields url.Values, err error) page.PublisherForm {
	form := understood(p)
	form.Rule = nil
	form.Packages = field(fields.Get("packages"))
	byName := map[string]*page.Field{
		"repository_owner": &form.Owner, "repository": &form.Repository, "workflow": &form.Workflow,
		"environment": &form.Environment, "packages": &form.Packages,
	}
	refusal, _ := errors.AsType[*fault.Error](err)
	for _, d := range refusal.Differences {
		if f, ok := byName[d.Claim]; ok {
			f.Error = "Needs " + d.Want + "."
		} else {
			form.Error = detail(err)
		}
	}
	return form
}
