package test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/internal/servertest"
	"sluice/internal/servertest/postgres"
	"sluice/internal/standin"
	"sluice/test/clients"
)

// TestProgram runs sluice as an operator does, as a program of its own: from nothing to the first package that
// CI published, and through a stop in the middle of an upload.
func TestProgram(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "sluice")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "sluice/cmd/sluice").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			ci, err := standin.Listen("127.0.0.1:0", time.Now)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = ci.Close() })
			o := &operator{program: program, data: t.TempDir(), ci: ci}
			if name == "postgres" {
				o.env = []string{"SLUICE_DB=" + postgres.Database(t)}
			}
			o.firstDay(t)
			o.stopDuringUpload(t)
		})
	}
}

// operator is somebody with a machine, a folder for data, and perhaps a database.
type operator struct {
	program, data string
	env           []string
	ci            *standin.Service
	key           string // of the account ann
}

// command prepares a command of the program.
func (o *operator) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), o.program, append(args, "--data", o.data, "--issuer", "github="+o.ci.URL())...)
	cmd.Env = append([]string{"HOME=" + o.data, "PATH=" + os.Getenv("PATH"), "SLUICE_SIGSTORE_TUF=off"}, o.env...)
	return cmd
}

// run runs a command to its end and returns what it printed.
func (o *operator) run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := o.command(t, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("sluice %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// serving is a running program.
type serving struct {
	url   string
	setup string // address of the page that makes the first account; "" when there is one
	cmd   *exec.Cmd
	log   *servertest.Log
}

// serve starts the server and waits until it says where it is.
func (o *operator) serve(t *testing.T) *serving {
	t.Helper()
	s := &serving{cmd: o.command(t, "serve", "--listen", "127.0.0.1:0"), log: &servertest.Log{}}
	s.cmd.Stderr = s.log
	out, err := s.cmd.StdoutPipe()
	if err := errors.Join(err, s.cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() }) // it has ended unless the test failed
	lines := bufio.NewScanner(out)
	for lines.Scan() && (s.url == "" || s.setup == "") {
		if url, ok := strings.CutPrefix(lines.Text(), "Sluice serves "); ok {
			if s.url = url; o.key != "" {
				break // there is an account, and nothing more to be said
			}
		}
		if link := strings.TrimSpace(lines.Text()); strings.HasPrefix(link, "http") {
			s.setup = link
		}
	}
	if s.url == "" {
		t.Fatalf("the server did not say where it is: %v\n%s", lines.Err(), s.log)
	}
	return s
}

// stopped waits for the end of the program and returns its status.
func (s *serving) stopped(t *testing.T) int {
	t.Helper()
	if err := s.cmd.Wait(); err != nil {
		t.Logf("%v\n%s", err, s.log)
	}
	return s.cmd.ProcessState.ExitCode()
}

// api sends JSON with ann's token.
func (o *operator) api(t *testing.T, s *serving, path string, v any) {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+o.key)
	req.Header.Set("Content-Type", "application/json")
	if status, _, answer := servertest.Do(t, req); status/100 != 2 {
		t.Fatalf("POST %s: %d %s", path, status, answer)
	}
}

// firstDay begins with nothing: an account and a token from the command line while the server runs, a channel
// and a publisher by the API, a package from CI, and somebody who installs it.
func (o *operator) firstDay(t *testing.T) {
	s := o.serve(t)
	if s.setup == "" {
		t.Errorf("no link to make the first account with:\n%s", s.log)
	}
	o.run(t, "admin", "user", "add", "ann", "--admin", "--no-password")
	o.key = o.run(t, "admin", "token", "create", "--user", "ann", "--scope", "read,upload,manage")
	o.api(t, s, "/channels", map[string]string{"name": "forge", "visibility": "public", "description": "A little forge."})
	o.api(t, s, "/channels/forge/trusted-publishers", map[string]string{
		"provider": "github", "repository_owner": "acme", "repository": "forge", "workflow": "build.yml",
	})

	p := pack(t, build.Package{
		Name: "tide", Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic",
		Files: map[string][]byte{"bin/tide": []byte("#!/bin/sh\necho high\n")},
	}, conda.ExtConda)
	file := filepath.Join(folderOf(t, []parcel{p}), "noarch", p.file)
	if ran := inJob(t, o.ci, standin.Run{}).Rattler(t, "upload", "prefix", "--url", s.url, "--channel", "forge", file); ran.Status != 0 {
		t.Fatal(ran)
	}
	o.installs(t, s, "tide")
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if status := s.stopped(t); status != 0 {
		t.Errorf("ended with status %d", status)
	}
}

// installs installs a command into a fresh prefix and runs it.
func (o *operator) installs(t *testing.T, s *serving, name string) {
	t.Helper()
	var got struct{ Stdout string }
	clients.NewUser(t).Drive(t, "read.py", "install", "--channel", s.url+"/forge", "--spec", name,
		"--prefix", t.TempDir(), "--run", name).Into(t, &got)
	if got.Stdout != "high\n" {
		t.Errorf("%s printed %q", name, got.Stdout)
	}
}

// stopDuringUpload tells the server to stop when half of a package has come: it takes the rest, answers, and
// then ends. The next start serves the package.
func (o *operator) stopDuringUpload(t *testing.T) {
	s := o.serve(t)
	p := pack(t, build.Package{
		Name: "late", Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic", Noise: 1 << 20,
		Files: map[string][]byte{"bin/late": []byte("#!/bin/sh\necho high\n")},
	}, conda.ExtConda)
	body, rest := io.Pipe()
	answered := make(chan string, 1)
	go func() { answered <- s.upload(o.key, p.file, body) }()
	if _, err := rest.Write(p.body[:len(p.body)/2]); err != nil {
		t.Fatal(err)
	}
	await(t, "the server begins to store what is sent to it", func() bool { return storing(o.data) })
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, "the server says that it stops", func() bool { return strings.Contains(s.log.String(), "stopping") })
	_, err := rest.Write(p.body[len(p.body)/2:])
	if err := errors.Join(err, rest.Close()); err != nil {
		t.Error(err)
	}
	if answer := <-answered; answer != "200 late-1.0-0.conda is published in channel forge." {
		t.Errorf("answer = %s", answer)
	}
	if status := s.stopped(t); status != 0 {
		t.Errorf("ended with status %d", status)
	}
	again := o.serve(t)
	o.installs(t, again, "late")
	if err := again.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	again.stopped(t)
}

// upload sends a body that is still being written, and returns status and answer, or what went wrong.
func (s *serving) upload(key, file string, body io.Reader) string {
	req, err := http.NewRequest(http.MethodPost, s.url+"/api/v1/upload/forge", body)
	if err != nil {
		return err.Error()
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("X-File-Name", file)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	answer, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", res.StatusCode, answer)
}
