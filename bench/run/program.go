package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sluice/bench/peer"
)

// home is where a server keeps everything, and how to get in.
type home struct {
	// data is the data folder, db the address of a PostgreSQL database; empty: SQLite in the folder.
	data, db string
	// root is the file of a trusted root whose attestations count; empty: those of the public instance of sigstore.
	root string
	// token may upload into the channel.
	token string
}

func (h home) flags() []string {
	f := []string{"--data", h.data}
	if h.db != "" {
		f = append(f, "--db", h.db)
	}
	if h.root != "" {
		f = append(f, "--sigstore-root", h.root)
	}
	return f
}

// settings are the environment of the program: that of whoever measures changes nothing, and nobody outside is asked.
func settings() []string { return []string{"HOME=/nonexistent", "SLUICE_SIGSTORE_TUF=off"} }

// build makes the program as it is released.
func (b *bench) build(ctx context.Context) error {
	b.program = filepath.Join(b.scratch, "sluice")
	_, _, err := peer.Run(ctx, b.root, append(os.Environ(), "CGO_ENABLED=0"), "go", "build", "-trimpath", "-o", b.program, "./cmd/sluice")
	return err
}

// sluice runs one command to its end and returns what it printed and took.
func (b *bench) sluice(ctx context.Context, h home, args ...string) (string, peer.Usage, error) {
	out, u, err := peer.Run(ctx, b.root, settings(), b.program, append(args, h.flags()...)...)
	return strings.TrimSpace(string(out)), u, err
}

// server is a running "sluice serve".
type server struct {
	home

	// url is its address, ready how long it took from the call of the program to being ready.
	url   string
	ready time.Duration

	cmd  *exec.Cmd
	said *os.File
}

// serve starts a server and waits until it says that it serves.
func (b *bench) serve(ctx context.Context, h home) (*server, error) {
	s := &server{home: h}
	var err error
	if s.said, err = os.CreateTemp(b.scratch, "serve-"); err != nil {
		return nil, err
	}
	// Requests are logged at level info; nginx beside it logs none.
	s.cmd = exec.Command(b.program, append([]string{"serve", "--listen", "127.0.0.1:0", "--log-level", "warn"}, h.flags()...)...)
	s.cmd.Env, s.cmd.Stderr = settings(), s.said
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "Sluice serves "); ok {
			s.url, s.ready = url, time.Since(begin)
			go func() { _, _ = io.Copy(io.Discard, out) }() // until the program ends
			return s, nil
		}
	}
	err = s.cmd.Wait()
	said, _ := os.ReadFile(s.said.Name())
	return nil, fmt.Errorf("sluice serve ended: %w\n%s", errors.Join(err, ctx.Err()), said)
}

// stop ends it as an operator does.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := s.cmd.Wait(); err != nil {
		said, _ := os.ReadFile(s.said.Name())
		return fmt.Errorf("sluice serve: %w\n%s", err, said)
	}
	return s.said.Close()
}

// kill ends it at once, unless it has ended. It is for the way out of a row.
func (s *server) kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill() // it may be gone already
		_ = s.cmd.Wait()
	}
}
