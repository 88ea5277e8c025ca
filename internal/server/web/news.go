package web

import (
	"context"
	"slices"

	"sluice/internal/audit"
	"sluice/internal/fault"
	"sluice/internal/server/web/page"
	"sluice/internal/token"
)

// Bounds of what is told of the past.
const (
	newsShown      = 20
	exchangesRead  = 500
	exchangesShown = 5
)

// news is what changed lately about who can publish to a channel, newest first: rules that came, changed or ended, runs
// from where none came before, and those that bear the name of a publisher's repository and not its ids.
func (s *site) news(ctx context.Context, p place, refused []folded) ([]page.NewsItem, error) {
	events, err := s.Audit.Events(ctx, audit.Query{ChannelID: p.ID, Limit: newsShown, Kinds: []audit.Kind{
		audit.PublisherAdded, audit.PublisherChanged, audit.PublisherRemoved, audit.PublisherNews, audit.PublisherExpiring, audit.PublisherDisabled,
	}})
	if err != nil {
		return nil, err
	}
	var out []page.NewsItem
	for _, e := range events {
		if s.Now().Sub(e.At) > attemptsLife {
			continue
		}
		who := e.Actor.Name
		if e.Actor.Kind == audit.Operator || who == "" {
			who = "This server"
		}
		out = append(out, page.NewsItem{At: e.At, Who: who, Sentence: e.Sentence})
	}
	for _, a := range refused {
		if code := fault.Code(a.Code); code == fault.IDMismatch || code == fault.OwnerChanged {
			out = append(out, page.NewsItem{At: a.At, Sentence: s.shorter(p.Channel, a.Sentence), Refused: true})
		}
	}
	slices.SortStableFunc(out, func(a, b page.NewsItem) int { return b.At.Compare(a.At) })
	return out[:min(len(out), newsShown)], nil
}

// exchanges are the last publish tokens that a publisher gave, newest first.
func (s *site) exchanges(ctx context.Context, p place, id string) ([]page.Exchange, error) {
	events, err := s.Audit.Events(ctx, audit.Query{ChannelID: p.ID, Kinds: []audit.Kind{audit.TokenMinted}, Limit: exchangesRead})
	if err != nil {
		return nil, err
	}
	var out []page.Exchange
	for _, e := range events {
		if e.Facts["publisher"] != id || len(out) == exchangesShown {
			continue
		}
		run := provenanceOf(e)
		out = append(out, page.Exchange{
			At: e.At, Repository: run.Repository, Workflow: run.Workflow, Ref: run.Ref, Commit: run.SHA,
			Run: runNumber(run), RunURL: run.RunURL(), CommitURL: run.CommitURL(), Checks: checks(e.Checks),
		})
	}
	return out, nil
}

// keys are the stored keys that could publish to a channel: a count for members, and whose they are for owners.
func (s *site) keys(ctx context.Context, p place) (page.KeysView, error) {
	out := page.KeysView{Only: p.PublisherOnly, MaySwitch: p.owner}
	var err error
	if out.Count, err = s.Access.UploadKeys(ctx, p.Channel); err != nil || !p.owner {
		return out, err
	}
	list, err := s.Access.UploadTokens(ctx, p.Channel)
	for _, t := range list {
		out.Left = append(out.Left, page.UploadKey{Account: t.User, Name: t.Name, Hint: string(token.API) + t.Hint, LastUsed: t.LastUsedAt, Ends: t.ExpiresAt})
	}
	return out, err
}
