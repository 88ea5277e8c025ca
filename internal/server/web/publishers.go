package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/channel"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/server/web/page"
	"sluice/internal/trust"
)

// publishers lists a channel's trusted publishers for its members, with the one chosen that the address names.
func (s *site) publishers(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	ch, err := s.enterAs(r, s.Access.MayInside)
	if err != nil {
		return err
	}
	return s.showPublishers(w, r, ch, http.StatusOK, s.prefilled(r, ch, q))
}

func (s *site) showPublishers(w http.ResponseWriter, r *http.Request, ch channel.Channel, status int, form page.PublisherForm) error {
	p, err := s.look(r.Context(), ch)
	if err != nil {
		return err
	}
	v := page.PublishersView{Head: p.head, MayManage: p.owner, Form: form, Replaceable: ch.Replaceable, RefuseV3: ch.RefuseV3}
	for _, rule := range p.rules {
		v.Publishers = append(v.Publishers, s.publisher(rule))
	}
	if v.Chosen = r.PathValue("id"); v.Chosen == "" && len(p.rules) == 1 {
		v.Chosen = v.Publishers[0].ID
	}
	if v.Added, err = s.chosen(r, p); err != nil {
		return err
	}
	if v.Keys, err = s.keys(r.Context(), p); err != nil {
		return err
	}
	if p.owner {
		if err := s.fillForOwners(r, p, &v); err != nil {
			return err
		}
	}
	f := s.frame(r)
	return s.show(w, r, status, f, page.Publishers(f, v))
}

// fillForOwners adds what came of the rules, which is for owners alone.
func (s *site) fillForOwners(r *http.Request, p place, v *page.PublishersView) error {
	folded, err := s.attempts(r.Context(), p)
	if err != nil {
		return err
	}
	v.Refused = s.beside(p, folded, v.Publishers)
	if v.News, err = s.news(r.Context(), p, folded); err != nil {
		return err
	}
	if id := r.PathValue("id"); id != "" {
		v.Exchanges, err = s.exchanges(r.Context(), p, id)
	}
	return err
}

// justAdded is for how long a publisher counts as new to the one who added it.
const justAdded = 5 * time.Minute

// chosen refuses an address that names no publisher, and reports whether its reader has just added it.
func (s *site) chosen(r *http.Request, p place) (added bool, err error) {
	id := r.PathValue("id")
	if id == "" {
		return false, nil
	}
	i := slices.IndexFunc(p.rules, func(rule trust.Publisher) bool { return strconv.FormatInt(rule.ID, 10) == id })
	if i < 0 {
		return false, noPublisher(p.Channel, id)
	}
	rule, u := p.rules[i], caller.From(r.Context()).User
	return u != nil && rule.CreatedBy == u.Name && rule.LastUsedAt.IsZero() && s.Now().Sub(rule.CreatedAt) < justAdded, nil
}

func noPublisher(ch channel.Channel, id string) error {
	name := ch.Name.String()
	return &missingError{
		title: "There is no trusted publisher " + fault.OneLine(id, maxShown) + " in " + name, sentence: "It may have been removed.",
		actions: []page.Action{{Text: "Trusted publishers of " + name, URL: page.PublishersPath(name)}},
	}
}

// rule finds the publisher that the address names.
func (s *site) rule(r *http.Request, ch channel.Channel) (trust.Publisher, error) {
	raw := r.PathValue("id")
	id, err := strconv.ParseInt(raw, 10, 64)
	if err != nil {
		return trust.Publisher{}, noPublisher(ch, raw)
	}
	p, err := s.Publishers.Store.Publisher(r.Context(), ch.ID, id)
	if fault.Is(err, fault.NotFound) {
		return p, noPublisher(ch, raw)
	}
	return p, err
}

// workflow is the file that a publisher's repository needs, as plain text for programs that fetch it.
func (s *site) workflow(w http.ResponseWriter, r *http.Request) error {
	ch, err := s.enterAs(r, s.Access.MayInside)
	if err != nil {
		return err
	}
	p, err := s.rule(r, ch)
	if err != nil {
		return err
	}
	file := page.Workflow{
		URL: s.URL, Channel: ch.Name.String(), Private: ch.Visibility == channel.Private, Provider: p.Provider, Reads: p.Right == trust.Read,
		Repository: p.FullName(), File: p.Workflow, Environment: p.Environment,
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "private, no-cache")
	_, _ = w.Write([]byte(file.Text())) // nobody is left to tell
	return nil
}

func (s *site) askRemove(w http.ResponseWriter, r *http.Request) error {
	ch, p, err := s.managed(r)
	if err != nil {
		return err
	}
	return s.showRemove(w, r, ch, p, http.StatusOK, page.Field{})
}

func (s *site) showRemove(w http.ResponseWriter, r *http.Request, ch channel.Channel, p trust.Publisher, status int, name page.Field) error {
	look, err := s.look(r.Context(), ch)
	if err != nil {
		return err
	}
	f := s.frame(r)
	return s.show(w, r, status, f, page.RemovePublisher(f, page.RemovePublisherView{
		Head: look.head, Publisher: s.publisher(p), Rule: phrases(p), AskName: closes(ch, look.rules, p), Name: name,
	}))
}

// closes reports whether nothing could publish to the channel without the publisher.
func closes(ch channel.Channel, rules []trust.Publisher, p trust.Publisher) bool {
	return ch.PublisherOnly && p.Right == trust.Publish &&
		!slices.ContainsFunc(rules, func(other trust.Publisher) bool { return other.ID != p.ID && other.Right == trust.Publish })
}

// removePublisher takes a publisher away; the last one of a channel that takes nothing else only when its name is
// typed, too.
func (s *site) removePublisher(w http.ResponseWriter, r *http.Request) error {
	fields, err := form(w, r)
	if err != nil {
		return err
	}
	ch, p, err := s.managed(r)
	if err != nil {
		return err
	}
	rules, err := s.Publishers.Store.Publishers(r.Context(), ch.ID)
	if err != nil {
		return err
	}
	if name := strings.TrimSpace(fields.Get("name")); closes(ch, rules, p) && name != ch.Name.String() {
		return s.showRemove(w, r, ch, p, http.StatusUnprocessableEntity, page.Field{Value: name, Error: "Type " + ch.Name.String() + " to remove its last publisher."})
	}
	if err := s.Publishers.Remove(r.Context(), caller.From(r.Context()).Actor(), ch, p.ID); err != nil {
		return err
	}
	return redirect(w, r, page.PublishersPath(ch.Name.String()))
}
