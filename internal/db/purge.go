package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"sluice/internal/audit"
)

// PurgeDeleted implements curate.Graves. The row stays, so that its name is not given out again.
func (db *DB) PurgeDeleted(ctx context.Context, before time.Time, limit int) (int, error) {
	n := 0
	err := db.write(ctx, func(tx *sql.Tx) error {
		rows, err := collect(ctx, tx, func(r *sql.Rows, g *grave) error {
			return r.Scan(&g.id, &g.sum, &g.channelID, &g.subdir, &g.filename, when{&g.deletedAt})
		}, `SELECT id, sha256, channel_id, subdir, filename, deleted_us FROM artifact
			WHERE deleted_us < $1 AND purged_us IS NULL ORDER BY deleted_us LIMIT $2`+db.forUpdate, micros(before), limit)
		if err != nil {
			return fmt.Errorf("purge: %w", err)
		}
		now := db.now()
		for _, g := range rows {
			if err := db.bury(ctx, tx, g, now); err != nil {
				return fmt.Errorf("purge %s/%s: %w", g.subdir, g.filename, err)
			}
		}
		n = len(rows)
		return nil
	})
	return n, err
}

// grave is an artifact whose bytes are to go.
type grave struct {
	id, channelID    int64
	sum              []byte
	subdir, filename string
	deletedAt        time.Time
}

func (db *DB) bury(ctx context.Context, tx *sql.Tx, g grave, now time.Time) error {
	if _, err := tx.ExecContext(ctx, `UPDATE artifact SET purged_us = $2, index_json = $3, about = '{}' WHERE id = $1`, g.id, micros(now), []byte{}); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM record WHERE artifact_id = $1 AND shown = 0`, g.id); err != nil {
		return err
	}
	if err := doubt(ctx, tx, [32]byte(g.sum), now); err != nil {
		return err
	}
	e := audit.Event{
		At: now, Kind: audit.Purged, Actor: itself, ChannelID: g.channelID, Subject: g.subdir + "/" + g.filename,
		Sentence: "removed the bytes of " + g.subdir + "/" + g.filename + ", which was deleted on " + g.deletedAt.Format(dayAndTime), Facts: map[string]string{"sha256": hexSum([32]byte(g.sum))},
	}
	if err := tx.QueryRowContext(ctx, `SELECT name FROM channel WHERE id = $1`, g.channelID).Scan(&e.Channel); err != nil {
		return err
	}
	return db.appendEvent(ctx, tx, e)
}

// Doubts implements curate.Graves.
func (db *DB) Doubts(ctx context.Context, limit int) ([][32]byte, error) {
	return collect(ctx, db.reader, func(r *sql.Rows, sum *[32]byte) error {
		var b []byte
		err := r.Scan(&b)
		copy(sum[:], b)
		return err
	}, `SELECT sha256 FROM doubt ORDER BY at_us, sha256 LIMIT $1`, limit)
}

// Resolve implements curate.Graves.
func (db *DB) Resolve(ctx context.Context, sum [32]byte) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM doubt WHERE sha256 = $1`, sum[:])
		return err
	})
}
