package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/a-h/templ"

	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/server/web/page"
	"sluice/internal/server/web/static"
)

// handler answers a request, or says why it does not.
type handler func(w http.ResponseWriter, r *http.Request) error

// methods picks the handler by the request's method.
func (s *site) methods(t takes) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := t.show
		switch r.Method {
		case http.MethodGet, http.MethodHead:
		case http.MethodPost:
			h = t.act
		default:
			h = nil
		}
		if h == nil {
			w.Header().Set("Allow", t.allow())
			h = func(http.ResponseWriter, *http.Request) error {
				return fault.New(fault.MethodNotAllowed, "This address takes %s, not %s.", t.allow(), fault.OneLine(r.Method, 20))
			}
		}
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

func (t takes) allow() string {
	var list []string
	if t.show != nil {
		list = append(list, http.MethodGet, http.MethodHead)
	}
	if t.act != nil {
		list = append(list, http.MethodPost)
	}
	return strings.Join(list, ", ")
}

// frame is what every page shows around its own content.
func (s *site) frame(r *http.Request) page.Frame {
	f := page.Frame{Host: s.host, URL: s.URL, Style: s.style, Version: s.Version, Path: r.URL.RequestURI(), Now: s.Now()}
	if u := caller.From(r.Context()).User; u != nil {
		f.User = u.Name
	}
	return f
}

// show answers with a page. Nothing is sent before the whole page is made, so a failure is still a clean 500.
func (s *site) show(w http.ResponseWriter, r *http.Request, status int, f page.Frame, c templ.Component) error {
	body, err := render(r.Context(), c)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "private, no-cache") // what a page holds depends on who asks, and on the hour
	}
	if status != http.StatusOK || r.Method == http.MethodPost {
		w.WriteHeader(status)
		_, _ = w.Write(body) //nolint:gosec // templ escaped it; and nobody is left to tell of an error
		return nil
	}
	h.Set("ETag", validator(body, f.Now))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	return nil
}

func render(ctx context.Context, c templ.Component) ([]byte, error) {
	var b bytes.Buffer
	err := c.Render(ctx, &b)
	return b.Bytes(), err
}

// validator is an ETag that leaves the moment at which the page was made aside. It is weak, because that moment
// is in the page.
func validator(body []byte, made time.Time) string {
	for _, stamp := range page.Stamps(made) {
		body = bytes.ReplaceAll(body, []byte(stamp), nil)
	}
	sum := sha256.Sum256(body)
	return `W/"` + hex.EncodeToString(sum[:12]) + `"`
}

// secret marks an answer that shows something which no cache and no history may keep.
func secret(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-store") }

// redirect sends the reader to a path of this server, to be fetched by GET.
func redirect(w http.ResponseWriter, r *http.Request, path string) error {
	http.Redirect(w, r, path, http.StatusSeeOther) //nolint:gosec // a path of ours, or one that safeNext let through
	return nil
}

func (s *site) goHome(w http.ResponseWriter, r *http.Request) error {
	return redirect(w, r, page.HomePath)
}

// sheet serves the style sheet for ever, for its name changes with its bytes.
func (s *site) sheet(w http.ResponseWriter, r *http.Request) error {
	name, body := static.CSS()
	if r.PathValue("name") != name {
		return nowhere()
	}
	h := w.Header()
	h.Set("Content-Type", "text/css; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("ETag", `"`+strings.TrimSuffix(name, ".css")+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	return nil
}

// nothing answers for every path that is no page. A slash at the end is a slip of the hand.
func (s *site) nothing(w http.ResponseWriter, r *http.Request) {
	trimmed, slip := strings.CutSuffix(r.URL.EscapedPath(), "/")
	if reads := r.Method == http.MethodGet || r.Method == http.MethodHead; reads && slip && strings.HasPrefix(trimmed, "/channels") {
		_ = redirect(w, r, trimmed) // never an error
		return
	}
	s.fail(w, r, nowhere())
}
