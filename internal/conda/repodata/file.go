package repodata

import (
	"context"
	"fmt"
	"io"
	"slices"
)

// A File is one index file of one generation: pieces laid out between a head and a tail. It is known from the
// lengths of its pieces alone; their blocks are asked for while it is read. Values of it are safe for use by several
// goroutines. Make one by Repodata, RunExportsFile or ShardIndex; the zero value is no file.
type File struct {
	sections []section
	tail     []byte // raw block and end of the frame
	raw      int64
	zstd     int64
}

// section is a run of pieces and what stands before it.
type section struct {
	lead   []byte // the frame's header in the first section, then a raw block
	seam   []byte // a raw block between two pieces, or nothing
	pieces []Piece
}

// builder gathers the sections of a file.
type builder struct {
	File
	sep string // between two pieces
}

// add puts lead and after it the pieces. Empty pieces are left out: a separator too many would make the
// whole file unreadable.
func (b *builder) add(lead string, pieces []Piece) {
	s := section{lead: appendRaw(nil, []byte(lead)), seam: appendRaw(nil, []byte(b.sep)), pieces: filled(pieces)}
	b.raw += int64(len(lead))
	b.zstd += int64(len(s.lead))
	for i, p := range s.pieces {
		if i > 0 {
			b.raw += int64(len(b.sep))
			b.zstd += int64(len(s.seam))
		}
		b.raw += int64(p.RawLen)
		b.zstd += int64(p.BlockLen)
	}
	b.sections = append(b.sections, s)
}

// filled returns pieces without those that hold nothing.
func filled(pieces []Piece) []Piece {
	empty := func(p Piece) bool { return p.RawLen == 0 }
	if !slices.ContainsFunc(pieces, empty) {
		return pieces
	}
	return slices.DeleteFunc(slices.Clone(pieces), empty)
}

// end puts the tail and, since only now it is known, the size of the content into the frame's header.
func (b *builder) end(tail string) File {
	b.raw += int64(len(tail))
	b.tail = append(appendRaw(nil, []byte(tail)), frameEnd...)
	first := &b.sections[0]
	first.lead = append(appendFrameHeader(nil, b.raw), first.lead...)
	b.zstd += int64(frameHeader + len(b.tail))
	return b.File
}

// ZstdSize is the number of bytes of the file as one zstd frame.
func (f File) ZstdSize() int64 { return f.zstd }

// RawSize is the number of bytes of the file as it is without compression.
func (f File) RawSize() int64 { return f.raw }

// writeBuffer is the size of most writes, in bytes.
const writeBuffer = 128 << 10

// WriteZstd writes the file as one zstd frame, in writes of 128 KiB. It takes the same memory for a file of any size.
func (f File) WriteZstd(ctx context.Context, w io.Writer, blocks Blocks) error {
	return write(w, f.Zstd(ctx, blocks), f.zstd)
}

// WriteRaw writes the file as it is without compression, decoding block after block in constant memory. It fails,
// after having written some, when the blocks do not decode to RawSize bytes.
func (f File) WriteRaw(ctx context.Context, w io.Writer, blocks Blocks) error {
	return write(w, f.Raw(ctx, blocks), f.raw)
}

func write(w io.Writer, r io.ReadCloser, size int64) error {
	defer func() { _ = r.Close() }() // it was only read
	buf := make([]byte, min(size, writeBuffer))
	for size > 0 {
		n, err := io.ReadFull(r, buf[:min(size, writeBuffer)])
		if err != nil {
			return fmt.Errorf("read an index file: %w", err)
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return fmt.Errorf("write an index file: %w", err)
		}
		size -= int64(n)
	}
	return nil
}

// A frame consists of chunks: each section's lead and its pieces with the seams between them, and the tail.

// chunks is the number of chunks of the frame.
func (f File) chunks() int {
	n := 1
	for _, s := range f.sections {
		n += s.chunks()
	}
	return n
}

func (s section) chunks() int { return max(2*len(s.pieces), 1) }

// chunk is the i-th chunk: bytes that are known, or the piece whose block stands there.
func (f File) chunk(i int) (known []byte, p Piece, isPiece bool) {
	for _, s := range f.sections {
		if n := s.chunks(); i >= n {
			i -= n
			continue
		}
		switch {
		case i == 0:
			return s.lead, p, false
		case i%2 == 0:
			return s.seam, p, false
		}
		return nil, s.pieces[i/2], true
	}
	return f.tail, p, false
}

// chunkLen is the length of the i-th chunk in the frame.
func (f File) chunkLen(i int) int {
	known, p, isPiece := f.chunk(i)
	if isPiece {
		return p.BlockLen
	}
	return len(known)
}
