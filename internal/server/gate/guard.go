package gate

import (
	"net/http"
	"path"
	"strings"

	"sluice/internal/fault"
)

// guard answers 404 to every path that a ServeMux would redirect, and to every path that no client of
// ours means: "//", "." and ".." segments, whether written plainly or escaped, control characters, and
// backslashes.
func (g *Gate) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !cleanPath(r.URL.Path) {
			g.Refuse(w, r, fault.New(fault.NotFound,
				"There is nothing at this path: it has an empty segment, a dot segment or a character that no path here has."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// cleanPath takes the unescaped path, in which "%2e" is "." already. One slash at the end is left to the
// handlers.
func cleanPath(p string) bool {
	if !strings.HasPrefix(p, "/") || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
		return false
	}
	clean := path.Clean(p)
	return p == clean || p == clean+"/" && clean != "/"
}

// Pages sets the headers of web pages: no script, no foreign content, no framing, no address leaked to
// other sites. It is for pages only; the answers to clients need none of it.
func Pages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; "+
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}
