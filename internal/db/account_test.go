package db_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/fault"
	"sluice/internal/token"
)

var noSetup token.Hash

func userNamed(name string) account.User {
	return account.User{Name: name, CreatedAt: time.UnixMicro(1)}
}

func TestSetupLinkWorksOnce(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		old, link := token.New(token.Setup).Hash(), token.New(token.Setup).Hash()
		for _, h := range []token.Hash{old, link} {
			if err := f.SaveSetup(t.Context(), h, f.clock.now()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := f.CreateUser(t.Context(), userNamed("eve"), "h", old, audit.Event{}); !fault.Is(err, fault.InvalidToken) {
			t.Errorf("a link that was replaced: %v", err)
		}
		// The fixture has an account already, so even the live link makes no second first one.
		if _, err := f.CreateUser(t.Context(), userNamed("eve"), "h", link, audit.Event{}); !fault.Is(err, fault.Conflict) {
			t.Errorf("a link on a server with accounts: %v", err)
		}
		if _, _, err := f.UserByName(t.Context(), "eve"); !fault.Is(err, fault.NotFound) {
			t.Errorf("eve: %v", err)
		}
	})
}

func TestSessionsEnd(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		h := token.New(token.Session).Hash()
		s := account.Session{Hash: h, UserID: f.ann.ID, CreatedAt: f.clock.now(), ExpiresAt: f.clock.now().Add(time.Hour)}
		if err := f.SaveSession(t.Context(), s, audit.Event{}); err != nil {
			t.Fatal(err)
		}
		if u, err := f.Session(t.Context(), h, f.clock.now()); err != nil || u.Name != "ann" {
			t.Errorf("live session: %v, %v", u, err)
		}
		if _, err := f.Session(t.Context(), h, s.ExpiresAt); !fault.Is(err, fault.InvalidToken) {
			t.Errorf("ended session: %v", err)
		}
		if err := f.EndSession(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Session(t.Context(), h, f.clock.now()); !fault.Is(err, fault.InvalidToken) {
			t.Errorf("signed out session: %v", err)
		}
	})
}

func TestAChannelKeepsAnOwner(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		must(f.CreateUser(t.Context(), userNamed("bob"), "", noSetup, audit.Event{}))(t)
		if err := f.SetMember(t.Context(), f.channel.ID, "bob", "owner", audit.Event{}); err != nil {
			t.Fatal(err)
		}
		// Both owners leave at once: exactly one may.
		var refused atomic.Int32
		var wg sync.WaitGroup
		for _, name := range []string{"ann", "bob"} {
			wg.Go(func() {
				if err := f.RemoveMember(t.Context(), f.channel.ID, name, audit.Event{}); fault.Is(err, fault.Conflict) {
					refused.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		members := must(f.Members(t.Context(), f.channel.ID))(t)
		if refused.Load() != 1 || len(members) != 1 || members[0].Role != "owner" {
			t.Errorf("%d refused, members %+v", refused.Load(), members)
		}
	})
}
