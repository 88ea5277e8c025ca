package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sluice/internal/audit"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/token"
	"sluice/internal/trust"
)

const publisherColumns = `p.id, p.channel_id, c.name, p.provider, p.issuer, p.owner, p.repository, p.workflow, p.environment, p.packages,
	p.owner_id, p.repository_id, p.version, p.created_us, p.created_by, p.last_used_us, p.last_run`

type publisherRow struct {
	trust.Publisher
	channel               string
	packages              []string
	ownerID, repositoryID sql.Null[string]
}

func (r *publisherRow) fields() []any {
	return []any{&r.ID, &r.ChannelID, &r.channel, &r.Provider, &r.Issuer, &r.Owner, &r.Repository, &r.Workflow, &r.Environment, jsonText{&r.packages},
		&r.ownerID, &r.repositoryID, &r.Version, when{&r.CreatedAt}, &r.CreatedBy, when{&r.LastUsedAt}, jsonText{&r.LastRun}}
}

func (r *publisherRow) publisher() (p trust.Publisher, err error) {
	p = r.Publisher
	p.OwnerID, p.RepositoryID = r.ownerID.V, r.repositoryID.V
	if p.Packages, err = patterns(r.packages); err != nil {
		return p, err
	}
	p.Channel, err = conda.ParseChannel(r.channel)
	return p, err
}

func scanPublisher(r *sql.Rows, p *trust.Publisher) error {
	var row publisherRow
	if err := r.Scan(row.fields()...); err != nil {
		return err
	}
	var err error
	*p, err = row.publisher()
	return err
}

func patterns(words []string) ([]conda.Pattern, error) {
	var out []conda.Pattern
	for _, w := range words {
		p, err := conda.ParsePattern(w)
		if err != nil {
			return nil, fmt.Errorf("stored package pattern: %w", err)
		}
		out = append(out, p)
	}
	return out, nil
}

func words(patterns []conda.Pattern) string {
	out := make([]string, 0, len(patterns))
	for _, p := range patterns {
		out = append(out, p.String())
	}
	return text(out)
}

// Candidates implements trust.Store.
func (db *DB) Candidates(ctx context.Context, issuer, repositoryKey, repositoryID string) ([]trust.Publisher, error) {
	// Two index seeks, not one scan: an OR over two columns would read every publisher of the issuer.
	const from = `SELECT ` + publisherColumns + ` FROM publisher p JOIN channel c ON c.id = p.channel_id WHERE p.removed_us IS NULL AND p.issuer = $1 AND `
	return collect(ctx, db.reader, scanPublisher, from+`p.repository_fold = $2 UNION ALL `+from+`p.repository_id = $3 AND p.repository_fold <> $2 ORDER BY 1`,
		issuer, repositoryKey, repositoryID)
}

// AddPublisher stores a rule and returns it with its ID. The same rule in the same channel is fault.Conflict.
func (db *DB) AddPublisher(ctx context.Context, p trust.Publisher, e audit.Event) (trust.Publisher, error) {
	p.Version = 1
	err := db.write(ctx, func(tx *sql.Tx) error {
		var id int64
		if err := tx.QueryRowContext(ctx, `SELECT id FROM channel WHERE id = $1`+db.forUpdate, p.ChannelID).Scan(&id); err != nil {
			return fmt.Errorf("lock channel: %w", err)
		}
		err := tx.QueryRowContext(ctx, `SELECT id FROM publisher WHERE channel_id = $1 AND issuer = $2 AND repository_fold = $3 AND workflow = $4 AND environment = $5 AND removed_us IS NULL`,
			p.ChannelID, p.Issuer, trust.RepositoryKey(p.FullName()), p.Workflow, p.Environment).Scan(&id)
		if err == nil {
			return fault.New(fault.Conflict, "Channel %s has this publisher already, number %d.", p.Channel, id)
		} else if !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("look for publisher: %w", err)
		}
		err = tx.QueryRowContext(ctx, `INSERT INTO publisher (channel_id, provider, issuer, owner, repository, repository_fold, workflow, environment, packages, version, created_us, created_by)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id`,
			p.ChannelID, p.Provider, p.Issuer, p.Owner, p.Repository, trust.RepositoryKey(p.FullName()), p.Workflow, p.Environment, words(p.Packages),
			p.Version, micros(p.CreatedAt), p.CreatedBy).Scan(&p.ID)
		if err != nil {
			return fmt.Errorf("add publisher: %w", err)
		}
		return db.appendEvent(ctx, tx, e)
	})
	return p, err
}

// Publishers lists the live publishers of a channel, oldest first.
func (db *DB) Publishers(ctx context.Context, channelID int64) ([]trust.Publisher, error) {
	return collect(ctx, db.reader, scanPublisher,
		`SELECT `+publisherColumns+` FROM publisher p JOIN channel c ON c.id = p.channel_id WHERE p.channel_id = $1 AND p.removed_us IS NULL ORDER BY p.id`, channelID)
}

// Publisher returns one live publisher of a channel; fault.NotFound when there is none.
func (db *DB) Publisher(ctx context.Context, channelID, id int64) (trust.Publisher, error) {
	var row publisherRow
	err := db.reader.QueryRowContext(ctx, `SELECT `+publisherColumns+` FROM publisher p JOIN channel c ON c.id = p.channel_id
		WHERE p.channel_id = $1 AND p.id = $2 AND p.removed_us IS NULL`, channelID, id).Scan(row.fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return trust.Publisher{}, fault.New(fault.NotFound, "This channel has no publisher %d.", id)
	} else if err != nil {
		return trust.Publisher{}, fmt.Errorf("publisher: %w", err)
	}
	return row.publisher()
}

// RemovePublisher takes a rule away. The tokens that rest on it end with it: the next request of each is refused.
func (db *DB) RemovePublisher(ctx context.Context, channelID, id int64, at time.Time, e audit.Event) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE publisher SET removed_us = $3 WHERE channel_id = $1 AND id = $2 AND removed_us IS NULL`, channelID, id, micros(at))
		if err != nil {
			return fmt.Errorf("remove publisher: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return fault.New(fault.NotFound, "This channel has no publisher %d.", id)
		}
		return db.appendEvent(ctx, tx, e)
	})
}

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
		t.Grants, err = grants(ctx, tx, t.ID)
		return err
	})
	return t, err
}

func grants(ctx context.Context, tx *sql.Tx, tokenID int64) ([]trust.Grant, error) {
	return collect(ctx, tx, func(r *sql.Rows, g *trust.Grant) error {
		var name string
		var allowed []string
		var version int64
		var removed sql.Null[int64]
		err := r.Scan(&g.PublisherID, &g.PublisherVersion, &g.ChannelID, jsonText{&allowed}, &name, &version, &removed)
		if err != nil {
			return err
		}
		g.Gone = removed.Valid || version != g.PublisherVersion
		if g.Packages, err = patterns(allowed); err != nil {
			return err
		}
		g.Channel, err = conda.ParseChannel(name)
		return err
	}, `SELECT g.publisher_id, g.publisher_version, g.channel_id, g.packages, c.name, p.version, p.removed_us FROM publish_grant g
		JOIN channel c ON c.id = g.channel_id JOIN publisher p ON p.id = g.publisher_id WHERE g.token_id = $1 ORDER BY g.position`, tokenID)
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
