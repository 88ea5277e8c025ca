package peer

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Programs that hold 60 MB, or whose child does, say so, and stay until their input ends.
const (
	holds      = "import sys; b = b'1' * (60 << 20); print('ready', flush=True); sys.stdin.read()"
	childHolds = `import subprocess, sys; subprocess.run([sys.executable, "-c", "` + holds + `"])`
)

func TestMemoryOfChildrenCounts(t *testing.T) {
	t.Parallel()
	for name, program := range map[string]string{"itself": holds, "its child": childHolds} {
		cmd := exec.CommandContext(t.Context(), python(t), "-c", program)
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
			t.Fatalf("%s: it said %q, %v", name, line, err)
		}
		if got := highest(cmd.Process.Pid); got < 60<<20 || got > 200<<20 {
			t.Errorf("%s holds 60 MB: %d MiB", name, got>>20)
		}
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := highest(cmd.Process.Pid); got != 0 {
			t.Errorf("%s is gone and has %d MiB", name, got>>20)
		}
	}
}

// What the kernel tells of an ended process would fail this: it counts the memory of whoever started it.
func TestMemoryOfTheParentDoesNotCount(t *testing.T) {
	held := make([]byte, 300<<20)
	for i := range held {
		held[i] = 1
	}
	if now, most, err := Resident(os.Getpid()); err != nil || now < 300<<20 || most < now {
		t.Errorf("this process has %d of at most %d resident, %v", now, most, err)
	}
	_, u, err := Run(t.Context(), "", nil, python(t), "-c", "pass")
	if err != nil || u.Wall <= 0 || u.CPU <= 0 || u.PeakRSS > 100<<20 {
		t.Errorf("%+v, %v", u, err)
	}
	if held[len(held)-1] != 1 {
		t.Error("the memory was given back")
	}
}

func python(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../.venv/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	return path
}
