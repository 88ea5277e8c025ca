package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"sluice/internal/fault"
	"sluice/internal/token"
)

// log writes the request's line: no header, no query, and a path without the tokens it may carry.
func (g *Gate) log(r *http.Request, seen *request, out *writer, start time.Time) {
	level := slog.LevelInfo
	if out.status >= 500 {
		level = slog.LevelError
	}
	ctx := context.WithoutCancel(r.Context())
	if !g.Log.Enabled(ctx, level) {
		return // the line costs more than a small answer
	}
	if out.aborted {
		Note(r.Context(), slog.Bool("aborted", true)) // the status may have been sent, the whole answer was not
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	attrs := append([]slog.Attr{
		slog.String("request", seen.id), slog.String("method", fault.OneLine(r.Method, 20)),
		slog.String("path", Redact(r.URL.Path)), slog.Int("status", out.status), slog.Int64("bytes", out.bytes),
		slog.Duration("took", time.Since(start)), slog.String("remote", seen.remote),
		slog.String("agent", fault.OneLine(token.Scrub(r.UserAgent()), 120)),
	}, seen.notes...)
	g.Log.LogAttrs(ctx, level, "answered", attrs...)
}

// Redact makes a path fit to be logged: what follows a segment "t" (a token in the path, of whatever
// server) becomes "…", the rest is scrubbed, put on one line, and cut to 300 bytes. Path is unescaped,
// as in URL.Path.
func Redact(path string) string {
	if strings.Contains(path, "t/") || strings.Contains(path, "T/") {
		parts := strings.Split(path, "/")
		for i := 1; i < len(parts); i++ {
			if strings.EqualFold(parts[i-1], "t") && parts[i] != "" {
				parts[i] = "…"
			}
		}
		path = strings.Join(parts, "/")
	}
	return fault.OneLine(token.Scrub(path), 300)
}

// catch answers for a handler that panicked. When the answer had begun, the connection is cut, so that
// nobody takes half an answer for a whole one.
func (g *Gate) catch(out *writer, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		out.aborted = true
		panic(p) // the handler's own way to cut the connection
	}
	g.Log.LogAttrs(context.WithoutCancel(r.Context()), slog.LevelError, "panic",
		slog.String("request", RequestID(r.Context())), slog.String("panic", token.Scrub(fmt.Sprint(p))),
		slog.String("stack", string(debug.Stack())))
	if out.status != 0 {
		out.aborted = true
		panic(http.ErrAbortHandler)
	}
	g.Refuse(out, r, fmt.Errorf("panic in a handler, of type %T", p))
}
