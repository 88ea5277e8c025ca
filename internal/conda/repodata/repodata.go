// Package repodata makes the bytes of a channel's index files: repodata.json, run_exports.json, the
// shard index and the shards, plain and compressed.
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

// Sizes of pieces, in bytes before compression.
const (
	// PieceTarget is the most that a piece of several members holds. It leaves room to the 128 KiB of a
	// zstd block, so that a piece is one block as a rule.
	PieceTarget = 112 << 10
	// PieceMin is the size below which a piece should join a neighbour: see Joins.
	PieceMin = 28 << 10
)

// Notices is the notices.json of a channel that has nothing to say (CEP 6). Serving it spares clients'
// logs a 404.
const Notices = `{"notices":[]}`

// A Piece is a run of neighbouring members of one index file, compressed. The members are joined by ","
// in the JSON files and by nothing in the shard index.
type Piece struct {
	// RawLen is the number of bytes that Block decodes to.
	RawLen int
	// Block is what Encoder.Compress made of the members. It is shared, never changed.
	Block []byte
}
