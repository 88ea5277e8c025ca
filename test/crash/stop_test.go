package crash

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/internal/conda/build"
	"sluice/test/process"
)

// held is an upload whose second half waits for a word.
type held struct {
	process.Upload
	body    []byte
	release *io.PipeWriter
	answer  chan answer
}

type answer struct {
	status int
	said   string
	err    error
}

// hold begins an upload, sends half of it, and returns when the server has that half.
func hold(t *testing.T, p *process.Server) *held {
	t.Helper()
	p.Admin(t, "user", "add", "ann", "--no-password")
	token := p.Admin(t, "token", "create", "--user", "ann", "--scope", "upload,manage")
	p.API(t, token, http.MethodPost, "/api/v1/channels", map[string]any{"name": "forge"})
	pkg := build.Package{Name: "tide", Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic", Noise: 1 << 20}
	b, err := pkg.Conda()
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	h := &held{body: b, release: w, answer: make(chan answer, 1)}
	h.Upload = process.Upload{Channel: "forge", Bearer: token, Filename: "tide-1.0-0.conda", Body: r, Size: int64(len(b)), SHA256: sha256.Sum256(b)}
	t.Cleanup(func() { _ = w.CloseWithError(context.Canceled) })
	go func() {
		var a answer
		a.status, a.said, a.err = p.Send(context.WithoutCancel(t.Context()), h.Upload)
		h.answer <- a
	}()
	if _, err := w.Write(b[:len(b)/2]); err != nil {
		t.Fatal(err)
	}
	until(t, "the body is being staged", func() bool { return len(files(t, filepath.Join(p.Data, "staging"))) == 1 })
	return h
}

// finish sends the second half.
func (h *held) finish(t *testing.T) {
	t.Helper()
	if _, err := io.Copy(h.release, bytes.NewReader(h.body[len(h.body)/2:])); err != nil {
		t.Fatal(err)
	}
	_ = h.release.Close() // always nil
}

// until waits for what another process does.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 seconds: %s", what)
		}
	}
}

func ended(t *testing.T, p *process.Server) int {
	t.Helper()
	select {
	case <-p.Ended():
		return p.Code()
	case <-time.After(30 * time.Second):
		t.Fatalf("the server does not end:\n%s", p.Log())
		return 0
	}
}

func closed(t *testing.T, p *process.Server) bool {
	t.Helper()
	u, err := url.Parse(p.URL())
	if err != nil {
		t.Fatal(err)
	}
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", u.Host)
	if err == nil {
		_ = c.Close()
	}
	return err != nil
}

func TestUploadsEndBeforeTheServer(t *testing.T) {
	t.Parallel()
	p := process.Start(t, process.Options{Data: t.TempDir()})
	h := hold(t, p)
	p.Signal(t, syscall.SIGTERM)
	until(t, "no new connections", func() bool { return closed(t, p) })
	h.finish(t)
	if a := <-h.answer; a.err != nil || a.status != http.StatusOK {
		t.Errorf("the upload in flight: %+v", a)
	}
	if code := ended(t, p); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.Log())
	}
	if left := files(t, filepath.Join(p.Data, "staging")); len(left) > 0 {
		t.Errorf("staging holds %q", left)
	}
	again := process.Start(t, p.Options)
	res, err := http.DefaultTransport.RoundTrip(get(t, again.URL()+"/forge/noarch/"+h.Filename))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if b, err := io.ReadAll(res.Body); err != nil || !bytes.Equal(b, h.body) {
		t.Errorf("after the restart: %s, %d bytes, %v", res.Status, len(b), err)
	}
}

func get(t *testing.T, address string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestUploadsBeyondTheGraceAreCut(t *testing.T) {
	t.Parallel()
	p := process.Start(t, process.Options{Data: t.TempDir(), Args: []string{"--shutdown-grace", "1s"}})
	h := hold(t, p)
	p.Signal(t, syscall.SIGTERM)
	if code := ended(t, p); code != 0 || !strings.Contains(p.Log(), "requests were cut") {
		t.Errorf("exit code %d:\n%s", code, p.Log())
	}
	_ = h.release.CloseWithError(io.ErrUnexpectedEOF) // always nil
	if a := <-h.answer; a.status == http.StatusOK {
		t.Errorf("the upload: %+v", a)
	}
	for _, folder := range []string{"staging", "blobs"} {
		if left := files(t, filepath.Join(p.Data, folder)); len(left) > 0 {
			t.Errorf("%s holds %q:\n%s", folder, left, p.Log())
		}
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	p := process.Start(t, process.Options{Data: t.TempDir(), Args: []string{"--shutdown-grace", "1h"}})
	hold(t, p)
	p.Signal(t, syscall.SIGINT)
	until(t, "the server says how to end it", func() bool { return strings.Contains(p.Log(), "a second signal ends at once") })
	until(t, "the second signal works", func() bool {
		p.Signal(t, syscall.SIGINT)
		select {
		case <-p.Ended():
			return true
		default:
			return false
		}
	})
	again := process.Start(t, p.Options)
	if left := files(t, filepath.Join(again.Data, "staging")); len(left) > 0 {
		t.Errorf("staging holds %q", left)
	}
}
