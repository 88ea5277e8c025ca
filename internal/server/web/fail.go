package web

import (
	"errors"
	"net/http"

	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/server/gate"
	"sluice/internal/server/reply"
	"sluice/internal/server/web/page"
)

// missingError is a page that is not there, in better words than those that fit every 404.
type missingError struct {
	title, sentence string
	near            []page.Near
	actions         []page.Action
}

// Error returns the title.
func (e *missingError) Error() string { return e.title }

// Unwrap makes it a refusal.
func (e *missingError) Unwrap() error { return fault.New(fault.NotFound, "%s.", e.title) }

// nowhere is the refusal of an address at which no page can be.
func nowhere() error { return fault.New(fault.NotFound, "There is no page here.") }

// fail answers with the page of a refusal or an error.
func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := reply.Refusal(r, err)
	status := reply.Status(f.Code)
	frame := s.frame(r)
	v := page.Failure(frame, status, gate.RequestID(r.Context()))
	if better := words(caller.From(r.Context()).Rejected, f); better != "" {
		v.Sentence = better
	}
	if m, ok := errors.AsType[*missingError](err); ok {
		v.Title, v.Near = m.title, m.near
		if m.sentence != "" {
			v.Sentence = m.sentence
		}
		if m.actions != nil {
			v.Actions = m.actions
		}
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="sluice"`) // no Basic: a browser would ask in a window of its own
	}
	secret(w)
	if err := s.show(w, r, status, frame, page.Fail(frame, v)); err != nil {
		reply.Error(w, r, err)
	}
}

// words is the refusal's own sentence, where it says more than the page for its status would. rejected is why a
// session that came was not taken.
func words(rejected, f *fault.Error) string {
	switch reply.Status(f.Code) {
	case http.StatusUnauthorized:
		if rejected != nil {
			return rejected.Detail
		}
		return ""
	case http.StatusNotFound, http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusMethodNotAllowed:
		return ""
	}
	return f.Detail
}
