package check

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice/internal/index"
)

// What is read of a place at once.
const (
	piecesAtOnce = 8
	namesAtOnce  = 50
)

// place looks at the index files of a label and subdir.
func (r *run) place(ctx context.Context, p index.Place) error {
	r.progress(p.Label.String() + "/" + p.Subdir.String())
	if err := r.state(ctx, p); err != nil {
		return fmt.Errorf("%s/%s: %w", p.Label, p.Subdir, err)
	}
	for _, s := range index.AllSeries() {
		if err := r.series(ctx, p, s); err != nil {
			return fmt.Errorf("%s/%s: %s: %w", p.Label, p.Subdir, s, err)
		}
	}
	if err := r.shards(ctx, p); err != nil {
		return fmt.Errorf("%s/%s: shards: %w", p.Label, p.Subdir, err)
	}
	if err := r.oldShards(ctx, p); err != nil {
		return fmt.Errorf("%s/%s: superseded shards: %w", p.Label, p.Subdir, err)
	}
	return nil
}

// state compares the generation and the sums of a place with its pieces.
func (r *run) state(ctx context.Context, p index.Place) error {
	s, err := r.store.State(ctx, p)
	if err != nil {
		return err
	}
	if !s.Found || s.Newest > s.Number {
		d := at(Generation, p)
		d.Stored, d.Expected = fmt.Sprintf("generation %d", s.Number), fmt.Sprintf("generation %d or later", max(s.Newest, 1))
		r.found(d)
	}
	names := slices.Collect(maps.Keys(s.Summed))
	names = slices.AppendSeq(names, maps.Keys(s.Stored))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if got, want := s.Stored[name], s.Summed[name]; got != want {
			d := at(Totals, p)
			d.Series = string(name)
			d.Stored, d.Expected = spellTotals(got), spellTotals(want)
			r.found(d)
		}
	}
	return nil
}

func spellTotals(t index.Totals) string {
	return fmt.Sprintf("%d pieces with %d members, %d bytes in %d", t.Pieces, t.Members, t.RawLen, t.BlockLen)
}

// series compares the pieces of a series with the members that they should hold, a few at a time. Uploads may cut and
// join them meanwhile: each time it begins with the piece that covers the key then.
func (r *run) series(ctx context.Context, p index.Place, s index.Series) error {
	for key, more := "", true; more; {
		some, err := r.store.PiecesFrom(ctx, p, s, key, piecesAtOnce)
		if err != nil {
			return err
		}
		r.pieces(p, s, some, key)
		r.result.Pieces += int64(len(some.Pieces))
		key, more = some.Next, some.More
	}
	return nil
}

// pieces compares neighbouring pieces. from is the key from which on they should cover all.
func (r *run) pieces(p index.Place, s index.Series, some Run, from string) {
	differ := func(k Kind, first, stored, expected string) {
		d := at(k, p)
		d.Series, d.Name, d.Stored, d.Expected = string(s), first, stored, expected
		r.found(d)
	}
	if len(some.Pieces) == 0 {
		if len(some.Members) > 0 {
			differ(Pieces, from, "no piece", fmt.Sprintf("pieces of %d members", len(some.Members)))
		}
		return
	}
	if first := some.Pieces[0].First; first > from {
		differ(Pieces, from, fmt.Sprintf("the first piece begins with %q", first), fmt.Sprintf("one that begins with %q, or before it", from))
	}
	members := some.Members
	for i, piece := range some.Pieces {
		n := len(members)
		if i+1 < len(some.Pieces) {
			n, _ = slices.BinarySearchFunc(members, some.Pieces[i+1].First, func(m Member, key string) int { return strings.Compare(m.Key, key) })
		}
		r.piece(piece, s, members[:n], differ)
		members = members[n:]
	}
}

// piece compares one piece with its members.
func (r *run) piece(p Piece, s index.Series, members []Member, differ func(k Kind, first, stored, expected string)) {
	parts := make([][]byte, len(members))
	for i, m := range members {
		parts[i] = m.Bytes
	}
	raw := bytes.Join(parts, []byte(s.Separator()))
	switch {
	case p.Bytes == nil:
		differ(Block, p.First, fmt.Sprintf("block %d is gone", p.Block), "a block")
	case len(p.Bytes) != p.BlockLen:
		differ(Block, p.First, fmt.Sprintf("a block of %d bytes", len(p.Bytes)), fmt.Sprintf("one of %d", p.BlockLen))
	case p.RawLen == len(raw) && p.Members == len(members) && r.encoder.Agrees(p.Bytes, raw):
	default:
		got, err := r.encoder.Decompress(p.Bytes, p.RawLen)
		if err != nil {
			differ(Block, p.First, fmt.Sprintf("a block that does not decode to %d bytes", p.RawLen), fmt.Sprintf("one that decodes to %d", len(raw)))
			return
		}
		stored, expected := around(got, raw)
		differ(Members, p.First, fmt.Sprintf("%d members in %d bytes%s", p.Members, len(got), stored), fmt.Sprintf("%d members in %d bytes%s", len(members), len(raw), expected))
	}
}

// around shows two texts where they begin to differ.
func around(a, b []byte) (inA, inB string) {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	const before, shown = 20, 60
	cut := func(s []byte) string {
		if n >= len(s) {
			return ""
		}
		return fmt.Sprintf(", at %d %q", n, s[max(0, n-before):min(len(s), n+shown)])
	}
	return cut(a), cut(b)
}

// shards compares the shards of names with their records.
func (r *run) shards(ctx context.Context, p index.Place) error {
	for after := ""; ; {
		some, err := r.store.NamesAfter(ctx, p, after, namesAtOnce)
		if err != nil {
			return err
		}
		for _, n := range some {
			r.shard(p, n)
			r.told(p, n)
			after = n.Name
		}
		if len(some) < namesAtOnce {
			return nil
		}
	}
}
