package index

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/internal/conda/repodata"
)

// Piece is a stored piece of a series: everything but its block.
type Piece struct {
	repodata.Piece
	// First is the first key that falls into it; "" for the lowest of a series, so that every key has its piece.
	First string
	// Generation is the number of the one that wrote it.
	Generation int64
	// Members is how many it holds.
	Members int
}

// Totals are the sums over the pieces of a series: how many they are, their members, and the lengths of both.
type Totals struct{ Pieces, Members, RawLen, BlockLen int64 }

func (t *Totals) add(p Piece) {
	t.Pieces++
	t.Members += int64(p.Members)
	t.RawLen += int64(p.RawLen)
	t.BlockLen += int64(p.BlockLen)
}

// Listing is what is stored of a place at one generation.
type Listing struct {
	Generation
	Totals map[Series]Totals
	Pieces map[Series][]Piece
}

// layer is those series of one generation of a place from which one file is laid out. It never changes.
type layer struct {
	Generation
	series map[Series][]Piece
	file   repodata.File
}

// layerKey names a layer by its place and the plain form of its file.
type layerKey struct {
	place Place
	file  Name
}

// bytes is what l holds in memory, roughly.
func (l *layer) bytes() int {
	const each = 150 // a piece here, once more in the file, and a first key
	n := 0
	for _, pieces := range l.series {
		n += each * len(pieces)
	}
	return n
}

// layer returns the layer of the newest generation of a place, as the store knows it after the call began.
func (x *Index) layer(ctx context.Context, key layerKey, channelMade time.Time) (*layer, error) {
	g, ok, err := x.store.Generation(ctx, key.place)
	if err != nil {
		return nil, err
	}
	if !ok {
		return layOut(key, Listing{Generation: First(key.place, channelMade)}), nil
	}
	have, ok := x.layers.get(key)
	if ok && have.Chain == g.Chain {
		return have, nil
	}
	p := key.place
	return once(ctx, x, fmt.Sprintf("%d/%s/%s/%s/%x", p.ChannelID, p.Label, p.Subdir, key.file, g.Chain), loadTime, func(ctx context.Context) (*layer, error) {
		l, err := x.load(ctx, key, have)
		if err != nil {
			return nil, fmt.Errorf("pieces of generation %d: %w", g.Number, err)
		}
		x.layers.put(key, l, l.bytes())
		return l, nil
	})
}

var errNoGeneration = errors.New("it is gone")

// load reads a layer. Of one that is an older generation of the same place only what came since is read.
func (x *Index) load(ctx context.Context, key layerKey, have *layer) (*layer, error) {
	if have != nil {
		since, ok, err := x.store.Pieces(ctx, key.place, key.file.series(), have.Number)
		if err != nil {
			return nil, err
		}
		if ok && since.Number > have.Number && since.follow(have) {
			return layOut(key, since), nil
		}
	}
	all, ok, err := x.store.Pieces(ctx, key.place, key.file.series(), 0)
	if err == nil && !ok {
		err = errNoGeneration
	}
	if err != nil {
		return nil, err
	}
	return layOut(key, all), nil
}

// follow completes l, which holds what was written since have, with what have holds. It is false when the sums tell
// that this is not all: a piece of have is gone, because it was joined to another one.
func (l *Listing) follow(have *layer) bool {
	for s, old := range have.series {
		merged := merge(old, l.Pieces[s])
		var sum Totals
		for _, p := range merged {
			sum.add(p)
		}
		if sum != l.Totals[s] {
			return false
		}
		l.Pieces[s] = merged
	}
	return true
}

// merge returns the pieces of both in order; where two have one first key, that of written.
func merge(old, written []Piece) []Piece {
	if len(written) == 0 {
		return old
	}
	out := make([]Piece, 0, len(old)+len(written))
	for _, w := range written {
		n, same := slices.BinarySearchFunc(old, w.First, func(p Piece, first string) int { return strings.Compare(p.First, first) })
		out = append(append(out, old[:n]...), w)
		if same {
			n++
		}
		old = old[n:]
	}
	return append(out, old...)
}

// layOut makes the layer of a listing.
func layOut(key layerKey, l Listing) *layer {
	out := &layer{Generation: l.Generation, series: map[Series][]Piece{}}
	pieces := func(s Series) []repodata.Piece {
		out.series[s] = l.Pieces[s]
		bare := make([]repodata.Piece, len(l.Pieces[s]))
		for i, p := range l.Pieces[s] {
			bare[i] = p.Piece
		}
		return bare
	}
	v3 := int(l.Totals[TarBz2V3].Members + l.Totals[CondaV3].Members)
	switch subdir := key.place.Subdir; key.file {
	case RepodataJSON:
		out.file = repodata.Repodata(subdir, repodata.Records{
			TarBz2: pieces(TarBz2), Conda: pieces(Conda), TarBz2V3: pieces(TarBz2V3), CondaV3: pieces(CondaV3), V3: v3, Removed: pieces(Removed),
		})
	case RunExportsJSON:
		out.file = repodata.RunExportsFile(subdir, pieces(TarBz2RunExports), pieces(CondaRunExports))
	case ShardIndex:
		var sum Totals // counted, for a wrong number would make the file unreadable
		for _, p := range l.Pieces[Shards] {
			sum.add(p)
		}
		out.file = repodata.ShardIndex(subdir, l.CommittedAt, repodata.Names{Pieces: pieces(Shards), Count: int(sum.Members), V3: v3})
	}
	return out
}
