package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"sluice/internal/attest/policy"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/trust"
)

const publisherColumns = `p.id, p.channel_id, c.name, p.provider, p.issuer, p.owner, p.repository, p.any_repository, p.workflow, p.conditions, p.scope,
	p.owner_id, p.repository_id, p.version, p.created_us, p.created_by, p.expires_us, p.idle_days, p.disabled_us, p.enabled_us, p.last_used_us, p.last_run, p.removed_us`

const publisherTables = ` FROM publisher p JOIN channel c ON c.id = p.channel_id `

type publisherRow struct {
	trust.Publisher
	channel               string
	scope                 scopeJSON
	ownerID, repositoryID sql.Null[string]
	removed               sql.Null[int64]
}

// scopeJSON is a trust.Scope as its column keeps it.
type scopeJSON struct {
	Right    trust.Right  `json:"right"`
	Packages []string     `json:"packages"`
	Subdirs  []string     `json:"subdirs"`
	NewNames bool         `json:"new_names"`
	PerRun   trust.Limits `json:"per_run"`

	policy.Demand
}

func (r *publisherRow) fields() []any {
	return []any{&r.ID, &r.ChannelID, &r.channel, &r.Provider, &r.Issuer, &r.Owner, &r.Repository, &r.AnyRepository, &r.Workflow, jsonText{&r.Conditions}, jsonText{&r.scope},
		&r.ownerID, &r.repositoryID, &r.Version, when{&r.CreatedAt}, &r.CreatedBy, when{&r.ExpiresAt}, &r.IdleDays, when{&r.DisabledAt}, when{&r.EnabledAt}, when{&r.LastUsedAt}, jsonText{&r.LastRun}, &r.removed}
}

func (r *publisherRow) publisher() (p trust.Publisher, err error) {
	p = r.Publisher
	p.OwnerID, p.RepositoryID = r.ownerID.V, r.repositoryID.V
	p.Scope = trust.Scope{Right: r.scope.Right, NewNames: r.scope.NewNames, PerRun: r.scope.PerRun, Demand: r.scope.Demand}
	if p.Packages, err = parsed(r.scope.Packages, trust.ParsePattern); err != nil {
		return p, fmt.Errorf("publisher %d: %w", p.ID, err)
	}
	if p.Subdirs, err = parsed(r.scope.Subdirs, conda.ParseSubdir); err != nil {
		return p, fmt.Errorf("publisher %d: %w", p.ID, err)
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

// parsed reads words that were checked before they were stored.
func parsed[T any](words []string, parse func(string) (T, error)) ([]T, error) {
	var out []T
	for _, w := range words {
		v, err := parse(w)
		if err != nil {
			return nil, fmt.Errorf("stored: %w", err)
		}
		out = append(out, v)
	}
	return out, nil
}

// spelled is the words of values that know their own spelling.
func spelled[T fmt.Stringer](values []T) []string {
	out := make([]string, 0, len(values))
	for _, v := range values {
		out = append(out, v.String())
	}
	return out
}

func scopeText(s trust.Scope) string {
	return text(scopeJSON{Right: s.Right, Packages: spelled(s.Packages), Subdirs: spelled(s.Subdirs), NewNames: s.NewNames, PerRun: s.PerRun, Demand: s.Demand})
}

// Candidates implements trust.Store.
func (db *DB) Candidates(ctx context.Context, c trust.Candidate) ([]trust.Publisher, error) {
	// Index seeks, not one scan: an OR over columns would read every publisher of the issuer.
	const from = `SELECT ` + publisherColumns + publisherTables + `WHERE p.removed_us IS NULL AND p.issuer = $1 AND `
	const query = from + `p.any_repository = 0 AND p.repository_fold = $2
		UNION ALL ` + from + `p.any_repository = 0 AND p.repository_id = $3 AND p.repository_fold <> $2
		UNION ALL ` + from + `p.any_repository = 1 AND p.owner_fold = $4
		UNION ALL ` + from + `p.any_repository = 1 AND p.owner_id = $5 AND p.owner_fold <> $4 ORDER BY 1 LIMIT $6`
	return collect(ctx, db.reader, scanPublisher, query, c.Issuer, c.RepositoryKey, c.RepositoryID, c.OwnerKey, c.OwnerID, trust.MaxCandidates)
}

// Publishers implements trust.PublisherStore.
func (db *DB) Publishers(ctx context.Context, channelID int64) ([]trust.Publisher, error) {
	return collect(ctx, db.reader, scanPublisher, publishersOfChannel, channelID)
}

const publishersOfChannel = `SELECT ` + publisherColumns + publisherTables + `WHERE p.channel_id = $1 AND p.removed_us IS NULL ORDER BY p.id`

// Publisher implements trust.PublisherStore.
func (db *DB) Publisher(ctx context.Context, channelID, id int64) (trust.Publisher, error) {
	var row publisherRow
	err := db.reader.QueryRowContext(ctx, `SELECT `+publisherColumns+publisherTables+`WHERE p.channel_id = $1 AND p.id = $2 AND p.removed_us IS NULL`, channelID, id).
		Scan(row.fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return trust.Publisher{}, noPublisher(id)
	} else if err != nil {
		return trust.Publisher{}, fmt.Errorf("publisher: %w", err)
	}
	return row.publisher()
}

func noPublisher(id int64) error {
	return fault.New(fault.NotFound, "This channel has no publisher %d.", id)
}

// ChangePublishers implements trust.PublisherStore. The channel's row is locked, so that its owners change one
// after the other.
func (db *DB) ChangePublishers(ctx context.Context, channelID int64, changes []trust.Change) ([]trust.Publisher, error) {
	return db.changePublishers(ctx, channelID, changes, func([]trust.Publisher) error { return nil })
}

// ReplacePublishers implements trust.PublisherStore.
func (db *DB) ReplacePublishers(ctx context.Context, channelID int64, state string, changes []trust.Change) ([]trust.Publisher, error) {
	return db.changePublishers(ctx, channelID, changes, func(have []trust.Publisher) error {
		if trust.StateOf(have) != state {
			return fault.New(fault.Conflict, "The publishers of this channel changed meanwhile, and nothing was done: look at them and try again.")
		}
		return nil
	})
}

func (db *DB) changePublishers(ctx context.Context, channelID int64, changes []trust.Change, check func(have []trust.Publisher) error) (after []trust.Publisher, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		after = nil
		var id int64
		if err := tx.QueryRowContext(ctx, `SELECT id FROM channel WHERE id = $1`+db.forUpdate, channelID).Scan(&id); err != nil {
			return fmt.Errorf("lock channel: %w", err)
		}
		// Locked, so that no run pins one of them in between.
		have, err := collect(ctx, tx, scanPublisher, publishersOfChannel+db.lockPublisher, channelID)
		if err != nil {
			return fmt.Errorf("publishers of channel: %w", err)
		}
		if err := check(have); err != nil {
			return err
		}
		for _, c := range changes {
			p, err := db.changePublisher(ctx, tx, have, c)
			if err != nil {
				return err
			}
			after = append(after, p)
			have = slices.DeleteFunc(have, func(q trust.Publisher) bool { return q.ID == p.ID })
			if c.Kind != trust.Removed {
				have = append(have, p)
			}
		}
		return nil
	})
	return after, err
}

// changePublisher does one change beside the channel's other publishers.
func (db *DB) changePublisher(ctx context.Context, tx *sql.Tx, have []trust.Publisher, c trust.Change) (p trust.Publisher, err error) {
	e := c.Event
	switch c.Kind {
	case trust.Added:
		if err := checkOthers(have, c); err != nil {
			return p, err
		}
		p, err = addPublisher(ctx, tx, c.Publisher)
		e.Facts["publisher"] = fmt.Sprint(p.ID)
	case trust.Changed:
		if err := checkOthers(have, c); err != nil {
			return p, err
		}
		p, err = updatePublisher(ctx, tx, c.Publisher)
	case trust.Removed:
		p, err = c.Publisher, db.removePublisher(ctx, tx, c.Publisher)
	}
	if err != nil {
		return p, err
	}
	return p, db.appendEvent(ctx, tx, e)
}

// checkOthers refuses what the channel's other publishers do not allow beside them.
func checkOthers(have []trust.Publisher, c trust.Change) error {
	for _, other := range have {
		if other.ID != c.Publisher.ID && other.SameRule(c.Publisher) {
			return fault.New(fault.Conflict, "Channel %s has this publisher already, number %d.", other.Channel, other.ID)
		}
	}
	if c.Kind == trust.Added && len(have) >= trust.MaxPublishers {
		return fault.New(fault.Conflict, "Channel %s has %d publishers, and no more are possible: remove some, or use one rule for all repositories of an owner.", c.Publisher.Channel, len(have))
	}
	return nil
}

func addPublisher(ctx context.Context, tx *sql.Tx, p trust.Publisher) (trust.Publisher, error) {
	p.Version = 1
	err := tx.QueryRowContext(ctx, `INSERT INTO publisher (channel_id, provider, issuer, owner, repository, any_repository, repository_fold, owner_fold, workflow, conditions, scope,
			owner_id, repository_id, version, created_us, created_by, expires_us, idle_days)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) RETURNING id`,
		p.ChannelID, p.Provider, p.Issuer, p.Owner, p.Repository, bit(p.AnyRepository), trust.RepositoryKey(p.FullName()), trust.RepositoryKey(p.Owner), p.Workflow,
		text(p.Conditions), scopeText(p.Scope), orNull(p.OwnerID), orNull(p.RepositoryID), p.Version, micros(p.CreatedAt), p.CreatedBy, micros(p.ExpiresAt), p.IdleDays).Scan(&p.ID)
	if err != nil {
		return p, fmt.Errorf("add publisher: %w", err)
	}
	return p, nil
}

// updatePublisher keeps the ids that a run has pinned since the publisher was read: only a change of the repository
// takes them away.
func updatePublisher(ctx context.Context, tx *sql.Tx, p trust.Publisher) (trust.Publisher, error) {
	res, err := tx.ExecContext(ctx, `UPDATE publisher SET provider = $3, issuer = $4, owner = $5, repository = $6, any_repository = $7, repository_fold = $8, owner_fold = $9,
			workflow = $10, conditions = $11, scope = $12, owner_id = COALESCE($13, CASE WHEN issuer = $4 AND repository_fold = $8 THEN owner_id END),
			repository_id = COALESCE($14, CASE WHEN issuer = $4 AND repository_fold = $8 THEN repository_id END), version = version + 1, expires_us = $15, idle_days = $16,
			disabled_us = $17, enabled_us = $18, told_us = NULL
		WHERE id = $1 AND version = $2 AND removed_us IS NULL`,
		p.ID, p.Version, p.Provider, p.Issuer, p.Owner, p.Repository, bit(p.AnyRepository), trust.RepositoryKey(p.FullName()), trust.RepositoryKey(p.Owner),
		p.Workflow, text(p.Conditions), scopeText(p.Scope), orNull(p.OwnerID), orNull(p.RepositoryID), micros(p.ExpiresAt), p.IdleDays, micros(p.DisabledAt), micros(p.EnabledAt))
	if err := oneRow(res, err, fault.New(fault.Conflict, "Publisher %d was changed or removed meanwhile: look at it again.", p.ID)); err != nil {
		return p, err
	}
	p.Version++
	return p, nil
}

// removePublisher takes a rule away. The tokens that rest on it end with it: the next request of each is refused.
func (db *DB) removePublisher(ctx context.Context, tx *sql.Tx, p trust.Publisher) error {
	res, err := tx.ExecContext(ctx, `UPDATE publisher SET removed_us = $3 WHERE channel_id = $1 AND id = $2 AND removed_us IS NULL`,
		p.ChannelID, p.ID, micros(db.now()))
	return oneRow(res, err, noPublisher(p.ID))
}

// oneRow turns an update that met no row into an error.
func oneRow(res sql.Result, err, none error) error {
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return none
}

// orNull is s as the database keeps what may be unknown.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
