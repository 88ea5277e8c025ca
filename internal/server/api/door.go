package api

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"

	"sluice/internal/fault"
)

// MaxBody bounds the body of any request to the API, in bytes.
const MaxBody = 1 << 20

// door is what every request passes before its operation: the answer for paths and methods that do not exist,
// and the reading of the body, whole, so that nothing is decided on half a request.
func (s *service) door(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store") // answers differ from caller to caller, and some hold secrets
		w.Header().Set("X-Content-Type-Options", "nosniff")
		h, pattern := mux.Handler(r)
		if pattern == "" {
			s.refuse(w, r, noRoute(w, r, h))
			return
		}
		r = r.WithContext(r.Context()) // whoever called us keeps its own body
		body, err := readBody(r)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		mux.ServeHTTP(w, r)
	})
}

// noRoute tells a path that exists for other methods from one that does not exist. h is what the mux would
// answer, and the one place that knows the methods.
func noRoute(w http.ResponseWriter, r *http.Request, h http.Handler) error {
	said := answer{header: http.Header{}}
	h.ServeHTTP(&said, r)
	if said.status != http.StatusMethodNotAllowed {
		return fault.New(fault.NotFound, "The API has nothing at this path: see %s/openapi.json for what it has.", Prefix)
	}
	allow := said.header.Get("Allow")
	w.Header().Set("Allow", allow)
	return fault.New(fault.MethodNotAllowed, "This path takes %s, not %s.", allow, r.Method)
}

// answer remembers status and headers and drops the rest.
type answer struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) { a.status = status }

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) { return len(b), nil }

// readBody reads the body of a method that has one. Its media type must say JSON: a form of another site's
// page cannot say that without asking first.
func readBody(r *http.Request) ([]byte, error) {
	if r.Method != http.MethodPost && r.Method != http.MethodPut && r.Method != http.MethodPatch || r.Body == nil {
		return nil, nil
	}
	if r.ContentLength > MaxBody {
		return nil, bodyTooLarge()
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	if err != nil {
		if _, ok := errors.AsType[*fault.Error](err); ok {
			return nil, err
		}
		return nil, fault.Wrap(err, fault.BadRequest, "The body broke off after %d bytes: send it again.", len(body))
	}
	if len(body) > MaxBody {
		return nil, bodyTooLarge()
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if len(body) > 0 && (err != nil || kind != "application/json") {
		return nil, fault.New(fault.BadRequest, "Send the body as JSON, with Content-Type: application/json.")
	}
	return body, nil
}

func bodyTooLarge() error {
	return fault.New(fault.TooLarge, "A body has at most %d bytes here.", MaxBody)
}
