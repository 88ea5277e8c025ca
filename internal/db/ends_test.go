package db_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/audit"
	"sluice/internal/trust"
)

const aDay = 24 * time.Hour

// notices is what owners read of ends, oldest first: "expiring 1".
func (f *fixture) notices(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, e := range must(f.Events(t.Context(), audit.Query{ChannelID: f.channel.ID, Kinds: []audit.Kind{audit.PublisherExpiring, audit.PublisherDisabled}, Limit: 1000}))(t) {
		out = append(out, strings.TrimPrefix(string(e.Kind), "publisher.")+" "+e.Facts["publisher"])
	}
	slices.Reverse(out)
	return out
}

// look announces what is due, and says what that comes to.
func (f *fixture) look(t *testing.T, want ...string) {
	t.Helper()
	before := f.notices(t)
	n := must(f.NoticeEnds(t.Context()))(t)
	if got := f.notices(t)[len(before):]; !slices.Equal(got, want) || n != len(want) {
		t.Errorf("%s: announced %q (%d), want %q", f.clock.now().Format(time.DateTime), got, n, want)
	}
}

// change stores what becomes of a publisher.
func (f *fixture) change(t *testing.T, p trust.Publisher, change func(p *trust.Publisher)) trust.Publisher {
	t.Helper()
	change(&p)
	return must(f.ChangePublishers(t.Context(), f.channel.ID, []trust.Change{{Kind: trust.Changed, Publisher: p, Event: event(audit.PublisherChanged, p)}}))(t)[0]
}

func TestEndsAreAnnouncedOnce(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		p := f.addPublisher(t)
		f.clock.advance(16*aDay - time.Microsecond)
		f.look(t)
		f.clock.advance(time.Microsecond)
		f.look(t, "expiring 1")
		f.look(t)
		f.clock.advance(14*aDay - time.Microsecond)
		f.look(t)
		f.clock.advance(time.Microsecond)
		f.look(t, "disabled 1")
		f.clock.advance(100 * aDay)
		f.look(t)
		e := must(f.Events(t.Context(), audit.Query{ChannelID: f.channel.ID, Kinds: []audit.Kind{audit.PublisherExpiring}, Limit: 1}))(t)[0]
		if e.Sentence != "publisher 1 will be switched off on 23 Dec 2026, because nobody uses it: one run before then keeps it on, or an owner who switches it on anew" ||
			e.Channel != "forge" || e.Subject != "Acme/forge" || e.Facts["end"] != "2026-12-23T14:06:00Z" || !strings.HasPrefix(e.Facts["rule"], "Runs of build.yml") {
			t.Errorf("event = %+v", e)
		}
		// Switched on again it has another end.
		f.change(t, p, func(p *trust.Publisher) { p.EnabledAt = f.clock.now() })
		f.look(t)
		f.clock.advance(16 * aDay)
		f.look(t, "expiring 1")
	})
}

func TestAnEndThatAnOwnerSet(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		p := f.change(t, f.addPublisher(t), func(p *trust.Publisher) { p.ExpiresAt = f.clock.now().Add(20 * aDay) })
		f.look(t)
		f.clock.advance(6 * aDay)
		f.look(t, "expiring 1")
		// Use does not move it, and is no reason to tell it again.
		must(f.Mint(t.Context(), f.mint(p, "a")))(t)
		f.look(t)
		// An earlier end is another end.
		p = f.change(t, p, func(p *trust.Publisher) { p.ExpiresAt = f.clock.now().Add(2 * aDay) })
		f.look(t, "expiring 1")
		f.clock.advance(2 * aDay)
		f.look(t, "disabled 1")
		e := must(f.Events(t.Context(), audit.Query{ChannelID: f.channel.ID, Kinds: []audit.Kind{audit.PublisherDisabled}, Limit: 1}))(t)[0]
		if e.Sentence != "publisher 1 ended on 1 Dec 2026, as its owner set it: an owner gives it another end, or removes it" {
			t.Errorf("event = %+v", e)
		}
		f.change(t, p, func(p *trust.Publisher) { p.ExpiresAt = time.Time{} })
		f.look(t)
	})
}

func TestUseMovesAnEnd(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		p := f.change(t, f.addPublisher(t), func(p *trust.Publisher) { p.IdleDays = 4 })
		for night := range 5 {
			must(f.Mint(t.Context(), f.mint(p, fmt.Sprint(night))))(t)
			f.clock.advance(aDay)
			f.look(t)
		}
		f.clock.advance(aDay)
		f.look(t, "expiring 1")
		must(f.Mint(t.Context(), f.mint(p, "late")))(t)
		f.look(t)
		f.clock.advance(2 * aDay)
		f.look(t, "expiring 1")
		f.clock.advance(2 * aDay)
		f.look(t, "disabled 1")
	})
}

// What is off already, by an owner's hand, has no end to come.
func TestNoNoticeOfWhatIsOff(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		p := f.addPublisher(t)
		f.change(t, p, func(p *trust.Publisher) { p.DisabledAt = f.clock.now() })
		q := f.add(t, trust.PublisherSpec{Owner: "acme", Repository: "other", Workflow: "build.yml"})
		must(f.ChangePublishers(t.Context(), f.channel.ID, []trust.Change{{Kind: trust.Removed, Publisher: q, Event: event(audit.PublisherRemoved, q)}}))(t)
		f.clock.advance(500 * aDay)
		f.look(t)
	})
}

// Several servers over one database announce each end once, and what is more than one call takes comes with the next.
func TestNoticesOfManyServers(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		const many = 450
		var changes []trust.Change
		for i := range many {
			p := f.spec(t, trust.PublisherSpec{Owner: "acme", Repository: fmt.Sprintf("forge%d", i), Workflow: "build.yml"})
			changes = append(changes, trust.Change{Kind: trust.Added, Publisher: p, Event: event(audit.PublisherAdded, p)})
		}
		must(f.ChangePublishers(t.Context(), f.channel.ID, changes))(t)
		f.clock.advance(20 * aDay)
		var servers sync.WaitGroup
		for range 4 {
			servers.Go(func() {
				for range 4 {
					if _, err := f.NoticeEnds(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		servers.Wait()
		got := f.notices(t)
		slices.Sort(got)
		if len(got) != many || len(slices.Compact(got)) != many {
			t.Errorf("%d notices of %d publishers", len(got), len(slices.Compact(got)))
		}
	})
}
