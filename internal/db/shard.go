package db

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice/internal/conda/repodata"
	"sluice/internal/index"
)

// shardRow is what a record is in its name's shard.
type shardRow struct {
	series   index.Series
	filename string
	shown    shown
	member   []byte
}

// contents are a shard's members by series, and the names of removed files by index.Removed, each list in order.
type contents map[index.Series][]keyed

// shardsAtOnce bounds how many shards are held in memory, each with thousands of records where the name is popular.
const shardsAtOnce = 64

// rebuildShards writes the shards of names anew, in runs: while some are compressed, the next are read.
func (c *change) rebuildShards(ctx context.Context, names []string) error {
	for some := range slices.Chunk(names, shardsAtOnce) {
		made := make([]<-chan []byte, len(some))
		for i, name := range some {
			has, err := c.contents(ctx, name)
			if err != nil {
				return err
			}
			if has.records() > 0 {
				made[i] = c.db.encoders.start(func(e *repodata.Encoder) []byte { return e.Shard(has.members()) })
			}
		}
		for i, name := range some {
			if err := c.supersede(ctx, name); err != nil {
				return err
			}
			if made[i] != nil {
				if err := c.writeShard(ctx, name, <-made[i]); err != nil {
					return err
				}
			}
			if err := c.staleChannelData(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// supersede leaves the shard of a name for clients that hold an older index.
func (c *change) supersede(ctx context.Context, name string) error {
	_, err := c.tx.ExecContext(ctx, `UPDATE shard SET superseded_us = $5 WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND name = $4 AND superseded_us IS NULL`,
		c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), name, micros(c.gen.CommittedAt))
	if err != nil {
		return fmt.Errorf("supersede shard: %w", err)
	}
	return nil
}

// contents are what the shard of a name has to hold. Where few files changed, the others are taken from the shard
// itself, for a popular name has thousands of records.
func (c *change) contents(ctx context.Context, name string) (contents, error) {
	files := c.names[name]
	if files == nil || len(files) > few {
		return readContents(ctx, c.tx, c.place, name)
	}
	has, err := c.cutShard(ctx, name)
	if err != nil || has == nil {
		return readContents(ctx, c.tx, c.place, name) // there is none yet; and one that is damaged heals
	}
	for _, f := range slices.Sorted(maps.Keys(files)) {
		rows, err := shardRows(ctx, c.tx, `filename = $4 AND series IN ($5, $6, $7, $8)`, c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), f,
			string(index.TarBz2), string(index.Conda), string(index.TarBz2V3), string(index.CondaV3)) // with the series there is an index
		if err != nil {
			return nil, err
		}
		has.drop(f)
		for _, r := range rows {
			has.add(r)
		}
	}
	return has, nil
}

// readContents reads from the records what the shard of a name has to hold.
func readContents(ctx context.Context, q queryer, p index.Place, name string) (contents, error) {
	rows, err := shardRows(ctx, q, `name = $4`, p.ChannelID, p.Label.String(), p.Subdir.String(), name)
	if err != nil {
		return nil, err
	}
	has := contents{}
	for _, r := range rows {
		s, k := r.keyed()
		has[s] = append(has[s], k)
	}
	for s := range has {
		slices.SortFunc(has[s], byKey)
	}
	return has, nil
}

// shardRows reads the records of a place, $1 to $3, that are shown and meet a condition.
func shardRows(ctx context.Context, q queryer, where string, args ...any) ([]shardRow, error) {
	rows, err := collect(ctx, q, func(r *sql.Rows, v *shardRow) error { return r.Scan(&v.series, &v.filename, &v.shown, &v.member) },
		`SELECT series, filename, shown, shard_member FROM record WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND shown > 0 AND `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("records of a shard: %w", err)
	}
	return rows, nil
}

// cutShard takes the shard of a name apart; nil where there is none, or it is damaged.
func (c *change) cutShard(ctx context.Context, name string) (contents, error) {
	var file, sum []byte
	err := c.tx.QueryRowContext(ctx, `SELECT bytes, sha256 FROM shard WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND name = $4 AND superseded_us IS NULL`,
		c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), name).Scan(&file, &sum)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("shard of a name: %w", err)
	}
	if sha256.Sum256(file) != [32]byte(sum) {
		return nil, nil
	}
	var cut repodata.CutShard
	c.db.encoders.use(func(e *repodata.Encoder) { cut, err = e.CutShard(file) })
	if err != nil {
		return nil, err
	}
	has := contents{}
	for s, members := range map[index.Series][]repodata.CutMember{
		index.TarBz2: cut.TarBz2, index.Conda: cut.Conda, index.TarBz2V3: cut.TarBz2V3, index.CondaV3: cut.CondaV3,
	} {
		for _, m := range members {
			has[s] = append(has[s], keyed{s.Key(m.Key), m.Member})
		}
	}
	for _, f := range cut.Removed {
		has[index.Removed] = append(has[index.Removed], keyed{key: f})
	}
	return has, nil
}

func byKey(a, b keyed) int { return strings.Compare(a.key, b.key) }

// keyed is the series that a record is in, and its member there.
func (r shardRow) keyed() (index.Series, keyed) {
	if r.shown == shownRemoved {
		return index.Removed, keyed{key: r.filename}
	}
	return r.series, keyed{r.filename, r.member}
}

// drop takes a file out, wherever it is.
func (h contents) drop(file string) {
	for s := range h {
		if i, ok := slices.BinarySearchFunc(h[s], keyed{key: file}, byKey); ok {
			h[s] = slices.Delete(h[s], i, i+1)
		}
	}
}

func (h contents) add(r shardRow) {
	s, k := r.keyed()
	i, _ := slices.BinarySearchFunc(h[s], k, byKey)
	h[s] = slices.Insert(h[s], i, k)
}

func (h contents) records() (n int) {
	for _, list := range h {
		n += len(list)
	}
	return n
}

func (h contents) members() repodata.ShardMembers {
	of := func(s index.Series) (out [][]byte) {
		for _, k := range h[s] {
			out = append(out, k.member)
		}
		return out
	}
	m := repodata.ShardMembers{TarBz2: of(index.TarBz2), Conda: of(index.Conda), TarBz2V3: of(index.TarBz2V3), CondaV3: of(index.CondaV3)}
	for _, k := range h[index.Removed] {
		m.Removed = append(m.Removed, k.key)
	}
	return m
}

func (c *change) writeShard(ctx context.Context, name string, shard []byte) error {
	sum := sha256.Sum256(shard)
	// A shard that comes back, byte for byte, takes up its old row.
	_, err := c.tx.ExecContext(ctx, `INSERT INTO shard (channel_id, label, subdir, sha256, name, generation, bytes) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (channel_id, label, subdir, sha256) DO UPDATE SET generation = excluded.generation, bytes = excluded.bytes, superseded_us = NULL`,
		c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), sum[:], name, c.gen.Number, shard)
	if err != nil {
		return fmt.Errorf("write shard: %w", err)
	}
	return nil
}
