package web

import (
	"net/http"
	"strings"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/fault"
	"sluice/internal/server/web/page"
	"sluice/internal/token"
)

// setup shows the form for the first account to who has the one-time link, and to nobody else.
func (s *site) setup(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	return s.showSetup(w, r, http.StatusOK, page.SetupView{Secret: q.Get("secret")})
}

// showSetup finds out which face of the page the secret opens.
func (s *site) showSetup(w http.ResponseWriter, r *http.Request, status int, v page.SetupView) error {
	_, alive, err := s.setupLink(r, v.Secret)
	if err != nil {
		return err
	}
	if v.State = page.SetupOpen; !alive {
		has, err := s.Accounts.Store.HasUsers(r.Context())
		if err != nil {
			return err
		}
		if v = (page.SetupView{State: page.SetupLocked}); has {
			v.State = page.SetupDone
		}
	}
	secret(w)
	f := s.frame(r)
	f.Path = "" // it may hold the secret
	return s.show(w, r, status, f, page.Setup(f, v))
}

// setupLink reads the secret of the one-time link and reports whether it still works.
func (s *site) setupLink(r *http.Request, secret string) (t token.Token, alive bool, err error) {
	t, err = token.Parse(strings.TrimSpace(secret))
	if err != nil || t.Kind() != token.Setup {
		return t, false, nil //nolint:nilerr // it is no link
	}
	alive, err = s.Accounts.Store.SetupAlive(r.Context(), t.Hash())
	return t, alive, err
}

// makeFirst makes the first account and signs it in. The secret is looked at before the password is hashed, so
// that nobody without it can keep the server busy.
func (s *site) makeFirst(w http.ResponseWriter, r *http.Request) error {
	fields, err := form(w, r)
	if err != nil {
		return err
	}
	v := page.SetupView{Secret: fields.Get("secret"), Name: page.Field{Value: strings.TrimSpace(fields.Get("name"))}}
	link, alive, err := s.setupLink(r, v.Secret)
	if err != nil {
		return err
	}
	if !alive {
		return s.showSetup(w, r, http.StatusForbidden, v)
	}
	name := v.Name.Value
	if account.CheckName(name) != nil {
		v.Name.Error = "Use 1 to 39 small letters, digits and inner dashes."
		return s.showSetup(w, r, http.StatusUnprocessableEntity, v)
	}
	u, err := s.Accounts.Create(r.Context(), audit.Actor{Kind: audit.User, Name: name, Means: "the one-time link"}, name, fields.Get("password"), true, link)
	switch {
	case fault.Is(err, fault.InvalidField):
		v.Password.Error = detail(err)
		return s.showSetup(w, r, http.StatusUnprocessableEntity, v)
	case fault.Is(err, fault.InvalidToken), fault.Is(err, fault.Conflict): // somebody was faster
		return s.showSetup(w, r, http.StatusForbidden, v)
	case err != nil:
		return err
	}
	session, err := s.Accounts.OpenSession(r.Context(), u)
	if err != nil {
		return err
	}
	s.setCookie(w, session.Reveal(), account.SessionLife)
	return redirect(w, r, page.HomePath)
}
