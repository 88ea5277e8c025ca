package gate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/fault"
)

// pipeListener accepts in-memory connections, which have deadlines, so that a test can run on a clock of
// its own.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { close(l.done); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// inBubble runs a server on a fake clock and gives the client's end of one connection to do.
func inBubble(t *testing.T, g *Gate, h http.HandlerFunc, do func(t *testing.T, c net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		srv := &http.Server{Handler: g.Wrap(h)}
		ended := make(chan error, 1)
		go func() { ended <- srv.Serve(l) }()
		client, server := net.Pipe()
		l.conns <- server
		do(t, client)
		_ = client.Close()
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		<-ended
	})
}

func answer(t *testing.T, c net.Conn) (int, string) {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// readAll is a handler that reads the body and answers with what became of it.
func readAll(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		refuse(w, r, err)
		return
	}
	_, _ = fmt.Fprintf(w, "read %d", n)
}

func TestSlowLinePasses(t *testing.T) {
	g := gateOf(io.Discard)
	g.BodyMax = 2 << 30
	inBubble(t, g, readAll, func(t *testing.T, c net.Conn) {
		const size, perSecond = 1 << 30, 125_000 // 1 GiB over 1 Mbit/s
		start := time.Now()
		_, _ = fmt.Fprintf(c, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size)
		for sent, second := 0, make([]byte, perSecond); sent < size; sent += perSecond {
			time.Sleep(time.Second)
			if _, err := c.Write(second[:min(perSecond, size-sent)]); err != nil {
				t.Fatalf("cut after %v: %v", time.Since(start), err)
			}
		}
		if status, text := answer(t, c); status != 200 || text != fmt.Sprint("read ", size) || time.Since(start) < 2*time.Hour {
			t.Errorf("after %v: %d %q", time.Since(start), status, text)
		}
	})
}

func TestStalledBodyIsCut(t *testing.T) {
	for _, tt := range []struct {
		name string
		drip time.Duration // one byte at each; 0: none
	}{{"silence", 0}, {"a byte every ten seconds", 10 * time.Second}} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, gateOf(io.Discard), readAll, func(t *testing.T, c net.Conn) {
				_, _ = fmt.Fprintf(c, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n%s", strings.Repeat("x", 1000))
				start := time.Now()
				var drip sync.WaitGroup
				if tt.drip > 0 {
					drip.Go(func() {
						for err := error(nil); err == nil; _, err = c.Write([]byte("x")) {
							time.Sleep(tt.drip)
						}
					})
				}
				status, text := answer(t, c)
				if took := time.Since(start); status != 400 || !strings.Contains(text, "too_slow: The body stopped coming after 100") || took != time.Minute {
					t.Errorf("after %v: %d %q", took, status, text)
				}
				if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
					t.Errorf("the connection lives on: %v", err)
				}
				_ = c.Close()
				drip.Wait()
			})
		})
	}
}

// The handler's own time does not count, nor does a deadline outlive the body.
func TestSlowHandlerIsNotTheClientsFault(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		for range 3 {
			if _, err := io.ReadFull(r.Body, make([]byte, 100)); err != nil {
				t.Errorf("read: %v", err)
			}
			time.Sleep(3 * time.Minute)
		}
		readAll(w, r)
		time.Sleep(3 * time.Minute)
		if err := r.Context().Err(); err != nil {
			t.Errorf("the request was cancelled after its body had ended: %v", err)
		}
	}
	inBubble(t, gateOf(io.Discard), h, func(t *testing.T, c net.Conn) {
		for range 2 { // the second on the same connection
			go func() { _, _ = fmt.Fprintf(c, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n%0500d", 0) }()
			if status, text := answer(t, c); status != 200 || text != "read 200" {
				t.Errorf("%d %q", status, text)
			}
			time.Sleep(5 * time.Minute)
		}
	})
}

func TestSlowReader(t *testing.T) {
	const size = 8 << 20
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
	}{
		{"one write", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(size))
			_, _ = w.Write(make([]byte, size))
		}},
		{"copied", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(size))
			_, _ = io.Copy(w, io.LimitReader(zeros{}, size))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := &lockedBuffer{}
			inBubble(t, gateOf(log), tt.handler, func(t *testing.T, c net.Conn) {
				_, _ = io.WriteString(c, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
				b, got := make([]byte, 12_500), 0 // 100 kbit/s
				for got < size {
					time.Sleep(time.Second)
					n, err := io.ReadAtLeast(c, b, 1)
					if err != nil {
						t.Fatalf("cut after %d bytes: %v", got, err)
					}
					got += n
				}
			})
			log = &lockedBuffer{}
			inBubble(t, gateOf(log), tt.handler, func(t *testing.T, c net.Conn) {
				_, _ = io.WriteString(c, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
				if _, err := io.ReadFull(c, make([]byte, 600_000)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(61 * time.Second)
				if n, err := io.Copy(io.Discard, c); err != nil || n > 300_000 {
					t.Errorf("after a minute of silence %d more bytes came, %v", n, err)
				}
			})
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// The clients send everything and listen afterwards: whatever the handler did, they must find the answer.
func TestRefusedBodyIsReadOut(t *testing.T) {
	g := gateOf(io.Discard)
	h := func(w http.ResponseWriter, r *http.Request) {
		_ = r.Body.Close() // some libraries do
		refuse(w, r, fault.New(fault.BadRequest, "no"))
	}
	for _, path := range []string{"/x", "//hostile"} {
		inBubble(t, g, h, func(t *testing.T, c net.Conn) {
			for range 2 { // and the connection stays good
				const size = 5 << 20
				_, _ = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", path, size)
				// The pipe has no buffer: were the body not read, this would never return.
				if n, err := io.Copy(c, io.LimitReader(zeros{}, size)); n != size || err != nil {
					t.Fatalf("sent %d, %v", n, err)
				}
				if status, _ := answer(t, c); status != 400 && status != 404 {
					t.Errorf("status %d", status)
				}
			}
		})
	}
}

func TestWaitingClientNeedNotSend(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) { refuse(w, r, fault.New(fault.BadRequest, "no")) }
	inBubble(t, gateOf(io.Discard), h, func(t *testing.T, c net.Conn) {
		start := time.Now()
		_, _ = io.WriteString(c, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n")
		if status, _ := answer(t, c); status != 400 || time.Since(start) > time.Second {
			t.Errorf("%d after %v", status, time.Since(start))
		}
	})
	inBubble(t, gateOf(io.Discard), readAll, func(t *testing.T, c net.Conn) {
		_, _ = io.WriteString(c, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
		b := make([]byte, 25)
		if _, err := io.ReadFull(c, b); err != nil || string(b) != "HTTP/1.1 100 Continue\r\n\r\n" {
			t.Fatalf("%q, %v", b, err)
		}
		_, _ = io.WriteString(c, "hello")
		if status, text := answer(t, c); status != 200 || text != "read 5" {
			t.Errorf("%d %q", status, text)
		}
	})
}

func TestBodyLimit(t *testing.T) {
	g := gateOf(io.Discard)
	g.BodyMax = 1000
	chunked := func(n int) string {
		return fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%0*d\r\n0\r\n\r\n", n, n, 0)
	}
	for _, tt := range []struct {
		name, rest string
		status     int
		text       string
	}{
		{"announced, fits", fmt.Sprintf("Content-Length: 1000\r\n\r\n%01000d", 0), 200, "read 1000"},
		{"announced, too large", "Content-Length: 1001\r\n\r\n", 413, "larger than the 1000 bytes"},
		{"chunked, fits", chunked(1000), 200, "read 1000"},
		{"chunked, too large", chunked(1001), 413, "larger than the 1000 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, g, readAll, func(t *testing.T, c net.Conn) {
				go func() { _, _ = io.WriteString(c, "POST /x HTTP/1.1\r\nHost: x\r\n"+tt.rest) }()
				if status, text := answer(t, c); status != tt.status || !strings.Contains(text, tt.text) {
					t.Errorf("%d %q, want %d %q", status, text, tt.status, tt.text)
				}
			})
		})
	}
}

func TestBrokenBody(t *testing.T) {
	seen := make(chan error, 1)
	h := func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		_, again := r.Body.Read(make([]byte, 1))
		if !errors.Is(again, err) {
			t.Errorf("a second read gives %v after %v", again, err)
		}
		seen <- err
	}
	srv, _ := serve(t, h)
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhello")
	_ = c.Close()
	select {
	case err := <-seen:
		if !fault.Is(err, fault.BadRequest) || !strings.Contains(err.Error(), "broke off after 5 bytes") || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("error = %v", err)
		}
	case <-t.Context().Done():
		t.Fatal(context.Cause(t.Context()))
	}
}
