package check

import (
	"slices"
	"testing"

	"sluice/internal/index"
)

// A repair of any size is done whole, in steps that uploads can wait for, the series first.
func TestSteps(t *testing.T) {
	t.Parallel()
	numbers := func(n int) []int64 {
		out := make([]int64, n)
		for i := range out {
			out[i] = int64(i)
		}
		return out
	}
	small := Mend{Artifacts: numbers(3), Series: []index.Series{index.Conda}, Names: []string{"a"}}
	if got := small.steps(); len(got) != 1 || len(got[0].Artifacts) != 3 || len(got[0].Names) != 1 || len(got[0].Series) != 1 {
		t.Errorf("a small repair has the steps %+v", got)
	}
	large := Mend{
		Artifacts: numbers(2*recordsAtOnce + 1), Lost: make([]Relisting, recordsAtOnce+1), Series: []index.Series{index.Conda, index.Removed},
		Names: make([]string, shardsAtOnce), Forget: [][]byte{{1}},
	}
	var all Mend
	for i, s := range large.steps() {
		if !s.fits() || len(s.Series) > 0 != (i == 0) {
			t.Errorf("step %d has %d records, %d lost ones, %d names, and the series %q", i, len(s.Artifacts), len(s.Lost), len(s.Names), s.Series)
		}
		all.Artifacts, all.Lost, all.Series = append(all.Artifacts, s.Artifacts...), append(all.Lost, s.Lost...), append(all.Series, s.Series...)
		all.Names, all.Forget = append(all.Names, s.Names...), append(all.Forget, s.Forget...)
	}
	if !slices.Equal(all.Artifacts, large.Artifacts) || len(all.Lost) != len(large.Lost) || !slices.Equal(all.Series, large.Series) ||
		len(all.Names) != len(large.Names) || len(all.Forget) != 1 {
		t.Errorf("the steps have %d records, %d lost ones, %d names, %d shards, and the series %q", len(all.Artifacts), len(all.Lost), len(all.Names), len(all.Forget), all.Series)
	}
	if got := (MendChannel{}).steps(); len(got) != 0 {
		t.Errorf("nothing has the steps %+v", got)
	}
	got := MendChannel{Artifacts: numbers(recordsAtOnce + 1), Packages: []string{"a"}, Keep: numbers(2)}.steps()
	if len(got) != 4 || len(got[1].Artifacts) != 1 || len(got[2].Packages) != 1 || len(got[3].Keep) != 2 {
		t.Errorf("the repair of a channel has %d steps", len(got))
	}
}
