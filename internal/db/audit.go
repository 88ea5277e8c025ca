package db

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"sluice/internal/audit"
	"sluice/internal/token"
)

// Append implements audit.Log.
func (db *DB) Append(ctx context.Context, e audit.Event) error {
	return db.write(ctx, func(tx *sql.Tx) error { return db.appendEvent(ctx, tx, e) })
}

// appendEvent writes an event. What a caller put into the wrong place, a token as a file name, is kept out of it.
func (db *DB) appendEvent(ctx context.Context, tx *sql.Tx, e audit.Event) error {
	if e.At.IsZero() {
		e.At = db.now()
	}
	if e.RequestID == "" {
		e.RequestID = audit.Request(ctx)
	}
	e.Subject, e.Sentence = token.Scrub(e.Subject), token.Scrub(e.Sentence)
	err := tx.QueryRowContext(ctx, `INSERT INTO event (at_us, kind, actor_kind, actor, means, channel_id, channel, subject, sentence, code, facts, checks, request_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING id`,
		micros(e.At), string(e.Kind), string(e.Actor.Kind), e.Actor.Name, e.Actor.Means, e.ChannelID, e.Channel, e.Subject, e.Sentence, e.Code, text(e.Facts), text(e.Checks), e.RequestID).Scan(&e.ID)
	if err != nil {
		return fmt.Errorf("append audit event: %w", err)
	}
	return db.tell(ctx, tx, e)
}

const eventColumns = `e.id, e.at_us, e.kind, e.actor_kind, e.actor, e.means, e.channel_id, e.channel, e.subject, e.sentence, e.code, e.facts, e.checks, e.request_id`

// Events implements audit.Log.
func (db *DB) Events(ctx context.Context, q audit.Query) ([]audit.Event, error) {
	var where []string
	var args []any
	add := func(cond string, arg any) {
		args = append(args, arg)
		where = append(where, fmt.Sprintf(cond, len(args)))
	}
	if q.ChannelID != 0 || q.NoChannel {
		add("channel_id = $%d", q.ChannelID)
	}
	if q.Before != 0 {
		add("id < $%d", q.Before)
	}
	if len(q.Kinds) > 0 {
		var marks []string
		for _, k := range q.Kinds {
			args = append(args, string(k))
			marks = append(marks, fmt.Sprintf("$%d", len(args)))
		}
		where = append(where, "kind IN ("+strings.Join(marks, ", ")+")")
	}
	query := `SELECT ` + eventColumns + ` FROM event e`
	if len(where) > 0 {
		query += ` WHERE ` + strings.Join(where, " AND ")
	}
	args = append(args, min(max(q.Limit, 1), 1000))
	query += fmt.Sprintf(` ORDER BY id DESC LIMIT $%d`, len(args))
	return collect(ctx, db.reader, scanEvent, query, args...)
}

func scanEvent(r *sql.Rows, e *audit.Event) error {
	return r.Scan(&e.ID, when{&e.At}, &e.Kind, &e.Actor.Kind, &e.Actor.Name, &e.Actor.Means, &e.ChannelID, &e.Channel,
		&e.Subject, &e.Sentence, &e.Code, jsonText{&e.Facts}, jsonText{&e.Checks}, &e.RequestID)
}
