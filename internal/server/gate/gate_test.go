package gate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/fault"
	"sluice/internal/token"
)

// lockedBuffer takes log lines from many goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// refuse stands for server/reply.
func refuse(w http.ResponseWriter, _ *http.Request, err error) {
	status := map[fault.Code]int{
		fault.NotFound: 404, fault.TooLarge: 413, fault.TooSlow: 400, fault.BadRequest: 400, fault.Internal: 500,
	}[fault.CodeOf(err)]
	w.WriteHeader(status)
	_, _ = fmt.Fprint(w, err)
}

func gateOf(log io.Writer) *Gate {
	return &Gate{
		Log: slog.New(slog.NewJSONHandler(log, nil)), Refuse: refuse,
		BodyMax: 64 << 20, Stall: time.Minute,
		Carry: func(ctx context.Context, id string) context.Context { return context.WithValue(ctx, carried{}, id) },
	}
}

// carried is where a request's id is for whoever knows no gate.
type carried struct{}

func serve(t *testing.T, h http.HandlerFunc) (*httptest.Server, *lockedBuffer) {
	t.Helper()
	log := &lockedBuffer{}
	srv := httptest.NewServer(gateOf(log).Wrap(h))
	t.Cleanup(srv.Close)
	return srv, log
}

// lastLine is the log once the server has stopped.
func lastLine(t *testing.T, log *lockedBuffer) map[string]any {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	var m map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &m); err != nil {
		t.Fatalf("%v in %q", err, log)
	}
	return m
}

func TestRequestIsKnownAndLogged(t *testing.T) {
	tok := token.New(token.API).Reveal()
	var inside [3]any
	srv, log := serve(t, func(w http.ResponseWriter, r *http.Request) {
		inside = [3]any{RequestID(r.Context()), RemoteAddr(r.Context()), r.Context().Value(carried{})}
		Note(r.Context(), slog.String("channel", "tools"))
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "hello")
	})
	req, _ := http.NewRequest(http.MethodGet, srv.URL+"/t/"+tok+"/tools/noarch?secret="+tok, nil)
	req.Header.Set("Authorization", "Bearer "+tok)
	req.Header.Set("User-Agent", "mamba/2.8.1 libcurl/8")
	res, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	srv.Close()
	line := lastLine(t, log)
	id := res.Header.Get("X-Request-Id")
	if !regexp.MustCompile(`^[A-Z2-7]{8}$`).MatchString(id) || inside != [3]any{id, "127.0.0.1", id} {
		t.Errorf("id %q outside, %v inside", id, inside)
	}
	delete(line, "time")
	delete(line, "took")
	want := map[string]any{
		"level": "INFO", "msg": "answered", "request": id, "method": "GET", "path": "/t/…/tools/noarch",
		"status": 418.0, "bytes": 5.0, "remote": "127.0.0.1", "agent": "mamba/2.8.1 libcurl/8", "channel": "tools",
	}
	if d := cmp.Diff(want, line); d != "" {
		t.Error(d)
	}
	if strings.Contains(log.String(), tok[len(token.API):]) {
		t.Errorf("the log holds a token: %s", log)
	}
}

func TestRedact(t *testing.T) {
	tok := token.New(token.Publish).Reveal()
	for _, tt := range []struct{ in, want string }{
		{"/tools/noarch/repodata.json", "/tools/noarch/repodata.json"},
		{"/t/" + tok + "/tools", "/t/…/tools"},
		{"/t/foreign-token", "/t/…"},
		{"/T/x/t/y/z", "/T/…/t/…/z"},
		{"//t/" + tok, "//t/…"},
		{"/conda/t/tk-123/x", "/conda/t/…/x"},
		{"/t//tools", "/t//tools"},
		{"/setup/" + token.New(token.Setup).Reveal(), "/setup/sluice-set-…"},
		{"/x/" + tok[:40], "/x/sluice-pub-…"},
		{"/x/" + strings.ToUpper(tok), "/x/SLUICE-PUB-…"},
		{"/a\nb\u202e", "/a<U+000A>b<U+202E>"},
	} {
		if got := Redact(tt.in); got != tt.want {
			t.Errorf("Redact(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("/", "/x")
	f.Add("/t/", "")
	secret := token.New(token.API).Reveal()
	f.Fuzz(func(t *testing.T, before, after string) {
		if got := Redact(before + secret + after); strings.Contains(got, secret[len(token.API)+4:]) {
			t.Errorf("Redact gave away %q in %q", secret, got)
		}
	})
}

// get sends a path as it is, which http.Client would clean.
func get(t *testing.T, addr, method, path string) (status int, text, id string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", method, path); err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b), res.Header.Get("X-Request-Id")
}

func TestGuardStandsBeforeTheMux(t *testing.T) {
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "handled "+r.URL.Path) }
	mux.HandleFunc("/", ok)
	mux.HandleFunc("/api/v1/upload/{channel}", ok)
	mux.HandleFunc("/t/{token}", ok)
	mux.HandleFunc("/t/{token}/{rest...}", ok)
	srv, _ := serve(t, mux.ServeHTTP)
	addr := srv.Listener.Addr().String()
	for _, path := range []string{
		"//", "/api/v1//upload/forge", "/api/v1/upload/../forge", "/api/v1/upload/./forge", "/api/v1/upload/forge/..",
		"/api/v1/upload/%2e%2e/forge", "/api/v1/upload/%2E/forge", "/a%2F%2Fb", "/a%2f..%2fb", "/a/%2e%2e%2fb",
		"/a%00b", "/a%0ab", "/a%7f", `/a\b`, "/a%5cb", "/a//", "/..", "/%2e%2e/etc/passwd", "//evil.example.com/x",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT"} {
			status, text, _ := get(t, addr, method, path)
			if status != http.StatusNotFound || method != "HEAD" && !strings.Contains(text, "nothing at this path") {
				t.Errorf("%s %s = %d %q, want our 404", method, path, status, text)
			}
		}
	}
	for path, want := range map[string]string{
		"/": "/", "/tools/": "/tools/", "/t/abc": "/t/abc", "/api/v1/upload/forge": "/api/v1/upload/forge",
		"/tools/noarch/a-1!2.0%2B1-h_0.conda": "/tools/noarch/a-1!2.0+1-h_0.conda", "/a..b/...": "/a..b/...",
		"/label/a%2Fb": "/label/a/b",
	} {
		if status, text, _ := get(t, addr, http.MethodPost, path); status != http.StatusOK || text != "handled "+want {
			t.Errorf("POST %s = %d %q", path, status, text)
		}
	}
}

func TestPanicBeforeTheAnswer(t *testing.T) {
	srv, log := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		panic("found " + token.New(token.API).Reveal())
	})
	status, text, id := get(t, srv.Listener.Addr().String(), http.MethodGet, "/x")
	if status != http.StatusInternalServerError || !strings.Contains(text, "panic in a handler, of type string") || strings.Contains(text, "found") {
		t.Errorf("answer %d %q", status, text)
	}
	srv.Close()
	if s := log.String(); !strings.Contains(s, "gate_test.go") || !strings.Contains(s, `"panic":"found sluice-api-…"`) ||
		!strings.Contains(s, id) || lastLine(t, log)["status"] != 500.0 {
		t.Errorf("log: %s", s)
	}
}

func TestPanicInTheAnswerCutsIt(t *testing.T) {
	for _, value := range []any{"oops", http.ErrAbortHandler} {
		srv, log := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
			panic(value)
		})
		srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
		res, err := srv.Client().Get(srv.URL)
		if err == nil {
			_, err = io.ReadAll(res.Body)
			_ = res.Body.Close()
		}
		if err == nil {
			t.Errorf("panic(%v): half an answer passed for a whole one", value)
		}
		srv.Close()
		if line := lastLine(t, log); line["aborted"] != true {
			t.Errorf("panic(%v): log %v", value, line)
		}
	}
}

func TestPagesHeaders(t *testing.T) {
	rec := httptest.NewRecorder()
	Pages(http.NotFoundHandler()).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	csp := rec.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "style-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("CSP %q lacks %q", csp, want)
		}
	}
	if rec.Header().Get("Referrer-Policy") != "same-origin" || rec.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", rec.Header())
	}
}

// countingConn counts what is sent as a file and what is sent as bytes.
type countingConn struct {
	*net.TCPConn
	files, fileBytes *int64
}

func (c countingConn) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.TCPConn.ReadFrom(r)
	if lr, ok := r.(*io.LimitedReader); ok {
		if _, ok := lr.R.(*os.File); ok {
			*c.files++
			*c.fileBytes += n
		}
	}
	return n, err
}

type countingListener struct {
	net.Listener
	files, bytes int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countingConn{c.(*net.TCPConn), &l.files, &l.bytes}, nil
}

// A file must reach the connection as a file, or the kernel cannot send it by itself.
func TestSendfileSurvives(t *testing.T) {
	const size = 3<<20 + 7
	name := filepath.Join(t.TempDir(), "x.conda")
	content := bytes.Repeat([]byte("0123456"), size/7+1)[:size]
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		how     string
		handler http.HandlerFunc
	}{
		{"ServeContent", func(w http.ResponseWriter, r *http.Request) {
			f, _ := os.Open(name)
			defer f.Close()
			http.ServeContent(w, r, "x.conda", time.Time{}, f)
		}},
		{"Copy", func(w http.ResponseWriter, _ *http.Request) {
			f, _ := os.Open(name)
			defer f.Close()
			w.Header().Set("Content-Length", fmt.Sprint(size))
			// os.File.WriteTo would hide the file from the connection.
			n, err := w.(io.ReaderFrom).ReadFrom(f)
			if n != size || err != nil {
				t.Errorf("ReadFrom = %d, %v", n, err)
			}
		}},
	} {
		t.Run(tt.how, func(t *testing.T) {
			log := &lockedBuffer{}
			srv := httptest.NewUnstartedServer(gateOf(log).Wrap(tt.handler))
			l := &countingListener{Listener: srv.Listener}
			srv.Listener = l
			srv.Start()
			res, err := srv.Client().Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("read %d bytes, %v", len(got), err)
			}
			srv.Close()
			if l.bytes < size-512 || l.files < 10 {
				t.Errorf("%d of %d bytes went as a file, in %d calls", l.bytes, size, l.files)
			}
			if line := lastLine(t, log); line["bytes"] != float64(size) {
				t.Errorf("logged %v bytes", line["bytes"])
			}
		})
	}
}

func TestReadFromWithoutConnection(t *testing.T) {
	rec := httptest.NewRecorder()
	w := newWriter(rec, time.Minute)
	n, err := io.Copy(w, io.LimitReader(strings.NewReader("hello"), 4))
	if n != 4 || err != nil || rec.Body.String() != "hell" || w.bytes != 4 || w.status != 200 {
		t.Errorf("copied %d, %v: %q", n, err, rec.Body)
	}
	if err := http.NewResponseController(w).Flush(); err != nil || !rec.Flushed {
		t.Errorf("flush: %v", err)
	}
}

func TestOutsideTheGate(t *testing.T) {
	if RequestID(t.Context()) != "-" || RemoteAddr(t.Context()) != "" {
		t.Error("a context without a gate has an id")
	}
	Note(t.Context(), slog.String("lost", "")) // must not fail
}

func TestHost(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.1:80": "127.0.0.1", "[::1]:80": "::1", "[::ffff:1.2.3.4]:80": "1.2.3.4", "@": "@",
	} {
		if got := host(in); got != want {
			t.Errorf("host(%q) = %q, want %q", in, got, want)
		}
	}
}
