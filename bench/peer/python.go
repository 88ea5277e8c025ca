package peer

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Python runs the peers that are Python libraries, from the repository's virtual environment.
type Python struct {
	// Root is the repository, in which "make setup" made the environment.
	Root string
}

// The indexers, as Index knows them.
const (
	// Rattler is rattler's indexer, py-rattler's index_fs.
	Rattler = "rattler"
	// CondaIndex is conda-index, with everything that a server of packages writes.
	CondaIndex = "conda-index"
	// CondaIndexCache is only the first half of it: what is in the packages, into its cache.
	CondaIndexCache = "conda-index-cache"
)

// Index runs an indexer over a folder with subdirs of packages, and writes the index files there. A second run
// takes up what the first one left. The start of Python counts.
func (p Python) Index(ctx context.Context, indexer, folder string) (Usage, error) {
	_, u, err := p.run(ctx, nil, "index.py", indexer, folder)
	return u, err
}

// Solved is one environment solved twice by rattler, as pixi does it, from shards alone.
type Solved struct {
	// Cold is the time with nothing cached, Warm with what the first time left on the disk, in seconds and
	// without the start of Python.
	Cold float64 `json:"cold"`
	Warm float64 `json:"warm"`
	// Records is how many packages the environment has.
	Records int `json:"records"`
}

// Solve solves for specifications in a channel.
func (p Python) Solve(ctx context.Context, channel string, specs []string) (Solved, error) {
	home, err := os.MkdirTemp("", "sluice-bench-solve-")
	if err != nil {
		return Solved{}, err
	}
	defer func() { _ = os.RemoveAll(home) }() // a temporary folder less is no failure
	out, _, err := p.run(ctx, []string{"HOME=" + home, "RATTLER_CACHE_DIR=" + home}, "solve.py", append([]string{channel}, specs...)...)
	if err != nil {
		return Solved{}, err
	}
	var s Solved
	if err := json.Unmarshal(out, &s); err != nil || s.Records == 0 {
		return Solved{}, fmt.Errorf("solve.py printed %q: %w", out, err)
	}
	return s, nil
}

// VerifyBundle verifies a bundle so many times with sigstore for Python, and returns how many milliseconds one time
// takes, without the start of Python. root and bundle are files.
func (p Python) VerifyBundle(ctx context.Context, root, bundle string, sum [32]byte, times int) (float64, error) {
	out, _, err := p.run(ctx, nil, "attestation.py", root, bundle, fmt.Sprintf("%x", sum), strconv.Itoa(times))
	if err != nil {
		return 0, err
	}
	var took struct {
		Milliseconds float64 `json:"milliseconds"`
	}
	if err := json.Unmarshal(out, &took); err != nil || took.Milliseconds <= 0 {
		return 0, fmt.Errorf("attestation.py printed %q: %w", out, err)
	}
	return took.Milliseconds, nil
}

// Versions are those of the peers in Python, by their names.
func (p Python) Versions(ctx context.Context) (map[string]string, error) {
	out, _, err := p.run(ctx, nil, "versions.py")
	if err != nil {
		return nil, err
	}
	var v map[string]string
	err = json.Unmarshal(out, &v)
	return v, err
}

// run runs one of the programs beside this file in an environment without settings of whoever measures.
func (p Python) run(ctx context.Context, env []string, script string, args ...string) ([]byte, Usage, error) {
	root, err := filepath.Abs(p.Root)
	if err != nil {
		return nil, Usage{}, err
	}
	python := filepath.Join(root, ".venv", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		return nil, Usage{}, fmt.Errorf("%w; run make setup", err)
	}
	env = append([]string{
		"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "HOME=/nonexistent", "NO_PROXY=127.0.0.1,localhost", "PYTHONDONTWRITEBYTECODE=1",
		"PYTHONPATH=" + filepath.Join(root, "test", "clients"), // what the tests of the clients know of these libraries
	}, env...)
	return Run(ctx, root, env, python, append([]string{filepath.Join(root, "bench", "peer", script)}, args...)...)
}
