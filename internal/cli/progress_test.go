package cli

import (
	"strings"
	"testing"
	"time"

	"sluice/internal/importing"
)

func TestProgressLine(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var p importing.Progress
	p.Files.Store(3)
	if got := progressLine(&p, began, began); got != "reading the index: 3 files" {
		t.Errorf("before the survey: %q", got)
	}
	p.Surveyed.Store(true)
	p.Files.Store(1000)
	p.Bytes.Store(4_000_000)
	p.DoneFiles.Store(500)
	p.DoneBytes.Store(1_000_000)
	p.CameBytes.Store(500_000)
	p.Refused.Store(2)
	want := "[#####...............] 500 of 1000 files, 1.0 MB of 4.0 MB, 50.0 kB/s, 30s left, 2 refused"
	if got := progressLine(&p, began, began.Add(10*time.Second)); got != want {
		t.Errorf("in the middle:\n%s, want\n%s", got, want)
	}
	p.DoneBytes.Store(4_000_000)
	if got := progressLine(&p, began, began.Add(40*time.Second)); !strings.HasPrefix(got, "[####################]") || strings.Contains(got, "left") {
		t.Errorf("at the end: %q", got)
	}
}

func TestSizeText(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 1_234_567: "1.2 MB", 5e12: "5.0 TB", 9e15: "9000.0 TB"} {
		if got := sizeText(n); got != want {
			t.Errorf("sizeText(%d) = %q, want %q", n, got, want)
		}
	}
}
