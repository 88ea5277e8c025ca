package web

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"

	"sluice/internal/channel"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/server/web/page"
	"sluice/internal/trust"
)

// newRule is the form for a publisher with everything that it can say, filled in as far as the address does.
func (s *site) newRule(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	ch, err := s.enterAs(r, s.Access.MayManage)
	if err != nil {
		return err
	}
	return s.showRule(w, r, ch, http.StatusOK, page.Publisher{}, s.emptyRule(q))
}

func (s *site) showRule(w http.ResponseWriter, r *http.Request, ch channel.Channel, status int, p page.Publisher, form page.RuleForm) error {
	look, err := s.look(r.Context(), ch)
	if err != nil {
		return err
	}
	f := s.frame(r)
	return s.show(w, r, status, f, page.Rule(f, page.RuleView{Head: look.head, Publisher: p, Form: form}))
}

// addRule makes a publisher from the whole form.
func (s *site) addRule(w http.ResponseWriter, r *http.Request) error {
	fields, err := form(w, r)
	if err != nil {
		return err
	}
	ch, err := s.enterAs(r, s.Access.MayManage)
	if err != nil {
		return err
	}
	by := caller.From(r.Context()).Actor()
	spec, unread := s.fullSpec(fields)
	p, err := s.Publishers.Read(by, ch, spec)
	again, status, err := s.judge(fields, "", p, unread, err)
	switch {
	case err != nil:
		return err
	case status != 0:
		return s.showRule(w, r, ch, status, page.Publisher{}, again)
	}
	p, err = s.Publishers.Add(r.Context(), by, ch, spec)
	if fault.Is(err, fault.Conflict) {
		again.Error = detail(err)
		return s.showRule(w, r, ch, http.StatusConflict, page.Publisher{}, again)
	} else if err != nil {
		return err
	}
	return goToPublisher(w, r, ch, p.ID)
}

// judge says what becomes of a rule that was sent: the form that comes back with its status, or 0 when it may be
// stored. What is open wide has to be sent twice, unless its sentence is that of the rule before.
func (s *site) judge(fields url.Values, before string, p trust.Publisher, mistakes ...error) (page.RuleForm, int, error) {
	again := s.ruleSent(fields)
	wrong := false
	for _, err := range mistakes {
		if err != nil && !fault.Is(err, fault.InvalidField) {
			return again, 0, err
		} else if err != nil {
			wrong = true
			again.Error = cmp.Or(blame(err, again.Named()), again.Error)
		}
	}
	s.meant(&again.PublisherForm, fields, p)
	if wrong {
		again.Error = cmp.Or(again.Error, "Nothing was saved: what the fields below need is said beside them.")
		return again, http.StatusUnprocessableEntity, nil
	}
	again.Rule = phrases(p)
	again.Warnings = wide(p)
	if sentence := p.Sentence(); len(again.Warnings) > 0 && sentence != before && sentence != fields.Get("confirmed") {
		again.Confirm = true
		return again, http.StatusOK, nil
	}
	return again, 0, nil
}

// editRule is the form that changes a publisher.
func (s *site) editRule(w http.ResponseWriter, r *http.Request) error {
	ch, old, err := s.managed(r)
	if err != nil {
		return err
	}
	form, err := s.edited(old)
	if err != nil {
		return err
	}
	return s.showRule(w, r, ch, http.StatusOK, s.publisher(old), form)
}

// managed finds the publisher that the address names, for an owner of its channel.
func (s *site) managed(r *http.Request) (channel.Channel, trust.Publisher, error) {
	ch, err := s.enterAs(r, s.Access.MayManage)
	if err != nil {
		return ch, trust.Publisher{}, err
	}
	p, err := s.rule(r, ch)
	return ch, p, err
}

// edited is the form of a publisher as it is.
func (s *site) edited(p trust.Publisher) (page.RuleForm, error) {
	o, ok := s.serviceOf(p)
	if !ok {
		return page.RuleForm{}, fault.New(fault.Conflict, "The issuer %s of publisher %d is not configured on this server any more: remove the publisher, or ask the operator for the issuer.",
			fault.OneLine(p.Issuer, maxShown), p.ID)
	}
	form := s.ruleOf(o, p)
	form.Version, form.OwnerID, form.RepositoryID = strconv.FormatInt(p.Version, 10), p.OwnerID, p.RepositoryID
	return form, nil
}

// saveRule changes a publisher to what was sent, if it still is what the form showed.
func (s *site) saveRule(w http.ResponseWriter, r *http.Request) error {
	fields, err := form(w, r)
	if err != nil {
		return err
	}
	ch, old, err := s.managed(r)
	if err != nil {
		return err
	}
	now, err := s.edited(old)
	if err != nil {
		return err
	}
	if fields.Get("version") != now.Version {
		now.Error = "Somebody changed this publisher meanwhile. Nothing was saved: this is what it is now."
		return s.showRule(w, r, ch, http.StatusConflict, s.publisher(old), now)
	}
	by := caller.From(r.Context()).Actor()
	spec, unread := s.fullSpec(fields)
	if fields.Get("expires_at") == old.ExpiresAt.Format(dateLayout) {
		spec.ExpiresAt = old.ExpiresAt // the form knows the day alone
	}
	p, err := s.Publishers.Revise(by, ch, old, spec)
	again, status, err := s.judge(fields, old.Sentence(), p, unread, err)
	again.Version, again.OwnerID, again.RepositoryID = now.Version, now.OwnerID, now.RepositoryID
	switch {
	case err != nil:
		return err
	case status != 0:
		return s.showRule(w, r, ch, status, s.publisher(old), again)
	}
	if _, err = s.Publishers.Save(r.Context(), by, old, p); fault.Is(err, fault.Conflict) {
		again.Error = detail(err)
		return s.showRule(w, r, ch, http.StatusConflict, s.publisher(old), again)
	} else if err != nil {
		return err
	}
	return goToPublisher(w, r, ch, old.ID)
}

// switchRule turns a publisher off or on.
func (s *site) switchRule(w http.ResponseWriter, r *http.Request) error {
	fields, err := form(w, r)
	if err != nil {
		return err
	}
	ch, p, err := s.managed(r)
	if err != nil {
		return err
	}
	on := fields.Get("on")
	if on != "true" && on != "false" {
		return fault.New(fault.BadRequest, "The form says neither on nor off: go back and send it again.")
	}
	if _, err := s.Publishers.Switch(r.Context(), caller.From(r.Context()).Actor(), ch, p.ID, on == "true"); err != nil {
		return err
	}
	return goToPublisher(w, r, ch, p.ID)
}
