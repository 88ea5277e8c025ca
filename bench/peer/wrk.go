package peer

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed wrk.lua
var wrkScript string

// Load is what is asked of a server, over and over, on connections that are kept.
type Load struct {
	// Server is its address, without a path.
	Server string
	// Paths are asked for in turn.
	Paths []string
	// Header is a header line to send, "Name: value"; empty for none.
	Header string
	// Connections are open at once; Time is how long it goes on.
	Connections int
	Time        time.Duration
}

// Answered is what came of a load.
type Answered struct {
	// Requests and Bytes are what was answered in Seconds, headers included.
	Requests float64 `json:"requests"`
	Bytes    float64 `json:"bytes"`
	Seconds  float64 `json:"seconds"`
	// Failed is how many requests met no answer, or a status from 400 up.
	Failed float64 `json:"failed"`
}

// Wrk asks a server as fast as one thread of wrk can. That thread shares the machine with the server.
func Wrk(ctx context.Context, l Load) (Answered, error) {
	path, err := program("wrk")
	if err != nil {
		return Answered{}, err
	}
	dir, err := os.MkdirTemp("", "sluice-bench-wrk-")
	if err != nil {
		return Answered{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary folder less is no failure
	script, list := filepath.Join(dir, "wrk.lua"), filepath.Join(dir, "paths")
	for name, text := range map[string]string{script: wrkScript, list: strings.Join(l.Paths, "\n") + "\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return Answered{}, err
		}
	}
	args := []string{"--threads", "1", "--connections", strconv.Itoa(l.Connections), "--duration", strconv.Itoa(int(l.Time.Seconds())) + "s", "--timeout", "60s", "--script", script}
	if l.Header != "" {
		args = append(args, "--header", l.Header)
	}
	out, _, err := Run(ctx, dir, nil, path, append(args, l.Server, "--", list)...)
	if err != nil {
		return Answered{}, err
	}
	var a Answered
	_, result, _ := strings.Cut(string(out), "result ")
	if err := json.Unmarshal([]byte(result), &a); err != nil {
		return Answered{}, fmt.Errorf("wrk printed %q: %w", out, err)
	}
	if a.Failed > 0 || a.Requests == 0 {
		return Answered{}, fmt.Errorf("%v of %v requests to %s%s failed", a.Failed, a.Requests, l.Server, l.Paths[0])
	}
	return a, nil
}

// WrkVersion is what wrk says of itself.
func WrkVersion(ctx context.Context) (string, error) {
	path, err := program("wrk")
	if err != nil {
		return "", err
	}
	said, _ := exec.CommandContext(ctx, path, "-v").CombinedOutput() // its exit status says that no address was given
	fields := strings.Fields(string(said))
	if len(fields) < 2 {
		return "", fmt.Errorf("wrk -v printed %q", said)
	}
	return fields[1], nil
}
