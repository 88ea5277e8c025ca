// Package peer runs what Sluice is measured beside, each as a process of its own: the indexers of the conda
// world over a folder of packages, nginx over the same files, a real solver, and the load tool that asks both
// sides. It must not know Sluice, nor which figures are wanted.
package peer

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Usage is what a process took from its start to its end, with the processes that it started.
type Usage struct {
	// Wall is the time that passed, CPU what all processors worked, in user and kernel.
	Wall, CPU time.Duration
	// PeakRSS is the most memory that one of the processes had resident, in bytes.
	PeakRSS int64
}

// Run runs a program to its end and returns what it printed and took. The error holds what it complained of.
func Run(ctx context.Context, dir string, env []string, program string, args ...string) (stdout []byte, u Usage, err error) {
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, &out, &said
	begin, done, most := time.Now(), make(chan struct{}), make(chan int64, 1)
	if err = cmd.Start(); err == nil {
		go func() { most <- watch(cmd.Process.Pid, done) }()
		err = cmd.Wait()
		u = Usage{Wall: time.Since(begin), CPU: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
		close(done)
		u.PeakRSS = <-most
	}
	if err != nil {
		return nil, Usage{}, fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, tail(said.String()))
	}
	return out.Bytes(), u, nil
}

// tail is the end of a long text, where programs say what went wrong.
func tail(s string) string {
	const most = 2000
	return s[max(len(s)-most, 0):]
}
