package caller_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"sluice/internal/access"
	"sluice/internal/account"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/token"
)

var now = time.Date(2026, 8, 20, 12, 0, 0, 0, time.UTC)

// keeper knows one API token and one session, each of its own user.
type keeper struct{ api, session token.Token }

var errAway = errors.New("the database is away")

func (k keeper) Session(_ context.Context, h token.Hash, _ time.Time) (account.User, error) {
	if h != k.session.Hash() {
		return account.User{}, fault.New(fault.InvalidToken, "unknown session")
	}
	return account.User{ID: 1, Name: "by-session"}, nil
}

func (k keeper) APIToken(_ context.Context, h token.Hash) (account.APIToken, account.User, error) {
	if k.api.IsZero() {
		return account.APIToken{}, account.User{}, errAway
	}
	if h != k.api.Hash() {
		return account.APIToken{}, account.User{}, fault.New(fault.InvalidToken, "unknown token")
	}
	return account.APIToken{Name: "laptop", ExpiresAt: now.Add(time.Hour), LastUsedAt: now}, account.User{ID: 2, Name: "by-token"}, nil
}

func (keeper) TouchAPIToken(context.Context, int64, time.Time) error { return nil }

func finder(k keeper, https bool) caller.Finder {
	return caller.Finder{HTTPS: https, Access: &access.Access{Sessions: k, API: k, Now: func() time.Time { return now }}}
}

func TestFind(t *testing.T) {
	t.Parallel()
	k := keeper{api: token.New(token.API), session: token.New(token.Session)}
	api, session := k.api.Reveal(), k.session.Reveal()
	basic := func(user, password string) string {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.SetBasicAuth(user, password)
		return r.Header.Get("Authorization")
	}
	for _, tt := range []struct {
		name, authorization, cookie, value string
		https                              bool
		want                               string // the user's name
		rejected                           fault.Code
	}{
		{name: "nothing"},
		{name: "bearer", authorization: "Bearer " + api, want: "by-token"},
		{name: "bearer in lower case", authorization: "bearer " + api, want: "by-token"},
		{name: "basic", authorization: basic("", api), want: "by-token"},
		{name: "basic with a user name", authorization: basic("__token__", api), want: "by-token"},
		{name: "basic without password", authorization: basic(api, ""), rejected: fault.InvalidToken},
		{name: "another scheme", authorization: "Digest " + api, rejected: fault.InvalidToken},
		{name: "no token", authorization: "Bearer ", rejected: fault.InvalidToken},
		{name: "unknown token", authorization: "Bearer " + token.New(token.API).Reveal(), rejected: fault.InvalidToken},
		{name: "a session as bearer", authorization: "Bearer " + session, rejected: fault.InvalidToken},
		{name: "cookie", cookie: "sluice_session", value: session, want: "by-session"},
		{name: "cookie under https", cookie: "__Host-sluice_session", value: session, https: true, want: "by-session"},
		{name: "the plain cookie under https", cookie: "sluice_session", value: session, https: true},
		{name: "ended cookie", cookie: "sluice_session", value: token.New(token.Session).Reveal(), rejected: fault.InvalidToken},
		{name: "bearer wins over cookie", authorization: "Bearer " + api, cookie: "sluice_session", value: session, want: "by-token"},
		{name: "a bad bearer does not fall back", authorization: "Bearer x", cookie: "sluice_session", value: session, rejected: fault.InvalidToken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			if tt.authorization != "" {
				r.Header.Set("Authorization", tt.authorization)
			}
			if tt.cookie != "" {
				r.AddCookie(&http.Cookie{Name: tt.cookie, Value: tt.value})
			}
			p, err := finder(k, tt.https).Find(r)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if p.User != nil {
				got = p.User.Name
			}
			if got != tt.want {
				t.Errorf("user = %q, want %q", got, tt.want)
			}
			if tt.rejected == "" != (p.Rejected == nil) || p.Rejected != nil && p.Rejected.Code != tt.rejected {
				t.Errorf("rejected = %v, want %q", p.Rejected, tt.rejected)
			}
		})
	}
}

func TestMiddleware(t *testing.T) {
	t.Parallel()
	k := keeper{api: token.New(token.API)}
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-User", caller.From(r.Context()).User.Name)
	})
	fail := func(w http.ResponseWriter, _ *http.Request, err error) {
		if !errors.Is(err, errAway) {
			t.Errorf("fail got %v, want %v", err, errAway)
		}
		w.WriteHeader(http.StatusInternalServerError)
	}
	for _, tt := range []struct {
		name   string
		keeper keeper
		status int
		user   string
	}{
		{name: "found", keeper: k, status: http.StatusOK, user: "by-token"},
		{name: "our failure", keeper: keeper{}, status: http.StatusInternalServerError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Authorization", "Bearer "+k.api.Reveal())
			w := httptest.NewRecorder()
			finder(tt.keeper, false).Middleware(fail, next).ServeHTTP(w, r)
			if w.Code != tt.status || w.Header().Get("X-User") != tt.user {
				t.Errorf("= %d, user %q; want %d, %q", w.Code, w.Header().Get("X-User"), tt.status, tt.user)
			}
		})
	}
}

func TestFromNothing(t *testing.T) {
	t.Parallel()
	if p := caller.From(t.Context()); !p.Anonymous() {
		t.Errorf("= %+v, want nobody", p)
	}
}
