// Package bzip2 writes bzip2 streams, which Go's standard library can only read. It is there for the
// demo and the tests, which make .tar.bz2 packages at run time: it is correct and simple, and neither
// the fastest nor the densest. It must not know what the bytes are.
//
// The format has no written standard; what is made here is what bzip2 1.0 and Go's reader take: run
// lengths, Burrows-Wheeler transform, move-to-front, zero runs, Huffman codes in groups of fifty.
package bzip2

import (
	"errors"
	"io"
)

// level is the block size in units of 100 kB. Small blocks sort faster and need less memory.
const level = 1

// blockMax bounds a block, in bytes after run-length encoding. It leaves the slack that decoders expect.
const blockMax = level*100_000 - 19

// Writer compresses what is written to it into one bzip2 stream. Close ends the stream and must be
// called. It holds one block, about 3 MB with its work space. It is not safe for concurrent use.
type Writer struct {
	bits  bitWriter
	block []byte // run-length encoded
	crc   uint32 // of the block's own bytes, before run-length encoding
	total uint32 // of all blocks' sums
	last  byte   // the byte of the run that is still growing
	run   int    // its length, 0 to 255
	open  bool
	err   error
}

// NewWriter returns a Writer to w, which gets large and small writes alike: buffer it where that matters.
func NewWriter(w io.Writer) *Writer {
	return &Writer{bits: bitWriter{w: w}, block: make([]byte, 0, blockMax), crc: crcStart}
}

// Write compresses p.
func (z *Writer) Write(p []byte) (int, error) {
	z.begin()
	for _, b := range p {
		if z.run > 0 && (b != z.last || z.run == 255) {
			z.endRun()
		}
		z.last = b
		z.run++
	}
	if z.err == nil {
		z.err = z.bits.err
	}
	if z.err != nil {
		return 0, z.err
	}
	return len(p), nil
}

// Close writes the last block and the end of the stream. It does not close the writer below.
func (z *Writer) Close() error {
	if z.err != nil {
		return z.err
	}
	z.begin()
	z.endRun()
	z.endBlock()
	z.bits.put(48, 0x177245385090)
	z.bits.put(32, uint64(z.total))
	z.err = z.bits.flush()
	if z.err == nil {
		z.err = errors.New("bzip2: writer is closed")
		return nil
	}
	return z.err
}

// begin writes the stream's header once.
func (z *Writer) begin() {
	if !z.open {
		z.bits.put(24, 'B'<<16|'Z'<<8|'h')
		z.bits.put(8, '0'+level)
		z.open = true
	}
}

// endRun moves the growing run to the block: up to four bytes as they are, then a count of the rest. A
// run never crosses blocks, so the block is ended first where the run might not fit.
func (z *Writer) endRun() {
	if len(z.block)+5 > blockMax {
		z.endBlock()
	}
	for i := range z.run {
		z.crc = crcAdd(z.crc, z.last)
		if i < 4 {
			z.block = append(z.block, z.last)
		}
	}
	if z.run >= 4 {
		z.block = append(z.block, byte(z.run-4))
	}
	z.run = 0
}

// endBlock writes the block and begins an empty one.
func (z *Writer) endBlock() {
	if len(z.block) == 0 {
		return
	}
	sum := ^z.crc
	z.total = (z.total<<1 | z.total>>31) ^ sum
	z.bits.put(48, 0x314159265359)
	z.bits.put(32, uint64(sum))
	z.bits.put(1, 0) // not randomised
	writeBlock(&z.bits, z.block)
	z.block, z.crc = z.block[:0], crcStart
}
