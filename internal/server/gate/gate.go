// Package gate is what every request passes first and last: its id, its line in the log, the guard
// against hostile paths, deadlines by progress, the reading out of bodies, and the net under a panic.
// It must not know of routes, principals, or any room, and not how a refusal looks: it is given a
// function that answers one.
package gate

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Gate wraps the handler of a whole server. All fields are required. It goes by the real clock alone,
// for deadlines are the kernel's.
type Gate struct {
	// Log takes one line for each request.
	Log *slog.Logger
	// Carry puts a request's id into its context for whoever cannot ask RequestID.
	Carry func(ctx context.Context, id string) context.Context
	// Refuse answers a request with a refusal, or with whatever any other error becomes.
	Refuse func(w http.ResponseWriter, r *http.Request, err error)
	// BodyMax bounds the body of any request, in bytes: the upload limit and something for its envelope.
	// A handler may set less.
	BodyMax int64
	// Stall is how long a body may go without progress in either direction.
	Stall time.Duration
}

// Wrap puts the gate before next. It must stand before any ServeMux, whose redirects of odd paths no
// client may see.
func (g *Gate) Wrap(next http.Handler) http.Handler {
	inner := g.bodies(g.guard(next))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		seen := &request{id: newID(), remote: host(r.RemoteAddr)}
		r = r.WithContext(g.Carry(context.WithValue(r.Context(), key{}, seen), seen.id))
		out := newWriter(w, g.Stall)
		if r.Body != nil && r.Body != http.NoBody {
			out.lift()
		}
		out.Header()["X-Request-Id"] = []string{seen.id}
		defer func() {
			out.finish()
			g.log(r, seen, out, start)
		}()
		defer g.catch(out, r)
		inner.ServeHTTP(out, r)
	})
}

// idLength gives 40 random bits: enough to find one line in a log, short enough to read over a telephone.
const idLength = 8

// newID makes an id in the letters of base32 (RFC 4648). It is no secret, so no secure randomness is spent on it.
func newID() string {
	var id [idLength]byte
	bits := rand.Uint64() //nolint:gosec // see above
	for i := range id {
		id[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[bits&31]
		bits >>= 5
	}
	return string(id[:])
}

type key struct{}

// request is what the gate remembers of one request while it lasts.
type request struct {
	id     string
	remote string

	mu    sync.Mutex // handlers may start goroutines
	notes []slog.Attr
}

func of(ctx context.Context) *request {
	if r, ok := ctx.Value(key{}).(*request); ok {
		return r
	}
	return &request{id: "-"} // outside the gate, in tests of a single handler
}

// RequestID is the id that the request's answer, its line in the log and its refusal carry: eight
// capital letters and digits, made by us. "-" outside a gate.
func RequestID(ctx context.Context) string { return of(ctx).id }

// RemoteAddr is the address that the request came from, without port; "" outside a gate. Behind a proxy
// it is the proxy's.
func RemoteAddr(ctx context.Context) string { return of(ctx).remote }

// Note adds attributes to the request's line in the log, such as the channel or the code of a refusal.
// Nothing secret may go in.
func Note(ctx context.Context, attrs ...slog.Attr) {
	r := of(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, attrs...)
}

func host(addr string) string {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return addr // a Unix socket, or a test
	}
	return ap.Addr().Unmap().String()
}
