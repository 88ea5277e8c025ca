package repodata

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Raw returns a reader of what WriteRaw writes, for http.ServeContent and its ranges. It decodes as it
// reads, in constant memory; what lies before an offset that is sought must be decoded, too. Close it.
func (f File) Raw() io.ReadSeekCloser { return &rawReader{file: f} }

// rawReader decodes a file from off on.
type rawReader struct {
	file File
	off  int64
	dec  *zstd.Decoder // nil before the first read and after a seek
}

// Read implements io.Reader.
func (r *rawReader) Read(p []byte) (int, error) {
	if r.off >= r.file.raw {
		return 0, io.EOF
	}
	if r.dec == nil {
		if err := r.start(); err != nil {
			return 0, err
		}
	}
	n, err := r.dec.Read(p)
	r.off += int64(n)
	if errors.Is(err, io.EOF) && r.off < r.file.raw {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (r *rawReader) start() error {
	dec, err := zstd.NewReader(r.file.Zstd(), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxBlock))
	if err != nil {
		return fmt.Errorf("make a zstd decoder: %w", err)
	}
	if _, err := io.CopyN(io.Discard, dec, r.off); err != nil {
		dec.Close()
		return fmt.Errorf("decode an index file up to %d: %w", r.off, err)
	}
	r.dec = dec
	return nil
}

// Seek implements io.Seeker.
func (r *rawReader) Seek(offset int64, whence int) (int64, error) {
	offset, err := sought(offset, whence, r.off, r.file.raw)
	if err != nil {
		return 0, err
	}
	if offset != r.off {
		r.stop()
	}
	r.off = offset
	return offset, nil
}

// Close frees the decoder.
func (r *rawReader) Close() error {
	r.stop()
	return nil
}

func (r *rawReader) stop() {
	if r.dec != nil {
		r.dec.Close()
		r.dec = nil
	}
}
