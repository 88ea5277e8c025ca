package artifact

import (
	"bufio"
	"io"
)

// stream hands out one bzip2 stream to Go's reader and fails where a second one begins: Go reads on,
// rattler's indexer stops, so the index and the installed package would differ. Other bytes behind the
// stream are refused by Go's reader itself.
//
// A stream has no length, and only decoding it shows where it ends. But a second one begins at a whole
// byte with ten fixed bytes, which occur inside entropy-coded data about never (1 in 2^76 a byte).
type stream struct {
	src *bufio.Reader
	n   int64
	err error
}

func newStream(src io.Reader) *stream { return &stream{src: bufio.NewReaderSize(src, bufferSize)} }

// ReadByte is what Go's bzip2 reader asks for; so it takes no byte more than it needs.
func (s *stream) ReadByte() (byte, error) {
	if s.err != nil {
		return 0, s.err
	}
	b, err := s.src.ReadByte()
	if err != nil {
		s.err = err
		return 0, err
	}
	if b == 'B' && s.n > 0 && s.begins() {
		s.err = bad("it holds more than one bzip2 stream; compress it as one, without a parallel bzip2")
		return 0, s.err
	}
	s.n++
	return b, nil
}

// Read makes a stream an io.Reader. It is not called.
func (s *stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := s.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	return 1, nil
}

// begins reports whether a stream begins with the B just read: "Zh", a level, and the mark of a block or
// of the end.
func (s *stream) begins() bool {
	b, _ := s.src.Peek(9)
	if len(b) < 9 || b[0] != 'Z' || b[1] != 'h' || b[2] < '1' || b[2] > '9' {
		return false
	}
	mark := string(b[3:])
	return mark == "1AY&SY" || mark == "\x17rE8P\x90"
}
