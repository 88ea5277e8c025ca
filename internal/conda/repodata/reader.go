package repodata

import (
	"context"
	"errors"
	"io"
)

// Zstd returns a reader of the file as one zstd frame, for http.ServeContent and its ranges. Seeking costs a step for
// each piece; reading costs no more than the blocks that are read, of which it holds some hundred KiB, those that come
// next included. ctx bounds all of it. Close it.
func (f File) Zstd(ctx context.Context, blocks Blocks) io.ReadSeekCloser {
	return &reader{file: f, feed: feed{ctx: ctx, file: f, blocks: blocks}}
}

// reader reads a file from off on.
type reader struct {
	file  File
	feed  feed
	off   int64
	chunk int    // the chunk that holds off
	skip  int    // what lies before off in it
	rest  []byte // of the chunk, when it has been begun
}

// Read implements io.Reader. It fills p but at the end.
func (r *reader) Read(p []byte) (int, error) {
	n, last := 0, r.file.chunks()
	for n < len(p) && r.chunk < last {
		if len(r.rest) == 0 {
			if err := r.begin(); err != nil {
				return n, err
			}
		}
		c := copy(p[n:], r.rest)
		n += c
		r.off += int64(c)
		r.rest = r.rest[c:]
		if len(r.rest) == 0 {
			r.chunk++
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// begin takes up the chunk, less what a seek has skipped of it.
func (r *reader) begin() error {
	known, _, isPiece := r.file.chunk(r.chunk)
	if isPiece {
		var err error
		if known, err = r.feed.block(r.chunk); err != nil {
			return err
		}
	}
	r.rest, r.skip = known[r.skip:], 0
	return nil
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
	if offset == r.off {
		return offset, nil
	}
	r.off, r.chunk, r.rest = offset, 0, nil
	for last := r.file.chunks(); r.chunk < last; r.chunk++ {
		n := int64(r.file.chunkLen(r.chunk))
		if offset < n {
			break
		}
		offset -= n
	}
	r.skip = int(offset)
	return r.off, nil
}

// Close lets go of the blocks, and ends the fetching of more.
func (r *reader) Close() error {
	r.feed.stop()
	return nil
}
