package artifact

import (
	"hash/crc32"
	"io"
)

// bufferSize is what is read of the file at once.
const bufferSize = 64 << 10

// source is the file. It keeps the first failure that is not the file's own fault, because decoders
// replace errors from below with their own.
type source struct {
	r       io.ReaderAt
	size    int64
	stopped func() error        // why the caller has had enough; nil while it has not
	acquire func(n int64) error // waits for memory
	err     error
}

// hold takes the memory that it needs to read with such a window, and returns how to give it back.
func (s *source) hold(lim Limits, window int64) (release func(), err error) {
	if lim.Memory == nil {
		return func() {}, nil
	}
	n := readerMemory + min(window, lim.Window)
	if s.err = s.acquire(n); s.err != nil {
		return nil, s.err
	}
	return func() { lim.Memory.Release(n) }, nil
}

// ReadAt reads all of p or fails. The caller is asked at every read whether to go on.
func (s *source) ReadAt(p []byte, off int64) (int, error) {
	if s.err == nil {
		s.err = s.stopped()
	}
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.r.ReadAt(p, off)
	if n == len(p) {
		return n, nil
	}
	if err == nil || err == io.EOF { // the caller promised size bytes
		err = io.ErrUnexpectedEOF
	}
	s.err = err
	return n, err
}

// bytes returns n bytes at off, which the caller has checked to be small and inside the file.
func (s *source) bytes(off, n int64) ([]byte, error) {
	b := make([]byte, n)
	_, err := s.ReadAt(b, off)
	return b, err
}

// section returns a reader of the n bytes at off that counts and sums what it hands out.
func (s *source) section(off, n int64) *counted {
	return &counted{r: io.NewSectionReader(s, off, n)}
}

// counted counts and sums the bytes read through it.
type counted struct {
	r   io.Reader
	n   int64
	crc uint32
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.crc = crc32.Update(c.crc, crc32.IEEETable, p[:n])
	return n, err
}

// bounded hands out what a decoder makes, up to a limit, and stops when it is too much for what the
// decoder has read: packages do not shrink a thousandfold, bombs do.
type bounded struct {
	r   io.Reader
	in  *counted
	lim Limits
	max int64
	n   int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	switch {
	case b.n > b.max:
		return 0, over("it unpacks to more than %d bytes, which is the limit here", b.max)
	case b.n > b.lim.RatioFrom && b.n/b.lim.Ratio > b.in.n:
		return 0, over("it unpacks to more than %d times its size, which no package does and bombs do", b.lim.Ratio)
	}
	return n, err
}
