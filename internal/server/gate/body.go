package gate

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"sluice/internal/fault"
)

// minRate is how fast a body must come, in bytes a second, on the average of each stall: slower than a
// telephone, and yet a byte a minute does not hold a connection for ever.
const minRate = 1 << 10

// bodies gives every request with a body the deadline by progress and the limit, and reads what the
// handler left.
func (g *Gate) bodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > g.BodyMax {
			// Not drained: it would not end within the limit. "close" keeps net/http from waiting for it.
			w.Header().Set("Connection", "close")
			g.Refuse(w, r, tooLarge(g.BodyMax))
			return
		}
		g.drained(w, r, next.ServeHTTP)
	})
}

// drained runs a handler and then reads the body to its end, within the limit and the deadline, before
// the answer leaves: the clients send first and listen afterwards, and net/http by itself reads only
// 256 KiB more before it cuts the connection, status and all. A client that asked to be told first
// (Expect: 100-continue) listens, and is not made to send.
func (g *Gate) drained(w http.ResponseWriter, r *http.Request, do http.HandlerFunc) {
	if r.Body == nil || r.Body == http.NoBody {
		do(w, r)
		return
	}
	body := &body{
		ReadCloser: r.Body, conn: http.NewResponseController(w), limit: g.BodyMax,
		stall: g.Stall, left: g.Stall,
	}
	r = r.WithContext(r.Context()) // net/http looks at the body of the request that it made
	r.Body = body
	do(w, r)
	if waits := strings.EqualFold(r.Header.Get("Expect"), "100-continue") && body.total == 0; !waits {
		_, _ = io.Copy(io.Discard, body) // the answer stands, however this ends
	}
}

// body is a request's body with a deadline by progress: in each stall, what minRate asks for must come.
// Only the time spent waiting for the network counts, not the handler's own.
type body struct {
	io.ReadCloser
	conn  *http.ResponseController
	limit int64 // bytes of the whole body
	total int64 // bytes read so far
	stall time.Duration
	left  time.Duration // what is left of the window
	moved int64         // bytes that came in this window
	err   error         // sticky
}

// Read returns a refusal for everything that can go wrong with a body: TooSlow, TooLarge, BadRequest.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	start := time.Now()
	_ = b.conn.SetReadDeadline(start.Add(b.left)) // a recorder in a test has no deadlines
	n, err := b.ReadCloser.Read(p)
	b.total += int64(n)
	b.moved += int64(n)
	b.left -= time.Since(start)
	if float64(b.moved) >= minRate*b.stall.Seconds() {
		b.moved, b.left = 0, b.stall
	}
	if b.total > b.limit && (err == nil || errors.Is(err, io.EOF)) {
		err = tooLarge(b.limit)
	}
	if err != nil {
		b.err = b.end(err)
	}
	return n, b.err
}

// Close leaves the body open: it is read to its end after the handler.
func (b *body) Close() error { return nil }

// end lifts the deadline, or it would fire while net/http waits for the next request and cancel this
// one's context; after a failure the connection is of no further use, and the deadline stays.
func (b *body) end(err error) error {
	if errors.Is(err, io.EOF) {
		_ = b.conn.SetReadDeadline(time.Time{})
		return io.EOF
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fault.Wrap(err, fault.TooSlow, "The body stopped coming after %d bytes: in the last %v next to nothing arrived. Send it again over a steadier line.",
			b.total, b.stall)
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	return fault.Wrap(fmt.Errorf("read the body: %w", err), fault.BadRequest,
		"The body broke off after %d bytes, before its announced end. Send it again.", b.total)
}

func tooLarge(limit int64) error {
	return fault.New(fault.TooLarge, "The body is larger than the %d bytes that this server takes.", limit)
}
