// Package repodata knows the bytes of a channel's index files, plain and compressed: how repodata.json,
// run_exports.json, channeldata.json, the shard index and the shards are written, and how they are read, our
// own exactly and those of other channels (Source) as they were meant.
//
// Each record is encoded once, as a member: a key and its value, in JSON for the flat files and in
// msgpack for the shards. Neighbouring members are gathered into a piece of at most PieceTarget bytes,
// which an Encoder compresses once into blocks that may stand anywhere in a zstd frame. A File lays
// pieces out between a head and a tail as exactly one frame, since the rattler clients read no second
// one, so that a change costs one piece and never the file.
//
// All of it is pure and deterministic: the same records give the same bytes on every machine. The
// package must not know where pieces are kept, who asks for a file, or of HTTP and SQL.
package repodata

import "context"

// PieceTarget is the most that a piece of several members should hold, in bytes before compression. It leaves room to
// the 128 KiB of a zstd block, so that a piece is one block as a rule.
const PieceTarget = 112 << 10

// Notices is the notices.json of a channel that has nothing to say (CEP 6). Serving it spares clients'
// logs a 404.
const Notices = `{"notices":[]}`

// A Piece is a run of neighbouring members of one index file, compressed: all that laying out a file takes, and so
// everything but the bytes. The members are joined by "," in the JSON files and by nothing in the shard index.
type Piece struct {
	// RawLen is the number of bytes that the block decodes to, BlockLen that of the block.
	RawLen, BlockLen int
	// Block is the number by which Blocks knows the block: what Encoder.Compress made of the members.
	Block int64
}

// Blocks gives the blocks of pieces, wherever they are kept.
type Blocks interface {
	// Blocks returns the blocks of these numbers, in the same order. They are shared, never changed. It is called
	// for a run of neighbouring pieces at a time, of no more than some hundred KiB, and by several goroutines.
	Blocks(ctx context.Context, numbers []int64) ([][]byte, error)
}
