package db

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"sluice/internal/conda/repodata"
	"sluice/internal/index"
)

// keyed is a member of a series with its key.
type keyed struct {
	key    string
	member []byte
}

// afterAll sorts after every key, and a key with afterKey after that key and before every other one: names and file
// names hold no byte as high or as low.
const (
	afterAll = "\x7f"
	afterKey = "\x01"
)

// stored is a piece as the database has it.
type stored struct {
	first                     string
	rawLen, blockLen, members int64
	// block is the number of its block.
	block int64
}

// span is the keys that are made anew together: from first up to, and without, next, and the pieces that cover them
// now, which may be none.
type span struct {
	first, next string
	pieces      []stored
}

// rebuildPieces makes the pieces of s anew that the keys, in order, fall into: cut where they have grown too large,
// joined with a neighbour where they have become small. Other pieces are not touched.
func (c *change) rebuildPieces(ctx context.Context, s index.Series, keys []string) error {
	for len(keys) > 0 {
		at, err := c.span(ctx, s, keys[0])
		if err != nil {
			return err
		}
		n, _ := slices.BinarySearch(keys, at.next)
		next, err := c.rebuildSpan(ctx, s, at, keys[:n])
		if err != nil {
			return err
		}
		n, _ = slices.BinarySearch(keys, next)
		keys = keys[n:]
	}
	return nil
}

// rebuildSpan makes a span anew in which the members of the keys changed. It returns the first key that it did not
// cover.
func (c *change) rebuildSpan(ctx context.Context, s index.Series, at span, keys []string) (next string, err error) {
	members, err := c.spliced(ctx, s, at, keys)
	if err != nil {
		return "", err
	}
	joined, err := c.join(ctx, s, &at, sizeOf(members, len(s.Separator())))
	if err == nil && joined {
		members, err = c.members(ctx, s, at.first, at.next)
	}
	if err != nil {
		return "", err
	}
	return at.next, c.writePieces(ctx, s, at, members)
}

// few is up to how many changed members of a piece are read one by one, rather than all of the piece.
const few = 24

// spliced is the members of a span as they are now. Where few changed, the others are taken from the piece itself,
// which is many times faster than to read their rows.
func (c *change) spliced(ctx context.Context, s index.Series, at span, keys []string) ([]keyed, error) {
	if len(at.pieces) != 1 || len(keys) > few {
		return c.members(ctx, s, at.first, at.next)
	}
	members, err := c.unpacked(ctx, s, at.pieces[0])
	if err != nil || members == nil {
		return c.members(ctx, s, at.first, at.next) // a piece that is damaged heals
	}
	for _, key := range keys {
		found, err := c.members(ctx, s, key, key+afterKey)
		if err != nil {
			return nil, err
		}
		i, there := slices.BinarySearchFunc(members, key, func(m keyed, k string) int { return strings.Compare(m.key, k) })
		n := i
		if there {
			n++
		}
		members = slices.Replace(members, i, n, found...)
	}
	return members, nil
}

// unpacked takes a piece apart; nil where it does not hold what its row says.
func (c *change) unpacked(ctx context.Context, s index.Series, p stored) ([]keyed, error) {
	var block []byte
	if err := c.tx.QueryRowContext(ctx, `SELECT bytes FROM block WHERE id = $1`, p.block).Scan(&block); err != nil {
		return nil, fmt.Errorf("block of a piece: %w", err)
	}
	var raw []byte
	var err error
	c.db.encoders.use(func(e *repodata.Encoder) { raw, err = e.Decompress(block, int(p.rawLen)) })
	if err != nil {
		return nil, err
	}
	cut, err := repodata.Cut(raw, s.Form())
	if err != nil || int64(len(cut)) != p.members {
		return nil, err
	}
	members := make([]keyed, len(cut))
	for i, m := range cut {
		members[i] = keyed{s.Key(m.Key), m.Member}
	}
	if !slices.IsSortedFunc(members, func(a, b keyed) int { return strings.Compare(a.key, b.key) }) {
		return nil, nil
	}
	return members, nil
}

// writePieces puts members in the place of a span, cut into pieces. The lowest one keeps the span's first key, so that
// every key has its piece.
func (c *change) writePieces(ctx context.Context, s index.Series, at span, members []keyed) error {
	lens := make([]int, len(members))
	for i, m := range members {
		lens[i] = len(m.member)
	}
	runs := repodata.Split(lens, len(s.Separator()), s.Target())
	for _, p := range at.pieces {
		// A piece that begins where one will begin is written over.
		stays := len(runs) > 0 && p.first == at.first || slices.ContainsFunc(runs, func(r [2]int) bool { return r[0] > 0 && members[r[0]].key == p.first })
		if err := c.dropPiece(ctx, s, p, stays); err != nil {
			return err
		}
	}
	for _, run := range runs {
		first := at.first
		if run[0] > 0 {
			first = members[run[0]].key
		}
		if err := c.startPiece(ctx, s, first, members[run[0]:run[1]]); err != nil {
			return err
		}
	}
	return nil
}

// sizeOf is what members take when joined.
func sizeOf(members []keyed, sep int) int {
	n := sep * max(len(members)-1, 0)
	for _, m := range members {
		n += len(m.member)
	}
	return n
}

// join takes a neighbour into a span that has become small, size bytes, and reports whether it did. A lowest piece
// that is empty takes its neighbour whatever its size, since one must begin with the empty key.
func (c *change) join(ctx context.Context, s index.Series, at *span, size int) (bool, error) {
	if !repodata.Small(size, s.Target()) || len(at.pieces) == 0 {
		return false, nil
	}
	sep := len(s.Separator())
	if at.next != afterAll {
		next, err := c.pieceOf(ctx, s, at.next)
		if err != nil {
			return false, err
		}
		if at.first == "" && size == 0 || repodata.Joins(size, int(next[0].rawLen), sep, s.Target()) {
			at.pieces = append(at.pieces, next[0])
			at.next, err = c.after(ctx, s, at.next)
			return true, err
		}
	}
	if at.first == "" || size == 0 {
		return false, nil
	}
	if err := c.settle(ctx); err != nil { // the piece before may be one that was just made
		return false, err
	}
	before, err := c.before(ctx, s, at.first)
	if err != nil || !repodata.Joins(size, int(before.rawLen), sep, s.Target()) {
		return false, err
	}
	at.first, at.pieces = before.first, append(at.pieces, before)
	return true, nil
}

const storedColumns = `first_key, raw_len, block_len, members, block_id`

func (p *stored) fields() []any {
	return []any{&p.first, &p.rawLen, &p.blockLen, &p.members, &p.block}
}

func (c *change) span(ctx context.Context, s index.Series, key string) (span, error) {
	at := span{next: afterAll}
	var err error
	if at.pieces, err = c.pieceOf(ctx, s, key); err != nil || len(at.pieces) == 0 {
		return at, err // the first piece of the series
	}
	at.first = at.pieces[0].first
	at.next, err = c.after(ctx, s, key)
	return at, err
}

// pieceOf finds the piece that covers a key; there is none only where the series has none at all.
func (c *change) pieceOf(ctx context.Context, s index.Series, key string) ([]stored, error) {
	return c.pieces(ctx, s, `first_key <= $5 ORDER BY first_key DESC LIMIT 1`, key)
}

func (c *change) before(ctx context.Context, s index.Series, first string) (stored, error) {
	found, err := c.pieces(ctx, s, `first_key < $5 ORDER BY first_key DESC LIMIT 1`, first)
	if err == nil && len(found) == 0 {
		err = errors.New("a piece is missing: the lowest one")
	}
	if err != nil {
		return stored{}, err
	}
	return found[0], nil
}

// after is the first key of the piece after the one that covers key.
func (c *change) after(ctx context.Context, s index.Series, key string) (string, error) {
	found, err := c.pieces(ctx, s, `first_key > $5 ORDER BY first_key LIMIT 1`, key)
	if err != nil || len(found) == 0 {
		return afterAll, err
	}
	return found[0].first, nil
}

func (c *change) pieces(ctx context.Context, s index.Series, where, key string) ([]stored, error) {
	found, err := collect(ctx, c.tx, func(r *sql.Rows, p *stored) error { return r.Scan(p.fields()...) },
		`SELECT `+storedColumns+` FROM piece WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND series = $4 AND `+where,
		c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), string(s), key)
	if err != nil {
		return nil, fmt.Errorf("piece of a key: %w", err)
	}
	return found, nil
}

// members reads the members from one key up to, and without, another, in order.
func (c *change) members(ctx context.Context, s index.Series, first, next string) ([]keyed, error) {
	return membersOf(ctx, c.tx, c.place, s, first, next, math.MaxInt32)
}

// membersOf reads the first members of a series between two keys, in order: from the first up to, and without, the next.
func membersOf(ctx context.Context, q queryer, p index.Place, s index.Series, first, next string, limit int) ([]keyed, error) {
	query, more, err := membersQuery(s)
	if err != nil {
		return nil, err
	}
	args := append([]any{p.ChannelID, p.Label.String(), p.Subdir.String(), first, next, limit}, more...)
	out, err := collect(ctx, q, func(r *sql.Rows, k *keyed) error { return r.Scan(&k.key, &k.member) }, query+` LIMIT $6`, args...)
	if err != nil {
		return nil, fmt.Errorf("members of a piece: %w", err)
	}
	for i, k := range out {
		switch s {
		case index.Shards:
			out[i].member = repodata.ShardIndexMember(k.key, [32]byte(k.member))
		case index.Removed:
			out[i].member = repodata.RemovedMember(k.key)
		}
	}
	return out, nil
}

// membersQuery is the query for key and member of a series between two keys, and its arguments from $7 on.
func membersQuery(s index.Series) (query string, more []any, err error) {
	const within = ` WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND `
	const ofSeries = within + `series = $7 AND filename >= $4 AND filename < $5 AND shown = 1 ORDER BY filename`
	const ofBoth = within + `series IN ($7, $8) AND filename >= $4 AND filename < $5 AND shown = 1 ORDER BY filename`
	switch s {
	case index.Shards:
		return `SELECT name, sha256 FROM shard` + within + `name >= $4 AND name < $5 AND superseded_us IS NULL ORDER BY name`, nil, nil
	case index.TarBz2, index.Conda, index.TarBz2V3, index.CondaV3:
		return `SELECT filename, member FROM record` + ofSeries, []any{string(s)}, nil
	case index.TarBz2RunExports:
		return `SELECT filename, run_exports FROM record` + ofBoth, []any{string(index.TarBz2), string(index.TarBz2V3)}, nil
	case index.CondaRunExports:
		return `SELECT filename, run_exports FROM record` + ofBoth, []any{string(index.Conda), string(index.CondaV3)}, nil
	case index.Removed:
		return `SELECT filename, NULL FROM record` + within + `filename >= $4 AND filename < $5 AND shown = 2 ORDER BY filename`, nil, nil
	default:
		return "", nil, fmt.Errorf("unknown series %q", s)
	}
}

// dropPiece takes a piece away. Where another one is written over it, its row stays until then.
func (c *change) dropPiece(ctx context.Context, s index.Series, p stored, stays bool) error {
	if !stays {
		_, err := c.tx.ExecContext(ctx, `DELETE FROM piece WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND series = $4 AND first_key = $5`,
			c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), string(s), p.first)
		if err != nil {
			return fmt.Errorf("drop piece: %w", err)
		}
	}
	if _, err := c.tx.ExecContext(ctx, `INSERT INTO dropped_block (id, at_us) VALUES ($1, $2)`, p.block, micros(c.gen.CommittedAt)); err != nil {
		return fmt.Errorf("drop block: %w", err)
	}
	c.count(s, -1, -p.members, -p.rawLen, -p.blockLen)
	return nil
}

// coming is a piece that is being compressed.
type coming struct {
	series  index.Series
	first   string
	members int
	rawLen  int
	block   <-chan []byte
}

// mostComing bounds how many pieces wait to be written: members and blocks of up to some 128 KiB each.
const mostComing = 64

// startPiece has a piece made; settle writes it.
func (c *change) startPiece(ctx context.Context, s index.Series, first string, members []keyed) error {
	if len(c.coming) == mostComing {
		if err := c.settle(ctx); err != nil {
			return err
		}
	}
	block := c.db.encoders.start(func(e *repodata.Encoder) []byte {
		parts := make([][]byte, len(members))
		for i, m := range members {
			parts[i] = m.member
		}
		return e.Compress(bytes.Join(parts, []byte(s.Separator())))
	})
	c.coming = append(c.coming, coming{s, first, len(members), sizeOf(members, len(s.Separator())), block})
	return nil
}

// settle writes the pieces that were started.
func (c *change) settle(ctx context.Context) error {
	for _, p := range c.coming {
		if err := c.writePiece(ctx, p, <-p.block); err != nil {
			return err
		}
	}
	c.coming = c.coming[:0]
	return nil
}

func (c *change) writePiece(ctx context.Context, p coming, block []byte) error {
	var id int64
	if err := c.tx.QueryRowContext(ctx, `INSERT INTO block (channel_id, bytes) VALUES ($1, $2) RETURNING id`, c.place.ChannelID, block).Scan(&id); err != nil {
		return fmt.Errorf("write block: %w", err)
	}
	_, err := c.tx.ExecContext(ctx, `INSERT INTO piece (channel_id, label, subdir, series, first_key, generation, members, raw_len, block_len, block_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (channel_id, label, subdir, series, first_key) DO UPDATE SET
			generation = excluded.generation, members = excluded.members, raw_len = excluded.raw_len, block_len = excluded.block_len, block_id = excluded.block_id`,
		c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), string(p.series), p.first, c.gen.Number, p.members, p.rawLen, len(block), id)
	if err != nil {
		return fmt.Errorf("write piece: %w", err)
	}
	c.count(p.series, 1, int64(p.members), int64(p.rawLen), int64(len(block)))
	return nil
}

// growth is by how much the sums of a series change.
type growth struct{ pieces, members, rawLen, blockLen int64 }

func (c *change) count(s index.Series, pieces, members, rawLen, blockLen int64) {
	t := c.sums[s]
	c.sums[s] = growth{t.pieces + pieces, t.members + members, t.rawLen + rawLen, t.blockLen + blockLen}
}

// total keeps the sums of a series by difference.
func (c *change) total(ctx context.Context, s index.Series) error {
	t := c.sums[s]
	_, err := c.tx.ExecContext(ctx, `INSERT INTO series (channel_id, label, subdir, series, pieces, members, raw_len, block_len) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (channel_id, label, subdir, series) DO UPDATE SET pieces = series.pieces + excluded.pieces, members = series.members + excluded.members,
		raw_len = series.raw_len + excluded.raw_len, block_len = series.block_len + excluded.block_len`,
		c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), string(s), t.pieces, t.members, t.rawLen, t.blockLen)
	if err != nil {
		return fmt.Errorf("total of a series: %w", err)
	}
	return nil
}
