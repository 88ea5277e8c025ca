package web

import (
	"net/http"
	"strings"

	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/server/web/page"
)

// setMail keeps the reader's own mail address. What cannot be one is said beside its field.
func (s *site) setMail(w http.ResponseWriter, r *http.Request) error {
	fields, err := form(w, r)
	if err != nil {
		return err
	}
	me, err := s.self(r)
	if err != nil {
		return err
	}
	v := page.TokensView{Mail: field(strings.TrimSpace(fields.Get("mail")))}
	err = s.Accounts.SetMail(r.Context(), caller.From(r.Context()).Actor(), me.Name, v.Mail.Value)
	if fault.Is(err, fault.InvalidField) {
		v.Mail.Error = detail(err)
		return s.showTokens(w, r, http.StatusUnprocessableEntity, v)
	} else if err != nil {
		return err
	}
	return redirect(w, r, page.TokensPath)
}
