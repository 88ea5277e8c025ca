package web

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/fault"
	"sluice/internal/server/web/page"
	"sluice/internal/trust"
	"sluice/internal/trust/provider"
)

// Bounds of the lists of what was refused.
const (
	attemptsRead   = 500
	attemptsShown  = 50
	attemptsBeside = 3
	attemptsLife   = 30 * 24 * time.Hour
)

// folded is a refused exchange, and how many came that were like it.
type folded struct {
	audit.Event
	run   trust.Provenance
	times int
	since time.Time
}

// attempts lists the last refused exchanges that concern the channel, newest first, those that are alike as one:
// those that came near one of its publishers, and those of owners whose ids its publishers are pinned to.
func (s *site) attempts(ctx context.Context, p place) ([]folded, error) {
	events, err := s.Audit.Events(ctx, audit.Query{ChannelID: p.ID, Kinds: []audit.Kind{audit.MintRefused}, Limit: attemptsRead})
	if err != nil {
		return nil, err
	}
	lost, err := s.Audit.Events(ctx, audit.Query{NoChannel: true, Kinds: []audit.Kind{audit.MintRefused}, Limit: attemptsRead})
	if err != nil {
		return nil, err
	}
	for _, e := range lost {
		if knownOwner(p.rules, provenanceOf(e)) {
			events = append(events, e)
		}
	}
	slices.SortFunc(events, func(a, b audit.Event) int { return cmp.Compare(b.ID, a.ID) })
	return fold(slices.DeleteFunc(events, func(e audit.Event) bool { return s.Now().Sub(e.At) > attemptsLife })), nil
}

// knownOwner reports whether a publisher is pinned to the owner of a run.
func knownOwner(rules []trust.Publisher, run trust.Provenance) bool {
	return run.OwnerID != "" && slices.ContainsFunc(rules, func(p trust.Publisher) bool { return p.Issuer == run.Issuer && p.OwnerID == run.OwnerID })
}

func fold(events []audit.Event) []folded {
	var out []folded
	at := map[string]int{}
	for _, e := range events {
		k := alike(e)
		i, ok := at[k]
		if !ok {
			if len(out) == attemptsShown {
				continue // it may still be followed by older ones like those that are shown
			}
			i = len(out)
			at[k] = i
			out = append(out, folded{Event: e, run: provenanceOf(e)})
		}
		out[i].times++
		out[i].since = e.At
	}
	return out
}

// alike is the same for attempts that differ in their runs and moments only.
func alike(e audit.Event) string {
	parts := []string{e.Code}
	for _, fact := range []string{"publisher", "proven", "repository", "repository_id", "owner_id", "workflow", "ref", "event", "environment", "runner"} {
		parts = append(parts, e.Facts[fact])
	}
	return strings.Join(parts, "\n")
}

// beside puts attempts beside the publishers that they came nearest to, and returns the others.
func (s *site) beside(p place, all []folded, publishers []page.Publisher) []page.Attempt {
	var others []page.Attempt
	for _, a := range all {
		i := slices.IndexFunc(publishers, func(q page.Publisher) bool { return q.ID == a.Facts["publisher"] })
		if i < 0 || len(publishers[i].Refused) == attemptsBeside {
			others = append(others, s.other(p, a))
			continue
		}
		publishers[i].Refused = append(publishers[i].Refused, s.nearest(p, p.rules[i], a))
	}
	for i := range publishers {
		slices.SortStableFunc(publishers[i].Refused, func(a, b page.Attempt) int { return cmp.Compare(rank(b), rank(a)) })
	}
	return others
}

// rank puts other ids first.
func rank(a page.Attempt) int {
	if a.OtherIDs {
		return 1
	}
	return 0
}

// attempt shows a refusal. A run that only bears the name of a publisher's repository is not shown with links and
// claims of its own making: they would look like those of the real one.
func (s *site) attempt(p place, a folded) page.Attempt {
	out := page.Attempt{
		ID: strconv.FormatInt(a.ID, 10), At: a.At, Since: a.since, Times: a.times,
		Repository: a.run.Repository, Sentence: s.shorter(p.Channel, a.Sentence), Checks: checks(a.Checks),
	}
	if a.Facts["proven"] == "false" {
		return out
	}
	out.Workflow, out.Ref, out.Commit = a.run.Workflow, a.run.Ref, a.run.SHA
	out.Run, out.RunURL, out.CommitURL = runNumber(a.run), a.run.RunURL(), a.run.CommitURL()
	return out
}

// nearest is an attempt beside the publisher that it came nearest to, with what can be done about it.
func (s *site) nearest(p place, rule trust.Publisher, a folded) page.Attempt {
	out := s.attempt(p, a)
	if a.Facts["proven"] == "false" {
		out.OtherIDs = true
		out.Checks = idChecks(rule, a.run)
		_, err := rule.Moved(a.run)
		out.MayMove = err == nil && fault.Code(a.Code) == fault.OwnerChanged && rule.OwnerID != a.run.OwnerID
		return out
	}
	out.Pinned = rule.Pinned()
	if o, ok := s.serviceOf(rule); ok {
		out.Passes = len(a.Checks) > 0 && provider.Match(o.issuers[0].Provider, rule.Rule, a.run).Granted()
	}
	after, err := rule.Allowing(a.run)
	out.MayAllow = err == nil && !out.Passes && !after.SameRule(rule)
	return out
}

// idChecks compares the ids, for a run that is not of the publisher's repository.
func idChecks(rule trust.Publisher, run trust.Provenance) []page.Check {
	out := []page.Check{{Field: "owner id", Claim: "owner_id", Got: run.OwnerID, Want: rule.OwnerID, Differs: run.OwnerID != rule.OwnerID}}
	if !rule.AnyRepository {
		out = append(out, page.Check{Field: "repository id", Claim: "repository_id", Got: run.RepositoryID, Want: rule.RepositoryID, Differs: run.RepositoryID != rule.RepositoryID})
	}
	return out
}

// other is an attempt beside no publisher. Where none names its repository and its owner is known, a publisher can be
// made from it.
func (s *site) other(p place, a folded) page.Attempt {
	out := s.attempt(p, a)
	o, ok := s.serviceOf(trust.Publisher{Rule: trust.Rule{Provider: a.run.Provider, Issuer: a.run.Issuer}})
	if !ok || a.ChannelID != 0 || !knownOwner(p.rules, a.run) {
		return out
	}
	q := o.fieldsOf(trust.Rule{Issuer: a.run.Issuer, Owner: a.run.Owner, Repository: a.run.Name(), Workflow: a.run.Workflow})
	if a.run.Environment != "" {
		q.Set("environment", a.run.Environment)
	}
	out.Make = (&url.URL{Path: page.PublishersPath(p.head.Name), RawQuery: q.Encode(), Fragment: "add"}).String()
	return out
}

// checks are the rules that a run was held against.
func checks(list []audit.Check) []page.Check {
	var out []page.Check
	for _, c := range list {
		out = append(out, page.Check{Field: c.Field, Claim: c.Claim, Got: c.Got, Want: c.Want, Differs: c.Code != ""})
	}
	return out
}

// shorter leaves out the address of a publisher of the channel, which a sentence gives to those who read it
// elsewhere; here it stands beside it, or behind a link.
func (s *site) shorter(ch channel.Channel, sentence string) string {
	for _, way := range []string{" Or change", " Change"} {
		sentence, _, _ = strings.Cut(sentence, way+" the publisher at "+s.URL+page.PublishersPath(ch.Name.String()))
	}
	return sentence
}
