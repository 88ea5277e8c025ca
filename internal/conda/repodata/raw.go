package repodata

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Raw returns a reader of the file as it is without compression, for http.ServeContent and its ranges. It decodes as
// it reads, in constant memory; what lies before an offset that is sought must be decoded, too. ctx bounds all of it.
// Close it.
func (f File) Raw(ctx context.Context, blocks Blocks) io.ReadSeekCloser {
	return &rawReader{file: f, open: func() io.ReadCloser { return f.Zstd(ctx, blocks) }}
}

// rawReader decodes a file from off on.
type rawReader struct {
	file File
	open func() io.ReadCloser // begins the frame
	off  int64
	zstd io.ReadCloser // nil before the first read and after a seek, as dec
	dec  *zstd.Decoder
}

// Read implements io.Reader.
func (r *rawReader) Read(p []byte) (int, error) {
	if r.off >= r.file.raw {
		return 0, io.EOF
	}
	if r.dec == nil {
		if err := r.start(); err != nil {
			r.stop()
			return 0, err
		}
	}
	n, err := r.dec.Read(p)
	r.off += int64(n)
	switch {
	case errors.Is(err, io.EOF) && r.off < r.file.raw:
		err = io.ErrUnexpectedEOF
	case err == nil && r.off >= r.file.raw:
		err = r.end()
	}
	return n, err
}

// end makes sure that the frame ends where the file does.
func (r *rawReader) end() error {
	var one [1]byte
	if n, err := r.dec.Read(one[:]); n > 0 || !errors.Is(err, io.EOF) {
		return fmt.Errorf("an index file of %d bytes decodes to more: %w", r.file.raw, errors.Join(err, errBlocks))
	}
	return nil
}

func (r *rawReader) start() (err error) {
	r.zstd = r.open()
	if r.dec, err = newDecoder(r.zstd); err != nil {
		return fmt.Errorf("make a zstd decoder: %w", err)
	}
	if _, err := io.CopyN(io.Discard, r.dec, r.off); err != nil {
		return fmt.Errorf("decode an index file up to %d: %w", r.off, err)
	}
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

// Close frees the decoder and ends the fetching of blocks.
func (r *rawReader) Close() error {
	r.stop()
	return nil
}

func (r *rawReader) stop() {
	if r.dec != nil {
		r.dec.Close()
		r.dec = nil
	}
	if r.zstd != nil {
		_ = r.zstd.Close() // it was only read
		r.zstd = nil
	}
}
