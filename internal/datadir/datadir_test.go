package datadir

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A second process is this test binary again, told by a variable what to do.
func TestMain(m *testing.M) {
	if path := os.Getenv("DATADIR_TEST_HOLD"); path != "" {
		f, err := Open(path)
		if err == nil {
			err = f.Lock("serving http://127.0.0.1:1")
		}
		fmt.Println(err)
		_, _ = io.Copy(io.Discard, os.Stdin) // until the parent closes it, or kills us
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestOpenMakesAndRecognises(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	for range 2 {
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if f.Path() != path {
			t.Errorf("path = %q, want %q", f.Path(), path)
		}
		if _, err := f.Root().Stat("sluice-format"); err != nil {
			t.Error(err)
		}
		if err := f.Root().WriteFile("sluice.db", nil, 0o600); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(path, "sluice-format")); string(b) != "1\n" || err != nil {
		t.Errorf("format file = %q, %v", b, err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("mode = %v, %v; want 0700: it holds hashes of tokens", fi.Mode(), err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"newer", map[string]string{"sluice-format": "2\n", "x": ""}, `has format "2", and this Sluice reads format 1`},
		{"garbage", map[string]string{"sluice-format": "what\x00"}, `has format "what\x00"`},
		{"foreign", map[string]string{"thesis.tex": ""}, "it holds thesis.tex and no sluice-format. Name a new or empty folder with --data"},
		{"many", map[string]string{"a": "", "b": "", "c": "", "d": ""}, "it holds a, b, c, … and"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range tt.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %q in it", err, tt.want)
			}
			entries, _ := os.ReadDir(dir)
			if len(entries) != len(tt.files) {
				t.Errorf("the refused folder now holds %v", entries)
			}
		})
	}
}

func TestOpenTakesWhatIsAsGoodAsEmpty(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "lost+found"), 0o700); err != nil {
		t.Fatal(err)
	}
	// what a kill between writing and renaming the format file leaves
	if err := os.WriteFile(filepath.Join(dir, "sluice-format.ABC"), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
}

func TestOpenByManyAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			f, err := Open(path)
			if err != nil {
				t.Error(err)
				return
			}
			if err := f.Root().MkdirAll("blobs", 0o700); err != nil {
				t.Error(err)
			}
			_ = f.Close()
		})
	}
	wg.Wait()
}

func TestFileInTheWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, filepath.Join(path, "below")} {
		if _, err := Open(p); err == nil || !strings.Contains(err.Error(), "a file is in the way") {
			t.Errorf("Open(%s) = %v", p, err)
		}
	}
}

func TestNotWritable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{dir, filepath.Join(dir, "below")} {
		if _, err := Open(p); err == nil || !strings.Contains(err.Error(), "cannot be written by this user") {
			t.Errorf("Open(%s) = %v", p, err)
		}
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	first, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Lock("serving http://127.0.0.1:8080"); err != nil {
		t.Fatal(err)
	}
	second, err := Open(path)
	if err != nil {
		t.Fatal("a command beside the server must be able to open the folder:", err)
	}
	defer second.Close()
	want := fmt.Sprintf("is in use by process %d on ", os.Getpid())
	err = second.Lock("demo")
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "serving http://127.0.0.1:8080. Stop that one") {
		t.Errorf("second lock: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if err := second.Lock("demo"); err != nil {
		t.Errorf("lock after the first holder has gone: %v", err)
	}
}

func TestLockDiesWithItsProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), "DATADIR_TEST_HOLD="+path)
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
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "<nil>\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := fmt.Sprintf("process %d on ", cmd.Process.Pid)
	if err := f.Lock("x"); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("lock while the child holds it: %v, want %q", err, want)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if err := f.Lock("x"); err != nil {
		t.Errorf("lock after the child was killed: %v", err)
	}
}
