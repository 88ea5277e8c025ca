package repodata

import (
	"encoding/binary"
	"errors"

	"github.com/klauspost/compress/zstd"
)

// The parts of the zstd format (RFC 8878 §3.1.1) that we write ourselves.
const (
	frameMagic = "\x28\xb5\x2f\xfd"
	// window is a Window_Descriptor of 2^17 bytes, the least that allows blocks of the full size.
	window = 0x38
	// maxBlock bounds what one block decodes to; also the window, and so the reach of a match.
	maxBlock = 128 << 10
	// blockHeader is the length of a block's header, frameHeader that of the header we give a frame.
	blockHeader, frameHeader = 3, 14
	// frameEnd is an empty raw block with the Last bit: the only block of our frames that has it.
	frameEnd = "\x01\x00\x00"
)

// The types of blocks. Type 3 is reserved.
const (
	rawBlock        = 0
	rleBlock        = 1
	compressedBlock = 2
)

// appendFrameHeader begins a frame that declares the size of its content, in 8 bytes: several readers
// refuse frames that do not. It has no checksum, since that of a whole cannot be had from its pieces.
func appendFrameHeader(dst []byte, contentSize int64) []byte {
	dst = append(append(dst, frameMagic...), 0xC0, window)
	return binary.LittleEndian.AppendUint64(dst, uint64(contentSize))
}

// appendBlockHeader begins a block of which size bytes follow, not the last one of its frame.
func appendBlockHeader(dst []byte, kind, size int) []byte {
	v := size<<3 | kind<<1
	return append(dst, byte(v), byte(v>>8), byte(v>>16))
}

// appendRaw stores b as it is, in as many raw blocks as it takes.
func appendRaw(dst, b []byte) []byte {
	for len(b) > 0 {
		n := min(len(b), maxBlock)
		dst = append(appendBlockHeader(dst, rawBlock, n), b[:n]...)
		b = b[n:]
	}
	return dst
}

var errBlocks = errors.New("the blocks of this zstd frame do not add up")

// cutFrame takes the header off a whole frame without checksum and clears the Last bit of its last
// block, in place: what remains are blocks that others may follow.
func cutFrame(frame []byte) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(frame); err != nil {
		return nil, err
	}
	if h.Skippable || h.HasCheckSum || h.DictionaryID != 0 {
		return nil, errBlocks
	}
	blocks := frame[h.HeaderSize:]
	for rest := blocks; len(rest) >= blockHeader; {
		last := rest[0]&1 == 1
		n := blockLen(rest)
		switch {
		case n > len(rest), last != (n == len(rest)):
			return nil, errBlocks
		case last:
			rest[0] &^= 1
			return blocks, nil
		}
		rest = rest[n:]
	}
	return nil, errBlocks
}

// blockLen is the length of the block that begins b, header included.
func blockLen(b []byte) int {
	v := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
	if v>>1&3 == rleBlock {
		return blockHeader + 1 // one byte, repeated
	}
	return blockHeader + v>>3
}
