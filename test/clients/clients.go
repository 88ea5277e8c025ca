// Package clients runs real conda clients in tests, each as a user would have them: with a home, caches
// and credentials of its own, outside of any CI job unless the test says otherwise.
//
// Most are reached through the small programs beside this file, which drive one client each and print
// what came of it as JSON; README.md lists them. The package knows how to call clients, and nothing of
// the server that they talk to. "make setup" installs them.
package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A User is somebody's account on some machine: what the clients remember and may use.
// It may run any number of clients, also at once.
type User struct {
	// Home holds everything that this user's clients keep.
	Home string
	env  map[string]string
	dir  string // working folder; "" is the test's
	root string // of the repository
}

// NewUser makes a user who has never run a client. What is kept is removed with t.
func NewUser(t testing.TB) *User {
	t.Helper()
	root, err := repository()
	if err != nil {
		t.Fatalf("clients: %v", err)
	}
	home := t.TempDir()
	u := &User{Home: home, root: root, env: map[string]string{
		"PATH":              os.Getenv("PATH"),
		"LANG":              "C.UTF-8",
		"HOME":              home,
		"XDG_CACHE_HOME":    filepath.Join(home, "cache"),
		"XDG_CONFIG_HOME":   filepath.Join(home, "config"),
		"RATTLER_CACHE_DIR": filepath.Join(home, "rattler"),
		"RATTLER_AUTH_FILE": filepath.Join(home, "auth.json"),
		"NETRC":             filepath.Join(home, "netrc"),
		"NO_PROXY":          "127.0.0.1,localhost",
		// The drivers are read from a clone that tests leave as it was.
		"PYTHONDONTWRITEBYTECODE": "1",
	}}
	u.write(t, "auth.json", map[string]any{})
	return u
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

func (u *User) write(t testing.TB, name string, v any) {
	t.Helper()
	content, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(u.Home, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// SignIn lets the rattler clients send token as a bearer token to host (a name or address without a
// port, as they look it up), instead of whatever they had for any host.
func (u *User) SignIn(t testing.TB, host, token string) {
	t.Helper()
	u.write(t, "auth.json", map[string]any{host: map[string]string{"BearerToken": token}})
}

// With is the same user with more in the environment, as after "export NAME=VALUE".
func (u *User) With(env map[string]string) *User {
	v := *u
	v.env = maps.Clone(u.env)
	maps.Copy(v.env, env)
	return &v
}

// InGitHubJob is the same user inside of a GitHub Actions job that may ask for identity tokens at
// requestURL with requestToken.
func (u *User) InGitHubJob(requestURL, requestToken string) *User {
	return u.With(map[string]string{
		"GITHUB_ACTIONS":                 "true",
		"ACTIONS_ID_TOKEN_REQUEST_URL":   requestURL,
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN": requestToken,
	})
}

// An Answer is what a driver printed.
type Answer struct {
	OK    bool   `json:"ok"`    // the client did what it was asked
	Error string `json:"error"` // otherwise: its own text, whole
	Kind  string `json:"kind"`  // and the name of its error's type
	Log   string `json:"-"`     // what client and driver wrote to standard error
	JSON  []byte `json:"-"`     // the whole answer
}

// Into decodes the answer of a client that must have succeeded.
func (a Answer) Into(t testing.TB, v any) {
	t.Helper()
	if !a.OK {
		t.Fatalf("the client failed: %s\n%s", a.Error, a.Log)
	}
	if err := json.Unmarshal(a.JSON, v); err != nil {
		t.Fatalf("answer of a driver: %v\n%s", err, a.JSON)
	}
}

// Drive runs a driver of this folder, build.py for example, and returns its answer, also where the
// client failed. It fails t where the driver itself could not do its work.
func (u *User) Drive(t testing.TB, driver string, args ...string) Answer {
	t.Helper()
	return u.DriveWith(t, nil, driver, args...)
}

// DriveWith is Drive with input, as JSON, on the driver's standard input.
func (u *User) DriveWith(t testing.TB, input any, driver string, args ...string) Answer {
	t.Helper()
	program := filepath.Join(u.root, ".venv/bin/python")
	if filepath.Ext(driver) == ".cjs" {
		program = "node"
	}
	ran := u.run(t, input, program, append([]string{filepath.Join(u.root, "test/clients", driver)}, args...))
	answer := Answer{Log: ran.Stderr, JSON: []byte(ran.Stdout)}
	if err := json.Unmarshal(answer.JSON, &answer); err != nil || ran.Status > 1 {
		t.Fatalf("%s: status %d, %v\n%s\n%s", driver, ran.Status, err, ran.Stdout, ran.Stderr)
	}
	return answer
}

// Ran is how a command ended.
type Ran struct {
	Status         int
	Stdout, Stderr string
}

// Rattler runs the rattler command itself: upload, create, search and so on. It shows what the
// drivers cannot, the client's warnings.
func (u *User) Rattler(t testing.TB, args ...string) Ran {
	t.Helper()
	return u.run(t, nil, filepath.Join(u.root, ".cache/bin/rattler"), args)
}

func (u *User) run(t testing.TB, input any, program string, args []string) Ran {
	t.Helper()
	stdin, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Env = u.dir, u.environ()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	err = cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended || t.Context().Err() != nil {
		t.Fatalf("run %s: %v; is everything installed? (make setup)", program, errors.Join(err, context.Cause(t.Context())))
	}
	return Ran{Status: cmd.ProcessState.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String()}
}

func (u *User) environ() []string {
	var env []string
	for _, name := range slices.Sorted(maps.Keys(u.env)) {
		env = append(env, name+"="+u.env[name])
	}
	return env
}

// String is the command's output as a person would have seen it, for messages of tests.
func (r Ran) String() string {
	return fmt.Sprintf("status %d\n%s%s", r.Status, r.Stdout, strings.TrimRight(r.Stderr, "\n"))
}
