package files

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice/internal/channel"
	"sluice/internal/fault"
	"sluice/internal/server/gate"
)

// content is all of an answer but its bytes. What is asked for most, a whole file or whether it changed, is answered
// here; what is asked for rarely, ranges and the conditions of writers, by http.ServeContent.
type content struct {
	kind  []string // the media type
	cache caching
	etag  string // quotes included
	// modified is when it came to be; zero where nothing is said of that.
	modified time.Time
}

// Values of headers, as a header holds them: they are the same for every answer, and nobody changes them.
var (
	typeJSON  = []string{"application/json"}
	typeZstd  = []string{"application/zstd"}
	typeBytes = []string{"application/octet-stream"}
	everybody = []string{"*"}
	inBytes   = []string{"bytes"}
)

// caching is how long who may keep an answer.
type caching struct{ control, vary []string }

// Lifetimes. An index of a public channel may be half a minute old; what is named by its hash, or can never
// be replaced, is good for ever.
var (
	shortPublic   = caching{control: []string{"public, max-age=30"}}
	foreverPublic = caching{control: []string{"public, max-age=31536000, immutable"}}
	freshPublic   = caching{control: []string{"no-cache"}}
	shortOwn      = caching{control: []string{"no-cache"}, vary: whoAsks}
	foreverOwn    = caching{control: []string{"private, max-age=31536000, immutable"}, vary: whoAsks}
	whoAsks       = []string{"Authorization, Cookie"}
)

// askAgain is for what must not be old: attestations that are found without their hash.
func askAgain(ch channel.Channel) caching {
	if ch.Visibility == channel.Public {
		return freshPublic
	}
	return shortOwn
}

func lifetime(ch channel.Channel, immutable bool) caching {
	switch public := ch.Visibility == channel.Public; {
	case public && immutable:
		return foreverPublic
	case public:
		return shortPublic
	case immutable:
		return foreverOwn
	default:
		return shortOwn
	}
}

// header sets what a 200 and a 304 have in common (RFC 9110, section 15.4.5). Its keys are canonical.
func (c content) header(h http.Header) {
	h["Etag"] = []string{c.etag}
	h["Cache-Control"] = c.cache.control
	if c.cache.vary != nil {
		h["Vary"] = c.cache.vary
	}
	if !c.modified.IsZero() {
		h["Last-Modified"] = []string{c.modified.UTC().Format(http.TimeFormat)}
	}
}

// unchanged reports whether the client has this content already. An If-None-Match goes before an If-Modified-Since,
// and the conditions of writers before both (RFC 9110, section 13.2.2): where there is one it is false.
func (c content) unchanged(r *http.Request) bool {
	if has(r.Header, "If-Match", "If-Unmodified-Since") {
		return false
	}
	if tags, ok := r.Header["If-None-Match"]; ok {
		return names(tags, c.etag)
	}
	since := r.Header.Get("If-Modified-Since")
	if since == "" || c.modified.IsZero() {
		return false
	}
	t, err := http.ParseTime(since)
	return err == nil && !c.modified.Truncate(time.Second).After(t)
}

// names reports whether the lists of validators name one, compared weakly, or mean any (RFC 9110, section 13.1.2).
// None of ours holds a comma.
func names(lists []string, etag string) bool {
	for _, list := range lists {
		for tag := range strings.SplitSeq(list, ",") {
			if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
				return true
			}
		}
	}
	return false
}

func (c content) notModified(w http.ResponseWriter) {
	c.header(w.Header())
	w.WriteHeader(http.StatusNotModified)
}

// has reports whether h has any of the headers, whose names are canonical.
func has(h http.Header, names ...string) bool {
	for _, name := range names {
		if _, ok := h[name]; ok {
			return true
		}
	}
	return false
}

// begin answers 304, or has http.ServeContent answer what is asked for rarely, or sets the header of a whole file of
// size bytes; only then the body is still to be written.
func (c content) begin(w http.ResponseWriter, r *http.Request, body io.ReadSeeker, size int64) (done bool) {
	if c.unchanged(r) {
		c.notModified(w)
		return true
	}
	h := w.Header()
	c.header(h)
	h["Content-Type"] = c.kind
	if has(r.Header, "Range", "If-Match", "If-Unmodified-Since") {
		http.ServeContent(w, r, "", c.modified, body)
		return true
	}
	h["Accept-Ranges"] = inBytes
	h["Content-Length"] = []string{strconv.FormatInt(size, 10)}
	return r.Method == http.MethodHead
}

// sendBytes answers with what is in memory.
func (c content) sendBytes(w http.ResponseWriter, r *http.Request, b []byte) error {
	if !c.begin(w, r, bytes.NewReader(b), int64(len(b))) {
		_, _ = w.Write(b) //nolint:gosec // bytes under a media type that no browser shows; and nobody is left to tell of a failure
	}
	return nil
}

// sendFile answers with a file, which stays one on the way down, so that the kernel can send it.
func (c content) sendFile(w http.ResponseWriter, r *http.Request, body io.ReadSeeker, size int64) error {
	if !c.begin(w, r, body, size) {
		_, _ = io.CopyN(w, body, size) // nobody is left to tell
	}
	return nil
}

// bufferSize is the size of most writes of a large file, in bytes.
const bufferSize = 128 << 10

// buffers are for the writing of large files. The zero value is ready.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *[]byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return p
	}
	return new(make([]byte, bufferSize))
}

// send answers with what is put together while it is written. A failure before the first byte is the caller's to tell;
// after it the connection is cut, lest anybody takes half a file for a whole one.
func (c content) send(w http.ResponseWriter, r *http.Request, body io.ReadSeeker, size int64, from *buffers) error {
	if c.begin(w, r, body, size) {
		return nil
	}
	buf := from.get()
	defer from.pool.Put(buf)
	for begun := false; size > 0; begun = true {
		n, err := io.ReadFull(body, (*buf)[:min(size, bufferSize)])
		if err != nil {
			return broken(w, r, fmt.Errorf("read the file: %w", err), begun)
		}
		if _, err := w.Write((*buf)[:n]); err != nil {
			return nil // nobody is left to tell
		}
		size -= int64(n)
	}
	return nil
}

// broken tells of a file that could not be read: by the answer, or where that has begun by its end and in the log.
func broken(w http.ResponseWriter, r *http.Request, err error, begun bool) error {
	if begun {
		gate.Note(r.Context(), slog.String("cause", fault.OneLine(err.Error(), 1000)))
		panic(http.ErrAbortHandler)
	}
	for _, k := range [...]string{"Etag", "Last-Modified", "Content-Length", "Accept-Ranges"} {
		delete(w.Header(), k)
	}
	return err
}
