package web_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/config"
	"sluice/internal/server/caller"
	"sluice/internal/servertest"
)

func event() audit.Event { return audit.Event{Kind: audit.MemberSet} }

// cookie is the session that an answer hands out.
func cookie(t *testing.T, a answer) *http.Cookie {
	t.Helper()
	res := http.Response{Header: a.Header}
	for _, c := range res.Cookies() {
		if strings.HasSuffix(c.Name, "sluice_session") {
			return c
		}
	}
	t.Fatalf("no session came: %v", a.Header)
	return nil
}

func TestSignInAndOut(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		nobody(s).get(t, "/sign-in").says(t, "There is no account yet.")
		s.User(t, "ann", false)
		door := nobody(s).get(t, "/sign-in?next=/account/tokens").is(t, 200)
		if !door.hasForm(t, "/sign-in") {
			t.Fatal("no form")
		}
		for _, wrong := range [][2]string{{"ann", "wrong"}, {"nobody", servertest.Password}, {"", ""}, {"a\x01b", "x"}} {
			a := nobody(s).post(t, "/sign-in", "name", wrong[0], "password", wrong[1]).is(t, 401).says(t, "Name and password do not fit.").saysNot(t, servertest.Password)
			if a.Get("Set-Cookie") != "" {
				t.Errorf("%q got a session", wrong)
			}
		}
		in := nobody(s).post(t, "/sign-in", "name", " Ann ", "password", servertest.Password, "next", "/account/tokens").goes(t, "/account/tokens")
		c := cookie(t, in)
		if c.Name != caller.CookieName(false) || !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 14*24*3600 {
			t.Errorf("cookie %v", c)
		}
		ann := reader{s: s, session: c.Value}
		ann.get(t, "/account/tokens").is(t, 200).says(t, "ann")
		ann.get(t, "/sign-in?next=/search").goes(t, "/search")

		again := ann.post(t, "/sign-in", "name", "ann", "password", servertest.Password).goes(t, "/")
		ann.get(t, "/account/tokens").is(t, 401).says(t, "This session has ended: sign in again.")
		ann.session = cookie(t, again).Value
		ann.get(t, "/sign-out").is(t, 405)
		if out := cookie(t, ann.post(t, "/sign-out").goes(t, "/")); out.Value != "" || out.MaxAge >= 0 || !out.HttpOnly {
			t.Errorf("cookie at the end %v", out)
		}
		ann.get(t, "/account/tokens").is(t, 401)
		nobody(s).post(t, "/sign-out").goes(t, "/")
	})
}

func TestCookieOverHTTPS(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Options{Configure: func(c *config.Config) { c.URL = "https://conda.example.org" }})
	s.User(t, "ann", false)
	c := cookie(t, nobody(s).post(t, "/sign-in", "name", "ann", "password", servertest.Password).goes(t, "/"))
	if c.Name != "__Host-sluice_session" || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie %v", c)
	}
}

// TestNextStaysHere signs in with addresses that lead, or seem to lead, elsewhere.
func TestNextStaysHere(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Options{})
	ann, who := person(t, s, "ann", false)
	s.Channel(t, ann, "open", channel.Public)
	for next, want := range map[string]string{
		"//evil.example": "/", "https://evil.example/": "/", "https:evil.example": "/", `/\evil.example`: "/", `\\evil.example`: "/",
		"/\t/evil.example": "/", "/%09/evil.example": "/", "///evil.example": "/", "javascript:alert(1)": "/", "evil.example": "/", "": "/",
		"/.//evil.example": "/", "/%2F/evil.example": "/", "http://127.0.0.1:1/": "/", "@evil.example": "/", "/sign-in": "/", "/sign-out": "/", "/setup?secret=x": "/",
		"/channels/open?q=http://x": "/channels/open?q=http://x", "/channels/open/publishers/3": "/channels/open/publishers/3", "/search?q=a b": "/search?q=a b",
		"/channels/open#evil": "/channels/open", "/" + strings.Repeat("a", 3000): "/",
	} {
		t.Run(next[:min(len(next), 40)], func(t *testing.T) {
			q := strings.NewReplacer("%", "%25", "&", "%26", "#", "%23", " ", "%20", "\t", "%09", `\`, "%5C", "?", "%3F").Replace(next)
			a := who.get(t, "/sign-in?next="+q)
			if got := a.Get("Location"); a.status != http.StatusSeeOther || got != want {
				t.Errorf("leads to %q (%d), want %q", got, a.status, want)
			}
		})
	}
}

func TestGuessingPasswordsGetsSlow(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	now.Store(time.Now().UnixNano())
	s := servertest.New(t, servertest.Options{Now: func() time.Time { return time.Unix(0, now.Load()) }})
	s.User(t, "ann", false)
	s.User(t, "bob", false)
	guess := func(name, password string) answer {
		return nobody(s).post(t, "/sign-in", "name", name, "password", password)
	}
	for range 9 {
		guess("ann", "wrong").is(t, 401)
	}
	for range 2 {
		guess("ann", servertest.Password).goes(t, "/") // the right one never counts
	}
	guess("ann", "wrong").is(t, 401)
	a := guess("ann", servertest.Password).is(t, 429).says(t, "Try again in 30 seconds.")
	if a.Get("Retry-After") != "30" {
		t.Errorf("Retry-After %q", a.Get("Retry-After"))
	}
	guess("ANN ", "wrong").is(t, 429)
	guess("bob", servertest.Password).goes(t, "/")
	now.Add(int64(31 * time.Second))
	guess("ann", servertest.Password).goes(t, "/")
}

func TestSetupLink(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		link, err := s.Accounts.SetupLink(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		path := "/setup?secret=" + link.Reveal()
		for _, closed := range []string{"/setup", "/setup?secret=", "/setup?secret=sluice-set-x", "/setup?secret=" + strings.ToLower(link.Reveal())} {
			a := nobody(s).get(t, closed).is(t, 200).says(t, "sluice admin user add NAME --admin")
			if a.hasForm(t, "/setup") {
				t.Errorf("%s shows the form", closed)
			}
		}
		door := nobody(s).get(t, path).is(t, 200)
		if !door.hasForm(t, "/setup") || door.Get("Cache-Control") != "no-store" {
			t.Errorf("no form, or one that is kept: %v", door.Header)
		}
		nobody(s).post(t, "/setup", "secret", "sluice-set-x", "name", "eve", "password", servertest.Password).is(t, 403).saysNot(t, "eve")
		nobody(s).post(t, "/setup", "secret", link.Reveal(), "name", "No Name", "password", servertest.Password).is(t, 422).says(t, "small letters", "No Name")
		nobody(s).post(t, "/setup", "secret", link.Reveal(), "name", "ann", "password", "short").is(t, 422).says(t, "at least 10 characters")
		nobody(s).postFrom(t, "/setup", "cross-site", "secret", link.Reveal(), "name", "eve", "password", servertest.Password).is(t, 403)
		if users, err := s.DB.Users(t.Context()); err != nil || len(users) != 0 {
			t.Fatalf("accounts %v, %v", users, err)
		}
		in := nobody(s).post(t, "/setup", "secret", link.Reveal(), "name", "ann", "password", servertest.Password).goes(t, "/")
		ann := reader{s: s, session: cookie(t, in).Value}
		ann.get(t, "/").is(t, 200).says(t, "This server has no channel yet", "ann")
		ann.get(t, "/account/tokens").says(t, "ann, administrator")

		for _, a := range []answer{nobody(s).get(t, path), nobody(s).post(t, "/setup", "secret", link.Reveal(), "name", "eve", "password", servertest.Password)} {
			if a.says(t, "It has an account already"); a.hasForm(t, "/setup") {
				t.Error("the link works twice")
			}
		}
		nobody(s).post(t, "/sign-in", "name", "ann", "password", servertest.Password).goes(t, "/")
	})
}

// TestOtherSitesCannotAct sends every form as a page of another site would, and finds nothing changed.
func TestOtherSitesCannotAct(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		ann, owner := person(t, s, "ann", true)
		ch := s.Channel(t, ann, "open", channel.Public)
		rule := s.Publisher(t, ch, publisherSpec())
		s.Token(t, ann, nil)
		for _, site := range []string{"cross-site", "same-site"} {
			for path, fields := range map[string][]string{
				"/account/new-channel":               {"name", "evil", "visibility", "public"},
				"/account/tokens":                    {"name", "evil", "may", "read", "days", "7"},
				"/account/tokens/1/revoke":           nil,
				"/channels/open/publishers":          {"owner", "evil", "repository", "evil", "workflow", "evil.yml", "environment", "e", "packages", "p"},
				"/channels/open/publishers/1/remove": nil,
				"/sign-out":                          nil,
				"/sign-in":                           {"name", "ann", "password", servertest.Password},
			} {
				a := owner.postFrom(t, path, site, fields...).is(t, 403).says(t, "Another site tried to act in your name")
				if a.Get("Set-Cookie") != "" {
					t.Errorf("%s: another site got a cookie set", path)
				}
			}
		}
		foreign := http.Header{"Origin": {"https://evil.example"}, "Content-Type": {"application/x-www-form-urlencoded"}}
		owner.do(t, http.MethodPost, "/account/new-channel", strings.NewReader("name=evil"), foreign).is(t, 403)

		owner.get(t, "/").is(t, 200).says(t, "1 channel").saysNot(t, "evil")
		owner.get(t, "/account/tokens").is(t, 200).says(t, "1, of which 1 can still be used").saysNot(t, "evil")
		if rules, err := s.Publishers.Store.Publishers(t.Context(), ch.ID); err != nil || len(rules) != 1 || rules[0].ID != rule.ID {
			t.Errorf("publishers %v, %v", rules, err)
		}
		owner.post(t, "/sign-out").goes(t, "/")
	})
}
