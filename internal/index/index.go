// Package index serves generations: the one consistent state that the index files of a (channel, label,
// subdir) have at any moment. It turns stored pieces into the files that clients read, with validators
// that follow from the generation alone, and keeps in memory what is read often, within one bound for all channels. It
// must not know of HTTP, of who is asking, or how records came in.
package index

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"

	"sluice/internal/conda"
	"sluice/internal/conda/repodata"
)

// Place names one index: a label of a channel, and a subdir of it.
type Place struct {
	ChannelID int64
	Label     conda.Label
	Subdir    conda.Subdir
}

// Series is an ordered list of members that becomes the body of an index file.
type Series string

// The series of a place. Keys are file names, names for Shards, ordered by bytes.
const (
	TarBz2           Series = "packages"
	Conda            Series = "packages.conda"
	TarBz2RunExports Series = "run_exports.packages"
	CondaRunExports  Series = "run_exports.packages.conda"
	Shards           Series = "shards"
	// TarBz2V3 and CondaV3 hold the records that only readers of revision 3 may see (CEP 48). Their keys are file
	// names, their members are keyed by the stem.
	TarBz2V3 Series = "v3.tar.bz2"
	CondaV3  Series = "v3.conda"
	// Removed holds the names of the files that are yanked.
	Removed Series = "removed"
)

// AllSeries lists every series of a place.
func AllSeries() []Series {
	return []Series{TarBz2, Conda, TarBz2RunExports, CondaRunExports, Shards, TarBz2V3, CondaV3, Removed}
}

// SeriesOf returns the series that list a file: its records, which need revision 3 or not, and its run_exports.
func SeriesOf(f conda.Filename, v3 bool) (records, runExports Series) {
	if v3 && f.Ext() == ".conda" {
		return CondaV3, CondaRunExports
	}
	if v3 {
		return TarBz2V3, TarBz2RunExports
	}
	if f.Ext() == ".conda" {
		return Conda, CondaRunExports
	}
	return TarBz2, TarBz2RunExports
}

// Form is how the members of s are written.
func (s Series) Form() repodata.Form {
	switch s {
	case Shards:
		return repodata.Hashed
	case Removed:
		return repodata.Named
	default:
		return repodata.Keyed
	}
}

// Key is the key in s of a member that itself has the given one: those of revision 3 have no extension.
func (s Series) Key(member string) string {
	switch s {
	case TarBz2V3:
		return member + ".tar.bz2"
	case CondaV3:
		return member + ".conda"
	default:
		return member
	}
}

// Target is the most that a piece of s should hold, in bytes before compression. An upload makes one piece of each
// series anew, so smaller ones make it cheaper; but whoever downloads the file pays for each. Records of 64 KiB take 1 %
// more in all than those of twice the size and half their time; the other series are small, and hashes do not compress.
func (s Series) Target() int {
	switch s {
	case Shards, Removed:
		return 16 << 10
	case TarBz2RunExports, CondaRunExports:
		return 32 << 10
	default:
		return 64 << 10
	}
}

// Separator is what stands between two members of s, and between two pieces.
func (s Series) Separator() string {
	if s == Shards {
		return "" // msgpack
	}
	return ","
}

// Generation is one state of a place. Number 0 is the empty state that every place begins with.
type Generation struct {
	Number int64
	// Chain is a hash over all changes that led here. It differs for every place and every history, so it
	// tells a database that was restored from a backup from the one that went on.
	Chain [sha256.Size]byte
	// CommittedAt is when it was made; for number 0, when the channel was made.
	CommittedAt time.Time
}

// First is generation 0 of a place in a channel that was made at the given time.
func First(p Place, channelMade time.Time) Generation {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "sluice generation\x00%d\x00%d\x00%s\x00%s", p.ChannelID, channelMade.UnixMicro(), p.Label, p.Subdir)
	g := Generation{CommittedAt: channelMade}
	h.Sum(g.Chain[:0])
	return g
}

// Next is the generation after g, made at the given time by a change that is known by its text.
func (g Generation) Next(at time.Time, change string) Generation {
	h := sha256.New()
	h.Write(g.Chain[:])
	var when [8]byte
	binary.BigEndian.PutUint64(when[:], uint64(at.UnixMicro()))
	h.Write(when[:])
	h.Write([]byte(change))
	n := Generation{Number: g.Number + 1, CommittedAt: at}
	h.Sum(n.Chain[:0])
	return n
}

// Store reads generations. Generation and Pieces are each a transaction over one unchanging state.
type Store interface {
	// Generation returns the newest state of a place; ok is false for number 0, of which nothing is stored.
	Generation(ctx context.Context, p Place) (g Generation, ok bool, err error)
	// Pieces returns the newest state of a place with the sums of all its series, and of the given series the pieces
	// that were written after a generation, in order of First. After 0 come all.
	Pieces(ctx context.Context, p Place, of []Series, after int64) (l Listing, ok bool, err error)
	// Blocks returns the blocks of these numbers, in the same order. That one is gone is an error: it was dropped
	// long ago.
	Blocks(ctx context.Context, numbers []int64) ([][]byte, error)
	// Shard returns the bytes of a shard, current or superseded; fault.NotFound when there is none.
	Shard(ctx context.Context, p Place, sha256 [32]byte) ([]byte, error)
	// Generations returns the newest state of each subdir of a label of which something is stored, in order of subdirs.
	Generations(ctx context.Context, l Label) ([]Generation, error)
	// FreshenChannelData makes anew some members of channeldata.json whose names have changed, in a transaction that
	// holds up uploads for no longer than a large one of them does. More says that there are others.
	FreshenChannelData(ctx context.Context, l Label) (more bool, err error)
	// ChannelData hands over every member of channeldata.json in order of the names, each once, as one unchanging state
	// has them, and returns what else that state says. The members are good until take returns.
	ChannelData(ctx context.Context, l Label, take func(member []byte)) (Summary, error)
}

// Index serves the files of generations. Its methods may be called by many goroutines.
type Index struct {
	store  Store
	layers *shelf[layerKey, *layer]
	blocks *shelf[int64, []byte]
	bodies *shelf[bodyKey, body]
	shards *shelf[shardKey, []byte]
	labels *shelf[Label, *channelData]
	// largest is the size of the largest file whose blocks are kept: a larger one would drive out all others and
	// then itself.
	largest int64
	// longest is the size of the largest file that is kept whole, in one piece.
	longest int64
	// loads lets readers who want the same at once read it once.
	loads singleflight.Group
	// building is full while a channeldata.json is being made: one at a time, since each takes what it takes.
	building chan struct{}
}

// New makes an index that keeps at most memory bytes for the next reader.
func New(store Store, memory int64) *Index {
	c := newCache(memory)
	return &Index{
		store: store, layers: newShelf[layerKey, *layer](c), blocks: newShelf[int64, []byte](c),
		bodies: newShelf[bodyKey, body](c), shards: newShelf[shardKey, []byte](c), labels: newShelf[Label, *channelData](c),
		largest: memory / 4 * 3, longest: memory / 6, building: make(chan struct{}, 1),
	}
}

// loadTime bounds one reading from the store.
const loadTime = time.Minute

// once runs read, whose answer everybody shares who asks for the same key meanwhile. So it does not end with the
// request that happened to come first, but within a time of its own.
func once[T any](ctx context.Context, x *Index, key string, within time.Duration, read func(context.Context) (T, error)) (T, error) {
	done := x.loads.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
		defer cancel()
		return read(ctx)
	})
	var none T
	select {
	case r := <-done:
		if r.Err != nil {
			return none, r.Err
		}
		return r.Val.(T), nil
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}

// shardKey names a shard.
type shardKey struct {
	place  Place
	sha256 [32]byte
}

// Shard returns the bytes of the shard with that SHA-256, which are shared and never changed. A shard never becomes
// another, so one that is in memory is good without a question. One that was damaged is given as it is, for clients see
// that by its name, and not kept, for it may be repaired.
func (x *Index) Shard(ctx context.Context, p Place, sum [32]byte) ([]byte, error) {
	key := shardKey{p, sum}
	if b, ok := x.shards.get(key); ok {
		return b, nil
	}
	return once(ctx, x, fmt.Sprintf("shard %d/%s/%s/%x", p.ChannelID, p.Label, p.Subdir, sum), loadTime, func(ctx context.Context) ([]byte, error) {
		b, err := x.store.Shard(ctx, p, sum)
		if err == nil && sha256.Sum256(b) == sum {
			x.shards.put(key, b, len(b))
		}
		return b, err
	})
}

// fetch returns blocks, from memory or the store. keep says whether those that come from the store stay in memory.
func (x *Index) fetch(ctx context.Context, numbers []int64, keep bool) ([][]byte, error) {
	blocks, missing := x.blocks.getAll(numbers)
	if len(missing) == 0 {
		return blocks, nil
	}
	wanted := make([]int64, len(missing))
	for i, at := range missing {
		wanted[i] = numbers[at]
	}
	read, err := once(ctx, x, fmt.Sprint("blocks ", wanted), loadTime, func(ctx context.Context) ([][]byte, error) {
		read, err := x.store.Blocks(ctx, wanted)
		if err == nil && len(read) != len(wanted) {
			err = errors.New("some are missing")
		}
		if err != nil {
			return nil, fmt.Errorf("blocks of an index file: %w", err)
		}
		for i, n := range wanted {
			if keep {
				x.blocks.put(n, read[i], len(read[i]))
			}
		}
		return read, nil
	})
	if err != nil {
		return nil, err
	}
	for i, at := range missing {
		blocks[at] = read[i]
	}
	return blocks, nil
}
