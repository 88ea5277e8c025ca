package repodata

import (
	"bufio"
	"fmt"
	"io"
	"slices"
)

// A File is one index file of one generation: pieces laid out between a head and a tail. It shares the
// pieces and copies none, so that many may be held, and stays as it is when an index moves on. Values
// of it are safe for use by several goroutines. Make one by Repodata, RunExportsFile or ShardIndex; the
// zero value is no file.
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
		b.zstd += int64(len(p.Block))
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

// ZstdSize is the number of bytes that WriteZstd writes.
func (f File) ZstdSize() int64 { return f.zstd }

// RawSize is the number of bytes that WriteRaw writes.
func (f File) RawSize() int64 { return f.raw }

// writeBuffer is the size of most writes, in bytes.
const writeBuffer = 128 << 10

// WriteZstd writes the file as one zstd frame, in writes of about 128 KiB. It allocates the same for a
// file of any size.
func (f File) WriteZstd(w io.Writer) error {
	bw := bufio.NewWriterSize(w, writeBuffer)
	for i := range f.chunks() {
		if _, err := bw.Write(f.chunk(i)); err != nil {
			return fmt.Errorf("write an index file: %w", err)
		}
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("write an index file: %w", err)
	}
	return nil
}

// WriteRaw writes the file as it is without compression, decoding block after block in constant memory.
// It fails, after having written some, when the blocks do not decode to RawSize bytes.
func (f File) WriteRaw(w io.Writer) error {
	dec, err := newDecoder(f.Zstd())
	if err != nil {
		return fmt.Errorf("make a zstd decoder: %w", err)
	}
	defer dec.Close()
	bw := bufio.NewWriterSize(w, writeBuffer)
	n, err := dec.WriteTo(bw)
	if err == nil {
		err = bw.Flush()
	}
	if err != nil {
		return fmt.Errorf("write an index file: %w", err)
	}
	if n != f.raw {
		return fmt.Errorf("an index file of %d bytes decoded to %d", f.raw, n)
	}
	return nil
}

// chunks is the number of chunks that the frame consists of: each section's lead and its pieces with
// the seams between them, and the tail.
func (f File) chunks() int {
	n := 1
	for _, s := range f.sections {
		n += s.chunks()
	}
	return n
}

func (s section) chunks() int { return max(2*len(s.pieces), 1) }

// chunk is the i-th chunk; it may be empty.
func (f File) chunk(i int) []byte {
	for _, s := range f.sections {
		if n := s.chunks(); i >= n {
			i -= n
			continue
		}
		switch {
		case i == 0:
			return s.lead
		case i%2 == 0:
			return s.seam
		}
		return s.pieces[i/2].Block
	}
	return f.tail
}
