package index

import (
	"context"
	"fmt"
	"io"
	"time"

	"sluice/internal/conda/repodata"
	"sluice/internal/fault"
)

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

// plain is the file that has the same content without compression; the shard index has none, and is its own.
func (n Name) plain() (plain Name, compressed bool) {
	switch n {
	case RepodataZst:
		return RepodataJSON, true
	case RunExportsZst:
		return RunExportsJSON, true
	case ShardIndex:
		return n, true
	default:
		return n, false
	}
}

// series is what the file is laid out from; nothing for a name that is none of ours.
func (n Name) series() []Series {
	switch n, _ := n.plain(); n {
	case RepodataJSON:
		return []Series{TarBz2, Conda, TarBz2V3, CondaV3, Removed}
	case RunExportsJSON:
		return []Series{TarBz2RunExports, CondaRunExports}
	case ShardIndex:
		return []Series{Shards}
	default:
		return nil
	}
}

// File is an index file of one generation, to be read any number of times. It holds where its bytes are, and none of
// them: those of an older generation can be read for an hour after it was superseded.
type File struct {
	Generation
	// Layout is the file's sections and sizes.
	Layout repodata.File
	// ETag is a strong validator, quotes included: another one for every address and every content.
	ETag string

	index      *Index
	key        bodyKey
	blocks     repodata.Blocks
	compressed bool
}

// File returns an index file of the newest state of p, as the database knows it after the call began: whoever was told
// that an upload is stored finds it there, on every replica. channelMade is when the channel was made, for a place
// in which nothing was ever listed. Its error is fault.NotFound for a name that is none of an index file.
func (x *Index) File(ctx context.Context, p Place, channelMade time.Time, n Name) (*File, error) {
	if n.series() == nil {
		return nil, fault.New(fault.NotFound, "There is no index file %s.", n)
	}
	plain, compressed := n.plain()
	l, err := x.layer(ctx, layerKey{p, plain}, channelMade)
	if err != nil {
		return nil, err
	}
	return &File{
		Generation: l.Generation, Layout: l.file, ETag: etag(l.Generation, n),
		index: x, key: bodyKey{p, n}, blocks: stored{x, l.file.ZstdSize() <= x.largest}, compressed: compressed,
	}, nil
}

// stored are the blocks that the store has.
type stored struct {
	index *Index
	keep  bool // in memory, once they are read
}

// Blocks implements repodata.Blocks.
func (s stored) Blocks(ctx context.Context, numbers []int64) ([][]byte, error) {
	return s.index.fetch(ctx, numbers, s.keep)
}

// Size is the number of bytes of the file.
func (f *File) Size() int64 {
	if f.compressed {
		return f.Layout.ZstdSize()
	}
	return f.Layout.RawSize()
}

// Open returns a reader of the file, which takes its blocks from memory or, some ahead of what is read, from the
// database. A read fails when ctx ends, or when the file has been superseded for an hour.
func (f *File) Open(ctx context.Context) io.ReadSeekCloser {
	if f.compressed {
		return f.Layout.Zstd(ctx, f.blocks)
	}
	return f.Layout.Raw(ctx, f.blocks)
}

// small is the size up to which files are kept whole at once, in bytes: joining their blocks would cost more than
// sending them. Larger ones are kept when they are asked for again before the next generation.
const small = 64 << 10

// bodyKey names a file that is kept whole.
type bodyKey struct {
	place Place
	name  Name
}

// body is the bytes of a file at one generation; none where it was asked for once.
type body struct {
	chain [32]byte
	bytes []byte
}

// bodySize is what a body takes beside its bytes, roughly.
const bodySize = 256

// Whole returns the bytes of a file, which are shared and never changed; ok is false for one that is too large to be
// kept in one piece, or not asked for often enough: Open it.
func (f *File) Whole(ctx context.Context) (b []byte, ok bool, err error) {
	size := f.Size()
	if size > f.index.longest {
		return nil, false, nil
	}
	kept, ok := f.index.bodies.get(f.key)
	switch again := ok && kept.chain == f.Chain; {
	case again && kept.bytes != nil:
		return kept.bytes, true, nil
	case !again && size > small:
		f.index.bodies.put(f.key, body{chain: f.Chain}, bodySize)
		return nil, false, nil
	}
	b, err = once(ctx, f.index, fmt.Sprintf("whole %d/%s/%s/%s/%x", f.key.place.ChannelID, f.key.place.Label, f.key.place.Subdir, f.key.name, f.Chain), loadTime, f.join)
	return b, err == nil, err
}

// join puts the file together, and keeps it.
func (f *File) join(ctx context.Context) ([]byte, error) {
	r := f.Open(ctx)
	defer func() { _ = r.Close() }() // it was only read
	b := make([]byte, f.Size())
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("read %s: %w", f.key.name, err)
	}
	if f.Number > 0 { // there is no end of places in which nothing was ever listed
		f.index.bodies.put(f.key, body{f.Chain, b}, bodySize+len(b))
	}
	return b, nil
}
