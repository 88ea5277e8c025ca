package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"sluice/internal/catalog"
	"sluice/internal/channel"
	"sluice/internal/server/caller"
	"sluice/internal/server/web/page"
)

// Lengths of the lists on the home page.
const (
	homeChannels = 100
	homeRecent   = 20
)

func (s *site) home(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	channels, err := s.visible(ctx)
	if err != nil {
		return err
	}
	mayCreate, err := allowed(s.Access.MaySelf(caller.From(ctx)))
	if err != nil {
		return err
	}
	v := page.HomeView{ChannelQuery: strings.TrimSpace(q.Get("channel")), ChannelTotal: len(channels), MayCreate: mayCreate}
	hits := matching(channels, v.ChannelQuery)
	if v.Channels, err = s.channelRows(ctx, hits); err != nil {
		return err
	}
	v.Cut = len(v.Channels) < len(hits)
	if v.Recent, err = s.recent(ctx, channels, homeRecent); err != nil {
		return err
	}
	f := s.frame(r)
	return s.show(w, r, http.StatusOK, f, page.Home(f, v))
}

// matching keeps the channels whose name or description holds the text, in any letter case.
func matching(channels []channel.Channel, text string) []channel.Channel {
	text = strings.ToLower(text)
	return slices.DeleteFunc(slices.Clone(channels), func(c channel.Channel) bool {
		return !strings.Contains(c.Name.String(), text) && !strings.Contains(strings.ToLower(c.Description), text)
	})
}

// channelRows lists channels, the one published to last first.
func (s *site) channelRows(ctx context.Context, channels []channel.Channel) ([]page.ChannelRow, error) {
	summaries, err := s.Catalog.Store.Summaries(ctx, ids(channels))
	if err != nil {
		return nil, err
	}
	byID := map[int64]catalog.Summary{}
	for _, sum := range summaries {
		byID[sum.ChannelID] = sum
	}
	rows := make([]page.ChannelRow, len(channels))
	for i, ch := range channels {
		sum := byID[ch.ID]
		rows[i] = page.ChannelRow{
			Name: ch.Name.String(), Description: ch.Description, Private: ch.Visibility == channel.Private,
			Packages: sum.Packages, Artifacts: sum.Artifacts, ByCI: sum.ByCI,
			LastPackage: sum.LastName, LastVersion: sum.LastVersion, LastAt: sum.LastAt,
		}
	}
	slices.SortStableFunc(rows, func(a, b page.ChannelRow) int {
		return cmp.Or(b.LastAt.Compare(a.LastAt), cmp.Compare(a.Name, b.Name))
	})
	return rows[:min(len(rows), homeChannels)], nil
}

// recent lists the last releases of the channels.
func (s *site) recent(ctx context.Context, channels []channel.Channel, limit int) ([]page.Release, error) {
	releases, err := s.Catalog.Recent(ctx, channels, limit)
	if err != nil {
		return nil, err
	}
	inside, err := s.insiders(ctx, channels, releases)
	if err != nil {
		return nil, err
	}
	demands := s.demandsOf(channels)
	out := make([]page.Release, len(releases))
	for i, rel := range releases {
		out[i] = release(rel, inside[rel.Channel.String()], demands[rel.Channel])
	}
	return out, nil
}

// insiders says of which of the releases' channels the reader is a member.
func (s *site) insiders(ctx context.Context, channels []channel.Channel, releases []catalog.Release) (map[string]bool, error) {
	inside := map[string]bool{}
	for _, ch := range channels {
		name := ch.Name.String()
		if !slices.ContainsFunc(releases, func(r catalog.Release) bool { return r.Channel == ch.Name }) {
			continue
		}
		var err error
		if inside[name], err = s.Access.Insider(ctx, caller.From(ctx), ch); err != nil {
			return nil, err
		}
	}
	return inside, nil
}
