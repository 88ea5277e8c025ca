package web

import (
	"net/http"

	"sluice/internal/channel"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/server/web/page"
)

// switchUploads changes what a channel takes: the form has one of the switches.
func (s *site) switchUploads(w http.ResponseWriter, r *http.Request) error {
	fields, err := form(w, r)
	if err != nil {
		return err
	}
	ch, err := s.enterAs(r, s.Access.MayManage)
	if err != nil {
		return err
	}
	var change channel.Revision
	for name, to := range map[string]**bool{"publisher_only": &change.PublisherOnly, "replaceable": &change.Replaceable, "refuse_v3": &change.RefuseV3} {
		switch on := fields.Get(name); on {
		case "":
		case "true", "false":
			*to = new(on == "true")
		default:
			return fault.New(fault.BadRequest, "The form does not say what the channel shall take: go back and send it again.")
		}
	}
	if change == (channel.Revision{}) {
		return fault.New(fault.BadRequest, "The form does not say what the channel shall take: go back and send it again.")
	}
	if _, err := s.Channels.Change(r.Context(), caller.From(r.Context()).Actor(), ch, change); err != nil {
		return err
	}
	return redirect(w, r, page.PublishersPath(ch.Name.String())+pick(change.PublisherOnly != nil, "#keys", "#takes"))
}

func pick(on bool, yes, no string) string {
	if on {
		return yes
	}
	return no
}
