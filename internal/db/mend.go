package db

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/check"
	"sluice/internal/conda"
	"sluice/internal/index"
)

// MendArtifact implements check.Mender.
func (db *DB) MendArtifact(ctx context.Context, id int64, sum [32]byte, own check.Own) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE artifact SET index_json = $3, run_exports = $4, about = $5, traits = $6, schema_version = $7, depends = $8, build_number = $9,
				timestamp_ms = $10, license = $11, md5 = $12, size = $13 WHERE id = $1 AND sha256 = $2 AND purged_us IS NULL`,
			id, sum[:], own.RawIndex, text(own.RunExports), text(own.About), int64(own.Traits), revision(own.V3), text(own.Depends), int64(own.BuildNumber),
			own.TimestampMS, own.License, own.MD5[:], own.Size)
		if err != nil {
			return fmt.Errorf("mend artifact: %w", err)
		}
		return nil
	})
}

// MendPlace implements check.Mender. Whole series are made anew where one of their pieces is wrong: then nothing that
// is stored of the series can be built on.
func (db *DB) MendPlace(ctx context.Context, ch channel.Channel, m check.Mend, e audit.Event) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		cs, err := db.open(ctx, tx, ch, []conda.Subdir{m.Place.Subdir}, []conda.Label{m.Place.Label})
		if err != nil {
			return err
		}
		c, err := cs.place(ctx, m.Place.Label, m.Place.Subdir)
		if err != nil {
			return err
		}
		if err := c.overtake(ctx); err != nil {
			return err
		}
		c.what = append(c.what, "mend")
		for _, id := range m.Artifacts {
			if err := c.mendRecord(ctx, ch.ID, id); err != nil {
				return err
			}
		}
		for _, l := range m.Lost {
			if err := c.relist(ctx, ch.ID, l); err != nil {
				return err
			}
		}
		for _, name := range m.Names {
			if err := c.forgetBroken(ctx, name); err != nil {
				return err
			}
			c.names[name] = nil
			c.touch(index.Shards, name)
		}
		for _, sum := range m.Forget {
			if err := c.forgetSuperseded(ctx, sum); err != nil {
				return err
			}
		}
		c.whole = m.Series
		if err := c.write(ctx); err != nil {
			return err
		}
		e.At = c.gen.CommittedAt
		e.Facts["generation"] = fmt.Sprint(c.gen.Number)
		return db.appendEvent(ctx, tx, e)
	})
}

// overtake raises the number of the generation to that of the newest piece, so that the next one is later than all.
func (c *change) overtake(ctx context.Context) error {
	newest, err := sumPieces(ctx, c.tx, c.place, map[index.Series]index.Totals{})
	if err != nil {
		return err
	}
	c.old.Number = max(c.old.Number, newest)
	c.gen.Number = c.old.Number + 1
	return nil
}

// mendRecord makes anew what the label says of an artifact. What is there may stand in the wrong place, so it goes first.
func (c *change) mendRecord(ctx context.Context, channelID, id int64) error {
	k, err := readKept(ctx, c.tx, channelID, id)
	if err != nil {
		return err
	}
	l := k.at(c.place.Label)
	if l == nil {
		return nil // taken out and purged since
	}
	if l.takenOut || k.purged {
		return c.hide(ctx, k)
	}
	if err := c.forgetRecords(ctx, id); err != nil {
		return err
	}
	e, err := c.db.entryOf(ctx, c.tx, id)
	if err != nil {
		return err
	}
	return c.list(ctx, e, l.indexedAt, k.shown())
}

// relist has the label list an artifact again, of which it has lost the record.
func (c *change) relist(ctx context.Context, channelID int64, l check.Relisting) error {
	k, err := readKept(ctx, c.tx, channelID, l.ArtifactID)
	if err != nil {
		return err
	}
	if k.at(c.place.Label) != nil {
		return c.mendRecord(ctx, channelID, l.ArtifactID)
	}
	if k.purged || k.listed <= k.counted() {
		return nil // something happened to it since
	}
	e, err := c.db.entryOf(ctx, c.tx, l.ArtifactID)
	if err != nil {
		return err
	}
	if l.ListedAt.IsZero() {
		l.ListedAt = k.UploadedAt
	}
	return c.list(ctx, e, l.ListedAt, k.shown())
}

// counted is how many labels list the artifact.
func (k *kept) counted() (n int) {
	for _, l := range k.where {
		if !l.takenOut {
			n++
		}
	}
	return n
}

// hide sees to it that the label does not show an artifact.
func (c *change) hide(ctx context.Context, k *kept) error {
	_, err := c.tx.ExecContext(ctx, `UPDATE record SET shown = 0 WHERE artifact_id = $1 AND label = $2`, k.ID, c.place.Label.String())
	if err != nil {
		return fmt.Errorf("hide record: %w", err)
	}
	c.note("hide", k.File, k.name, k.touched()...)
	return nil
}

// forgetRecords removes what the label says of an artifact, wherever it says it.
func (c *change) forgetRecords(ctx context.Context, id int64) error {
	type row struct{ filename, name string }
	rows, err := collect(ctx, c.tx, func(r *sql.Rows, v *row) error { return r.Scan(&v.filename, &v.name) },
		`DELETE FROM record WHERE artifact_id = $1 AND channel_id = $2 AND label = $3 AND subdir = $4 RETURNING filename, name`,
		id, c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String())
	if err != nil {
		return fmt.Errorf("forget records: %w", err)
	}
	for _, r := range rows {
		for _, s := range index.AllSeries() {
			if s != index.Shards {
				c.touch(s, r.filename)
			}
		}
		c.names[r.name] = nil
		c.touch(index.Shards, r.name)
	}
	return nil
}

// forgetBroken removes the shard of a name whose bytes are not those of its digest: it is of no use to anybody.
func (c *change) forgetBroken(ctx context.Context, name string) error {
	sum, b, err := currentShard(ctx, c.tx, c.place, name)
	if err != nil || sum == nil {
		return err
	}
	if got := sha256.Sum256(b); slices.Equal(got[:], sum) {
		return nil
	}
	_, err = c.tx.ExecContext(ctx, `DELETE FROM shard WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND name = $4 AND superseded_us IS NULL`,
		c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), name)
	if err != nil {
		return fmt.Errorf("forget shard: %w", err)
	}
	return nil
}

// forgetSuperseded removes a superseded shard whose bytes are not those of its digest.
func (c *change) forgetSuperseded(ctx context.Context, sum []byte) error {
	place := []any{c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), sum}
	const where = ` FROM shard WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND sha256 = $4 AND superseded_us IS NOT NULL`
	var b []byte
	err := c.tx.QueryRowContext(ctx, `SELECT bytes`+where, place...).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // its time is over, or it came back
	} else if err != nil {
		return fmt.Errorf("superseded shard: %w", err)
	}
	if got := sha256.Sum256(b); slices.Equal(got[:], sum) {
		return nil
	}
	if _, err := c.tx.ExecContext(ctx, `DELETE`+where, place...); err != nil {
		return fmt.Errorf("forget superseded shard: %w", err)
	}
	return nil
}

// rebuildSeries makes all pieces of a series anew from its members.
func (c *change) rebuildSeries(ctx context.Context, s index.Series) error {
	place := []any{c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), string(s)}
	const where = ` WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND series = $4`
	if _, err := c.tx.ExecContext(ctx, `DELETE FROM piece`+where, place...); err != nil {
		return fmt.Errorf("drop pieces of a series: %w", err)
	}
	if _, err := c.tx.ExecContext(ctx, `DELETE FROM series`+where, place...); err != nil {
		return fmt.Errorf("drop sums of a series: %w", err)
	}
	if err := c.dropUnused(ctx); err != nil {
		return err
	}
	return c.refill(ctx, s)
}

// dropUnused drops the blocks that no piece has any more. Not simply those of the pieces that went: where pieces are
// damaged, two may have one block.
func (c *change) dropUnused(ctx context.Context) error {
	_, err := c.tx.ExecContext(ctx, `INSERT INTO dropped_block (id, at_us) SELECT id, CAST($2 AS BIGINT) FROM block WHERE channel_id = $1
		AND id NOT IN (SELECT block_id FROM piece WHERE channel_id = $1) AND id NOT IN (SELECT id FROM dropped_block)`, c.place.ChannelID, micros(c.gen.CommittedAt))
	if err != nil {
		return fmt.Errorf("drop blocks of a series: %w", err)
	}
	return nil
}

// membersAtOnce is how many members are read before pieces are made of them.
const membersAtOnce = 2000

// refill makes the pieces of a series that has none, some members at a time.
func (c *change) refill(ctx context.Context, s index.Series) error {
	first, from := "", ""
	var waiting []keyed
	for {
		some, err := membersOf(ctx, c.tx, c.place, s, from, afterAll, membersAtOnce)
		if err != nil {
			return err
		}
		waiting = append(waiting, some...)
		last := len(some) < membersAtOnce
		for len(waiting) > 0 && (last || sizeOf(waiting, len(s.Separator())) > 2*s.Target()) {
			n := fitting(waiting, len(s.Separator()), s.Target())
			if err := c.startPiece(ctx, s, first, waiting[:n:n]); err != nil {
				return err
			}
			if waiting = waiting[n:]; len(waiting) > 0 {
				first = waiting[0].key
			}
		}
		if last {
			return nil
		}
		from = some[len(some)-1].key + "\x00"
	}
}

// fitting is how many of the first members make a piece that has room to grow; at least one.
func fitting(members []keyed, sep, target int) int {
	full := target / 4 * 3
	size := 0
	for i, m := range members {
		if size += len(m.member) + sep; size > full {
			return max(i, 1)
		}
	}
	return len(members)
}

// MendChannel implements check.Mender.
func (db *DB) MendChannel(ctx context.Context, ch channel.Channel, m check.MendChannel, e audit.Event) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		subdirs, err := subdirsOf(ctx, tx, ch.ID, m.Artifacts)
		if err != nil {
			return err
		}
		if _, err := db.open(ctx, tx, ch, subdirs, nil); err != nil {
			return err
		}
		if err := countListings(ctx, tx, m.Artifacts); err != nil {
			return err
		}
		for _, name := range m.Packages {
			if err := db.recountPackage(ctx, tx, ch.ID, name); err != nil {
				return err
			}
		}
		if err := db.mendBlocks(ctx, tx, m); err != nil {
			return err
		}
		return db.appendEvent(ctx, tx, e)
	})
}

// countListings counts the labels that list artifacts.
func countListings(ctx context.Context, tx *sql.Tx, ids []int64) error {
	for _, id := range ids {
		_, err := tx.ExecContext(ctx, `UPDATE artifact SET listed = (SELECT count(*) FROM record r WHERE r.artifact_id = artifact.id AND r.taken_out = 0) WHERE id = $1`, id)
		if err != nil {
			return fmt.Errorf("count labels: %w", err)
		}
	}
	return nil
}

// mendBlocks drops blocks that no piece has, and keeps those that one has.
func (db *DB) mendBlocks(ctx context.Context, tx *sql.Tx, m check.MendChannel) error {
	for _, id := range m.Blocks {
		_, err := tx.ExecContext(ctx, `INSERT INTO dropped_block (id, at_us) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`, id, micros(db.now()))
		if err != nil {
			return fmt.Errorf("drop block: %w", err)
		}
	}
	for _, id := range m.Keep {
		if _, err := tx.ExecContext(ctx, `DELETE FROM dropped_block WHERE id = $1`, id); err != nil {
			return fmt.Errorf("keep block: %w", err)
		}
	}
	return nil
}

// Doubt implements check.Mender.
func (db *DB) Doubt(ctx context.Context, sum [32]byte) error {
	return db.write(ctx, func(tx *sql.Tx) error { return doubt(ctx, tx, sum, db.now()) })
}

// parsePlace reads a place as the database keeps it.
func parsePlace(channelID int64, label, subdir string) (p index.Place, err error) {
	p.ChannelID = channelID
	if p.Label, err = conda.ParseLabel(label); err != nil {
		return p, err
	}
	p.Subdir, err = conda.ParseSubdir(subdir)
	return p, err
}
