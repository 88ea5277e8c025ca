package postgres

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// A cluster is a folder on its way to become a server.
type cluster struct {
	bin  string              // folder of PostgreSQL's programs
	dir  string              // everything of this cluster lies below it
	cred *syscall.Credential // who runs it; nil: who runs the test
	life io.Closer           // the watchdog's input; a file that nobody holds is closed by the collector
}

// start makes a cluster and runs it. The watchdog stands before there is anything to leave behind.
func start() (*server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	c := &cluster{bin: bin}
	if c.dir, err = os.MkdirTemp("", "sluice-postgres-"); err != nil {
		return nil, err
	}
	if c.cred, err = unprivileged(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	if err := errors.Join(c.give(c.dir), c.guard()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	password := rand.Text()
	if err := c.initdb(password); err != nil {
		return nil, err
	}
	port, err := c.listen()
	if err != nil {
		return nil, err
	}
	return &server{port: port, password: password, life: c.life}, nil
}

// unprivileged is the user who runs PostgreSQL where the test runs as root, whom it refuses.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres") // made by Debian's package
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and there is no other user to run it: %w", err)
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func (c *cluster) give(path string) error {
	if c.cred == nil {
		return nil
	}
	return os.Chown(path, int(c.cred.Uid), int(c.cred.Gid))
}

func (c *cluster) path(name string) string { return filepath.Join(c.dir, name) }

// command is a program of PostgreSQL's, run as the cluster's owner.
func (c *cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.cred, Setsid: true}
	return cmd
}

// watchdog waits for the end of its input, which is the end of the test binary, then stops the server
// and removes its folder. "immediate" leaves no time to write what nobody will read.
const watchdog = `cat >/dev/null; "$1" -D "$2/data" -m immediate -t 30 stop; cd /; rm -rf "$2"`

// guard starts the watchdog, in a session of its own, so that an interrupt from the keyboard passes it
// by, and with no output, for "go test" waits until nobody holds its output any more.
func (c *cluster) guard() error {
	cmd := c.command("", "-c", watchdog, "watchdog", filepath.Join(c.bin, "pg_ctl"), c.dir)
	cmd.Path = "/bin/sh"
	var err error
	if c.life, err = cmd.StdinPipe(); err != nil { // never closed: the kernel does it
		return err
	}
	return cmd.Start()
}

// initdb leaves it to the running server to bring its files to the disk: a folder that is not whole yet
// holds nothing that a test could miss.
func (c *cluster) initdb(password string) error {
	secret := c.path("password")
	if err := os.WriteFile(secret, []byte(password), 0o600); err != nil {
		return err
	}
	if err := c.give(secret); err != nil {
		return err
	}
	return run(c.command("initdb", "-D", c.path("data"), "-U", superuser, "--pwfile", secret,
		"--no-sync", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"))
}

// listen runs the server on a free port and waits until it answers. Between looking for a port and
// taking it somebody else may be quicker, hence the attempts.
func (c *cluster) listen() (port int, err error) {
	for range 5 {
		if port, err = freePort(); err != nil {
			return 0, err
		}
		options := fmt.Sprintf("-p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories='' "+
			"-c max_connections=300 -c timezone=UTC", port)
		log := c.path("log")
		if err = run(c.command("pg_ctl", "-D", c.path("data"), "-l", log, "-w", "-t", "60", "-o", options, "start")); err == nil {
			return port, nil
		}
		said, _ := os.ReadFile(log)
		err = fmt.Errorf("%w\n%s", err, said)
	}
	return 0, err
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// run runs a command to its end; what it printed is part of the error. Its output goes to a file, not a
// pipe, for the server that it leaves behind would hold a pipe open.
func run(cmd *exec.Cmd) error {
	out, err := os.CreateTemp("", "sluice-postgres-output-")
	if err != nil {
		return err
	}
	defer out.Close()
	defer os.Remove(out.Name()) //nolint:errcheck // a temporary file less is no failure
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, said)
	}
	return nil
}
