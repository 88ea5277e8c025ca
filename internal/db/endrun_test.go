package db_test

import (
	"strings"
	"testing"

	"sluice/internal/access"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/curate"
	"sluice/internal/fault"
	"sluice/internal/trust"
)

// Whoever takes back what a run published keeps it from bringing more, an upload that is under way included, and takes
// nothing from other runs, nor from the run elsewhere.
func TestEndRun(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		here := f.addPublisher(t)
		other := must(f.CreateChannel(t.Context(), channel.Channel{Name: must(conda.ParseChannel("other"))(t), Visibility: channel.Public, CreatedAt: f.clock.now()}, f.ann.ID, audit.Event{Kind: audit.ChannelCreated}))(t)
		is := must(trust.NewIssuer("github", ""))(t)
		spec := trust.PublisherSpec{Owner: "Acme", Repository: "forge", Workflow: "build.yml"}
		there := must(trust.NewPublisher(spec, []trust.Issuer{is}, other.Name, other.ID, "ann", f.clock.now()))(t)
		there = must(f.ChangePublishers(t.Context(), other.ID, []trust.Change{{Kind: trust.Added, Publisher: there, Event: event(audit.PublisherAdded, there)}}))(t)[0]

		alone, wide := f.mintToken(t, "1", nil, here), f.mintToken(t, "2", nil, here, there)
		innocent := f.mintToken(t, "3", func(m *trust.Mint) { m.Token.Run.RunID = "56" }, here)
		if _, err := f.upload(t, alone, "noarch", "tide-1.0-0.conda", 1); err != nil {
			t.Fatal(err)
		}
		c := &curate.Curator{Store: f.DB}
		yank := curate.Change{Kind: curate.Yank, Reason: "taken over"}
		by := audit.Actor{Kind: audit.User, Name: "ann"}
		if _, err := c.EndRun(t.Context(), by, f.channel, curate.Selection{Ref: "refs/heads/main"}, yank); !fault.Is(err, fault.InvalidField) {
			t.Errorf("no run was named: %v", err)
		}
		run := curate.Selection{Run: "55", Repository: "ACME/forge"}
		if n := must(c.EndRun(t.Context(), by, f.channel, run, yank))(t); n != 2 {
			t.Errorf("%d tokens ended, want 2", n)
		}
		// Both uploads began before that.
		for name, tok := range map[string]trust.PublishToken{"ebb-1.0-0.conda": alone, "flow-1.0-0.conda": wide} {
			if _, err := f.upload(t, tok, "noarch", name, 2); !fault.Is(err, fault.Revoked) || !strings.Contains(err.Error(), "was revoked while "+name+" was being uploaded") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := must(f.PublishToken(t.Context(), alone.Hash))(t); !fault.Is(got.Check(f.clock.now()), fault.Revoked) || !strings.Contains(got.RevokedWhy, "a keeper of channel forge") {
			t.Errorf("the token for this channel alone: %+v", got)
		}
		kept := must(f.PublishToken(t.Context(), wide.Hash))(t)
		if _, err := (&access.Access{}).MayUpload(t.Context(), access.Principal{Publish: &kept}, other); err != nil || kept.Check(f.clock.now()) != nil {
			t.Errorf("the other channel lost its token: %v, %+v", err, kept)
		}
		if err := kept.Covers(f.channel.ID, trust.Publish); !fault.Is(err, fault.WrongChannel) {
			t.Errorf("the token still covers this channel: %v", err)
		}
		if _, err := f.upload(t, innocent, "noarch", "surf-1.0-0.conda", 3); err != nil {
			t.Errorf("another run: %v", err)
		}
		events := must(f.Events(t.Context(), audit.Query{ChannelID: f.channel.ID, Kinds: []audit.Kind{audit.TokenRevoked}, Limit: 10}))(t)
		if len(events) != 1 || events[0].Actor.Name != "ann" || events[0].Sentence != "ended the publish tokens of build.yml of acme/forge, run 12 attempt 1 for this channel" {
			t.Errorf("events %+v", events)
		}
		if n := must(c.EndRun(t.Context(), by, f.channel, run, yank))(t); n != 0 {
			t.Errorf("%d tokens ended twice", n)
		}
	})
}
