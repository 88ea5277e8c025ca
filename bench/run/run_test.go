package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSample(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		values []float64
		want   Sample
	}{
		{nil, Sample{}},
		{[]float64{3}, Sample{3, 3, 3, 1}},
		{[]float64{5, 1, 4}, Sample{4, 1, 5, 3}},
		{[]float64{8, 2, 4, 1}, Sample{3, 1, 8, 4}},
	} {
		if got := sampleOf(tt.values); got != tt.want {
			t.Errorf("of %v = %+v, want %+v", tt.values, got, tt.want)
		}
	}
}

// The ratio is that of the pairs: here every pair says 2, while the medians of the sides would say 20.
func TestRatioIsThatOfThePairs(t *testing.T) {
	t.Parallel()
	ours, theirs := []float64{2, 20, 200}, []float64{1, 10, 100}
	if got, want := compare(share, ours, theirs).Ratio, (Sample{2, 2, 2, 3}); got != want {
		t.Errorf("share: %+v, want %+v", got, want)
	}
	if got, want := compare(faster, ours, theirs).Ratio, (Sample{0.5, 0.5, 0.5, 3}); got != want {
		t.Errorf("faster: %+v, want %+v", got, want)
	}
}

func TestSidesAlternate(t *testing.T) {
	t.Parallel()
	var order string
	side := func(name string) func() (float64, error) {
		return func() (float64, error) {
			order += name
			return float64(len(order)), nil
		}
	}
	a, b, err := alternate(4, side("A"), side("B"))
	if err != nil || order != "ABBAABBA" {
		t.Errorf("order %s, %v", order, err)
	}
	if diff := cmp.Diff([][]float64{{1, 4, 5, 8}, {2, 3, 6, 7}}, [][]float64{a, b}); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
	failed := func() (float64, error) { return 0, os.ErrClosed }
	if _, _, err := alternate(3, failed, side("C")); err == nil || strings.Contains(order, "C") {
		t.Errorf("after a failure: %v, order %s", err, order)
	}
}

func TestGoals(t *testing.T) {
	t.Parallel()
	paired := func(ratio float64, g Goal) Line {
		return Line{Beside: "nginx", Ours: sampleOf([]float64{1000}), Ratio: sampleOf([]float64{ratio}), Goal: g}
	}
	alone := func(v float64, g Goal) Line { return Line{Ours: sampleOf([]float64{v}), Goal: g} }
	for _, tt := range []struct {
		line Line
		want bool
	}{
		{paired(0.7, Goal{AtLeast: 0.7}), true},
		{paired(0.69, Goal{AtLeast: 0.7}), false},
		{paired(1.1, Goal{AtMost: 1.1}), true},
		{paired(1.2, Goal{AtMost: 1.1}), false},
		{alone(600, Goal{AtMost: 600}), true},
		{alone(601, Goal{AtMost: 600}), false},
	} {
		if got := tt.line.met(); got != tt.want {
			t.Errorf("%v, goal %s: met %v, want %v", tt.line.Ratio, tt.line.Goal, got, tt.want)
		}
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{
		0: "0", 0.012345: "0.0123", 0.7: "0.7", 1: "1", 1.456: "1.46", 15.38: "15.4", 99.99: "100", 999.6: "1 000", 123456.7: "123 457", 1e6: "1 000 000",
	} {
		if got := figure(v); got != want {
			t.Errorf("%v = %q, want %q", v, got, want)
		}
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	names := func(rows []row) (out []string) {
		for _, r := range rows {
			out = append(out, r.name)
		}
		return out
	}
	some, err := choose("solve,serve-memory")
	if diff := cmp.Diff([]string{"solve", "serve-memory"}, names(some)); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if all, err := choose(""); err != nil || len(all) != 13 {
		t.Errorf("all: %q, %v", names(all), err)
	}
	if none, err := choose("none"); err != nil || len(none) != 0 {
		t.Errorf("none: %q, %v", names(none), err)
	}
	if _, err := choose("solve,speed"); err == nil || !strings.Contains(err.Error(), `no row "speed"; there are upload-shards,`) {
		t.Errorf("unknown: %v", err)
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	setup := Setup{
		Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Commit: "abcdef", Machine: Machine{CPU: "Abacus", Cores: 2, MemoryMB: 64, Kernel: "6.1"},
		Versions: map[string]string{"nginx": "1.2", "Go": "1.26"},
	}
	ratio := compare(share, []float64{70, 80, 60}, []float64{100, 100, 100})
	ratio.Case, ratio.Unit, ratio.Beside, ratio.Goal = "shards", "requests/s", "nginx", Goal{AtLeast: 0.75}
	for _, r := range []Result{
		{Row: "start", What: "start of the server", Records: 1000, Meant: 1_000_000, Setup: setup, Lines: []Line{{Case: "serves", Unit: "s", Ours: sampleOf([]float64{0.5}), Goal: Goal{AtMost: 1}}}},
		{Row: "serve-memory", What: "serving", Beside: "nginx", Records: 1000, Meant: 1000, Setup: setup, Lines: []Line{ratio}, Notes: []string{"Kept", "connections."}},
	} {
		if err := r.write(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := render(dir); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "RESULTS.md"))
	if err != nil {
		t.Fatal(err)
	}
	want := head + `
## Serving

Beside nginx. ` + "`serve-memory`" + `, 1 000 packages, Sluice at abcdef, 2026-01-02.
Abacus, 2 cores, 64 MB, Linux 6.1; Go 1.26, nginx 1.2.

| what | Sluice | beside | ratio | goal | met | runs |
|---|---|---|---|---|---|---|
| shards | 70 (60–80) requests/s | nginx: 100 (100–100) requests/s | 0.7 (0.6–0.8) | ≥ 0.75 | **no** | 3 |

Kept connections.

## Start of the server

` + "`start`" + `, 1 000 packages (**a trial: the goals are for 1 000 000**), Sluice at abcdef, 2026-01-02.

| what | Sluice | beside | ratio | goal | met | runs |
|---|---|---|---|---|---|---|
| serves | 0.5 s | – | – | ≤ 1 | yes | 1 |

Not measured yet: ` + "`upload-shards`, `upload-repodata`, `burst`, `full-index`, `serve-packages`, `solve`, `fleet`, `memory`, `import`, `attest`, `verify`" + `.
`
	if diff := cmp.Diff(want, string(b)); diff != "" {
		t.Errorf("RESULTS.md (-want +got):\n%s", diff)
	}
}

// What people read is what was measured.
func TestDocumentIsWrittenFromTheResults(t *testing.T) {
	t.Parallel()
	kept, err := read("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, r := range kept {
		if err := r.write(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := render(dir); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../RESULTS.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(dir, "RESULTS.md"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("bench/RESULTS.md is not what bench/results gives; run: make bench ROWS=none\n%s", diff)
	}
}
