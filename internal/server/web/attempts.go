package web

import (
	"cmp"
	"context"
	"strings"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/server/web/page"
	"sluice/internal/trust"
)

// Bounds of the list of refused attempts.
const (
	attemptsRead  = 500
	attemptsShown = 50
)

// attempts lists the last refused exchanges that concern the channel, newest first, those that are alike as one.
func (s *site) attempts(ctx context.Context, ch channel.Channel) ([]page.Attempt, error) {
	events, err := s.Audit.Events(ctx, audit.Query{ChannelID: ch.ID, Kinds: []audit.Kind{audit.MintRefused}, Limit: attemptsRead})
	if err != nil {
		return nil, err
	}
	var out []page.Attempt
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
			out = append(out, s.attempt(ch, e))
		}
		out[i].Times++
		out[i].Since = e.At
	}
	return out, nil
}

// alike is the same for attempts that differ in their runs and moments only.
func alike(e audit.Event) string {
	parts := []string{e.Code}
	for _, fact := range []string{"proven", "repository", "repository_id", "workflow", "ref", "event", "environment"} {
		parts = append(parts, e.Facts[fact])
	}
	return strings.Join(parts, "\n")
}

// attempt shows a refusal. A run that only bears the name of a publisher's repository is not shown with links and
// claims of its own making: they would look like those of the real one.
func (s *site) attempt(ch channel.Channel, e audit.Event) page.Attempt {
	a := page.Attempt{At: e.At, Repository: e.Facts["repository"], Sentence: s.shorter(ch, e.Sentence)}
	if e.Facts["proven"] != "true" {
		return a
	}
	run := trust.Provenance{
		Provider: s.provider(e.Facts["issuer"]), Issuer: e.Facts["issuer"], Repository: e.Facts["repository"],
		RunID: e.Facts["run_id"], RunAttempt: e.Facts["run_attempt"], JobID: e.Facts["job_id"], RunLink: e.Facts["run_link"],
	}
	run.Owner, _, _ = strings.Cut(run.Repository, "/")
	a.Workflow, a.Ref = e.Facts["workflow"], e.Facts["ref"]
	a.Run, a.RunURL = cmp.Or(e.Facts["run_number"], run.RunID), run.RunURL()
	return a
}

// provider is the kind of CI service that an issuer belongs to.
func (s *site) provider(issuer string) string {
	for _, is := range s.Publishers.Issuers {
		if is.URL == issuer {
			return is.Provider.Traits().Name
		}
	}
	return ""
}

// shorter leaves out the address of a publisher of the channel, which a sentence gives to those who read it
// elsewhere; here it stands beside it, or behind a link.
func (s *site) shorter(ch channel.Channel, sentence string) string {
	before, _, found := strings.Cut(sentence, " Change it at "+s.URL+page.PublishersPath(ch.Name.String()))
	if !found {
		return sentence
	}
	return before
}
