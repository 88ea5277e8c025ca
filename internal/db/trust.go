package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/token"
	"sluice/internal/trust"
)

// PublishToken implements trust.Store.
func (db *DB) PublishToken(ctx context.Context, h token.Hash) (trust.PublishToken, error) {
	t := trust.PublishToken{Hash: h}
	err := db.read(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT id, created_us, expires_us, revoked_us, revoked_why, run FROM publish_token WHERE hash = $1`, h[:]).
			Scan(&t.ID, when{&t.CreatedAt}, when{&t.ExpiresAt}, when{&t.RevokedAt}, &t.RevokedWhy, jsonText{&t.Run})
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.InvalidToken, "This publish token is unknown here: it may belong to another server. Run the job again.")
		} else if err != nil {
			return fmt.Errorf("publish token: %w", err)
		}
		t.Grants, err = db.grants(ctx, tx, t.ID)
		return err
	})
	return t, err
}

func (db *DB) grants(ctx context.Context, tx *sql.Tx, tokenID int64) ([]trust.Grant, error) {
	return collect(ctx, tx, func(r *sql.Rows, g *trust.Grant) error {
		var names []string
		var row publisherRow
		if err := r.Scan(append([]any{&g.PublisherVersion, jsonText{&names}}, row.fields()...)...); err != nil {
			return err
		}
		p, err := row.publisher()
		if err != nil {
			return err
		}
		end, _ := p.End(db.now())
		g.PublisherID, g.ChannelID, g.Channel = p.ID, p.ChannelID, p.Channel
		g.Right, g.Subdirs, g.NewNames, g.PerRun, g.Demand = p.Right, p.Subdirs, p.NewNames, p.PerRun, p.Demand
		g.Gone = row.removed.Valid || p.Version != g.PublisherVersion || end != ""
		g.Packages, err = parsed(names, conda.ParsePattern)
		return err
	}, `SELECT g.publisher_version, g.packages, `+publisherColumns+publisherTables+`JOIN publish_grant g ON g.publisher_id = p.id WHERE g.token_id = $1 ORDER BY g.position`, tokenID)
}

// LoadKeys implements trust.Store.
func (db *DB) LoadKeys(ctx context.Context, issuer string) (jwks []byte, fetchedAt time.Time, err error) {
	err = db.reader.QueryRowContext(ctx, `SELECT jwks, fetched_us FROM issuer_keys WHERE issuer = $1`, issuer).Scan(&jwks, when{&fetchedAt})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, time.Time{}, nil
	}
	return jwks, fetchedAt, err
}

// SaveKeys implements trust.Store.
func (db *DB) SaveKeys(ctx context.Context, issuer string, jwks []byte, fetchedAt time.Time) error {
	_, err := db.writer.ExecContext(ctx, `INSERT INTO issuer_keys (issuer, jwks, fetched_us) VALUES ($1, $2, $3)
		ON CONFLICT (issuer) DO UPDATE SET jwks = excluded.jwks, fetched_us = excluded.fetched_us WHERE issuer_keys.fetched_us <= excluded.fetched_us`,
		issuer, jwks, micros(fetchedAt))
	return err
}
