package gate

import (
	"io"
	"net/http"
	"time"
)

// writer counts an answer and moves its write deadline along with its progress. It forwards ReadFrom,
// without which net/http could not use sendfile, and leaves the rest to Unwrap.
type writer struct {
	http.ResponseWriter
	conn   *http.ResponseController
	stall  time.Duration
	armed  time.Time // when the deadline was last set
	chunk  int64     // bytes handed down under one deadline
	status int       // 0 until the header is written
	bytes  int64

	aborted bool // the connection is cut, or its other end did not take the whole
}

// chunkOf is how much must get through in each stall: 128 KiB in half a minute, which is what handlers write at once, in
// pieces that are neither too small for sendfile nor so large that a slow reader fails on the buffers between us.
func chunkOf(stall time.Duration) int64 {
	return min(max(int64(stall.Seconds()*(128<<10)/30), 16<<10), 256<<10)
}

func newWriter(w http.ResponseWriter, stall time.Duration) *writer {
	return &writer{ResponseWriter: w, conn: http.NewResponseController(w), stall: stall, chunk: chunkOf(stall)}
}

// lift takes away the deadline that an earlier request on this connection left behind: net/http itself may have to
// write before the handler does, "100 Continue" to a client that waits for it.
func (w *writer) lift() { _ = w.conn.SetWriteDeadline(time.Time{}) }

// arm gives the next chunk its time: a whole stall, or a little less where it was given just now, for setting a
// deadline costs as much as a small write. An error means a recorder in a test.
func (w *writer) arm() {
	now := time.Now()
	if now.Sub(w.armed) < w.stall/16 {
		return
	}
	w.armed = now
	_ = w.conn.SetWriteDeadline(now.Add(w.stall))
}

// finish gives what net/http still has in its buffers its time, once the handler is done.
func (w *writer) finish() {
	w.arm()
	if w.status == 0 {
		w.status = http.StatusOK // net/http sends that by itself
	}
}

// Unwrap lets http.ResponseController reach the connection.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader notes the status and passes it on. 1xx answers come before the status.
func (w *writer) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	} else {
		w.arm() // it leaves at once
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) begin() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
}

// Write hands p down in chunks, each with its own deadline.
func (w *writer) Write(p []byte) (n int, err error) {
	w.begin()
	for first := true; err == nil && (first || n < len(p)); first = false {
		w.arm()
		var m int
		m, err = w.ResponseWriter.Write(p[n:min(len(p), n+int(w.chunk))])
		n += m
	}
	w.bytes += int64(n)
	w.aborted = w.aborted || err != nil
	return n, err
}

// Flush sends what is buffered.
func (w *writer) Flush() { _ = w.FlushError() }

// FlushError sends what is buffered; http.ResponseController looks for it.
func (w *writer) FlushError() error {
	w.begin()
	w.arm()
	return w.conn.Flush()
}

// ReadFrom hands src down in chunks, each with its own deadline. A file stays a file on the way, so that
// the kernel can send it.
func (w *writer) ReadFrom(src io.Reader) (n int64, err error) {
	to, ok := w.ResponseWriter.(io.ReaderFrom)
	if !ok {
		return io.Copy(onlyWriter{w}, src)
	}
	w.begin()
	whole, limited := src.(*io.LimitedReader)
	if !limited {
		whole = &io.LimitedReader{R: src, N: 1<<63 - 1}
	}
	for whole.N > 0 && err == nil {
		part := &io.LimitedReader{R: whole.R, N: min(w.chunk, whole.N)}
		asked := part.N
		w.arm()
		var m int64
		m, err = to.ReadFrom(part)
		n += m
		whole.N -= asked - part.N
		if part.N > 0 {
			break // the source has ended
		}
	}
	w.bytes += n
	w.aborted = w.aborted || err != nil
	return n, err
}

// onlyWriter hides ReadFrom from io.Copy, which would call it for ever.
type onlyWriter struct{ io.Writer }
