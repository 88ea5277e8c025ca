package db

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/index"
)

// change is one place's index in the middle of a transaction. Rows of table record are changed first, each change
// noted; write then makes the pieces and shards that they fall into, each once, and raises the generation, or does
// nothing where nothing changed.
type change struct {
	db    *DB
	tx    *sql.Tx
	place index.Place
	// gen is the generation that is being made.
	gen index.Generation
	old index.Generation
	// what names all changes, for the chain.
	what []string
	// keys are the members that came, went or became others.
	keys map[index.Series]map[string]bool
	// sums are by how much those of each series change.
	sums map[index.Series]growth
	// names are the package names whose shards are made anew, and of each the files that changed; nil: all of them, from
	// the records alone.
	names map[string]map[string]bool
	// coming are pieces that are being made.
	coming []coming
	// whole are series of which every piece is made anew, since what is stored of them is damaged.
	whole []index.Series
}

// begin locks the generation of a place. Everything that changes what a place lists goes through here first, so that
// changes of one place stand in a line.
func (db *DB) begin(ctx context.Context, tx *sql.Tx, ch channel.Channel, p index.Place) (*change, error) {
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
	return &change{
		db: db, tx: tx, place: p, old: g, gen: index.Generation{Number: g.Number + 1, CommittedAt: now},
		keys: map[index.Series]map[string]bool{}, sums: map[index.Series]growth{}, names: map[string]map[string]bool{},
	}, nil
}

// note marks what shows a file, whose record changed: its members, its name's shard, and that name in the shard index.
func (c *change) note(what string, f conda.Filename, name string, series ...index.Series) {
	c.what = append(c.what, what+" "+f.String())
	for _, s := range series {
		c.touch(s, f.String())
	}
	files, known := c.names[name]
	if !known {
		files = map[string]bool{}
		c.names[name] = files
	}
	if files != nil {
		files[f.String()] = true
	}
	c.touch(index.Shards, name)
}

func (c *change) touch(s index.Series, key string) {
	if c.keys[s] == nil {
		c.keys[s] = map[string]bool{}
	}
	c.keys[s][key] = true
}

// write makes what was noted, and the next generation of it. The cost follows from the sizes of the pieces and
// shards that are touched, not from that of the channel.
func (c *change) write(ctx context.Context) error {
	if len(c.what) == 0 {
		return nil
	}
	if err := c.rebuildShards(ctx, slices.Sorted(maps.Keys(c.names))); err != nil {
		return err
	}
	for _, s := range c.whole {
		delete(c.keys, s)
		if err := c.rebuildSeries(ctx, s); err != nil {
			return err
		}
	}
	for _, s := range slices.Sorted(maps.Keys(c.keys)) {
		if err := c.rebuildPieces(ctx, s, slices.Sorted(maps.Keys(c.keys[s]))); err != nil {
			return err
		}
	}
	if err := c.settle(ctx); err != nil {
		return err
	}
	for _, s := range slices.Sorted(maps.Keys(c.sums)) {
		if err := c.total(ctx, s); err != nil {
			return err
		}
	}
	c.gen = c.old.Next(c.gen.CommittedAt, strings.Join(c.what, "\n"))
	_, err := c.tx.ExecContext(ctx, `UPDATE generation SET number = $4, chain = $5, committed_us = $6 WHERE channel_id = $1 AND label = $2 AND subdir = $3`,
		c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), c.gen.Number, c.gen.Chain[:], micros(c.gen.CommittedAt))
	if err != nil {
		return fmt.Errorf("raise generation: %w", err)
	}
	return nil
}

// staleChannelData marks a name's part of channeldata.json, which is made anew when somebody asks for it.
func (c *change) staleChannelData(ctx context.Context, name string) error {
	_, err := c.tx.ExecContext(ctx, `INSERT INTO channeldata (channel_id, label, name, stale, member) VALUES ($1, $2, $3, 1, $4)
		ON CONFLICT (channel_id, label, name) DO UPDATE SET stale = 1 WHERE channeldata.stale = 0`, c.place.ChannelID, c.place.Label.String(), name, []byte{})
	if err != nil {
		return fmt.Errorf("mark channeldata: %w", err)
	}
	return nil
}

// changes are several places of one channel that change in one transaction.
type changes struct {
	db      *DB
	tx      *sql.Tx
	channel channel.Channel
	at      map[index.Place]*change
	// time is the time of all that the transaction does, once it was asked for.
	time time.Time
}

// open locks the main index of every subdir, then the other labels that are asked for, always in the same order, so
// that two transactions never wait for one another. Main comes first even where it does not change: whoever changes
// an artifact of a subdir, in whatever labels, holds it.
func (db *DB) open(ctx context.Context, tx *sql.Tx, ch channel.Channel, subdirs []conda.Subdir, labels []conda.Label) (*changes, error) {
	cs := &changes{db: db, tx: tx, channel: ch, at: map[index.Place]*change{}}
	subdirs = slices.Clone(subdirs)
	slices.SortFunc(subdirs, func(a, b conda.Subdir) int { return cmp.Compare(a.String(), b.String()) })
	subdirs = slices.Compact(subdirs)
	for _, d := range subdirs {
		if _, err := cs.place(ctx, conda.MainLabel(), d); err != nil {
			return nil, err
		}
	}
	labels = slices.Clone(labels)
	slices.SortFunc(labels, func(a, b conda.Label) int { return cmp.Compare(a.String(), b.String()) })
	for _, d := range subdirs {
		for _, l := range labels {
			if _, err := cs.place(ctx, l, d); err != nil {
				return nil, err
			}
		}
	}
	return cs, nil
}

// place returns the change of one label and subdir, and locks it where it is not yet.
func (cs *changes) place(ctx context.Context, l conda.Label, d conda.Subdir) (*change, error) {
	p := index.Place{ChannelID: cs.channel.ID, Label: l, Subdir: d}
	if c := cs.at[p]; c != nil {
		return c, nil
	}
	c, err := cs.db.begin(ctx, cs.tx, cs.channel, p)
	if err != nil {
		return nil, err
	}
	cs.at[p] = c
	if c.gen.CommittedAt.Before(cs.time) {
		c.gen.CommittedAt = cs.time
	}
	return c, nil
}

// now is the time of the transaction: the same in all of its places, and later than the last change of each that was
// locked by then.
func (cs *changes) now() time.Time {
	if !cs.time.IsZero() {
		return cs.time
	}
	for _, c := range cs.at {
		if c.gen.CommittedAt.After(cs.time) {
			cs.time = c.gen.CommittedAt
		}
	}
	for _, c := range cs.at {
		c.gen.CommittedAt = cs.time
	}
	return cs.time
}

// write writes every place that changed.
func (cs *changes) write(ctx context.Context) error {
	places := slices.SortedFunc(maps.Keys(cs.at), func(a, b index.Place) int {
		return cmp.Or(cmp.Compare(a.Subdir.String(), b.Subdir.String()), cmp.Compare(a.Label.String(), b.Label.String()))
	})
	for _, p := range places {
		if err := cs.at[p].write(ctx); err != nil {
			return err
		}
	}
	return nil
}
