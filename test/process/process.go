// Package process runs the built program as somebody who installed it does: as a process of its own, on
// a free port, with a data folder. Tests can kill it at any moment, ask what memory it took, and read
// what it printed.
//
// It knows the program's command line and its HTTP address, and nothing of its inside.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// built is the program, made once for each test binary.
var built = sync.OnceValues(build)

// build makes the program as it is released. Test binaries of several packages share the place, so one
// of them builds at a time; what is up to date is left as it is.
func build() (string, error) {
	root, err := repository()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(root, ".cache", "test")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(folder, "sluice.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Close() }() // which unlocks it
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	program := filepath.Join(folder, "sluice")
	cmd := exec.Command("go", "build", "-o", program, "./cmd/sluice")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, said)
	}
	return program, nil
}

// repository is the folder of go.mod, above the test that asks.
func repository() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working folder")
		}
		dir = parent
	}
	return "", err
}

// Program is the path of the program, for users who type its name.
func Program(t testing.TB) string {
	t.Helper()
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// command is the program with arguments, in an empty environment: no setting of whoever runs the test counts.
func command(t testing.TB, ctx context.Context, args ...string) *exec.Cmd { //nolint:revive // testing.TB goes first in tests
	t.Helper()
	cmd := exec.CommandContext(ctx, Program(t), args...)
	cmd.Env = []string{"HOME=/nonexistent", "SLUICE_SIGSTORE_TUF=off"} // a test asks nobody outside
	return cmd
}

// Options say how a server is started.
type Options struct {
	// Data is the data folder.
	Data string
	// DB is the address of a PostgreSQL database; empty: SQLite.
	DB string
	// Issuer is the address of the CI token service that the server trusts; empty: GitHub's own.
	Issuer string
	// Args are further flags.
	Args []string
}

func (o Options) flags() []string {
	f := []string{"--data", o.Data}
	if o.DB != "" {
		f = append(f, "--db", o.DB)
	}
	if o.Issuer != "" {
		f = append(f, "--issuer", "github="+o.Issuer)
	}
	return append(f, o.Args...)
}

// Server is a running `sluice serve`. It is killed at the end of its test, if it still runs.
type Server struct {
	Options

	cmd      *exec.Cmd
	out, log output
	ended    chan struct{}
}

// Launch starts a server and does not wait for anything.
func Launch(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{Options: o, ended: make(chan struct{})}
	s.cmd = command(t, context.WithoutCancel(t.Context()), append([]string{"serve", "--listen", "127.0.0.1:0"}, o.flags()...)...)
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait() // Code tells how it ended
	}()
	t.Cleanup(s.Kill)
	return s
}

// Start launches a server and waits until it serves.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := Launch(t, o)
	for end := time.Now().Add(time.Minute); s.URL() == ""; time.Sleep(5 * time.Millisecond) {
		select {
		case <-s.ended:
			t.Fatalf("sluice serve ended with code %d: %s", s.Code(), s.Log())
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("sluice serve does not come up: %s", s.Log())
		}
	}
	return s
}

var greeting = regexp.MustCompile(`(?m)^Sluice serves (http://\S+)$`)

// URL is the address that the server printed; "" before it did.
func (s *Server) URL() string {
	if m := greeting.FindStringSubmatch(s.out.String()); m != nil {
		return m[1]
	}
	return ""
}

// Out is what it printed so far, Log what it logged.
func (s *Server) Out() string { return s.out.String() }

// Log is what it logged so far.
func (s *Server) Log() string { return s.log.String() }

// Kill ends the process as a power cut would, and waits until it is gone.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may be gone already
	<-s.ended
}

// Signal sends a signal, unless the process is gone.
func (s *Server) Signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// Ended is closed when the process is gone.
func (s *Server) Ended() <-chan struct{} { return s.ended }

// Code is the exit code of a process that is gone, -1 when a signal ended it.
func (s *Server) Code() int { return s.cmd.ProcessState.ExitCode() }

// PeakRSS is the most memory that was resident at any moment so far, in bytes (VmHWM of proc(5)).
func (s *Server) PeakRSS(t testing.TB) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	t.Fatalf("no VmHWM in %s", b)
	return 0
}

// Run runs one command to its end, with what is typed on its standard input.
func Run(t testing.TB, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := command(t, t.Context(), args...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	if err := cmd.Run(); err != nil {
		if _, exited := errors.AsType[*exec.ExitError](err); !exited {
			t.Fatal(err)
		}
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// Admin runs `sluice admin …` on the server's data and returns what it printed.
func (s *Server) Admin(t testing.TB, args ...string) string {
	t.Helper()
	out, said, code := Run(t, "", append(append([]string{"admin"}, args...), s.adminFlags()...)...)
	if code != 0 {
		t.Fatalf("sluice admin %s: code %d: %s", strings.Join(args, " "), code, said)
	}
	return strings.TrimSpace(out)
}

func (s *Server) adminFlags() []string {
	o := s.Options
	o.Args, o.Issuer = nil, ""
	return o.flags()
}

// output gathers what a process writes, so that it can be read meanwhile.
type output struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

var _ io.Writer = (*output)(nil)

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
