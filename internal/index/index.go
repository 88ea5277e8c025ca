// Package index serves generations: the one consistent state that the index files of a (channel, label,
// subdir) have at any moment. It turns stored pieces into the files that clients read, with validators
// that follow from the generation alone. It must not know of HTTP, of who is asking, or how records came in.
package index

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"

	"sluice/internal/conda"
	"sluice/internal/conda/repodata"
	"sluice/internal/fault"
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

// Snapshot is a generation with all its pieces. It never changes.
type Snapshot struct {
	Generation
	Place Place
	// Pieces are those of each series, in order.
	Pieces map[Series][]repodata.Piece
	// Names is the number of shards.
	Names int
}

// bytes is what s holds in memory, roughly.
func (s *Snapshot) bytes() int64 {
	n := int64(512)
	for _, pieces := range s.Pieces {
		for _, p := range pieces {
			n += int64(len(p.Block)) + 64
		}
	}
	return n
}

// Store reads generations. One method is one transaction over one unchanging state.
type Store interface {
	// Generation returns the newest state of a place; ok is false for number 0, of which nothing is stored.
	Generation(ctx context.Context, p Place) (g Generation, ok bool, err error)
	// Snapshot returns the newest state with its pieces, under the same conditions.
	Snapshot(ctx context.Context, p Place) (s *Snapshot, ok bool, err error)
	// Shard returns the bytes of a shard, current or superseded; fault.NotFound when there is none.
	Shard(ctx context.Context, p Place, sha256 [32]byte) ([]byte, error)
}

// Index serves the files of generations.
type Index struct {
	store Store
	cache *cache
	// loads lets readers of one generation that come at once read its pieces once.
	loads singleflight.Group
}

// New makes an index that keeps at most memory bytes of pieces for the next reader.
func New(store Store, memory int64) *Index { return &Index{store: store, cache: newCache(memory)} }

// Snapshot returns the newest state of p, as the database knows it after the call began: whoever was told
// that an upload is stored finds it here, on every replica.
func (x *Index) Snapshot(ctx context.Context, p Place, channelMade time.Time) (*Snapshot, error) {
	g, ok, err := x.store.Generation(ctx, p)
	if err != nil {
		return nil, err
	}
	if !ok {
		return &Snapshot{Generation: First(p, channelMade), Place: p}, nil
	}
	if s, ok := x.cache.get(p, g.Chain); ok {
		return s, nil
	}
	return x.load(ctx, p, g)
}

// loadTime bounds the reading of one place's pieces.
const loadTime = time.Minute

// load reads the pieces of a place whose newest generation is g, or a later one by now. Others who wait for
// the same generation get the same, so it does not end with the request that happened to come first.
func (x *Index) load(ctx context.Context, p Place, g Generation) (*Snapshot, error) {
	key := fmt.Sprintf("%d/%s/%s/%x", p.ChannelID, p.Label, p.Subdir, g.Chain)
	done := x.loads.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTime)
		defer cancel()
		s, ok, err := x.store.Snapshot(ctx, p)
		if err == nil && !ok {
			err = errors.New("it is gone")
		}
		if err != nil {
			return nil, fmt.Errorf("snapshot of generation %d: %w", g.Number, err)
		}
		x.cache.put(s)
		return s, nil
	})
	select {
	case r := <-done:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*Snapshot), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Shard returns the bytes of the shard with that SHA-256.
func (x *Index) Shard(ctx context.Context, p Place, sha256 [32]byte) ([]byte, error) {
	return x.store.Shard(ctx, p, sha256)
}

// Name is the name of an index file.
type Name string

// The index files of a subdir.
const (
	RepodataJSON   Name = "repodata.json"
	RepodataZst    Name = "repodata.json.zst"
	ShardIndex     Name = "repodata_shards.msgpack.zst"
	RunExportsJSON Name = "run_exports.json"
	RunExportsZst  Name = "run_exports.json.zst"
)

// File is an index file of one generation, ready to be written any number of times.
type File struct {
	repodata.File
	// Compressed says which of the two forms of File is meant: one zstd frame, or plain JSON.
	Compressed bool
	// ETag is a strong validator, quotes included: another one for every address and every content.
	ETag string
	// ModifiedAt is when the generation was committed.
	ModifiedAt time.Time
}

// File lays out one of the index files of s. Its error is fault.NotFound for any other name.
func (s *Snapshot) File(n Name) (File, error) {
	f := File{
		ETag:       `"` + hex.EncodeToString(s.Chain[:8]) + "-" + string(n) + `"`,
		ModifiedAt: s.CommittedAt,
		Compressed: n != RepodataJSON && n != RunExportsJSON,
	}
	switch n {
	case RepodataJSON, RepodataZst:
		f.File = repodata.Repodata(s.Place.Subdir, s.Pieces[TarBz2], s.Pieces[Conda])
	case RunExportsJSON, RunExportsZst:
		f.File = repodata.RunExportsFile(s.Place.Subdir, s.Pieces[TarBz2RunExports], s.Pieces[CondaRunExports])
	case ShardIndex:
		f.File = repodata.ShardIndex(s.Place.Subdir, s.CommittedAt, s.Names, s.Pieces[Shards])
	default:
		return File{}, fault.New(fault.NotFound, "There is no index file %s.", n)
	}
	return f, nil
}
