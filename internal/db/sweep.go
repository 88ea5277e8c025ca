package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"sluice/internal/mail"
)

// ShardGrace is how long a superseded shard can still be fetched. libmamba keeps a shard index for 24 hours
// whatever the headers say; twice that leaves room for a night's sleep.
const ShardGrace = 48 * time.Hour

// BlockGrace is how long the block of a piece is kept that was made anew: whoever downloads a file of an older
// generation reads on. The slowest download of a large index takes minutes.
const BlockGrace = time.Hour

// tokenGrace is how long an ended publish token is kept, so that a late request still reads why it was refused.
const tokenGrace = 7 * 24 * time.Hour

// runGrace is how long it is kept what a run has published: GitHub lets a run be repeated for 30 days, under the same
// number.
const runGrace = 60 * 24 * time.Hour

// Sweep removes what has had its time: spent identity tokens that could not be valid any more, ended
// sessions and publish tokens, superseded shards, mails that left or that nobody sends. It returns how many rows went.
func (db *DB) Sweep(ctx context.Context) (rows int64, err error) {
	now := db.now()
	err = db.write(ctx, func(tx *sql.Tx) error {
		rows = 0
		for _, s := range []struct {
			text   string
			before time.Time
		}{
			{`DELETE FROM spent_token WHERE until_us < $1`, now},
			{`DELETE FROM session WHERE expires_us < $1`, now},
			{`DELETE FROM publish_token WHERE expires_us < $1`, now.Add(-tokenGrace)},
			{`DELETE FROM run_use WHERE last_us < $1`, now.Add(-runGrace)},
			{`DELETE FROM shard WHERE superseded_us < $1`, now.Add(-ShardGrace)},
			{`DELETE FROM block WHERE id IN (SELECT id FROM dropped_block WHERE at_us < $1)`, now.Add(-BlockGrace)},
			{`DELETE FROM dropped_block WHERE at_us < $1`, now.Add(-BlockGrace)},
			{`DELETE FROM outbox WHERE sent_us < $1`, now.Add(-mail.OnceIn)},
			{`DELETE FROM outbox WHERE sent_us IS NULL AND created_us < $1`, now.Add(-mail.Keep)},
		} {
			res, err := tx.ExecContext(ctx, s.text, micros(s.before))
			if err != nil {
				return fmt.Errorf("sweep: %w", err)
			}
			n, err := res.RowsAffected()
			if err != nil {
				return fmt.Errorf("sweep: %w", err)
			}
			rows += n
		}
		return nil
	})
	return rows, err
}
