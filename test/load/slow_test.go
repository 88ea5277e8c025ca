package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/conda"
	"sluice/test/process"
)

// stall is the shortest that a server takes: what goes on for longer shows that no deadline is one in total.
var stall = []string{"--stall-timeout", "1s"}

// line is 1 Mbit/s.
const line = 125_000

// throttled hands out bytes at that pace.
type throttled struct{ r io.Reader }

func (t throttled) Read(p []byte) (int, error) {
	const tick = 50 * time.Millisecond
	time.Sleep(tick)
	return t.r.Read(p[:min(len(p), line/int(time.Second/tick))])
}

func TestUploadOverASlowLine(t *testing.T) {
	t.Parallel()
	s := start(t, stall...)
	p := write(t, "tide", conda.ExtConda, 4*line)
	for _, raw := range []bool{false, true} {
		begin := time.Now()
		status, said, err := s.Send(t.Context(), process.Upload{
			Channel: "forge", Bearer: s.token, Filename: p.name, Body: throttled{open(t, p)}, Size: p.size, SHA256: p.sum, Raw: raw,
		})
		if took := time.Since(begin); err != nil || status != http.StatusOK || took < 3*time.Second {
			t.Errorf("raw %v: %d %s %v after %v", raw, status, said, err, took)
		}
	}
}

func open(t *testing.T, p pkg) *os.File {
	t.Helper()
	f, err := os.Open(p.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// half is a connection that has sent half of an upload.
func (s server) half(t *testing.T, p pkg) net.Conn {
	t.Helper()
	c := s.dial(t)
	_, err := fmt.Fprintf(c, "POST /api/v1/upload/forge HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nX-File-Name: %s\r\nContent-Length: %d\r\n\r\n", s.token, p.name, p.size)
	if _, err2 := io.CopyN(c, open(t, p), p.size/2); errors.Join(err, err2) != nil {
		t.Fatal(err, err2)
	}
	return c
}

func (s server) dial(t *testing.T) *net.TCPConn {
	t.Helper()
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.TCPConn)
}

// empty waits until nothing is staged, and looks that nothing was kept.
func (s server) empty(t *testing.T) {
	t.Helper()
	var staged []string
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if staged, _ = filepath.Glob(filepath.Join(s.Data, "staging", "*")); len(staged) == 0 {
			break
		}
	}
	blobs, _ := filepath.Glob(filepath.Join(s.Data, "blobs", "*", "*"))
	if len(staged)+len(blobs) > 0 {
		t.Errorf("left behind: %q %q\n%s", staged, blobs, s.Log())
	}
}

func TestStalledUploadIsCut(t *testing.T) {
	t.Parallel()
	s := start(t, stall...)
	c := s.half(t, write(t, "tide", conda.ExtConda, 1<<20))
	begin := time.Now()
	answer, err := io.ReadAll(c)
	if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 400 ")) || !bytes.Contains(answer, []byte("The body stopped coming after")) {
		t.Errorf("answer %q, %v", answer, err)
	}
	if took := time.Since(begin); took < 500*time.Millisecond || took > 15*time.Second {
		t.Errorf("cut after %v", took)
	}
	s.empty(t)
	s.logged(t, "code=too_slow")
}

func TestUploaderWhoHangsUpLeavesNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	if err := s.half(t, write(t, "tide", conda.ExtConda, 1<<20)).Close(); err != nil {
		t.Fatal(err)
	}
	s.logged(t, "code=bad_request")
	s.empty(t)
}

// logged waits for a word in the log.
func (s server) logged(t *testing.T, word string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !strings.Contains(s.Log(), word); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the log lacks %q:\n%s", word, s.Log())
		}
	}
}

// ask sends a request for a package.
func (s server) ask(t *testing.T, p pkg) net.Conn {
	t.Helper()
	c := s.dial(t)
	if _, err := fmt.Fprintf(c, "GET /forge/noarch/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", p.name); err != nil {
		t.Fatal(err)
	}
	return c
}

// The kernels between us hold some megabytes, so a reader is only slow to the server who takes more than these.
func TestSlowReaderGetsAll(t *testing.T) {
	t.Parallel()
	s := start(t, stall...)
	p := write(t, "tide", conda.ExtConda, 24<<20)
	s.send(t, p, false)
	c, begin := s.ask(t, p), time.Now()
	var n int64
	for buf := make([]byte, 256<<10); ; time.Sleep(40 * time.Millisecond) {
		m, err := io.ReadFull(c, buf)
		if n += int64(m); err != nil {
			break
		}
	}
	if took := time.Since(begin); n < p.size || took < 2*time.Second {
		t.Errorf("%d of %d bytes in %v", n, p.size, took)
	}
}

func TestReaderWhoStopsIsCut(t *testing.T) {
	t.Parallel()
	s := start(t, stall...)
	p := write(t, "tide", conda.ExtConda, 32<<20) // more than the buffers between us
	s.send(t, p, false)
	c := s.ask(t, p)
	s.logged(t, "path=/forge/noarch/"+p.name)
	if n, err := io.Copy(io.Discard, c); n >= p.size {
		t.Errorf("%d of %d bytes, %v", n, p.size, err)
	}
	s.logged(t, "aborted=true")
}
