package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// PurgeDeleted implements curate.Graves. The row stays, so that its name is not given out again.
func (db *DB) PurgeDeleted(ctx context.Context, before time.Time, limit int) (int, error) {
	type row struct {
		id  int64
		sum []byte
	}
	n := 0
	err := db.write(ctx, func(tx *sql.Tx) error {
		rows, err := collect(ctx, tx, func(r *sql.Rows, v *row) error { return r.Scan(&v.id, &v.sum) },
			`SELECT id, sha256 FROM artifact WHERE deleted_us < $1 AND purged_us IS NULL ORDER BY deleted_us LIMIT $2`+db.forUpdate, micros(before), limit)
		if err != nil {
			return fmt.Errorf("purge: %w", err)
		}
		now := db.now()
		for _, r := range rows {
			if _, err := tx.ExecContext(ctx, `UPDATE artifact SET purged_us = $2, index_json = $3, about = '{}' WHERE id = $1`, r.id, micros(now), []byte{}); err != nil {
				return fmt.Errorf("purge: %w", err)
			}
			if _, err := tx.ExecContext(ctx, `DELETE FROM record WHERE artifact_id = $1 AND shown = 0`, r.id); err != nil {
				return fmt.Errorf("purge: %w", err)
			}
			if err := doubt(ctx, tx, [32]byte(r.sum), now); err != nil {
				return err
			}
		}
		n = len(rows)
		return nil
	})
	return n, err
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
