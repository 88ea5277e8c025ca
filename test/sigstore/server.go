package sigstore

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a server may take until it answers: far longer than it does.
const patience = 10 * time.Second

// server is one process of an instance.
type server struct {
	name, ready string // ready is an address that answers 200 once it serves
	cmd         *exec.Cmd
	said        log
	ended       chan struct{} // closed when the process is over
}

// run starts a server in an empty environment.
func (i *Instance) run(t testing.TB, name, ready string, args ...string) {
	t.Helper()
	path := filepath.Join(Programs(t), name)
	s := &server{name: name, ready: ready, ended: make(chan struct{})}
	s.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), path, args...)
	s.cmd.Dir, s.cmd.Env = i.dir, []string{"HOME=" + i.dir}
	s.cmd.Stdout, s.cmd.Stderr = &s.said, &s.said
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("sigstore: %v; is it built? (make setup)", err)
	}
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait() // whoever waits for the server says how it ended
	}()
	i.servers = append(i.servers, s)
}

// await waits until the server answers.
func (s *server) await(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if _, err := get(ctx, s.ready); err == nil {
			return
		}
		select {
		case <-s.ended:
			t.Fatalf("sigstore: %s ended: %s\n%s", s.name, s.cmd.ProcessState, &s.said)
		case <-ctx.Done():
			t.Fatalf("sigstore: %s does not answer\n%s", s.name, &s.said)
		case <-again.C:
		}
	}
}

// end ends the server; what it said is shown where the test failed.
func (s *server) end(t testing.TB) {
	if t.Failed() {
		t.Logf("sigstore: %s said\n%s", s.name, &s.said)
	}
	_ = s.cmd.Process.Kill() // it may be over already
	<-s.ended
}

// answerTime bounds one answer of a server on this machine.
const answerTime = 10 * time.Second

// get fetches what must be there.
func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{Timeout: answerTime}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, res.Status)
	}
	return io.ReadAll(res.Body)
}

// log is what a process wrote.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is all of it so far.
func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
