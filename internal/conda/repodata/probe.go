package repodata

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"

	"github.com/klauspost/compress/zstd"
)

// A probe finds out whether blocks lean on what stands before them in a frame.
//
// Blocks of one frame may stand in another when no state crosses the seam. Matches and entropy tables
// do not: the first block of a frame has nothing to reach back to. But the three repeat offsets begin
// a frame as 1, 4 and 8, and a first block may use them; elsewhere it would inherit the offsets of the
// block before, and decode to wrong bytes without any error, for our frames have no checksum. The
// encoder that we use never does that (its matchers repeat an offset only after three sequences of the
// same block), but this is a habit, not a promise. So every piece is decoded once more behind noise and
// offsets of the probe's choice, and must come out as it went in.
type probe struct {
	// frame begins with the header, the noise, and blocks that set the offsets; the rest is scratch.
	frame []byte
	begin int // the length of that beginning
	skip  int // the bytes that it decodes to
}

// newSeams makes the two probes for blocks that may stand anywhere. Their offsets are primes, so that no
// period of the data agrees with all of them. The far ones reach behind every byte of a piece's first
// block, into the noise: whatever such a block copies by an inherited offset is noise. The near ones
// differ from those and from 1, 4, 8, for the later blocks of a long piece.
func newSeams() [2]*probe {
	return [2]*probe{
		newProbe(maxBlock, [3]uint32{131041, 131059, 131063}),
		newProbe(64, [3]uint32{47, 53, 59}),
	}
}

// newProbe makes a probe with n bytes of noise before it, n at least the greatest offset.
func newProbe(n int, offsets [3]uint32) *probe {
	noise := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise) // never fails; the same noise every time
	b := append([]byte(frameMagic), 0x00, window)  // the header of a frame of unknown size
	b = appendRaw(b, noise)
	for _, o := range offsets {
		b = appendOffset(b, o)
	}
	return &probe{frame: b, begin: len(b), skip: n + len(offsets)*minMatch}
}

// newStart makes the probe for blocks that begin a frame of their own, with nothing before them.
func newStart() *probe {
	b := append([]byte(frameMagic), 0x00, window)
	return &probe{frame: b, begin: len(b)}
}

const minMatch = 3 // the length of the shortest match

// appendOffset adds a block that copies three bytes from offset bytes back and so makes offset the most
// recent repeat offset. The block has no literals and one sequence, its codes given by RLE tables.
func appendOffset(dst []byte, offset uint32) []byte {
	v := offset + 3 // the values 1 to 3 stand for the repeat offsets
	var le [4]byte
	binary.LittleEndian.PutUint32(le[:], v)
	// The bit stream: the low bits of v below its highest one, which is the stream's end mark as well.
	stream := le[:(bits.Len32(v)+7)/8]
	code := byte(bits.Len32(v) - 1)
	dst = appendBlockHeader(dst, compressedBlock, 6+len(stream))
	dst = append(dst,
		0x00,             // literals: raw, none
		0x01,             // one sequence
		0x54,             // all three tables RLE
		0x00, code, 0x00, // literal length 0, offset, match length 3
	)
	return append(dst, stream...)
}

// agrees reports whether the blocks decode to raw behind this probe's beginning. It returns its
// scratch space, grown from buf.
func (p *probe) agrees(dec *zstd.Decoder, blocks, raw, buf []byte) (bool, []byte) {
	p.frame = append(p.frame[:p.begin], blocks...)
	p.frame = append(p.frame, frameEnd...)
	out, err := dec.DecodeAll(p.frame, buf[:0])
	return err == nil && len(out) >= p.skip && bytes.Equal(out[p.skip:], raw), out
}
