package web

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"sluice/internal/channel"
	"sluice/internal/fault"
	"sluice/internal/server/reply"
	"sluice/internal/server/web/page"
	"sluice/internal/trust"
)

// Trier says what would become of an identity token, and mints nothing.
type Trier interface {
	// Try is trust.Exchange.Try.
	Try(ctx context.Context, pasted, issuer string, publishers []trust.Publisher) (trust.Trial, error)
}

func (s *site) askTry(w http.ResponseWriter, r *http.Request) error {
	ch, err := s.enterAs(r, s.Access.MayInside)
	if err != nil {
		return err
	}
	return s.showTry(w, r, ch, http.StatusOK, page.TryView{})
}

func (s *site) showTry(w http.ResponseWriter, r *http.Request, ch channel.Channel, status int, v page.TryView) error {
	look, err := s.look(r.Context(), ch)
	if err != nil {
		return err
	}
	v.Head = look.head
	for _, is := range s.Publishers.Issuers {
		v.Issuers = append(v.Issuers, page.Choice{Value: is.URL, Label: is.Provider.Traits().Title + ": " + is.URL})
	}
	secret(w)
	f := s.frame(r)
	return s.show(w, r, status, f, page.Try(f, v))
}

// try holds what was pasted against the channel's publishers. What was pasted may be a live token: it is not shown
// again, not kept, and no cache may have the answer.
func (s *site) try(w http.ResponseWriter, r *http.Request) error {
	fields, err := form(w, r)
	if err != nil {
		return err
	}
	ch, err := s.enterAs(r, s.Access.MayInside)
	if err != nil {
		return err
	}
	rules, err := s.Publishers.Store.Publishers(r.Context(), ch.ID)
	if err != nil {
		return err
	}
	v := page.TryView{Issuer: field(fields.Get("issuer"))}
	t, err := s.Exchange.Try(r.Context(), fields.Get("token"), fields.Get("issuer"), rules)
	if refusal, ok := errors.AsType[*fault.Error](err); ok {
		v.Error = refusal.Detail
		return s.showTry(w, r, ch, reply.Status(refusal.Code), v)
	} else if err != nil {
		return err
	}
	v.Trial = s.trial(t, rules)
	return s.showTry(w, r, ch, http.StatusOK, v)
}

func (s *site) trial(t trust.Trial, rules []trust.Publisher) *page.Trial {
	out := &page.Trial{
		Granted: t.Granted(), Proven: t.Proven, Repository: t.Run.Repository, Workflow: t.Run.Workflow, Ref: t.Run.Ref, Run: runNumber(t.Run),
	}
	if len(t.Results) > 0 {
		out.Others = len(rules) - len(t.Results) // else nothing was compared, or no publisher has to do with it
	}
	for _, f := range t.Problems {
		out.Problems = append(out.Problems, f.Detail)
	}
	for _, r := range t.Results {
		i := slices.IndexFunc(rules, func(p trust.Publisher) bool { return p.ID == r.Publisher.ID })
		out.Results = append(out.Results, s.trialResult(r, rules[i], t.Run))
	}
	return out
}

func (s *site) trialResult(r trust.Result, rule trust.Publisher, run trust.Provenance) page.TrialResult {
	out := page.TrialResult{Publisher: s.publisher(rule), Rule: phrases(rule), Granted: r.Granted()}
	switch {
	case !r.Proven:
		out.Why = "The repository has another id or owner than the pinned ones: it is not the publisher's."
		out.Checks = idChecks(rule, run)
	case r.End != nil:
		out.Why = r.End.Detail
	}
	for _, p := range r.Points {
		out.Checks = append(out.Checks, page.Check{Field: p.Field, Claim: p.Claim, Got: p.Got, Want: p.Want, Differs: p.Code != "", Hint: p.Hint})
	}
	return out
}
