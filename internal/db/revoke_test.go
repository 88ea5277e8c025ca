package db_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/fault"
	"sluice/internal/revoke"
	"sluice/internal/token"
)

// key stores an API token.
func (f *fixture) key(t testing.TB, u account.User, scopes ...account.Scope) account.APIToken {
	t.Helper()
	now := f.clock.now()
	return must(f.CreateAPIToken(t.Context(), account.APIToken{Hash: token.New(token.API).Hash(), UserID: u.ID, Name: "k", Scopes: scopes,
		CreatedAt: now, ExpiresAt: now.Add(time.Hour)}, audit.Event{}))(t)
}

// told is where the events of some kinds are, and how many of each, in words.
func (f *fixture) told(t testing.TB, kinds ...audit.Kind) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, e := range must(f.Events(t.Context(), audit.Query{Kinds: kinds, Limit: 1000}))(t) {
		out[fmt.Sprintf("%s %s in %q", e.Kind, e.Subject, e.Channel)]++
	}
	return out
}

// Reports of the same tokens may come together, in any order, with a job that ends its own: each token ends once.
func TestTokensEndOnce(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		p := f.addPublisher(t)
		var held []revoke.Held
		for i := range 8 {
			m := f.mint(p, fmt.Sprint(i))
			must(f.Mint(t.Context(), m))(t)
			held = append(held, revoke.Held{Kind: token.Publish, Hash: m.Token.Hash}, revoke.Held{Kind: token.API, Hash: f.key(t, f.ann, account.Read).Hash})
		}
		var all sync.WaitGroup
		for i := range 8 {
			mine := slices.Clone(held)
			if i%2 == 1 {
				slices.Reverse(mine)
			}
			all.Go(func() {
				if err := f.EndTokens(t.Context(), mine, revoke.Ending{At: f.clock.now(), Why: "found", Found: true}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		want := map[string]int{`publish_token.revoked acme/forge in "forge"`: 8, `api_token.revoked ann/k in ""`: 8}
		if d := cmp.Diff(want, f.told(t, audit.TokenRevoked, audit.APITokenRevoked)); d != "" {
			t.Error(d)
		}
		for _, h := range held {
			if h.Kind == token.Publish {
				if got := must(f.PublishToken(t.Context(), h.Hash))(t); got.RevokedWhy != "found" || !fault.Is(got.Check(f.clock.now()), fault.Revoked) {
					t.Errorf("%+v", got)
				}
			} else if got, _, err := f.APIToken(t.Context(), h.Hash); err != nil || got.RevokedAt.IsZero() || got.RevokedWhy != "found" {
				t.Errorf("%+v, %v", got, err)
			}
		}
	})
}

// Owners learn of a found token that could have published to their channel, and of no other.
func TestFoundTokensConcernWhereTheyCouldUpload(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		member := func(name string, r channel.Role) account.User {
			u := must(f.CreateUser(t.Context(), userNamed(name), "", noSetup, audit.Event{}))(t)
			if r != channel.None {
				if err := f.SetMember(t.Context(), f.channel.ID, name, r, audit.Event{}); err != nil {
					t.Fatal(err)
				}
			}
			return u
		}
		max, rita, eve := member("max", channel.Maintainer), member("rita", channel.Reader), member("eve", channel.None)
		link := token.New(token.Setup).Hash()
		if err := f.SaveSetup(t.Context(), link, f.clock.now()); err != nil {
			t.Fatal(err)
		}
		var held []revoke.Held
		for _, k := range []account.APIToken{f.key(t, max, account.Upload), f.key(t, max, account.Read), f.key(t, rita, account.Upload), f.key(t, eve, account.Upload)} {
			held = append(held, revoke.Held{Kind: token.API, Hash: k.Hash})
		}
		held = append(held, revoke.Held{Kind: token.Setup, Hash: link}, revoke.Held{Kind: token.Session, Hash: token.New(token.Session).Hash()}, held[0])
		if err := f.EndTokens(t.Context(), held, revoke.Ending{At: f.clock.now(), Why: "found", Found: true}); err != nil {
			t.Fatal(err)
		}
		want := map[string]int{
			`api_token.revoked max/k in ""`: 2, `api_token.revoked max/k in "forge"`: 1, `api_token.revoked rita/k in ""`: 1, `api_token.revoked eve/k in ""`: 1,
			`setup_link.revoked  in ""`: 1,
		}
		if d := cmp.Diff(want, f.told(t, audit.APITokenRevoked, audit.SetupRevoked, audit.SessionRevoked)); d != "" {
			t.Error(d)
		}
		if _, err := f.CreateUser(t.Context(), userNamed("zoe"), "h", link, audit.Event{}); !fault.Is(err, fault.InvalidToken) {
			t.Errorf("the link still works: %v", err)
		}
	})
}

func TestRevokeAllOf(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		ben := must(f.CreateUser(t.Context(), userNamed("ben"), "", noSetup, audit.Event{}))(t)
		mine, other := f.key(t, ben, account.Upload), f.key(t, f.ann, account.Upload)
		f.key(t, ben, account.Read)
		sessions := map[string]token.Hash{}
		for _, u := range []account.User{ben, f.ann} {
			h := token.New(token.Session).Hash()
			sessions[u.Name] = h
			if err := f.SaveSession(t.Context(), account.Session{Hash: h, UserID: u.ID, CreatedAt: f.clock.now(), ExpiresAt: f.clock.now().Add(time.Hour)}, audit.Event{}); err != nil {
				t.Fatal(err)
			}
		}
		alive := func(name string) bool {
			_, err := f.Session(t.Context(), sessions[name], f.clock.now())
			return err == nil
		}
		revoke := func(sessions bool, wantTokens, wantSessions int64) {
			t.Helper()
			tokens, ended, err := f.RevokeAllOf(t.Context(), "ben", sessions, audit.Event{At: f.clock.now(), Kind: audit.APITokenRevoked, Subject: "ben"})
			if err != nil || tokens != wantTokens || ended != wantSessions {
				t.Errorf("%d tokens and %d sessions, %v; want %d and %d", tokens, ended, err, wantTokens, wantSessions)
			}
		}
		revoke(false, 2, 0)
		if got, _, err := f.APIToken(t.Context(), mine.Hash); err != nil || got.RevokedAt.IsZero() || !alive("ben") {
			t.Errorf("%+v, %v, session alive %v", got, err, alive("ben"))
		}
		revoke(true, 0, 1)
		revoke(true, 0, 0)
		if got, _, err := f.APIToken(t.Context(), other.Hash); err != nil || !got.RevokedAt.IsZero() || !alive("ann") || alive("ben") {
			t.Errorf("ann's token %+v, %v; sessions alive: ann %v, ben %v", got, err, alive("ann"), alive("ben"))
		}
		var sentences []string
		for _, e := range must(f.Events(t.Context(), audit.Query{Kinds: []audit.Kind{audit.APITokenRevoked}, Limit: 10}))(t) {
			sentences = append(sentences, e.Sentence)
		}
		if d := cmp.Diff([]string{"revoked all API tokens of ben (0), and ended all sessions (1)", "revoked all API tokens of ben (2)"}, sentences); d != "" {
			t.Error(d)
		}
		if _, _, err := f.RevokeAllOf(t.Context(), "zoe", true, audit.Event{}); !fault.Is(err, fault.NotFound) {
			t.Errorf("an account that is not there: %v", err)
		}
	})
}
