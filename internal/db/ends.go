package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"sluice/internal/audit"
	"sluice/internal/trust"
)

// maxNotices bounds what one call announces. What is left comes with the next.
const maxNotices = 200

// publisherPage is how many publishers are read at once.
const publisherPage = 500

// itself is who announces ends.
var itself = audit.Actor{Kind: audit.Operator, Means: "the server itself"}

// NoticeEnds tells the owners of channels, in their audit logs, which publishers will soon be off by themselves and
// which are: each end once before it and once when it is reached, whatever number of servers look for them. A use or
// a change of the publisher makes another end of it. It returns how many were announced.
func (db *DB) NoticeEnds(ctx context.Context) (notices int, err error) {
	due, err := db.dueNotices(ctx, db.now())
	if err != nil || len(due) == 0 {
		return 0, err
	}
	err = db.write(ctx, func(tx *sql.Tx) error {
		notices = 0
		for _, n := range due {
			first, err := claimNotice(ctx, tx, n)
			if err != nil {
				return err
			}
			if !first {
				continue
			}
			notices++
			if err := db.appendEvent(ctx, tx, noticeEvent(n)); err != nil {
				return err
			}
		}
		return nil
	})
	return notices, err
}

// endNotice is one end to be announced. until is what told_us becomes: the end itself before it, what follows it at
// once when it is reached.
type endNotice struct {
	trust.Publisher
	trust.Ending
	reached bool
	until   time.Time
}

// dueNotices finds what is to be announced. It goes through the publishers by their primary key, page by page.
func (db *DB) dueNotices(ctx context.Context, now time.Time) (due []endNotice, err error) {
	for after := int64(0); len(due) < maxNotices; {
		page, err := collect(ctx, db.reader, scanToldPublisher, `SELECT p.told_us, `+publisherColumns+publisherTables+
			`WHERE p.removed_us IS NULL AND p.disabled_us IS NULL AND p.id > $1 ORDER BY p.id LIMIT $2`, after, publisherPage)
		if err != nil {
			return nil, fmt.Errorf("look for ends of publishers: %w", err)
		}
		for _, p := range page {
			after = p.ID
			n := endNotice{Publisher: p.Publisher, Ending: p.Ends()}
			n.reached = !now.Before(n.At)
			if n.until = n.At; n.reached {
				n.until = n.At.Add(time.Microsecond)
			}
			if !now.Before(n.Notice) && p.told.Before(n.until) && len(due) < maxNotices {
				due = append(due, n)
			}
		}
		if len(page) < publisherPage {
			break
		}
	}
	return due, nil
}

type toldPublisher struct {
	trust.Publisher
	told time.Time
}

func scanToldPublisher(r *sql.Rows, p *toldPublisher) error {
	var row publisherRow
	if err := r.Scan(append([]any{when{&p.told}}, row.fields()...)...); err != nil {
		return err
	}
	var err error
	p.Publisher, err = row.publisher()
	return err
}

// claimNotice reports whether the notice is this caller's to give: the publisher is still what was read, and nobody
// else gave it.
func claimNotice(ctx context.Context, tx *sql.Tx, n endNotice) (bool, error) {
	res, err := tx.ExecContext(ctx, `UPDATE publisher SET told_us = $2 WHERE id = $1 AND version = $3 AND removed_us IS NULL AND COALESCE(last_used_us, 0) = $4
		AND (told_us IS NULL OR told_us < $2)`, n.ID, micros(n.until), n.Version, orZero(n.LastUsedAt))
	if err != nil {
		return false, fmt.Errorf("claim a notice: %w", err)
	}
	rows, err := res.RowsAffected()
	return rows > 0, err
}

func orZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func noticeEvent(n endNotice) audit.Event {
	e := audit.Event{
		Kind: audit.PublisherExpiring, Actor: itself, ChannelID: n.ChannelID, Channel: n.Channel.String(), Subject: n.FullName(),
		Sentence: n.Before(n.ID), Facts: map[string]string{"publisher": fmt.Sprint(n.ID), "end": n.At.UTC().Format(time.RFC3339), "rule": n.Sentence()},
	}
	if n.reached {
		e.Kind, e.Sentence = audit.PublisherDisabled, n.After(n.ID)
	}
	return e
}
