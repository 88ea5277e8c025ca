package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/server/web/page"
	"sluice/internal/trust"
)

// eventsPerPage is how many events a page of the audit log has.
const eventsPerPage = 100

// sort is a group of events that a reader may want to see alone.
type sort struct {
	page.Choice
	kinds []audit.Kind
}

func sorts() []sort {
	return []sort{
		{page.Choice{Value: "upload", Label: "Uploads"}, []audit.Kind{audit.Uploaded, audit.Attested, audit.UploadRefused}},
		{page.Choice{Value: "files", Label: "Yanks, deletions, labels"}, []audit.Kind{audit.Yanked, audit.Unyanked, audit.Deleted, audit.Restored, audit.Purged,
			audit.Listed, audit.TakenOut, audit.Moved, audit.Patched, audit.Imported}},
		{page.Choice{Value: "token", Label: "Publish tokens"}, []audit.Kind{audit.TokenMinted, audit.MintRefused, audit.TokenRevoked}},
		{page.Choice{Value: "refused", Label: "Refusals"}, []audit.Kind{audit.MintRefused, audit.UploadRefused}},
		{page.Choice{Value: "publisher", Label: "Trusted publishers"}, []audit.Kind{audit.PublisherAdded, audit.PublisherRemoved, audit.PublisherPinned, audit.PublisherRenamed,
			audit.PublisherChanged, audit.PublisherNews, audit.PublisherExpiring, audit.PublisherDisabled}},
		{page.Choice{Value: "people", Label: "Channel and members"}, []audit.Kind{audit.ChannelCreated, audit.ChannelChanged, audit.MemberSet, audit.MemberRemoved, audit.APITokenCreated, audit.APITokenRevoked}},
	}
}

// audit is the log of a channel.
func (s *site) audit(w http.ResponseWriter, r *http.Request) error {
	ch, err := s.enterAs(r, s.Access.MayAudit)
	if err != nil {
		return err
	}
	ask, kind, err := auditQuery(r, ch)
	if err != nil {
		return err
	}
	p, err := s.look(r.Context(), ch)
	if err != nil {
		return err
	}
	found, err := s.Audit.Events(r.Context(), ask)
	if err != nil {
		return err
	}
	v := page.AuditView{Head: p.head, Kind: kind}
	for _, sort := range sorts() {
		v.Kinds = append(v.Kinds, sort.Choice)
	}
	v.Paging, found = auditPaging(ask, kind, p.head.Name, found)
	for _, e := range found {
		v.Events = append(v.Events, s.event(e, p))
	}
	f := s.frame(r)
	return s.show(w, r, http.StatusOK, f, page.Audit(f, v))
}

// auditQuery reads the filter and the place in the log out of the address.
func auditQuery(r *http.Request, ch channel.Channel) (ask audit.Query, kind string, err error) {
	q, err := query(r)
	if err != nil {
		return ask, "", err
	}
	ask = audit.Query{ChannelID: ch.ID, Limit: eventsPerPage + 1}
	if kind = q.Get("kind"); kind != "" {
		all := sorts()
		i := slices.IndexFunc(all, func(s sort) bool { return s.Value == kind })
		if i < 0 {
			return ask, kind, fault.New(fault.BadRequest, "The audit log cannot be narrowed to that: choose from the list above it.")
		}
		ask.Kinds = all[i].kinds
	}
	if before := q.Get("before"); before != "" {
		if ask.Before, err = strconv.ParseInt(before, 10, 64); err != nil || ask.Before < 1 {
			return ask, kind, fault.New(fault.BadRequest, "The place in the log is no number: begin with the newest.")
		}
	}
	return ask, kind, nil
}

// auditPaging cuts off the event that only shows that there are more. How long the log is, is not counted.
func auditPaging(ask audit.Query, kind, channel string, found []audit.Event) (page.Paging, []audit.Event) {
	var p page.Paging
	q := url.Values{}
	if kind != "" {
		q.Set("kind", kind)
	}
	if ask.Before != 0 {
		p.First = withQuery(page.AuditPath(channel), q)
	}
	if len(found) > eventsPerPage {
		found = found[:eventsPerPage]
		q.Set("before", strconv.FormatInt(found[eventsPerPage-1].ID, 10))
		p.Next = withQuery(page.AuditPath(channel), q)
	}
	return p, found
}

// event is a line of the log. What stands in the other columns, or in the link, is left out of the sentence.
func (s *site) event(e audit.Event, p place) page.AuditEvent {
	out := page.AuditEvent{At: e.At, Refused: e.Kind.Refused(), Sentence: s.shorter(p.Channel, e.Sentence), Request: e.RequestID}
	out.Who, out.Means = actor(e)
	if ends, err := time.Parse(time.RFC3339, e.Facts["expires"]); e.Kind == audit.TokenMinted && err == nil {
		out.Sentence = "got a publish token, good until " + ends.UTC().Format("15:04")
	}
	if run := e.Facts["run_id"]; run != "" && (e.Kind == audit.TokenMinted || e.Kind == audit.Uploaded) && p.head.SeesFiles {
		out.TakeBack = page.TakeBackPath(p.head.Name, run, e.Facts["repository"])
	}
	if e.Kind == audit.Uploaded || e.Kind == audit.Attested {
		_, name, _ := strings.Cut(e.Subject, "/")
		if f, err := conda.ParseFilename(name); err == nil {
			out.URL, out.URLText = page.VersionPath(p.head.Name, f.Name(), f.Version()), f.Name()+" "+f.Version()
		}
		return out
	}
	id := e.Facts["publisher"]
	if slices.ContainsFunc(p.rules, func(rule trust.Publisher) bool { return strconv.FormatInt(rule.ID, 10) == id }) {
		out.URL, out.URLText = page.PublisherPath(p.head.Name, id)+"#publisher-"+id, "Look at the publisher"
	}
	return out
}

// actor is who did it, and by what means.
func actor(e audit.Event) (who, means string) {
	switch run := cmp.Or(e.Facts["run_number"], e.Facts["run_id"]); {
	case e.Actor.Kind == audit.Publisher && run != "":
		who = "run " + run
		if attempt := e.Facts["run_attempt"]; attempt != "" && attempt != "1" {
			who += " attempt " + attempt
		}
		return who, e.Facts["repository"] + ", " + cmp.Or(e.Facts["workflow"], "a workflow")
	case e.Actor.Kind == audit.User && e.Actor.Means == "session":
		return e.Actor.Name, "in a browser"
	case e.Actor.Kind == audit.Operator:
		return "operator", e.Actor.Means
	case e.Actor.Kind == audit.Anonymous:
		return "somebody", "not signed in"
	}
	// The means of a run name its repository once more.
	return e.Actor.Name, strings.Replace(e.Actor.Means, " of "+e.Actor.Name, "", 1)
}
