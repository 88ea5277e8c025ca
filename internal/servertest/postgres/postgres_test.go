package postgres

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
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

func connect(t *testing.T, address string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func one[T any](t *testing.T, conn *pgx.Conn, query string) T {
	t.Helper()
	var v T
	if err := conn.QueryRow(t.Context(), query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func TestEachDatabaseIsItsOwn(t *testing.T) {
	t.Parallel()
	a, b := connect(t, Database(t)), connect(t, Database(t))
	if _, err := a.Exec(t.Context(), `CREATE TABLE only_in_a (x int)`); err != nil {
		t.Fatal(err)
	}
	const tables = `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`
	if got := one[int](t, a, tables); got != 1 {
		t.Errorf("tables in a = %d, want 1", got)
	}
	if got := one[int](t, b, tables); got != 0 {
		t.Errorf("tables in b = %d, want 0", got)
	}
}

func TestServerIsAsAnOperatorsIs(t *testing.T) {
	t.Parallel()
	conn := connect(t, Database(t))
	got := map[string]string{}
	for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes", "server_encoding", "TimeZone"} {
		got[name] = one[string](t, conn, "SHOW "+name)
	}
	want := map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "server_encoding": "UTF8", "TimeZone": "UTC",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !one[bool](t, conn, `SELECT 'a'::text < 'B'::text`) {
		t.Error("text sorts by bytes: queries that depend on it would pass here and fail elsewhere")
	}
}

func TestPasswordIsNeeded(t *testing.T) {
	t.Parallel()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	_, err = pgx.Connect(t.Context(), (&server{port: s.port, password: "guessed"}).address("postgres"))
	if err == nil || !strings.Contains(err.Error(), "password authentication failed") {
		t.Errorf("connect with a wrong password: %v, want a refusal", err)
	}
}

// leaver is the environment variable that makes TestLeaver the process which is killed.
const leaver = "SLUICE_TEST_POSTGRES_LEAVER"

func TestLeaver(t *testing.T) {
	if os.Getenv(leaver) == "" {
		t.Log("the other half of TestNothingIsLeftBehind; by itself it only makes a database")
		Database(t)
		return
	}
	fmt.Println(Database(t))
	io.Copy(io.Discard, os.Stdin) // until killed
}

func TestNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	scratch := t.TempDir()
	if err := os.Chmod(scratch, 0o1777); err != nil {
		t.Fatal(err)
	}
	open(t, scratch)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLeaver$")
	cmd.Env = append(os.Environ(), leaver+"=1", "TMPDIR="+scratch)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("no database from the other process: %v (%s)", err, address)
	}
	pid := postmaster(t, scratch)

	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()

	gone := func() bool {
		left, err := filepath.Glob(scratch + "/*")
		return err == nil && len(left) == 0 && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	}
	for end := time.Now().Add(30 * time.Second); !gone(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("server %d or its folder in %s outlived a killed test", pid, scratch)
		}
	}
}

// open lets the user who runs the server reach the folder, which the testing package makes for its
// owner only.
func open(t *testing.T, folder string) {
	t.Helper()
	top := filepath.Clean(os.TempDir()) //nolint:usetesting // the folder above t.TempDir() is meant
	for parent := filepath.Dir(folder); parent != top; parent = filepath.Dir(parent) {
		if err := os.Chmod(parent, 0o711); err != nil {
			t.Fatal(err)
		}
	}
}

func postmaster(t *testing.T, scratch string) (pid int) {
	t.Helper()
	files, err := filepath.Glob(scratch + "/sluice-postgres-*/data/postmaster.pid")
	if err != nil || len(files) != 1 {
		t.Fatalf("pid files: %v, %v; want one", files, err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(content), &pid); err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	program := func(names ...string) {
		for _, name := range names {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, nil, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	program("9/bin/initdb", "9/bin/pg_ctl", "15/bin/initdb", "15/bin/pg_ctl", "16/bin/psql", "local/initdb", "local/pg_ctl", "half/initdb")

	for _, tt := range []struct {
		name, pattern, path, want string
		wantErr                   error
	}{
		{name: "newest with a server", pattern: "*/bin", want: "15/bin"},
		{name: "PATH", pattern: "16/bin", path: "local", want: "local"},
		{name: "client only", pattern: "16/bin", path: "16/bin", wantErr: errMissing},
		{name: "initdb without pg_ctl", pattern: "none", path: "half", wantErr: errMissing},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("PATH", filepath.Join(root, tt.path))
			got, err := find(filepath.Join(root, tt.pattern))
			if tt.want != "" {
				tt.want = filepath.Join(root, tt.want)
			}
			if got != tt.want || !errors.Is(err, tt.wantErr) {
				t.Errorf("= %q, %v; want %q, %v", got, err, tt.want, tt.wantErr)
			}
		})
	}
}
