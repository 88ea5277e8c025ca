package db

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"sluice/internal/conda/repodata"
	"sluice/internal/index"
)

// keyed is a member of a series with its key.
type keyed struct {
	key    string
	member []byte
}

// afterAll sorts after every key: names and file names hold no byte as high.
const afterAll = "\x7f"

// span is the keys that a piece covers: from first up to, and without, next.
type span struct {
	first, next string
	// stored says that a piece with that first key is there already.
	stored bool
	// rawLen and blockLen are those of the stored piece, members how many it had.
	rawLen, blockLen, members int64
	// block is the number of its block.
	block int64
}

// rebuildPiece encodes the piece of s that the key falls into anew, from the members as they are now in the
// transaction, and cuts it where it has grown too large. Pieces beside it are not touched.
func (c *change) rebuildPiece(ctx context.Context, s index.Series, key string) error {
	at, err := c.span(ctx, s, key)
	if err != nil {
		return err
	}
	members, err := c.members(ctx, s, at)
	if err != nil {
		return err
	}
	lens := make([]int, len(members))
	for i, m := range members {
		lens[i] = len(m.member)
	}
	if at.stored {
		if err := c.dropPiece(ctx, s, at); err != nil {
			return err
		}
	}
	for _, run := range repodata.Split(lens, len(s.Separator())) {
		first := members[run[0]].key
		if run[0] == 0 {
			first = at.first // the lowest piece keeps the empty key, so that every key has its piece
		}
		if err := c.writePiece(ctx, s, first, members[run[0]:run[1]]); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) span(ctx context.Context, s index.Series, key string) (span, error) {
	at := span{next: afterAll}
	err := c.tx.QueryRowContext(ctx, `SELECT first_key, raw_len, block_len, members, block_id FROM piece
		WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND series = $4 AND first_key <= $5 ORDER BY first_key DESC LIMIT 1`,
		c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), string(s), key).Scan(&at.first, &at.rawLen, &at.blockLen, &at.members, &at.block)
	if errors.Is(err, sql.ErrNoRows) {
		return at, nil // the first piece of the series
	} else if err != nil {
		return at, fmt.Errorf("piece of a key: %w", err)
	}
	at.stored = true
	err = c.tx.QueryRowContext(ctx, `SELECT first_key FROM piece
		WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND series = $4 AND first_key > $5 ORDER BY first_key LIMIT 1`,
		c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), string(s), key).Scan(&at.next)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return at, fmt.Errorf("piece after a key: %w", err)
	}
	return at, nil
}

// members reads the members of a span in order.
func (c *change) members(ctx context.Context, s index.Series, at span) ([]keyed, error) {
	place := []any{c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), at.first, at.next}
	const within = ` WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND `
	var query string
	switch s {
	case index.Shards:
		query = `SELECT name, sha256 FROM shard` + within + `name >= $4 AND name < $5 AND superseded_us IS NULL ORDER BY name`
	case index.TarBz2, index.Conda:
		query = `SELECT filename, member FROM record` + within + `series = $6 AND filename >= $4 AND filename < $5 ORDER BY filename`
		place = append(place, string(s))
	case index.TarBz2RunExports:
		query = `SELECT filename, run_exports FROM record` + within + `series = $6 AND filename >= $4 AND filename < $5 ORDER BY filename`
		place = append(place, string(index.TarBz2))
	case index.CondaRunExports:
		query = `SELECT filename, run_exports FROM record` + within + `series = $6 AND filename >= $4 AND filename < $5 ORDER BY filename`
		place = append(place, string(index.Conda))
	default:
		return nil, fmt.Errorf("unknown series %q", s)
	}
	out, err := collect(ctx, c.tx, func(r *sql.Rows, k *keyed) error { return r.Scan(&k.key, &k.member) }, query, place...)
	if err != nil {
		return nil, fmt.Errorf("members of a piece: %w", err)
	}
	if s == index.Shards {
		for i, k := range out {
			out[i].member = repodata.ShardIndexMember(k.key, [32]byte(k.member))
		}
	}
	return out, nil
}

func (c *change) dropPiece(ctx context.Context, s index.Series, at span) error {
	_, err := c.tx.ExecContext(ctx, `DELETE FROM piece WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND series = $4 AND first_key = $5`,
		c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), string(s), at.first)
	if err != nil {
		return fmt.Errorf("drop piece: %w", err)
	}
	if _, err := c.tx.ExecContext(ctx, `INSERT INTO dropped_block (id, at_us) VALUES ($1, $2)`, at.block, micros(c.gen.CommittedAt)); err != nil {
		return fmt.Errorf("drop block: %w", err)
	}
	return c.total(ctx, s, -1, -at.members, -at.rawLen, -at.blockLen)
}

func (c *change) writePiece(ctx context.Context, s index.Series, first string, members []keyed) error {
	parts := make([][]byte, len(members))
	for i, m := range members {
		parts[i] = m.member
	}
	raw := bytes.Join(parts, []byte(s.Separator()))
	block := c.db.encoder.Compress(raw)
	var id int64
	if err := c.tx.QueryRowContext(ctx, `INSERT INTO block (channel_id, bytes) VALUES ($1, $2) RETURNING id`, c.place.ChannelID, block).Scan(&id); err != nil {
		return fmt.Errorf("write block: %w", err)
	}
	_, err := c.tx.ExecContext(ctx, `INSERT INTO piece (channel_id, label, subdir, series, first_key, generation, members, raw_len, block_len, block_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), string(s), first, c.gen.Number, len(members), len(raw), len(block), id)
	if err != nil {
		return fmt.Errorf("write piece: %w", err)
	}
	return c.total(ctx, s, 1, int64(len(members)), int64(len(raw)), int64(len(block)))
}

// total keeps the sums of a series by difference.
func (c *change) total(ctx context.Context, s index.Series, pieces, members, rawLen, blockLen int64) error {
	_, err := c.tx.ExecContext(ctx, `INSERT INTO series (channel_id, label, subdir, series, pieces, members, raw_len, block_len) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (channel_id, label, subdir, series) DO UPDATE SET pieces = series.pieces + excluded.pieces, members = series.members + excluded.members,
		raw_len = series.raw_len + excluded.raw_len, block_len = series.block_len + excluded.block_len`,
		c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), string(s), pieces, members, rawLen, blockLen)
	if err != nil {
		return fmt.Errorf("total of a series: %w", err)
	}
	return nil
}
