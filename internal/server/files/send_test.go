package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var (
	born  = time.Date(2026, 11, 23, 14, 6, 0, 500_000_000, time.UTC)
	tides = content{kind: typeZstd, cache: foreverOwn, etag: `"tide-1"`, modified: born}
)

// serve answers every request of a test by a function.
func serve(t testing.TB, do func(w http.ResponseWriter, r *http.Request) error) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := do(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// answer is what a client sees.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

func ask(t interface {
	Helper()
	Fatal(...any)
}, method, url string, header http.Header) answer {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		t.Fatal(err)
	}
	res.Header.Del("Date")
	return answer{res.StatusCode, res.Header, string(b)}
}

// Whatever a client asks for, in whatever form the bytes are there: the answer is that of http.ServeContent, except
// that a 304 says when the content came to be, too.
func TestAnswersAreThoseOfServeContent(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("0123456789", 30_000) // more than two buffers
	var pool buffers
	ours := map[string]*httptest.Server{
		"bytes": serve(t, func(w http.ResponseWriter, r *http.Request) error { return tides.sendBytes(w, r, []byte(body)) }),
		"file": serve(t, func(w http.ResponseWriter, r *http.Request) error {
			return tides.sendFile(w, r, strings.NewReader(body), int64(len(body)))
		}),
		"stream": serve(t, func(w http.ResponseWriter, r *http.Request) error {
			return tides.send(w, r, strings.NewReader(body), int64(len(body)), &pool)
		}),
	}
	theirs := serve(t, func(w http.ResponseWriter, r *http.Request) error {
		tides.header(w.Header())
		w.Header()["Content-Type"] = typeZstd
		http.ServeContent(w, r, "", born, strings.NewReader(body))
		return nil
	})
	tags := rapid.SampledFrom([]string{`"tide-1"`, `W/"tide-1"`, `"ebb-1"`, `"ebb-1", "tide-1"`, `"ebb-1","ebb-2"`, `*`, `W/"ebb-1" , W/"tide-1"`})
	times := rapid.SampledFrom([]string{born.Format(http.TimeFormat), born.Add(time.Hour).Format(http.TimeFormat), born.Add(-time.Hour).Format(http.TimeFormat), "yesterday"})
	ranges := rapid.SampledFrom([]string{"bytes=0-0", "bytes=5-", "bytes=-10", "bytes=299999-400000", "bytes=300000-", "bytes=0-1,5-6", "lines=1-2"})
	rapid.Check(t, func(rt *rapid.T) {
		h := http.Header{}
		for _, c := range []struct {
			name string
			from *rapid.Generator[string]
		}{
			{"If-None-Match", tags}, {"If-Modified-Since", times}, {"Range", ranges}, {"If-Range", rapid.SampledFrom([]string{`"tide-1"`, `"ebb-1"`})},
			{"If-Match", tags}, {"If-Unmodified-Since", times},
		} {
			if rapid.IntRange(0, 2).Draw(rt, "with "+c.name) > 1 {
				h.Set(c.name, c.from.Draw(rt, c.name))
			}
		}
		method := rapid.SampledFrom([]string{http.MethodGet, http.MethodHead}).Draw(rt, "method")
		want := ask(rt, method, theirs.URL, h)
		for name, s := range ours {
			got := ask(rt, method, s.URL, h)
			if got.Status == http.StatusNotModified && !has(h, "If-Match", "If-Unmodified-Since") {
				if at := got.Header.Get("Last-Modified"); at != born.Format(http.TimeFormat) {
					rt.Fatalf("%s, %v: Last-Modified of a 304 is %q", name, h, at)
				}
				got.Header.Del("Last-Modified")
			}
			if got.Status == http.StatusPartialContent && strings.HasPrefix(got.Header.Get("Content-Type"), "multipart/") {
				continue // its boundary is drawn anew each time
			}
			if diff := cmp.Diff(want, got); diff != "" {
				rt.Fatalf("%s, %s %v (-ServeContent +ours):\n%s", name, method, h, diff)
			}
		}
	})
}

// A file that cannot be read to its end is never taken for a whole one.
func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	gone := errors.New("the block is gone")
	whole := bytes.Repeat([]byte("x"), 3*bufferSize)
	var pool buffers
	for _, n := range []int{0, 1, bufferSize, bufferSize + 1, 2 * bufferSize} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) error {
				body := struct {
					io.Reader
					io.Seeker
				}{io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(gone)), nil}
				return tides.send(w, r, body, int64(len(whole)), &pool)
			})
			res, err := http.Get(s.URL)
			if err != nil {
				if n < bufferSize {
					t.Fatal(err)
				}
				return // cut with what was buffered of the header
			}
			defer res.Body.Close()
			b, err := io.ReadAll(res.Body)
			if n < bufferSize {
				if res.StatusCode != http.StatusInternalServerError || !strings.Contains(string(b), gone.Error()) || res.Header.Get("ETag") != "" || err != nil {
					t.Errorf("broken before it began: %s, ETag %q, %q, %v", res.Status, res.Header.Get("ETag"), b, err)
				}
				return
			}
			if res.StatusCode != http.StatusOK || err == nil || len(b) > n {
				t.Errorf("broken after it began: %s and %d bytes, %v; want it cut", res.Status, len(b), err)
			}
		})
	}
}
