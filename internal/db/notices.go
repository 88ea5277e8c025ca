package db

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sluice/internal/audit"
	"sluice/internal/mail"
)

// Bounds of what Notices reads and gives.
const (
	noticesSince = 30 * 24 * time.Hour
	noticesRead  = 500
	notices      = 20
)

// Notices are the events of a channel that its owners are told of, of the last 30 days: at most 20, newest first. Of
// refusals of one repository for one reason only the newest is among them. Events beyond the newest 500 are not looked at.
func (db *DB) Notices(ctx context.Context, channelID int64) ([]audit.Event, error) {
	n := mail.ToOwners()
	args := []any{channelID, micros(db.now().Add(-noticesSince)), noticesRead, string(audit.Anonymous)}
	query := `SELECT ` + eventColumns + ` FROM event e WHERE e.channel_id = $1 AND e.at_us > $2
		AND (e.kind IN (` + marks(&args, n.Kinds) + `) OR e.kind IN (` + marks(&args, n.Coded) + `) AND e.code IN (` + marks(&args, n.Codes) + `)
		OR e.kind IN (` + marks(&args, n.Found) + `) AND e.actor_kind = $4) ORDER BY e.id DESC LIMIT $3`
	found, err := collect(ctx, db.reader, scanEvent, query, args...)
	if err != nil {
		return nil, fmt.Errorf("notices: %w", err)
	}
	var out []audit.Event
	seen := map[string]bool{}
	for _, e := range found {
		once := onceOf(e)
		if len(out) < notices && (once == "" || !seen[once]) {
			out = append(out, e)
		}
		seen[once] = true
	}
	return out, nil
}

// onceOf is the same for events of which owners are shown the newest; "" for all others.
func onceOf(e audit.Event) string {
	for _, t := range mail.Tell(e) {
		if t.To == mail.Owners {
			return t.Once
		}
	}
	return ""
}

// marks adds values to the arguments of a query and returns their places in it.
func marks[T ~string](args *[]any, values []T) string {
	var places []string
	for _, v := range values {
		*args = append(*args, string(v))
		places = append(places, fmt.Sprintf("$%d", len(*args)))
	}
	return strings.Join(places, ", ")
}
