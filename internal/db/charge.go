package db

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"sluice/internal/fault"
	"sluice/internal/publish"
	"sluice/internal/trust"
)

// publisherStillMay leaves in c the grants whose publishers are still what they were, and refuses when there is none.
func (db *DB) publisherStillMay(ctx context.Context, tx *sql.Tx, c *publish.Commit) error {
	var alive []trust.Grant
	for _, g := range c.Grants {
		var revoked, removed sql.Null[int64]
		var version int64
		err := tx.QueryRowContext(ctx, `SELECT t.revoked_us, p.removed_us, p.version FROM publish_token t JOIN publish_grant g ON g.token_id = t.id
			JOIN publisher p ON p.id = g.publisher_id WHERE t.id = $1 AND p.id = $2`+db.forShare, c.Right.Publish.ID, g.PublisherID).Scan(&revoked, &removed, &version)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("check publish token: %w", err)
		}
		if err != nil || revoked.Valid {
			return fault.New(fault.Revoked, "This publish token was revoked while %s was being uploaded; nothing was stored.", c.File)
		}
		if !removed.Valid && version == g.PublisherVersion {
			alive = append(alive, g)
		}
	}
	if c.Grants = alive; len(alive) == 0 {
		return fault.New(fault.Revoked, "The trusted publisher of channel %s was changed or removed while %s was being uploaded; nothing was stored. Run the job again.", c.Channel.Name, c.File)
	}
	return nil
}

// charge finds the first grant that the upload may use, and counts the upload against what one run may publish by
// it. It leaves that grant alone in c.
func (db *DB) charge(ctx context.Context, tx *sql.Tx, c *publish.Commit) error {
	if c.Import != nil || c.Right.Publish == nil {
		return nil
	}
	var one int
	err := tx.QueryRowContext(ctx, `SELECT 1 FROM artifact WHERE channel_id = $1 AND name = $2 LIMIT 1`, c.Channel.ID, c.Record.Name).Scan(&one)
	fresh := errors.Is(err, sql.ErrNoRows)
	if err != nil && !fresh {
		return fmt.Errorf("look for package: %w", err)
	}
	var first error
	for i, g := range c.Grants {
		err := db.chargeGrant(ctx, tx, g, *c, fresh)
		if err == nil {
			c.Grants = slices.Clone(c.Grants[i : i+1])
			return nil
		}
		if _, refused := errors.AsType[*fault.Error](err); !refused {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// lockRuns locks what the runs of all uploads have published by all the publishers that cover them, in order: uploads
// of two runs that come together in two subdirs must not wait for one another. The rows come first, so that there are
// some to lock.
func (db *DB) lockRuns(ctx context.Context, tx *sql.Tx, all []publish.Commit) error {
	type use struct {
		publisher int64
		run       string
	}
	var uses []use
	for _, c := range all {
		if c.Import != nil || c.Right.Publish == nil {
			continue
		}
		for _, g := range c.Grants {
			uses = append(uses, use{g.PublisherID, c.Right.Publish.RunKey()})
		}
	}
	slices.SortFunc(uses, func(a, b use) int { return cmp.Or(cmp.Compare(a.publisher, b.publisher), cmp.Compare(a.run, b.run)) })
	for _, u := range slices.Compact(uses) {
		_, err := tx.ExecContext(ctx, `INSERT INTO run_use (publisher_id, run, files, bytes, names, last_us) VALUES ($1, $2, 0, 0, 0, $3) ON CONFLICT (publisher_id, run) DO NOTHING`,
			u.publisher, u.run, micros(db.now()))
		if err != nil {
			return fmt.Errorf("lock what a run uses: %w", err)
		}
		var files int64
		err = tx.QueryRowContext(ctx, `SELECT files FROM run_use WHERE publisher_id = $1 AND run = $2`+db.forUpdate, u.publisher, u.run).Scan(&files)
		if err != nil {
			return fmt.Errorf("lock what a run uses: %w", err)
		}
	}
	return nil
}

func (db *DB) chargeGrant(ctx context.Context, tx *sql.Tx, g trust.Grant, c publish.Commit, fresh bool) error {
	if fresh {
		if err := g.MayCreate(c.Record.Name); err != nil {
			return err
		}
	}
	run := c.Right.Publish.RunKey()
	var used trust.Limits
	err := tx.QueryRowContext(ctx, `SELECT files, bytes, names FROM run_use WHERE publisher_id = $1 AND run = $2`, g.PublisherID, run).
		Scan(&used.Files, &used.Bytes, &used.Names)
	if err != nil {
		return fmt.Errorf("count what a run uses: %w", err)
	}
	used.Files, used.Bytes, used.Names = used.Files+1, used.Bytes+c.Record.Size, used.Names+int64(bit(fresh))
	if err := g.PerRun.Check(used); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE run_use SET files = $3, bytes = $4, names = $5, last_us = $6 WHERE publisher_id = $1 AND run = $2`,
		g.PublisherID, run, used.Files, used.Bytes, used.Names, micros(db.now()))
	if err != nil {
		return fmt.Errorf("count what a run uses: %w", err)
	}
	return nil
}
