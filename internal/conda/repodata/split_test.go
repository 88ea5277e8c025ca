package repodata

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		lens []int
		want [][2]int
	}{
		{"no member", nil, nil},
		{"one member", []int{7}, [][2]int{{0, 1}}},
		{"one monster", []int{PieceTarget + 1}, [][2]int{{0, 1}}},
		{"exactly full", []int{PieceTarget - 101, 100}, [][2]int{{0, 2}}},
		{"a byte too many", []int{PieceTarget - 101, 101}, [][2]int{{0, 1}, {1, 2}}},
		{"grown by a quarter", []int{28 << 10, 28 << 10, 28 << 10, 28 << 10, 28 << 10}, [][2]int{{0, 2}, {2, 5}}},
		{"monster in the middle", []int{1000, 200 << 10, 1000}, [][2]int{{0, 1}, {1, 2}, {2, 3}}},
		{"monster at the end", []int{1000, 1000, 200 << 10}, [][2]int{{0, 2}, {2, 3}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, Split(tt.lens, 1, PieceTarget)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSplitLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sep := rapid.IntRange(0, 1).Draw(t, "sep")
		largest := rapid.SampledFrom([]int{1000, 20 << 10, 300 << 10}).Draw(t, "largest")
		lens := rapid.SliceOfN(rapid.IntRange(1, largest), 1, 300).Draw(t, "lens")
		total, at := 0, 0
		for _, n := range lens {
			total += n
		}
		for _, r := range Split(lens, sep, PieceTarget) {
			if r[0] != at || r[1] <= r[0] {
				t.Fatalf("run %v does not go on at %d", r, at)
			}
			at = r[1]
			size := size(lens[r[0]:r[1]], sep)
			if size > PieceTarget && r[1]-r[0] > 1 {
				t.Fatalf("run %v has %d bytes", r, size)
			}
			// Halves of what did not fit: none is smaller than half the target, but for one member's length.
			if total > PieceTarget && size < PieceTarget/2-largest {
				t.Fatalf("run %v has only %d bytes of members of at most %d", r, size, largest)
			}
		}
		if at != len(lens) {
			t.Fatalf("the runs end at %d of %d", at, len(lens))
		}
	})
}

func size(lens []int, sep int) int {
	n := sep * (len(lens) - 1)
	for _, l := range lens {
		n += l
	}
	return n
}

const pieceMin = PieceTarget / 4

func TestJoins(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b int
		want bool
	}{
		{10, 10, true}, {pieceMin - 1, 60 << 10, true}, {60 << 10, pieceMin - 1, true},
		{pieceMin, pieceMin, false}, {pieceMin - 1, PieceTarget - pieceMin, true}, {pieceMin - 1, PieceTarget - pieceMin + 1, false},
	} {
		if got := Joins(tt.a, tt.b, 1, PieceTarget); got != tt.want {
			t.Errorf("Joins(%d, %d) = %v", tt.a, tt.b, got)
		}
	}
}
