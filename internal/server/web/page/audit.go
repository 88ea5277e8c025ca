package page

import (
	"iter"
	"time"
)

// AuditView is the audit log of a channel: who did what, when?
type AuditView struct {
	Head ChannelHead
	// Events are those of this page, newest first.
	Events []AuditEvent
	// Kinds are the kinds to choose from, Kind the chosen one; empty for everything.
	Kinds []Choice
	Kind  string
	// Paging.Next leads to older events.
	Paging Paging
}

// AuditEvent is one line of the log.
type AuditEvent struct {
	At time.Time
	// Who acted, and by what means: "run 1237 attempt 2" and "acme/forge, build.yml", or "mara" and "session".
	Who, Means string
	// Refused says that it was not done.
	Refused bool
	// Sentence says what happened.
	Sentence string
	// URL leads to what it happened to, where that has a page; URLText says where the link goes.
	URL, URLText string
	// TakeBack leads to where everything is taken back that the run published; empty for no run.
	TakeBack string
	// Request is the id of the request.
	Request string
}

// days are the events in runs of one day (UTC), each with its first moment.
func (v AuditView) days() iter.Seq2[time.Time, []AuditEvent] {
	return func(yield func(time.Time, []AuditEvent) bool) {
		for i := 0; i < len(v.Events); {
			j := i + 1
			for j < len(v.Events) && sameDay(v.Events[i].At.UTC(), v.Events[j].At.UTC()) {
				j++
			}
			if !yield(v.Events[i].At.UTC().Truncate(24*time.Hour), v.Events[i:j]) {
				return
			}
			i = j
		}
	}
}

func (v AuditView) choices() []Choice {
	return append([]Choice{{"", "Everything"}}, v.Kinds...)
}

// word follows the number of events.
func (v AuditView) word() string {
	if v.Paging.Total == 0 && len(v.Events) == 1 {
		return " event"
	}
	return " events"
}
