package repodata

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// An Encoder compresses pieces and shards, and takes pieces apart again. It is safe for use by several
// goroutines but does one thing at a time and holds about 2 MB: make one for each worker. What it did
// before never shows in what it makes. Use NewEncoder.
type Encoder struct {
	mu    sync.Mutex // guards what follows
	enc   *zstd.Encoder
	dec   *zstd.Decoder
	seams [2]*probe // for blocks that may stand anywhere
	start *probe    // for blocks that begin their own frame
	frame []byte    // scratch: what enc makes
	out   []byte    // scratch: what the probes decode to
}

// level is the encoder's, for pieces and shards alike. Measured on 20,000 generated records and names in
// pieces of 94 kB, "better" makes repodata.json 3 % smaller and the shard index, which clients read most,
// 1 % larger; it takes up to 1.7 times as long, and four times the memory. "fastest" is as near, the other
// way. Some 80 bytes of a record are hashes and times that no level compresses.
const level = zstd.SpeedDefault

// maxScratch bounds what an idle Encoder keeps in reserve, in bytes.
const maxScratch = 4 << 20

// NewEncoder makes an Encoder. It panics when the zstd library refuses our fixed options, which a test
// would show.
func NewEncoder() *Encoder {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderCRC(false),
		zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(maxBlock))
	if err != nil {
		panic(fmt.Errorf("make a zstd encoder: %w", err))
	}
	dec, err := newDecoder(nil)
	if err != nil {
		panic(fmt.Errorf("make a zstd decoder: %w", err))
	}
	return &Encoder{enc: enc, dec: dec, seams: newSeams(), start: newStart()}
}

// newDecoder makes a decoder for our own frames, without goroutines of its own.
func newDecoder(r io.Reader) (*zstd.Decoder, error) {
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxBlock))
}

// Compress makes the block of a piece: one or more zstd blocks, none the last of a frame, which decode
// to raw wherever in a frame they stand. Up to 128 KiB of raw make one block. The result is checked
// before it is returned; should the check ever fail, raw is stored as it is, which is always right.
// Nothing comes from nothing: the result of an empty raw is empty.
func (e *Encoder) Compress(raw []byte) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.trim()
	return e.vet(e.blocks(raw), raw, e.seams[:]...)
}

// blocks compresses raw into blocks, which are scratch; nil when it cannot. Called with mu held.
func (e *Encoder) blocks(raw []byte) []byte {
	if len(raw) == 0 {
		return nil
	}
	e.frame = e.enc.EncodeAll(raw, e.frame[:0])
	b, err := cutFrame(e.frame)
	if err != nil {
		return nil
	}
	return b
}

// vet returns a copy of blocks when every probe agrees that they decode to raw, else raw blocks. The
// copy is as small as can be, for it will be kept. Called with mu held.
func (e *Encoder) vet(blocks, raw []byte, probes ...*probe) []byte {
	for _, p := range probes {
		var ok bool
		if ok, e.out = p.agrees(e.dec, blocks, raw, e.out); !ok {
			return appendRaw(nil, raw)
		}
	}
	return bytes.Clone(blocks)
}

// trim lets go of the scratch space that an unusually large piece or shard has left. Called with mu held.
func (e *Encoder) trim() {
	if max(cap(e.out), cap(e.frame)) > maxScratch {
		e.frame, e.out, e.seams, e.start = nil, nil, newSeams(), newStart()
	}
}

// Decompress takes a piece apart again: it returns what Compress was given, rawLen bytes. It fails when
// block does not decode to exactly that many, and takes no more memory than block can be worth.
func (e *Encoder) Decompress(block []byte, rawLen int) ([]byte, error) {
	if rawLen < 0 || rawLen > len(block)/blockHeader*maxBlock {
		return nil, fmt.Errorf("a block of %d bytes cannot decode to %d", len(block), rawLen)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.frame = append(appendFrameHeader(e.frame[:0], int64(rawLen)), block...)
	e.frame = append(e.frame, frameEnd...)
	defer e.trim()
	raw, err := e.dec.DecodeAll(e.frame, nil)
	if err == nil && len(raw) != rawLen {
		err = errBlocks
	}
	if err != nil {
		return nil, fmt.Errorf("decode a block of %d bytes to %d: %w", len(block), rawLen, err)
	}
	return raw, nil
}
