package artifact

import (
	"bufio"
	"errors"
	"io"
	"math/bits"
)

const (
	zstdMagic     = 0xfd2fb528
	skippableMask = 0xfffffff0
	skippable     = 0x184d2a50

	// minWindow is the largest block of a frame. A window is never cut below it.
	minWindow = 128 << 10
	// mostPerByte bounds what one byte of a frame can become: a block of 4 bytes repeats one byte 128 KiB
	// times.
	mostPerByte = 32 << 10
)

// frame hands out exactly one zstd frame (RFC 8878) to a decoder and fails when anything stands before or
// behind it. Decoders go on to a second frame, or do not, or skip frames of other kinds: rattler's two
// unpackers disagree. It walks the blocks by their headers and does not look into them.
//
// It also lowers the window that the frame asks for to what its content can fill, because decoders
// allocate the window at once: a level-22 package of a few kilobytes would cost 128 MiB.
type frame struct {
	src     *bufio.Reader
	window  uint64 // that its decoder will hold
	pending []byte // of the frame, to be handed out first
	left    int64  // of the current block or of the checksum
	last    bool   // the current block is the last one
	sum     bool   // a checksum follows the last block
	end     bool
	err     error
}

// newFrame reads the frame's header. packed is the length of all that src has.
func newFrame(src io.Reader, packed, maxWindow int64) (*frame, error) {
	f := &frame{src: bufio.NewReaderSize(src, bufferSize)}
	magic, err := f.take(4)
	if err != nil {
		return nil, err
	}
	switch m := le.Uint32(magic); {
	case m&skippableMask == skippable:
		return nil, bad("it begins with a skippable zstd frame; readers disagree about those")
	case m != zstdMagic:
		return nil, bad("it is not compressed with zstd")
	}
	h, err := f.header()
	if err != nil {
		return nil, err
	}
	if h.window > uint64(maxWindow) {
		return nil, bad("its zstd window is %d bytes, clients take %d; compress it with level 22 or below, without --long", h.window, maxWindow)
	}
	h.shrink(uint64(packed))
	f.sum = h.sum
	f.window = h.rounded()
	f.pending = h.bytes()
	return f, nil
}

// take reads n bytes of the frame.
func (f *frame) take(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(f.src, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil, bad("its zstd frame is cut short")
	}
	return b, err
}

// Read hands out the frame. At its end it looks whether src ends there, too.
func (f *frame) Read(p []byte) (n int, err error) {
	if f.err == nil && len(f.pending) == 0 && f.left == 0 {
		f.err = f.advance()
	}
	if f.err != nil {
		return 0, f.err
	}
	if len(f.pending) > 0 {
		n = copy(p, f.pending)
		f.pending = f.pending[n:]
		return n, nil
	}
	n, err = f.src.Read(p[:min(int64(len(p)), f.left)])
	f.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = bad("its zstd frame is cut short")
	}
	f.err = err
	return n, err
}

// advance moves to the next block, to the checksum, or to the end.
func (f *frame) advance() error {
	switch {
	case f.last && f.sum:
		f.sum, f.left = false, 4
		return nil
	case f.last:
		if _, err := f.src.ReadByte(); !errors.Is(err, io.EOF) {
			if err == nil {
				err = bad("it has bytes after its zstd frame; write it as exactly one frame")
			}
			return err
		}
		f.end = true
		return io.EOF
	}
	h, err := f.take(3)
	if err != nil {
		return err
	}
	v := uint32(h[0]) | uint32(h[1])<<8 | uint32(h[2])<<16
	f.last, f.left = v&1 != 0, int64(v>>3)
	if v>>1&3 == 1 { // a block that repeats one byte
		f.left = 1
	}
	f.pending = h
	return nil
}

// frameHeader is what a frame says of itself.
type frameHeader struct {
	window  uint64
	content uint64
	known   bool // whether content is
	sum     bool
}

// header reads the rest of the header, from the descriptor on.
func (f *frame) header() (h frameHeader, err error) {
	d, err := f.take(1)
	if err != nil {
		return h, err
	}
	descriptor := d[0]
	if descriptor&3 != 0 || descriptor>>3&1 != 0 {
		return h, bad("its zstd frame needs a dictionary or a reserved feature")
	}
	h.sum = descriptor>>2&1 != 0
	single := descriptor>>5&1 != 0
	if !single {
		w, err := f.take(1)
		if err != nil {
			return h, err
		}
		base := uint64(1) << (10 + w[0]>>3)
		h.window = base + base/8*uint64(w[0]&7)
	}
	size := [4]int{0, 2, 4, 8}[descriptor>>6]
	if single && size == 0 {
		size = 1
	}
	if h.content, err = f.contentSize(size); err != nil {
		return h, err
	}
	if h.known = size > 0; single {
		h.window = h.content
	}
	return h, nil
}

// contentSize reads the content size field of so many bytes.
func (f *frame) contentSize(size int) (uint64, error) {
	b, err := f.take(size)
	if err != nil {
		return 0, err
	}
	switch size {
	case 0:
		return 0, nil
	case 1:
		return uint64(b[0]), nil
	case 2:
		return uint64(le.Uint16(b)) + 256, nil
	case 4:
		return uint64(le.Uint32(b)), nil
	}
	return le.Uint64(b), nil
}

// shrink lowers the window to what a frame of so many bytes can fill. No match reaches further back than
// there is content.
func (h *frameHeader) shrink(packed uint64) {
	most := packed * mostPerByte
	if h.known {
		most = min(most, h.content)
	}
	h.window = min(h.window, max(most, minWindow))
}

// rounded is the window as a power of two, at least 1 KiB, which is the smallest there is.
func (h *frameHeader) rounded() uint64 { return 1 << max(bits.Len64(max(h.window, 1)-1), 10) }

// bytes returns a frame header with that window, rounded up to a power of two. It never makes a single
// segment of the frame, because then the window is the content size.
func (h *frameHeader) bytes() []byte {
	b := le.AppendUint32(nil, zstdMagic)
	descriptor := byte(0)
	if h.sum {
		descriptor |= 1 << 2
	}
	if h.known {
		descriptor |= 3 << 6
	}
	b = append(b, descriptor, byte(bits.Len64(h.rounded())-1-10)<<3)
	if h.known {
		b = le.AppendUint64(b, h.content)
	}
	return b
}
