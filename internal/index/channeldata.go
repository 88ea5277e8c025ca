package index

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"sluice/internal/conda"
	"sluice/internal/conda/repodata"
)

// ChannelData is the name of the one index file that lies beside the subdirs and tells of all of them (CEP 38).
const ChannelData Name = "channeldata.json"

// Label names a label of a channel with all its subdirs, which is what channeldata.json is of.
type Label struct {
	ChannelID int64
	Name      conda.Label
}

// State is what a label shows in all its subdirs, as a generation of its own: that of the newest generations of the
// subdirs, in order of the subdirs. Its number says nothing but that there are some.
func (l Label) State(channelMade time.Time, subdirs []Generation) Generation {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "sluice label\x00%d\x00%d\x00%s\x00", l.ChannelID, channelMade.UnixMicro(), l.Name)
	g := Generation{CommittedAt: channelMade}
	for _, s := range subdirs {
		h.Write(s.Chain[:])
		g.Number += s.Number
		if s.CommittedAt.After(g.CommittedAt) {
			g.CommittedAt = s.CommittedAt
		}
	}
	h.Sum(g.Chain[:0])
	return g
}

// Summary is what is said of a label beside its members: the newest generation of each subdir in which anything was
// ever listed, and the subdirs that list something now, both in order of the subdirs.
type Summary struct {
	Generations []Generation
	Subdirs     []conda.Subdir
}

// channelData is channeldata.json at one state of a label. It never changes.
type channelData struct {
	Generation
	file   repodata.File
	pieces []repodata.Piece
	blocks [][]byte
	size   int // of the blocks
}

// Blocks implements repodata.Blocks.
func (d *channelData) Blocks(_ context.Context, numbers []int64) ([][]byte, error) {
	out := make([][]byte, len(numbers))
	for i, n := range numbers {
		out[i] = d.blocks[n]
	}
	return out, nil
}

// add appends a piece.
func (d *channelData) add(e *repodata.Encoder, raw []byte) {
	block := e.Compress(raw)
	d.pieces = append(d.pieces, repodata.Piece{RawLen: len(raw), BlockLen: len(block), Block: int64(len(d.blocks))})
	d.blocks = append(d.blocks, block)
	d.size += len(block)
}

// ChannelData returns the channeldata.json of a label as the database knows it after the call began. It is made when
// somebody asks for it, and kept compressed: what nobody reads costs nothing but a mark at each change.
func (x *Index) ChannelData(ctx context.Context, l Label, channelMade time.Time) (*File, error) {
	d, err := x.channelData(ctx, l, channelMade)
	if err != nil {
		return nil, err
	}
	return &File{
		Generation: d.Generation, Layout: d.file, ETag: etag(d.Generation, ChannelData),
		index: x, key: bodyKey{Place{ChannelID: l.ChannelID, Label: l.Name}, ChannelData}, blocks: d,
	}, nil
}

// buildTime bounds the making of a channeldata.json. What it has brought up to date by then, the next one need not.
const buildTime = 10 * time.Minute

func (x *Index) channelData(ctx context.Context, l Label, channelMade time.Time) (*channelData, error) {
	have, fresh, err := x.keptChannelData(ctx, l, channelMade)
	if err != nil || fresh {
		return have, err
	}
	key := fmt.Sprintf("channeldata %d/%s", l.ChannelID, l.Name)
	return once(ctx, x, key, buildTime, func(ctx context.Context) (*channelData, error) {
		select {
		case x.building <- struct{}{}:
			defer func() { <-x.building }()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		x.loads.Forget(key) // whoever comes from here on may know of a newer state, and waits for the next
		if have, fresh, err := x.keptChannelData(ctx, l, channelMade); err != nil || fresh {
			return have, err
		}
		return x.buildChannelData(ctx, l, channelMade)
	})
}

// keptChannelData returns what is in memory, and whether it is of the newest state.
func (x *Index) keptChannelData(ctx context.Context, l Label, channelMade time.Time) (have *channelData, fresh bool, err error) {
	subdirs, err := x.store.Generations(ctx, l)
	if err != nil {
		return nil, false, err
	}
	have, ok := x.labels.get(l)
	return have, ok && have.Chain == l.State(channelMade, subdirs).Chain, nil
}

func (x *Index) buildChannelData(ctx context.Context, l Label, channelMade time.Time) (*channelData, error) {
	for more := true; more; {
		var err error
		if more, err = x.store.FreshenChannelData(ctx, l); err != nil {
			return nil, fmt.Errorf("channeldata.json: %w", err)
		}
	}
	d, e := &channelData{}, repodata.NewEncoder()
	var raw []byte
	s, err := x.store.ChannelData(ctx, l, func(member []byte) {
		if len(raw) > 0 && len(raw)+1+len(member) > repodata.PieceTarget {
			d.add(e, raw)
			raw = raw[:0]
		}
		if len(raw) > 0 {
			raw = append(raw, ',')
		}
		raw = append(raw, member...)
	})
	if err != nil {
		return nil, fmt.Errorf("channeldata.json: %w", err)
	}
	d.add(e, raw)
	d.Generation = l.State(channelMade, s.Generations)
	d.file = repodata.ChannelData(d.pieces, s.Subdirs)
	if d.Number > 0 { // there is no end of labels in which nothing was ever listed
		x.labels.put(l, d, d.size+len(d.pieces)*overhead)
	}
	return d, nil
}

// etag is a strong validator, quotes included: another one for every address and every content.
func etag(g Generation, n Name) string {
	return `"` + hex.EncodeToString(g.Chain[:8]) + "-" + string(n) + `"`
}
