package web

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sluice/internal/account"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/server/gate"
	"sluice/internal/server/web/page"
	"sluice/internal/token"
)

// signIn shows the form, or goes on where somebody is signed in.
func (s *site) signIn(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	next := safeNext(q.Get("next"))
	if caller.From(r.Context()).User != nil {
		return redirect(w, r, next)
	}
	return s.showSignIn(w, r, http.StatusOK, page.SignInView{Next: next})
}

func (s *site) showSignIn(w http.ResponseWriter, r *http.Request, status int, v page.SignInView) error {
	has, err := s.Accounts.Store.HasUsers(r.Context())
	if err != nil {
		return err
	}
	v.NoAccounts = !has
	f := s.frame(r)
	f.Path = v.Next
	return s.show(w, r, status, f, page.SignIn(f, v))
}

func (s *site) doSignIn(w http.ResponseWriter, r *http.Request) error {
	fields, err := form(w, r)
	if err != nil {
		return err
	}
	name, next := strings.ToLower(strings.TrimSpace(fields.Get("name"))), safeNext(fields.Get("next"))
	wait, giveBack := s.tries.take(gate.RemoteAddr(r.Context()), name, s.Now())
	if wait > 0 {
		return tooOften(w, wait)
	}
	_, session, err := s.Accounts.SignIn(r.Context(), name, fields.Get("password"))
	if fault.Is(err, fault.WrongCredentials) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="sluice"`)
		return s.showSignIn(w, r, http.StatusUnauthorized, page.SignInView{Name: name, Error: "Name and password do not fit.", Next: next})
	}
	giveBack()
	if err != nil {
		return err
	}
	if err := s.endSession(r); err != nil {
		return err
	}
	s.setCookie(w, session.Reveal(), account.SessionLife)
	return redirect(w, r, next)
}

// tooOften refuses for a while and says for how long.
func tooOften(w http.ResponseWriter, wait time.Duration) error {
	seconds := int(math.Ceil(wait.Seconds()))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	return fault.New(fault.RateLimited, "Too many wrong passwords came for this name, or from where you are. Try again in %d seconds.", seconds)
}

func (s *site) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := s.endSession(r); err != nil {
		return err
	}
	s.setCookie(w, "", -time.Second)
	return redirect(w, r, page.HomePath)
}

// endSession forgets the session that the request came with, if any.
func (s *site) endSession(r *http.Request) error {
	c, err := r.Cookie(caller.CookieName(s.https))
	if err != nil {
		return nil //nolint:nilerr // no cookie, no session
	}
	t, err := token.Parse(c.Value)
	if err != nil {
		return nil //nolint:nilerr // nothing that could be kept
	}
	return s.Accounts.Store.EndSession(r.Context(), t.Hash())
}

// setCookie hands the session to the browser; a life below zero takes it back.
func (s *site) setCookie(w http.ResponseWriter, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure wherever the public address is https; otherwise it is loopback
		Name: caller.CookieName(s.https), Value: value, Path: "/", MaxAge: int(life.Seconds()),
		Secure: s.https, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
