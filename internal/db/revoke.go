package db

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/revoke"
	"sluice/internal/token"
	"sluice/internal/trust"
)

// EndTokens implements revoke.Store. Most of what is reported is not here or has ended, so it looks before it
// takes the database's one writer.
func (db *DB) EndTokens(ctx context.Context, held []revoke.Held, e revoke.Ending) error {
	var here []revoke.Held
	for _, h := range held {
		if found, err := isHere(ctx, db.reader, h); err != nil {
			return err
		} else if found && !slices.Contains(here, h) {
			here = append(here, h)
		}
	}
	if len(here) == 0 {
		return nil
	}
	slices.SortFunc(here, func(a, b revoke.Held) int { return bytes.Compare(a.Hash[:], b.Hash[:]) }) // or two reports would wait for one another
	return db.write(ctx, func(tx *sql.Tx) error {
		for _, h := range here {
			events, err := db.endToken(ctx, tx, h, e)
			if err != nil {
				return fmt.Errorf("end a %s… token: %w", h.Kind, err)
			}
			for _, event := range events {
				event.At = e.At
				if err := db.appendEvent(ctx, tx, event); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// isHere reports whether there is anything to end.
func isHere(ctx context.Context, q queryer, h revoke.Held) (bool, error) {
	query := map[token.Kind]string{
		token.Publish: `SELECT count(*) FROM publish_token WHERE hash = $1 AND revoked_us IS NULL`,
		token.API:     `SELECT count(*) FROM api_token WHERE hash = $1 AND revoked_us IS NULL`,
		token.Session: `SELECT count(*) FROM session WHERE hash = $1`,
		token.Setup:   `SELECT count(*) FROM setup_link WHERE hash = $1`,
	}[h.Kind]
	var n int
	if err := q.QueryRowContext(ctx, query, h.Hash[:]).Scan(&n); err != nil {
		return false, fmt.Errorf("look for a %s… token: %w", h.Kind, err)
	}
	return n > 0, nil
}

// endToken ends a token, past its end or not, for an upload may still be running on it. It returns what to tell
// and to whom: nothing when somebody else was first.
func (db *DB) endToken(ctx context.Context, tx *sql.Tx, h revoke.Held, e revoke.Ending) ([]audit.Event, error) {
	end := map[token.Kind]func(context.Context, *sql.Tx, token.Hash, revoke.Ending) ([]audit.Event, error){
		token.Publish: db.endPublishToken, token.API: endAPIToken, token.Session: endSession, token.Setup: endSetup,
	}[h.Kind]
	events, err := end(ctx, tx, h.Hash, e)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return events, err
}

func (db *DB) endPublishToken(ctx context.Context, tx *sql.Tx, h token.Hash, e revoke.Ending) ([]audit.Event, error) {
	var id int64
	var run trust.Provenance
	err := tx.QueryRowContext(ctx, `UPDATE publish_token SET revoked_us = $2, revoked_why = $3 WHERE hash = $1 AND revoked_us IS NULL RETURNING id, run`,
		h[:], micros(e.At), e.Why).Scan(&id, jsonText{&run})
	if err != nil {
		return nil, err
	}
	list, err := db.grants(ctx, tx, id)
	event := audit.Event{
		Kind: audit.TokenRevoked, Actor: runActor(run),
		Subject: run.Repository, Sentence: "ended the publish token of " + run.Byline(), Facts: runFacts(run),
	}
	if e.Found {
		event.Actor, event.Sentence = audit.Actor{Kind: audit.Anonymous}, "the publish token of "+run.Byline()+" was reported as found, and is revoked"
	}
	var events []audit.Event
	for _, g := range list {
		if !slices.ContainsFunc(events, func(e audit.Event) bool { return e.ChannelID == g.ChannelID }) {
			event.ChannelID, event.Channel = g.ChannelID, g.Channel.String()
			events = append(events, event)
		}
	}
	return events, err
}

func endAPIToken(ctx context.Context, tx *sql.Tx, h token.Hash, e revoke.Ending) ([]audit.Event, error) {
	var id int64
	err := tx.QueryRowContext(ctx, `UPDATE api_token SET revoked_us = $2, revoked_why = $3 WHERE hash = $1 AND revoked_us IS NULL RETURNING id`,
		h[:], micros(e.At), e.Why).Scan(&id)
	if err != nil {
		return nil, err
	}
	var row tokenRow
	if err := tx.QueryRowContext(ctx, `SELECT `+tokenColumns+tokenTables+`WHERE t.id = $1`, id).Scan(row.fields()...); err != nil {
		return nil, err
	}
	t := row.token()
	event := audit.Event{
		Kind: audit.APITokenRevoked, Actor: audit.Actor{Kind: audit.Anonymous}, ChannelID: t.ChannelID, Channel: t.Channel, Subject: t.User + "/" + t.Name,
		Sentence: "the API token \"" + t.Name + "\" of " + t.User + " was reported as found, and is revoked",
	}
	events := []audit.Event{event}
	if t.ChannelID != 0 || !t.Has(account.Upload) {
		return events, nil
	}
	// Whoever had it could publish there, and the owners will want to look.
	err = eachChannel(ctx, tx, t.UserID, func(id int64, name string) {
		event.ChannelID, event.Channel = id, name
		events = append(events, event)
	})
	return events, err
}

// eachChannel calls do for the channels that an account may upload to as a member.
func eachChannel(ctx context.Context, tx *sql.Tx, accountID int64, do func(id int64, name string)) error {
	type row struct {
		id   int64
		name string
	}
	list, err := collect(ctx, tx, func(r *sql.Rows, c *row) error { return r.Scan(&c.id, &c.name) },
		`SELECT c.id, c.name FROM member m JOIN channel c ON c.id = m.channel_id WHERE m.account_id = $1 AND m.role IN ('owner', 'maintainer') ORDER BY c.id`, accountID)
	for _, c := range list {
		do(c.id, c.name)
	}
	return err
}

func endSession(ctx context.Context, tx *sql.Tx, h token.Hash, _ revoke.Ending) ([]audit.Event, error) {
	var name string
	err := tx.QueryRowContext(ctx, `DELETE FROM session WHERE hash = $1 RETURNING (SELECT name FROM account WHERE id = account_id)`, h[:]).Scan(&name)
	return []audit.Event{{
		Kind: audit.SessionRevoked, Actor: audit.Actor{Kind: audit.Anonymous}, Subject: name,
		Sentence: "a session of " + name + " was reported as found, and is ended",
	}}, err
}

func endSetup(ctx context.Context, tx *sql.Tx, h token.Hash, _ revoke.Ending) ([]audit.Event, error) {
	var at int64
	err := tx.QueryRowContext(ctx, `DELETE FROM setup_link WHERE hash = $1 RETURNING created_us`, h[:]).Scan(&at)
	return []audit.Event{{
		Kind: audit.SetupRevoked, Actor: audit.Actor{Kind: audit.Anonymous},
		Sentence: "the link for the first account was reported as found, and is ended; the next start of the server prints a new one",
	}}, err
}

// EndRun implements curate.Store. Channels that others made may be among those of a token, so only this one is taken
// from it; a token that is left without any is revoked.
func (db *DB) EndRun(ctx context.Context, ch channel.Channel, run, repository string, e audit.Event) (int, error) {
	n := 0
	err := db.write(ctx, func(tx *sql.Tx) error {
		ids, byline, err := tokensOfRun(ctx, tx, ch.ID, run, repository)
		if n = len(ids); err != nil || n == 0 {
			return err
		}
		now := db.now()
		for _, id := range ids {
			if err := takeChannel(ctx, tx, id, ch, now); err != nil {
				return fmt.Errorf("take a channel from a publish token: %w", err)
			}
		}
		told := e
		told.At, told.Sentence = now, "ended the publish tokens of "+byline+" for this channel"
		return db.appendEvent(ctx, tx, told)
	})
	return n, err
}

// takeChannel revokes a publish token that has no other channel, and takes the channel from one that has.
func takeChannel(ctx context.Context, tx *sql.Tx, id int64, ch channel.Channel, at time.Time) error {
	n, err := affected(tx.ExecContext(ctx, `UPDATE publish_token SET revoked_us = $2, revoked_why = $3 WHERE id = $1
		AND NOT EXISTS (SELECT 1 FROM publish_grant WHERE token_id = $1 AND channel_id <> $4)`,
		id, micros(at), "a keeper of channel "+ch.Name.String()+" took back what its run published", ch.ID))
	if err != nil || n > 0 {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM publish_grant WHERE token_id = $1 AND channel_id = $2`, id, ch.ID)
	return err
}

// tokensOfRun finds the publish tokens that a run has for a channel, past their end or not, for an upload may still be
// running on one.
func tokensOfRun(ctx context.Context, tx *sql.Tx, channelID int64, run, repository string) (ids []int64, byline string, err error) {
	type row struct {
		id  int64
		run trust.Provenance
	}
	rows, err := collect(ctx, tx, func(r *sql.Rows, v *row) error { return r.Scan(&v.id, jsonText{&v.run}) },
		`SELECT t.id, t.run FROM publish_token t WHERE t.revoked_us IS NULL
			AND EXISTS (SELECT 1 FROM publish_grant g WHERE g.token_id = t.id AND g.channel_id = $1) ORDER BY t.id`, channelID)
	if err != nil {
		return nil, "", fmt.Errorf("publish tokens of a run: %w", err)
	}
	for _, r := range rows {
		if r.run.RunID == run && (repository == "" || strings.EqualFold(repository, r.run.Repository)) {
			ids, byline = append(ids, r.id), r.run.Byline()
		}
	}
	return ids, byline, nil
}

// RevokeAllOf implements account.TokenStore.
func (db *DB) RevokeAllOf(ctx context.Context, name string, sessions bool, e audit.Event) (tokens, ended int64, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		var id int64
		err := tx.QueryRowContext(ctx, `SELECT id FROM account WHERE name = $1`, name).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return noAccount(name)
		} else if err != nil {
			return fmt.Errorf("account whose tokens end: %w", err)
		}
		if tokens, err = affected(tx.ExecContext(ctx, `UPDATE api_token SET revoked_us = $2 WHERE account_id = $1 AND revoked_us IS NULL AND expires_us > $2`, id, micros(e.At))); err != nil {
			return fmt.Errorf("revoke all API tokens: %w", err)
		}
		if sessions {
			if ended, err = affected(tx.ExecContext(ctx, `DELETE FROM session WHERE account_id = $1`, id)); err != nil {
				return fmt.Errorf("end all sessions: %w", err)
			}
		}
		if tokens+ended == 0 {
			return nil
		}
		e.Sentence = fmt.Sprintf("revoked all API tokens of %s (%d)", name, tokens)
		if sessions {
			e.Sentence += fmt.Sprintf(", and ended all sessions (%d)", ended)
		}
		return db.appendEvent(ctx, tx, e)
	})
	return tokens, ended, err
}

func affected(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
