package db_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/trust"
)

func changeOf(kind trust.ChangeKind, p trust.Publisher) trust.Change {
	return trust.Change{Kind: kind, Publisher: p, Event: event(audit.PublisherChanged, p)}
}

// repositories are those of the channel's publishers, with their versions.
func (f *fixture) repositories(t *testing.T) string {
	t.Helper()
	var out []string
	for _, p := range must(f.Publishers(t.Context(), f.channel.ID))(t) {
		out = append(out, fmt.Sprintf("%s %d", p.Repository, p.Version))
	}
	return strings.Join(out, ", ")
}

func named(repository string) trust.PublisherSpec {
	return rule(func(s *trust.PublisherSpec) { s.Repository = repository })
}

func TestChangesAreAllOrNothing(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		a, b := f.add(t, named("a")), f.add(t, named("b"))
		old := a
		a = f.change(t, a, func(p *trust.Publisher) { p.IdleDays = 5 })
		events := len(must(f.Events(t.Context(), audit.Query{ChannelID: f.channel.ID, Limit: 100}))(t))
		gone := a
		gone.ID = 99
		as := func(p trust.Publisher, repository string) trust.Publisher { p.Repository = repository; return p }
		c := f.spec(t, named("c"))
		for _, tt := range []struct {
			name string
			last trust.Change
			code fault.Code
			says string
		}{
			{"an old version", changeOf(trust.Changed, old), fault.Conflict, "Publisher 1 was changed or removed meanwhile"},
			{"one that is not there", changeOf(trust.Changed, as(gone, "z")), fault.Conflict, "Publisher 99"},
			{"removing one that is not there", changeOf(trust.Removed, gone), fault.NotFound, "no publisher 99"},
			{"the same rule as another", changeOf(trust.Changed, as(b, "a")), fault.Conflict, "Channel forge has this publisher already, number 1."},
			{"the same rule in other letters", changeOf(trust.Added, as(c, "A")), fault.Conflict, "number 1"},
			{"the same rule within the changes", changeOf(trust.Added, c), fault.Conflict, "number "},
		} {
			_, err := f.ChangePublishers(t.Context(), f.channel.ID, []trust.Change{changeOf(trust.Added, c), changeOf(trust.Changed, a), tt.last})
			if !fault.Is(err, tt.code) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %v, want %s with %q", tt.name, err, tt.code, tt.says)
			}
			if got := f.repositories(t); got != "a 2, b 1" {
				t.Errorf("%s: left %s", tt.name, got)
			}
		}
		if n := len(must(f.Events(t.Context(), audit.Query{ChannelID: f.channel.ID, Limit: 100}))(t)); n != events {
			t.Errorf("%d events of changes that were refused", n-events)
		}
		// The neighbours: the same rule is free when its publisher went before, and for another right.
		reads := f.spec(t, rule(func(s *trust.PublisherSpec) { s.Repository, s.Right = "b", "read" }))
		after := must(f.ChangePublishers(t.Context(), f.channel.ID, []trust.Change{
			changeOf(trust.Removed, a), changeOf(trust.Added, f.spec(t, named("a"))), changeOf(trust.Changed, b), changeOf(trust.Added, reads),
		}))(t)
		if got := f.repositories(t); got != "b 2, a 1, b 1" || len(after) != 4 || after[1].ID <= b.ID || after[2].Version != 2 {
			t.Errorf("left %s, answered %+v", got, after)
		}
	})
}

func TestReplaceWantsTheStateThatWasSeen(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		p := f.add(t, named("forge"))
		state := func() string { return trust.StateOf(must(f.Publishers(t.Context(), f.channel.ID))(t)) }
		seen := state()
		for name, move := range map[string]func(){
			"another was added": func() { f.add(t, named("b")) },
			"it was changed":    func() { p = f.change(t, p, func(p *trust.Publisher) { p.IdleDays++ }) },
			"a run pinned it":   func() { must(f.Mint(t.Context(), f.mint(p, "a")))(t) },
		} {
			move()
			before := f.repositories(t)
			if _, err := f.ReplacePublishers(t.Context(), f.channel.ID, seen, []trust.Change{changeOf(trust.Removed, p)}); !fault.Is(err, fault.Conflict) || f.repositories(t) != before {
				t.Errorf("%s: %v, left %s", name, err, f.repositories(t))
			}
			seen = state()
		}
		if _, err := f.ReplacePublishers(t.Context(), f.channel.ID, seen, []trust.Change{changeOf(trust.Removed, p)}); err != nil || f.repositories(t) != "b 1" {
			t.Errorf("the state that was seen: %v, left %s", err, f.repositories(t))
		}
	})
}

// An owner's change that was read before the first use must not open the publisher to whoever takes the name.
func TestAChangeKeepsAPin(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		p := f.addPublisher(t)
		must(f.Mint(t.Context(), f.mint(p, "a")))(t)
		p = f.change(t, p, func(p *trust.Publisher) { p.IdleDays = 5 }) // p knows no ids
		if got := must(f.Publisher(t.Context(), f.channel.ID, p.ID))(t); got.OwnerID != "9" || got.RepositoryID != "71" {
			t.Errorf("another life: ids %q %q", got.OwnerID, got.RepositoryID)
		}
		f.change(t, p, func(p *trust.Publisher) { p.Repository = "tide" })
		if got := must(f.Publisher(t.Context(), f.channel.ID, p.ID))(t); got.OwnerID != "" || got.RepositoryID != "" {
			t.Errorf("another repository: ids %q %q", got.OwnerID, got.RepositoryID)
		}
	})
}

func TestAChannelHasSoManyPublishers(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		// In steps: each one that is added is compared with all that are there.
		for i := range trust.MaxPublishers / 100 {
			var changes []trust.Change
			for j := range 100 {
				changes = append(changes, changeOf(trust.Added, f.spec(t, named(fmt.Sprintf("r%d-%d", i, j)))))
			}
			must(f.ChangePublishers(t.Context(), f.channel.ID, changes))(t)
		}
		first := must(f.Publishers(t.Context(), f.channel.ID))(t)[0]
		more := changeOf(trust.Added, f.spec(t, named("more")))
		if _, err := f.ChangePublishers(t.Context(), f.channel.ID, []trust.Change{more}); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "has 1000 publishers") {
			t.Errorf("one more: %v", err)
		}
		f.change(t, first, func(p *trust.Publisher) { p.IdleDays = 5 })
		first.Version++
		if _, err := f.ChangePublishers(t.Context(), f.channel.ID, []trust.Change{changeOf(trust.Removed, first), more}); err != nil {
			t.Errorf("one in place of another: %v", err)
		}
	})
}

func TestARuleForAllRepositoriesOfAnOwner(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		p := f.add(t, trust.PublisherSpec{Owner: "Acme", AnyRepository: true, Workflow: "build.yml", Packages: []string{"{repository}-*"}})
		found := func(issuer, owner, ownerID string) int {
			return len(must(f.Candidates(t.Context(), trust.Candidate{Issuer: issuer, RepositoryKey: owner + "/any", RepositoryID: "1", OwnerKey: owner, OwnerID: ownerID}))(t))
		}
		if found(issuer, "acme", "9") != 1 || found(issuer, "acm", "9") != 0 || found("https://other.example", "acme", "9") != 0 {
			t.Error("before the first use the owner's name decides, within its issuer")
		}
		tok := f.mintToken(t, "a", nil, p)
		got := must(f.Publisher(t.Context(), f.channel.ID, p.ID))(t)
		if got.OwnerID != "9" || got.RepositoryID != "" || got.Repository != "" || !got.AnyRepository || got.Owner != "acme" {
			t.Errorf("after the first use: %+v", got.Rule)
		}
		f.attempts(t, tok, []attempt{{"noarch/forge-x-1-0.conda", 1, "", ""}, {"noarch/tide-x-1-0.conda", 2, fault.PackageNotAllowed, "forge-*"}})
		// Another repository of the owner, and the owner under another name, whose old name somebody else took.
		f.mintToken(t, "b", func(m *trust.Mint) { m.Token.Run.Repository, m.Token.Run.RepositoryID = "acme/tide", "72" }, p)
		taken := f.mint(p, "c")
		taken.Token.Run.OwnerID = "10"
		if _, err := f.Mint(t.Context(), taken); !errors.Is(err, trust.ErrStale) {
			t.Errorf("another owner of the same name: %v", err)
		}
		f.mintToken(t, "d", func(m *trust.Mint) { m.Token.Run.Repository, m.Token.Run.Owner = "umbrella/forge", "umbrella" }, p)
		if found(issuer, "umbrella", "9") != 1 || found(issuer, "other", "9") != 1 || found(issuer, "acme", "10") != 0 {
			t.Error("after the rename the id decides, and the new name")
		}
		var kinds []string
		for _, e := range must(f.Events(t.Context(), audit.Query{ChannelID: f.channel.ID, Kinds: []audit.Kind{audit.PublisherPinned, audit.PublisherRenamed}, Limit: 10}))(t) {
			kinds = append(kinds, string(e.Kind)+": "+e.Sentence)
		}
		want := []string{"publisher.renamed: followed the rename of acme to umbrella; the id is the same", "publisher.pinned: pinned publisher 1 to owner id 9 at its first use"}
		if !slices.Equal(kinds, want) {
			t.Errorf("events %q", kinds)
		}
	})
}

// The first run is no news; what a later one brings is, once.
func TestOwnersAreToldWhatIsNew(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		p, other := f.addPublisher(t), f.add(t, rule(func(s *trust.PublisherSpec) { s.Conditions.Environment = "release" }))
		news := func() []string {
			var out []string
			for _, e := range must(f.Events(t.Context(), audit.Query{ChannelID: f.channel.ID, Kinds: []audit.Kind{audit.PublisherNews}, Limit: 10}))(t) {
				out = append(out, e.Sentence)
			}
			return out
		}
		n := 0
		run := func(ref, event, runner string, by ...trust.Publisher) {
			n++
			f.mintToken(t, fmt.Sprint(n), func(m *trust.Mint) {
				m.Token.Run.Ref, m.Token.Run.Event, m.Token.Run.Runner = ref, event, runner
			}, by...)
		}
		run("refs/heads/main", "push", "github-hosted", p)
		run("refs/heads/main", "push", "github-hosted", p)
		if got := news(); len(got) != 0 {
			t.Errorf("after two like runs: %q", got)
		}
		run("refs/heads/dev", "push", "self-hosted", p)
		if got := news(); len(got) != 1 || !strings.HasPrefix(got[0], "used publisher 1 for the first time with ref refs/heads/dev and runner self-hosted: ") {
			t.Errorf("after a run from elsewhere: %q", got)
		}
		run("refs/heads/dev", "push", "self-hosted", p)
		run("refs/tags/v1", "push", "github-hosted", p)
		run("refs/tags/v2", "push", "github-hosted", p) // tags are one kind of ref
		if got := news(); len(got) != 2 || !strings.Contains(got[0], "with ref refs/tags/*: ") {
			t.Errorf("after tags: %q", got)
		}
		// What is known of one publisher is nothing of another, and its first run is no news.
		run("refs/heads/dev", "schedule", "self-hosted", p, other)
		if got := news(); len(got) != 3 || !strings.Contains(got[0], "publisher 1 for the first time with event schedule: ") {
			t.Errorf("by two publishers: %q", got)
		}
		// A refused mint leaves nothing known.
		again := f.mint(p, fmt.Sprint(n))
		again.Token.Run.Ref = "refs/heads/evil"
		if _, err := f.Mint(t.Context(), again); !fault.Is(err, fault.TokenReused) {
			t.Fatal(err)
		}
		run("refs/heads/evil", "push", "self-hosted", p)
		if got := news(); len(got) != 4 || !strings.Contains(got[0], "refs/heads/evil") {
			t.Errorf("after a refused run: %q", got)
		}
	})
}

func TestAPublisherOnlyChannel(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		tok := f.mintToken(t, "a", nil, f.addPublisher(t))
		underWay := f.commit(t, "noarch", "a-1-0.conda", 1) // decided before the channel was closed
		closed := f.channel
		closed.PublisherOnly = true
		if err := f.ChangeChannel(t.Context(), f.channel, closed, audit.Event{Kind: audit.ChannelChanged}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Publish(t.Context(), underWay); !fault.Is(err, fault.PublisherOnly) {
			t.Errorf("an API token, under way: %v", err)
		}
		f.attempts(t, tok, []attempt{{"noarch/a-1-0.conda", 1, "", ""}})
		if err := f.ChangeChannel(t.Context(), closed, f.channel, audit.Event{Kind: audit.ChannelChanged}); err != nil {
			t.Fatal(err)
		}
		f.publish(t, f.commit(t, "noarch", "b-1-0.conda", 2))
	})
}

// Every field of a publisher comes back as it was stored.
func TestAPublisherIsKeptWhole(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		p := f.add(t, trust.PublisherSpec{
			Owner: "acme", Repository: "forge", Workflow: "build.yml", OwnerID: "5", RepositoryID: "6", Packages: []string{"a", "b*"}, Subdirs: []string{"noarch", "linux-64"},
			NewNames: new(false), PerRun: trust.Limits{Files: 1, Bytes: 2, Names: 3}, ExpiresAt: f.clock.now().Add(time.Hour), IdleDays: 9,
			Conditions: trust.Conditions{
				Environment: "e", Refs: []string{"refs/heads/a"}, ProtectedRef: true, Events: []string{"push"}, HostedRunner: true, Reusable: "a/b/.github/workflows/c.yml",
			},
		})
		p.EnabledAt, p.DisabledAt = f.clock.now().Add(time.Second), f.clock.now().Add(time.Minute)
		p = must(f.ChangePublishers(t.Context(), f.channel.ID, []trust.Change{changeOf(trust.Changed, p)}))(t)[0]
		got := must(f.Publisher(t.Context(), f.channel.ID, p.ID))(t)
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", p) {
			t.Errorf("stored\n%+v\nread\n%+v", p, got)
		}
		other := must(f.CreateChannel(t.Context(), channel.Channel{Name: must(conda.ParseChannel("other"))(t), CreatedAt: f.clock.now()}, f.ann.ID, audit.Event{}))(t)
		if _, err := f.Publisher(t.Context(), other.ID, p.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("by another channel: %v", err)
		}
	})
}

// Row 87: the publishers of somebody who leaves stay, and whoever reads of it is told to look at them.
func TestPublishersOfFormerMembers(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		f.addPublisher(t)
		for _, name := range []string{"bob", "eve"} {
			must(f.CreateUser(t.Context(), userNamed(name), "", noSetup, audit.Event{Kind: audit.AccountCreated}))(t)
			if err := f.SetMember(t.Context(), f.channel.ID, name, channel.Owner, audit.Event{Kind: audit.MemberSet}); err != nil {
				t.Fatal(err)
			}
		}
		for name, want := range map[string]string{
			"eve": "took eve out of channel forge",
			"ann": "took ann out of channel forge, who added the trusted publishers 1: look whether they should stay",
		} {
			e := audit.Event{Kind: audit.MemberRemoved, ChannelID: f.channel.ID, Sentence: "took " + name + " out of channel forge"}
			if err := f.RemoveMember(t.Context(), f.channel.ID, name, e); err != nil {
				t.Fatal(err)
			}
			got := must(f.Events(t.Context(), audit.Query{ChannelID: f.channel.ID, Kinds: []audit.Kind{audit.MemberRemoved}, Limit: 1}))(t)
			if len(got) != 1 || got[0].Sentence != want {
				t.Errorf("%s: %+v, want %q", name, got, want)
			}
		}
	})
}
