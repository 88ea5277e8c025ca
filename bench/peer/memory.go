package peer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Resident is the memory of a running process that is resident now, and the most that ever was, in bytes (proc(5)).
func Resident(pid int) (now, most int64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(b)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			most = kib << 10
		}
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kib); n == 1 {
			now = kib << 10
		}
	}
	if now == 0 || most == 0 {
		return 0, 0, fmt.Errorf("process %d has no memory any more", pid)
	}
	return now, most, nil
}

// watchEvery is how often a process is looked at. The kernel keeps the maximum, so only what is first reached in the
// last moment of a process is missed.
const watchEvery = 20 * time.Millisecond

// watch looks at a process and those that it starts until done is closed, and returns the most memory that one of
// them had. What the kernel tells of an ended process is of no use: it counts what the parent held when it began.
func watch(pid int, done <-chan struct{}) (most int64) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		most = max(most, highest(pid))
		select {
		case <-done:
			return most
		case <-tick.C:
		}
	}
}

// highest is the most memory that a process or one of those below it ever had; 0 when it is gone.
func highest(pid int) int64 {
	_, most, err := Resident(pid)
	if err != nil {
		return 0
	}
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // the pattern is a good one
	for _, list := range lists {
		b, _ := os.ReadFile(list) // the thread may have ended
		for child := range strings.FieldsSeq(string(b)) {
			var pid int
			if _, err := fmt.Sscan(child, &pid); err == nil {
				most = max(most, highest(pid))
			}
		}
	}
	return most
}
