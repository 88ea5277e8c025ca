package db

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"time"

	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/repodata"
	"sluice/internal/index"
)

// change is one place's index in the middle of a transaction: its next generation is being written.
type change struct {
	db    *DB
	tx    *sql.Tx
	place index.Place
	gen   index.Generation
}

// raise locks the generation of a place and begins the next one. Everything that changes what a place lists
// goes through here first, so that changes of one place stand in a line. what names the change.
func (db *DB) raise(ctx context.Context, tx *sql.Tx, ch channel.Channel, p index.Place, what string) (*change, error) {
	first := index.First(p, ch.CreatedAt)
	_, err := tx.ExecContext(ctx, `INSERT INTO generation (channel_id, label, subdir, number, chain, committed_us) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (channel_id, label, subdir) DO NOTHING`,
		p.ChannelID, p.Label.String(), p.Subdir.String(), first.Number, first.Chain[:], micros(first.CommittedAt))
	if err != nil {
		return nil, fmt.Errorf("begin generation: %w", err)
	}
	g, ok, err := generation(ctx, tx, p, db.forUpdate)
	if err != nil || !ok {
		return nil, fmt.Errorf("lock generation: found %v: %w", ok, err)
	}
	now := db.now().Truncate(time.Microsecond)
	if !now.After(g.CommittedAt) { // a clock that was set back must not make an older Last-Modified
		now = g.CommittedAt.Add(time.Microsecond)
	}
	next := g.Next(now, what)
	_, err = tx.ExecContext(ctx, `UPDATE generation SET number = $4, chain = $5, committed_us = $6 WHERE channel_id = $1 AND label = $2 AND subdir = $3`,
		p.ChannelID, p.Label.String(), p.Subdir.String(), next.Number, next.Chain[:], micros(next.CommittedAt))
	if err != nil {
		return nil, fmt.Errorf("raise generation: %w", err)
	}
	return &change{db: db, tx: tx, place: p, gen: next}, nil
}

// list adds an artifact to the place: its record, the pieces that it falls into, its name's shard. The cost
// follows from the sizes of one piece and one shard, not from that of the channel.
func (c *change) list(ctx context.Context, artifactID int64, f conda.Filename, r conda.Record, re conda.RunExports) error {
	records, runExports := index.SeriesOf(f, false)
	r.IndexedMS = c.gen.CommittedAt.UnixMilli()
	_, err := c.tx.ExecContext(ctx, `INSERT INTO record (channel_id, label, subdir, series, filename, name, artifact_id, indexed_us, generation, member, shard_member, run_exports)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), string(records), f.String(), r.Name, artifactID, micros(c.gen.CommittedAt), c.gen.Number,
		repodata.Member(f, r), repodata.ShardMember(f, r, re), repodata.RunExportsMember(f, re))
	if err != nil {
		return fmt.Errorf("list record: %w", err)
	}
	if err := c.rebuildPiece(ctx, records, f.String()); err != nil {
		return err
	}
	if err := c.rebuildPiece(ctx, runExports, f.String()); err != nil {
		return err
	}
	if err := c.rebuildShard(ctx, r.Name); err != nil {
		return err
	}
	return c.rebuildPiece(ctx, index.Shards, r.Name)
}

// rebuildShard writes the shard of a name anew from its records, and leaves the old one for clients that
// hold an older index.
func (c *change) rebuildShard(ctx context.Context, name string) error {
	members := map[index.Series][][]byte{}
	rows, err := c.tx.QueryContext(ctx, `SELECT series, shard_member FROM record
		WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND name = $4 ORDER BY series, filename`,
		c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), name)
	if err != nil {
		return fmt.Errorf("records of a shard: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	for rows.Next() {
		var series index.Series
		var m []byte
		if err := rows.Scan(&series, &m); err != nil {
			return fmt.Errorf("records of a shard: %w", err)
		}
		members[series] = append(members[series], m)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("records of a shard: %w", err)
	}
	shard := c.db.encoder.Shard(members[index.TarBz2], members[index.Conda])
	return c.replaceShard(ctx, name, shard)
}

func (c *change) replaceShard(ctx context.Context, name string, shard []byte) error {
	_, err := c.tx.ExecContext(ctx, `UPDATE shard SET superseded_us = $5 WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND name = $4 AND superseded_us IS NULL`,
		c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), name, micros(c.gen.CommittedAt))
	if err != nil {
		return fmt.Errorf("supersede shard: %w", err)
	}
	sum := sha256.Sum256(shard)
	// A shard that comes back, byte for byte, takes up its old row.
	_, err = c.tx.ExecContext(ctx, `INSERT INTO shard (channel_id, label, subdir, sha256, name, generation, bytes) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (channel_id, label, subdir, sha256) DO UPDATE SET generation = excluded.generation, superseded_us = NULL`,
		c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), sum[:], name, c.gen.Number, shard)
	if err != nil {
		return fmt.Errorf("write shard: %w", err)
	}
	return nil
}
