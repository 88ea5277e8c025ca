package peer

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"text/template"
	"time"
)

//go:embed nginx.conf
var nginxConf string

// Nginx is a running nginx that serves a folder, configured as whoever wants it fast would do it.
type Nginx struct {
	// URL is its address, http://127.0.0.1:PORT.
	URL string

	cmd   *exec.Cmd
	dir   string
	ended chan error
}

// errMissing says how to get the programs that are not there.
var errMissing = errors.New("is not installed; run bench/debian.sh")

// program finds a program, also where Debian keeps servers.
func program(name string) (string, error) {
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("%s %w", name, errMissing)
}

// StartNginx serves root on a free port. The files at the paths in short are cached by clients for as long as a
// channel's index files, all others for ever, as a conda server says it.
func StartNginx(ctx context.Context, root string, short []string) (*Nginx, error) {
	path, err := program("nginx")
	if err != nil {
		return nil, err
	}
	for range 5 { // somebody else may take the free port first
		var n *Nginx
		if n, err = launch(ctx, path, root, short); err == nil {
			return n, nil
		}
	}
	return nil, err
}

func launch(ctx context.Context, program, root string, short []string) (*Nginx, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	n := &Nginx{URL: fmt.Sprintf("http://127.0.0.1:%d", port), ended: make(chan error, 1)}
	if n.dir, err = os.MkdirTemp("", "sluice-bench-nginx-"); err != nil {
		return nil, err
	}
	var conf bytes.Buffer
	err = template.Must(template.New("").Parse(nginxConf)).Execute(&conf, map[string]any{
		"Dir": n.dir, "Root": root, "Port": port, "Short": short, "AsRoot": os.Geteuid() == 0,
	})
	file := filepath.Join(n.dir, "nginx.conf")
	if err = errors.Join(err, os.WriteFile(file, conf.Bytes(), 0o600)); err != nil {
		return nil, err
	}
	n.cmd = exec.Command(program, "-p", n.dir, "-c", file, "-e", filepath.Join(n.dir, "error.log"))
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { n.ended <- n.cmd.Wait() }()
	return n, n.wait(ctx, fmt.Sprintf("127.0.0.1:%d", port))
}

// wait returns when nginx takes connections, or ended.
func (n *Nginx) wait(ctx context.Context, address string) error {
	for ctx.Err() == nil {
		select {
		case err := <-n.ended:
			said, _ := os.ReadFile(filepath.Join(n.dir, "error.log"))
			return fmt.Errorf("nginx ended: %w\n%s", err, said)
		default:
		}
		if c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address); err == nil {
			return c.Close()
		}
		time.Sleep(5 * time.Millisecond)
	}
	return ctx.Err()
}

// Stop ends it.
func (n *Nginx) Stop() {
	_ = n.cmd.Process.Signal(syscall.SIGTERM) // it may be gone already
	<-n.ended                                 //nolint:errcheck // it was told to end
	_ = os.RemoveAll(n.dir)                   // a temporary folder less is no failure
}

// NginxVersion is what nginx says of itself.
func NginxVersion(ctx context.Context) (string, error) {
	path, err := program("nginx")
	if err != nil {
		return "", err
	}
	said, err := exec.CommandContext(ctx, path, "-v").CombinedOutput()
	_, version, _ := bytes.Cut(bytes.TrimSpace(said), []byte("nginx/"))
	return string(version), err
}

func freePort() (int, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
