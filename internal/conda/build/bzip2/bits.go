package bzip2

import "io"

// bitWriter writes numbers of so many bits, highest bit first. It keeps the first error.
type bitWriter struct {
	w   io.Writer
	buf []byte
	acc uint64 // the low n bits wait to be written
	n   uint
	err error
}

// put writes the low bits of v; bits is at most 48.
func (b *bitWriter) put(bits uint, v uint64) {
	b.acc = b.acc<<bits | v&(1<<bits-1)
	for b.n += bits; b.n >= 8; b.n -= 8 {
		b.buf = append(b.buf, byte(b.acc>>(b.n-8)))
	}
	if len(b.buf) >= 32<<10 {
		b.drain()
	}
}

// flush fills the last byte with zeros and writes everything out.
func (b *bitWriter) flush() error {
	if b.n > 0 {
		b.put(8-b.n, 0)
	}
	b.drain()
	return b.err
}

func (b *bitWriter) drain() {
	if b.err == nil {
		_, b.err = b.w.Write(b.buf)
	}
	b.buf = b.buf[:0]
}

// bzip2 sums with the usual polynomial of CRC-32, but the highest bit first, which hash/crc32 does not do.
const (
	crcStart = 0xffffffff
	crcPoly  = 0x04c11db7
)

// crcAdd adds one byte to a running sum.
func crcAdd(crc uint32, b byte) uint32 {
	crc ^= uint32(b) << 24
	for range 8 {
		if crc&(1<<31) != 0 {
			crc = crc<<1 ^ crcPoly
		} else {
			crc <<= 1
		}
	}
	return crc
}
