package web

import (
	"net/http"
	"strings"

	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/server/web/page"
)

func (s *site) newChannel(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.self(r); err != nil {
		return err
	}
	return s.showNewChannel(w, r, http.StatusOK, page.NewChannelView{})
}

func (s *site) showNewChannel(w http.ResponseWriter, r *http.Request, status int, v page.NewChannelView) error {
	f := s.frame(r)
	return s.show(w, r, status, f, page.NewChannel(f, v))
}

// makeChannel makes a channel that the reader then owns.
func (s *site) makeChannel(w http.ResponseWriter, r *http.Request) error {
	fields, err := form(w, r)
	if err != nil {
		return err
	}
	me, err := s.self(r)
	if err != nil {
		return err
	}
	name := strings.TrimSpace(fields.Get("name"))
	v := page.NewChannelView{Name: field(name), Description: field(fields.Get("description")), Private: fields.Get("visibility") == string(channel.Private)}
	visibility, err := channel.ParseVisibility(fields.Get("visibility"))
	if err != nil {
		v.Error = detail(err)
		return s.showNewChannel(w, r, http.StatusUnprocessableEntity, v)
	}
	ch, err := s.Channels.Create(r.Context(), caller.From(r.Context()).Actor(), me.ID, name, visibility, fields.Get("description"))
	switch {
	case fault.Is(err, fault.InvalidField):
		if _, bad := conda.ParseChannel(name); bad != nil {
			v.Name.Error = detail(err)
		} else {
			v.Description.Error = detail(err)
		}
		return s.showNewChannel(w, r, http.StatusUnprocessableEntity, v)
	case fault.Is(err, fault.Conflict):
		v.Name.Error = detail(err)
		return s.showNewChannel(w, r, http.StatusConflict, v)
	case err != nil:
		return err
	}
	return redirect(w, r, page.ChannelPath(ch.Name.String()))
}
