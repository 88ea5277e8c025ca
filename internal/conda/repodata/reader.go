package repodata

import (
	"errors"
	"io"
)

// Zstd returns a reader of what WriteZstd writes, for http.ServeContent and its ranges. Reading costs
// no more than the bytes read, seeking a step for each piece. It holds the file's pieces and no copies.
func (f File) Zstd() io.ReadSeeker { return &reader{file: f} }

// reader reads a file from off on.
type reader struct {
	file  File
	off   int64
	chunk int // the chunk that holds off
	skip  int // what lies before off in it
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	n, last := 0, r.file.chunks()
	for n < len(p) && r.chunk < last {
		rest := r.file.chunk(r.chunk)[r.skip:]
		c := copy(p[n:], rest)
		n += c
		r.off += int64(c)
		r.skip += c
		if c == len(rest) {
			r.chunk, r.skip = r.chunk+1, 0
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

var errSeek = errors.New("seek before the beginning, or by an unknown whence")

// sought is the offset from the beginning that a Seek means, at off in a file of size bytes.
func sought(offset int64, whence int, off, size int64) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += off
	case io.SeekEnd:
		offset += size
	case io.SeekStart:
	default:
		return 0, errSeek
	}
	if offset < 0 {
		return 0, errSeek
	}
	return offset, nil
}

// Seek implements io.Seeker. Beyond the end there is nothing to read.
func (r *reader) Seek(offset int64, whence int) (int64, error) {
	offset, err := sought(offset, whence, r.off, r.file.zstd)
	if err != nil {
		return 0, err
	}
	r.off, r.chunk = offset, 0
	for last := r.file.chunks(); r.chunk < last; r.chunk++ {
		n := int64(len(r.file.chunk(r.chunk)))
		if offset < n {
			break
		}
		offset -= n
	}
	r.skip = int(offset)
	return r.off, nil
}
