package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sluice/internal/audit"
	"sluice/internal/fault"
	"sluice/internal/trust"
	"sluice/internal/trust/provider"
)

// Mint implements trust.Store.
func (db *DB) Mint(ctx context.Context, m trust.Mint) (id int64, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		if err := spend(ctx, tx, m); err != nil {
			return err
		}
		for _, g := range m.Token.Grants {
			if err := db.usePublisher(ctx, tx, g, m); err != nil {
				return err
			}
		}
		if id, err = insertPublishToken(ctx, tx, m.Token); err != nil {
			return err
		}
		return db.mintEvents(ctx, tx, m)
	})
	return id, err
}

// spend marks an identity token as used. Whoever inserts the row is the one who may go on, whatever replica
// asked and however many at once.
func spend(ctx context.Context, tx *sql.Tx, m trust.Mint) error {
	t := m.Token
	res, err := tx.ExecContext(ctx, `INSERT INTO spent_token (issuer, replay_key, spent_us, until_us, run) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (issuer, replay_key) DO NOTHING`, t.Run.Issuer, m.ReplayKey, micros(t.CreatedAt), micros(m.ReplayUntil), text(t.Run))
	if err != nil {
		return fmt.Errorf("spend identity token: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return err
	}
	var at time.Time
	var by trust.Provenance
	err = tx.QueryRowContext(ctx, `SELECT spent_us, run FROM spent_token WHERE issuer = $1 AND replay_key = $2`, t.Run.Issuer, m.ReplayKey).
		Scan(when{&at}, jsonText{&by})
	if err != nil {
		return fmt.Errorf("spent identity token: %w", err)
	}
	return trust.Reused(at, by)
}

// usePublisher checks that a publisher is still what was matched, pins it to the run's ids, follows a rename,
// and notes its use.
func (db *DB) usePublisher(ctx context.Context, tx *sql.Tx, g trust.Grant, m trust.Mint) error {
	run := m.Token.Run
	var row publisherRow
	err := tx.QueryRowContext(ctx, `SELECT `+publisherColumns+publisherTables+`WHERE p.id = $1 AND p.removed_us IS NULL`+db.lockPublisher, g.PublisherID).Scan(row.fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return trust.ErrStale
	} else if err != nil {
		return fmt.Errorf("publisher of a mint: %w", err)
	}
	p, err := row.publisher()
	if err != nil {
		return err
	}
	end, _ := p.End(m.Token.CreatedAt)
	if p.Version != g.PublisherVersion || end != "" || p.OwnerID != "" && p.OwnerID != run.OwnerID || p.RepositoryID != "" && p.RepositoryID != run.RepositoryID {
		return trust.ErrStale
	}
	if err := db.identityEvents(ctx, tx, p, m); err != nil {
		return err
	}
	if err := db.news(ctx, tx, p, m); err != nil {
		return err
	}
	p.Owner, p.OwnerID = run.Owner, run.OwnerID
	if !p.AnyRepository {
		p.Repository, p.RepositoryID = run.Name(), run.RepositoryID
	}
	_, err = tx.ExecContext(ctx, `UPDATE publisher SET owner = $2, repository = $3, repository_fold = $4, owner_fold = $5, owner_id = $6, repository_id = $7,
			last_used_us = $8, last_run = $9 WHERE id = $1`,
		p.ID, p.Owner, p.Repository, trust.RepositoryKey(p.FullName()), trust.RepositoryKey(p.Owner), p.OwnerID, orNull(p.RepositoryID), micros(m.Token.CreatedAt), text(run))
	if err != nil {
		return fmt.Errorf("note use of publisher: %w", err)
	}
	return nil
}

func (db *DB) identityEvents(ctx context.Context, tx *sql.Tx, p trust.Publisher, m trust.Mint) error {
	run := m.Token.Run
	e := publisherEvent(p, m)
	switch {
	case !p.Pinned() && p.AnyRepository:
		e.Kind, e.Sentence = audit.PublisherPinned, fmt.Sprintf("pinned publisher %d to owner id %s at its first use", p.ID, run.OwnerID)
	case !p.Pinned():
		e.Kind, e.Sentence = audit.PublisherPinned, fmt.Sprintf("pinned publisher %d to repository id %s and owner id %s at its first use", p.ID, run.RepositoryID, run.OwnerID)
	case p.Unnamed() && p.FullName() == run.Repository:
		return nil
	case p.Unnamed():
		e.Kind, e.Sentence = audit.PublisherPinned, fmt.Sprintf("pinned publisher %d to repository %s at its first use", p.ID, run.Repository)
	case p.AnyRepository && trust.RepositoryKey(p.Owner) != trust.RepositoryKey(run.Owner):
		e.Kind, e.Sentence = audit.PublisherRenamed, fmt.Sprintf("followed the rename of %s to %s; the id is the same", p.Owner, run.Owner)
	case !p.AnyRepository && trust.RepositoryKey(p.FullName()) != trust.RepositoryKey(run.Repository):
		e.Kind, e.Sentence = audit.PublisherRenamed, fmt.Sprintf("followed the rename of %s to %s; the ids are the same", p.FullName(), run.Repository)
	default:
		return nil
	}
	return db.appendEvent(ctx, tx, e)
}

// publisherEvent is an event about a publisher that a run has used.
func publisherEvent(p trust.Publisher, m trust.Mint) audit.Event {
	run := m.Token.Run
	facts := runFacts(run)
	facts["publisher"] = fmt.Sprint(p.ID)
	return audit.Event{
		At: m.Token.CreatedAt, Actor: runActor(run), ChannelID: p.ChannelID, Channel: p.Channel.String(), Subject: run.Repository,
		Facts: facts,
	}
}

func runActor(run trust.Provenance) audit.Actor {
	return audit.Actor{Kind: audit.Publisher, Name: run.Repository, Means: run.Byline()}
}

// news notes from where the run came, and tells the owners what of it the publisher has not seen before. Its first
// run is no news: there is nothing to compare it with.
func (db *DB) news(ctx context.Context, tx *sql.Tx, p trust.Publisher, m trust.Mint) error {
	var found []string
	for _, s := range m.Token.Run.Sights() {
		res, err := tx.ExecContext(ctx, `INSERT INTO publisher_seen (publisher_id, kind, value, first_us) VALUES ($1, $2, $3, $4) ON CONFLICT (publisher_id, kind, value) DO NOTHING`,
			p.ID, s.Kind, s.Value, micros(m.Token.CreatedAt))
		if err != nil {
			return fmt.Errorf("note what is new of a run: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n > 0 {
			found = append(found, s.Kind+" "+s.Value)
		}
	}
	if len(found) == 0 || p.Pending() {
		return nil
	}
	e := publisherEvent(p, m)
	e.Kind, e.Sentence = audit.PublisherNews, fmt.Sprintf("used publisher %d for the first time with %s: %s", p.ID, strings.Join(found, " and "), m.Token.Run.Byline())
	return db.appendEvent(ctx, tx, e)
}

func insertPublishToken(ctx context.Context, tx *sql.Tx, t trust.PublishToken) (id int64, err error) {
	err = tx.QueryRowContext(ctx, `INSERT INTO publish_token (hash, created_us, expires_us, revoked_why, run) VALUES ($1, $2, $3, '', $4) RETURNING id`,
		t.Hash[:], micros(t.CreatedAt), micros(t.ExpiresAt), text(t.Run)).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("store publish token: %w", err)
	}
	for i, g := range t.Grants {
		_, err := tx.ExecContext(ctx, `INSERT INTO publish_grant (token_id, position, publisher_id, publisher_version, channel_id, packages) VALUES ($1, $2, $3, $4, $5, $6)`,
			id, i, g.PublisherID, g.PublisherVersion, g.ChannelID, text(spelled(g.Packages)))
		if err != nil {
			return 0, fmt.Errorf("store grant: %w", err)
		}
	}
	return id, nil
}

// mintEvents writes one event for each channel that the token covers, so that each channel's owners see it.
func (db *DB) mintEvents(ctx context.Context, tx *sql.Tx, m trust.Mint) error {
	run, seen := m.Token.Run, map[int64]bool{}
	for _, g := range m.Token.Grants {
		if seen[g.ChannelID] {
			continue
		}
		seen[g.ChannelID] = true
		facts := runFacts(run)
		facts["publisher"], facts["audience"], facts["jti"] = fmt.Sprint(g.PublisherID), m.Audience, m.JTI
		facts["expires"] = m.Token.ExpiresAt.UTC().Format(time.RFC3339)
		e := audit.Event{
			At: m.Token.CreatedAt, Kind: audit.TokenMinted, Actor: runActor(run), ChannelID: g.ChannelID, Channel: g.Channel.String(),
			Subject: run.Repository, Sentence: "got a publish token for " + run.Byline(), Facts: facts,
		}
		if i := slices.IndexFunc(m.Near, func(n trust.Near) bool { return n.PublisherID == g.PublisherID }); i >= 0 {
			e.Checks = checks(m.Near[i].Points)
		}
		if err := db.appendEvent(ctx, tx, e); err != nil {
			return err
		}
	}
	return nil
}

// checks is what was compared, as the audit log keeps it.
func checks(points []provider.Point) []audit.Check {
	var out []audit.Check
	for _, p := range points {
		out = append(out, audit.Check{Field: p.Field, Claim: p.Claim, Got: fault.OneLine(p.Got, maxFact), Want: fault.OneLine(p.Want, maxFact), Code: string(p.Code)})
	}
	return out
}

// maxFact bounds one value in the audit log, in bytes.
const maxFact = 500

// Refused implements trust.Refusals. Each channel whose publishers come near has one event of its own.
func (db *DB) Refused(ctx context.Context, r trust.Refusal) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if len(r.Near) == 0 {
			return db.appendEvent(ctx, tx, refusalEvent(r, true))
		}
		seen := map[int64]bool{}
		for _, near := range r.Near {
			if seen[near.ChannelID] {
				continue
			}
			seen[near.ChannelID] = true
			e := refusalEvent(r, near.ChannelID == r.Near[0].ChannelID)
			e.ChannelID = near.ChannelID
			e.Facts["publisher"], e.Facts["proven"] = fmt.Sprint(near.PublisherID), fmt.Sprint(near.Proven)
			e.Checks = checks(near.Points)
			if err := tx.QueryRowContext(ctx, `SELECT name FROM channel WHERE id = $1`, near.ChannelID).Scan(&e.Channel); err != nil {
				return fmt.Errorf("channel of a refusal: %w", err)
			}
			if err := db.appendEvent(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// refusalEvent is a refusal as a channel's owners read it. The differences, and the sentence that tells them, are
// those of the nearest publisher: what it wants, and which channel it is in, is nothing for owners of other channels.
func refusalEvent(r trust.Refusal, nearest bool) audit.Event {
	e := audit.Event{
		At: r.At, Kind: audit.MintRefused, Actor: runActor(r.Run),
		Subject: r.Run.Repository, Sentence: r.Detail, Code: string(r.Code), Facts: runFacts(r.Run),
	}
	e.Facts["jti"] = r.JTI
	if len(r.Differences) > 0 && !nearest {
		e.Sentence = fmt.Sprintf("Run does not match [%s]: no publisher of this channel takes it as it is.", r.Code)
		return e
	}
	for _, d := range r.Differences {
		e.Facts["wants "+d.Claim] = d.Want
	}
	return e
}

// runFacts is what the audit log keeps of a run: its provenance, by the same names. It holds nothing personal.
func runFacts(run trust.Provenance) map[string]string {
	facts := map[string]string{}
	if err := json.Unmarshal([]byte(text(run)), &facts); err != nil {
		panic("db: a provenance has a field that is no string: " + err.Error()) // a mistake in provider, seen by every test
	}
	maps.DeleteFunc(facts, func(_, v string) bool { return v == "" })
	return facts
}
