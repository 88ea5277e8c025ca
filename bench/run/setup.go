package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"sluice/bench/peer"
)

// Setup is where and with what a row was measured.
type Setup struct {
	Time time.Time `json:"time"`
	// Commit is that of Sluice, with a "+" where the work tree differed from it.
	Commit   string            `json:"commit"`
	Machine  Machine           `json:"machine"`
	Versions map[string]string `json:"versions"`
}

// Machine is the computer.
type Machine struct {
	CPU      string `json:"cpu"`
	Cores    int    `json:"cores"`
	MemoryMB int64  `json:"memory_mb"`
	Kernel   string `json:"kernel"`
	// Governor is the frequency policy of the first core; empty where there is none, as on virtual machines.
	Governor string `json:"governor,omitempty"`
}

// String is the machine in one line.
func (m Machine) String() string {
	s := fmt.Sprintf("%s, %d cores, %d MB, Linux %s", m.CPU, m.Cores, m.MemoryMB, m.Kernel)
	if m.Governor != "" {
		s += ", governor " + m.Governor
	}
	return s
}

// versions are the names and versions of all programs, in one line.
func (s Setup) versions() string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(s.Versions)) {
		out = append(out, name+" "+s.Versions[name])
	}
	return strings.Join(out, ", ")
}

func (b *bench) setup(ctx context.Context) (Setup, error) {
	s := Setup{Time: time.Now().UTC().Truncate(time.Second), Machine: machine()}
	var err error
	if s.Commit, err = b.commit(ctx); err != nil {
		return Setup{}, err
	}
	if s.Versions, err = (peer.Python{Root: b.root}).Versions(ctx); err != nil {
		return Setup{}, err
	}
	s.Versions["Go"] = strings.TrimPrefix(runtime.Version(), "go")
	if s.Versions["nginx"], err = peer.NginxVersion(ctx); err != nil {
		return Setup{}, err
	}
	s.Versions["wrk"], err = peer.WrkVersion(ctx)
	return s, err
}

func (b *bench) commit(ctx context.Context) (string, error) {
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", b.root}, args...)...).Output()
		return strings.TrimSpace(string(out)), err
	}
	commit, err := git("rev-parse", "--short=10", "HEAD")
	if err != nil {
		return "", fmt.Errorf("find the commit: %w", err)
	}
	if changed, err := git("status", "--porcelain", "--untracked-files=no", "--", "cmd", "internal", "go.mod"); err != nil {
		return "", err
	} else if changed != "" {
		commit += "+"
	}
	return commit, nil
}

// machine reads what Linux says of it; what it does not say is empty.
func machine() Machine {
	m := Machine{Cores: runtime.NumCPU()}
	for line := range strings.Lines(text("/proc/cpuinfo")) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			m.CPU = strings.TrimSpace(value)
		}
	}
	var kib int64
	if n, _ := fmt.Sscanf(text("/proc/meminfo"), "MemTotal: %d kB", &kib); n == 1 {
		m.MemoryMB = kib >> 10
	}
	m.Kernel = strings.TrimSpace(text("/proc/sys/kernel/osrelease"))
	m.Governor = strings.TrimSpace(text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"))
	return m
}

// text is what a file of the kernel says, nothing where there is none.
func text(path string) string {
	b, _ := os.ReadFile(path) // it is not there on every machine
	return string(b)
}
