package web

import (
	"net/http"

	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/server/web/page"
)

// switchUploads says whether a channel takes uploads from trusted publishers only.
func (s *site) switchUploads(w http.ResponseWriter, r *http.Request) error {
	fields, err := form(w, r)
	if err != nil {
		return err
	}
	ch, err := s.enterAs(r, s.Access.MayManage)
	if err != nil {
		return err
	}
	only := fields.Get("publisher_only")
	if only != "true" && only != "false" {
		return fault.New(fault.BadRequest, "The form does not say who may upload: go back and send it again.")
	}
	if _, err := s.Channels.SetPublisherOnly(r.Context(), caller.From(r.Context()).Actor(), ch, only == "true"); err != nil {
		return err
	}
	return redirect(w, r, page.PublishersPath(ch.Name.String())+"#keys")
}
