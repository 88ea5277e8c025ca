package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/attest/policy"
	"sluice/internal/channel"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/server/web/page"
)

// demand shows what a channel demands of attestations, for its owners.
func (s *site) demand(w http.ResponseWriter, r *http.Request) error {
	ch, err := s.enterAs(r, s.Access.MayManage)
	if err != nil {
		return err
	}
	return s.showDemand(w, r, ch, http.StatusOK, demandForm(ch.Attestations), page.DenyForm{})
}

func (s *site) showDemand(w http.ResponseWriter, r *http.Request, ch channel.Channel, status int, form page.DemandForm, deny page.DenyForm) error {
	p, err := s.look(r.Context(), ch)
	if err != nil {
		return err
	}
	v := page.DemandView{Head: p.head, Form: form, Deny: deny}
	for _, t := range ch.Attestations.Terms() {
		v.Terms = append(v.Terms, page.Term{Name: t.Name, Value: t.Value})
	}
	for _, d := range ch.Attestations.Denied {
		v.Denied = append(v.Denied, page.Denied{Words: d.Words(), Why: d.String()})
	}
	f := s.frame(r)
	return s.show(w, r, status, f, page.Demand(f, v))
}

// setDemand changes what is demanded. What present files would fail has to be sent a second time, with what was shown.
func (s *site) setDemand(w http.ResponseWriter, r *http.Request) error {
	fields, err := form(w, r)
	if err != nil {
		return err
	}
	ch, err := s.enterAs(r, s.Access.MayManage)
	if err != nil {
		return err
	}
	after := demandSent(ch.Attestations, fields)
	failing, err := s.tighten(r, ch, channel.Revision{Attestations: &after, Expect: fields.Get("state")}, fields.Get("confirmed"))
	again := demandForm(after)
	again.State = ch.Attestations.State()
	switch {
	case fault.Is(err, fault.Conflict):
		return s.demandChanged(w, r, err)
	case fault.Is(err, fault.InvalidField):
		again.Error = detail(err)
		return s.showDemand(w, r, ch, http.StatusUnprocessableEntity, again, page.DenyForm{})
	case err != nil:
		return err
	case failing != nil:
		again.Failing = failing
		return s.showDemand(w, r, ch, http.StatusOK, again, page.DenyForm{})
	}
	return redirect(w, r, page.DemandPath(ch.Name.String()))
}

// demandChanged shows what is demanded by now to whom somebody else came before, and why nothing was saved.
func (s *site) demandChanged(w http.ResponseWriter, r *http.Request, why error) error {
	ch, err := s.enterAs(r, s.Access.MayManage)
	if err != nil {
		return err
	}
	again := demandForm(ch.Attestations)
	again.Error = detail(why)
	return s.showDemand(w, r, ch, http.StatusConflict, again, page.DenyForm{})
}

// deny adds to the signatures that count for nothing, or takes one away. It changes what is denied by now, whatever the page
// has shown.
func (s *site) deny(w http.ResponseWriter, r *http.Request) error {
	fields, err := form(w, r)
	if err != nil {
		return err
	}
	ch, err := s.enterAs(r, s.Access.MayManage)
	if err != nil {
		return err
	}
	after := ch.Attestations
	again := denySent(fields)
	if words := fields.Get("undo"); words != "" {
		after.Denied = slices.DeleteFunc(slices.Clone(after.Denied), func(d policy.Denial) bool { return d.Words() == words })
		_, err = s.Channels.Change(r.Context(), caller.From(r.Context()).Actor(), ch, channel.Revision{Attestations: &after})
	} else {
		var d policy.Denial
		if d, err = denialSent(fields); err == nil {
			after.Denied = append(slices.Clone(after.Denied), d)
			again.Failing, err = s.tighten(r, ch, channel.Revision{Attestations: &after}, fields.Get("confirmed"))
		}
	}
	switch {
	case fault.Is(err, fault.Conflict):
		return s.demandChanged(w, r, err)
	case fault.Is(err, fault.InvalidField):
		again.Error = detail(err)
		return s.showDemand(w, r, ch, http.StatusUnprocessableEntity, demandForm(ch.Attestations), again)
	case err != nil:
		return err
	case again.Failing != nil:
		return s.showDemand(w, r, ch, http.StatusOK, demandForm(ch.Attestations), again)
	}
	return redirect(w, r, page.DemandPath(ch.Name.String())+"#denied")
}

// tighten saves what is demanded, unless files that are there would fail it and nobody has agreed to just that change yet:
// then it returns them.
func (s *site) tighten(r *http.Request, ch channel.Channel, change channel.Revision, confirmed string) (*page.Failing, error) {
	if err := change.Fits(ch); err != nil {
		return nil, err
	}
	found, err := s.Catalog.Failing(r.Context(), ch, *change.Attestations, s.URL+"/"+ch.Name.String())
	if err != nil {
		return nil, err
	}
	words := strings.Join(policy.Changes(ch.Attestations, *change.Attestations), "; ")
	if found.Files() > 0 && words != "" && confirmed != words {
		out := &page.Failing{Unattested: found.Unattested, NotCounting: found.NotCounting, Already: found.Already.Files(), Confirmed: words}
		for _, f := range found.First {
			out.Files = append(out.Files, page.FailingFile{Path: f.Subdir + "/" + f.Filename, Why: f.Why.Detail})
		}
		return out, nil
	}
	_, err = s.Channels.Change(r.Context(), caller.From(r.Context()).Actor(), ch, change)
	return nil, err
}

// demandForm is the form that says what a policy says.
func demandForm(p policy.Policy) page.DemandForm {
	field := func(s string) page.Field { return page.Field{Value: s} }
	return page.DemandForm{
		Mode: field(string(p.Mode)), RequiredFor: field(strings.Join(p.RequiredFor, "\n")), Signer: field(string(p.Signer)), Target: field(string(p.Target)),
		Aliases: field(strings.Join(p.Aliases, "\n")), AllowAbsent: field(strconv.FormatBool(p.AllowAbsent)), Instances: field(strings.Join(p.Instances, ", ")),
		NoRegress: field(string(p.NoRegress)), OtherStatements: field(strconv.FormatBool(p.OtherStatements)), State: p.State(),
	}
}

// demandSent is the policy that a form says. It has the denials of the one before.
func demandSent(before policy.Policy, fields url.Values) policy.Policy {
	words := func(name string) []string {
		return strings.FieldsFunc(fields.Get(name), func(c rune) bool { return strings.ContainsRune(" ,\r\n\t", c) })
	}
	return policy.Policy{
		Mode: policy.Mode(fields.Get("mode")), RequiredFor: words("required_for"), Signer: policy.Signers(fields.Get("signer")), Target: policy.Targets(fields.Get("target_channel")),
		Aliases: words("aliases"), AllowAbsent: fields.Get("allow_absent") == "true", Instances: words("instances"), NoRegress: policy.Regress(fields.Get("no_regress")),
		OtherStatements: fields.Get("other_statements") == "true", Denied: before.Denied,
	}
}

// denySent is the form of a denial as it came.
func denySent(fields url.Values) page.DenyForm {
	field := func(name string) page.Field { return page.Field{Value: fields.Get(name)} }
	return page.DenyForm{By: field("by"), Value: field("value"), Issuer: field("issuer"), LogFrom: field("log_from"), LogTo: field("log_to"), From: field("from"), Until: field("until"), Why: field("why")}
}

// denialSent is the denial that a form says. Its error is fault.InvalidField.
func denialSent(fields url.Values) (policy.Denial, error) {
	said := func(name string) string { return strings.TrimSpace(fields.Get(name)) }
	d := policy.Denial{Issuer: said("issuer"), Why: said("why")}
	which, ok := map[string]*string{"run": &d.Run, "identity": &d.Identity, "repository_id": &d.RepositoryID, "certificate_serial": &d.Serial, "log_id": &d.LogID}[said("by")]
	if !ok {
		return d, fault.New(fault.InvalidField, "The form does not say by what the signatures are denied: choose one of the list.")
	}
	*which = said("value")
	if d.Why == "" {
		return d, fault.New(fault.InvalidField, "Say why: who uploads reads it.")
	}
	if err := entriesSent(&d, said("log_from"), said("log_to")); err != nil {
		return d, err
	}
	for name, at := range map[string]*time.Time{"from": &d.From, "until": &d.Until} {
		s := said(name)
		if s == "" {
			continue
		}
		t, err := time.Parse("2006-01-02T15:04", s)
		if err != nil {
			return d, fault.New(fault.InvalidField, "%s: %q is no time: write it as 2026-08-20T12:00, in UTC.", name, fault.OneLine(s, maxShown))
		}
		*at = t
	}
	return d, nil
}

// entriesSent are the entries of the log that a form says, where it says any.
func entriesSent(d *policy.Denial, first, last string) error {
	if first+last != "" && d.LogID == "" {
		return fault.New(fault.InvalidField, "Entries are those of a log: choose its key id, or leave the first and last entry empty.")
	}
	var err error
	if d.LogFrom, err = entrySent(first); err != nil {
		return err
	}
	d.LogTo, err = entrySent(last)
	return err
}

// entrySent is the number of an entry; 0 for none.
func entrySent(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fault.New(fault.InvalidField, "%q is no number of an entry: write it in digits.", fault.OneLine(s, maxShown))
	}
	return n, nil
}
