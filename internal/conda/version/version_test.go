package version

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// ordered is CEP 33's example list; versions in one row are equal.
var ordered = [][]string{
	{"0.4", "0.4.0"},
	{"0.4.1.rc", "0.4.1.RC"},
	{"0.4.1+local"},
	{"0.4.1+0.local"},
	{"0.4.1", "0.4.1+0"},
	{"0.4.1+1.local"},
	{"0.5a1"}, {"0.5b3"}, {"0.5C1"}, {"0.5"},
	{"0.9.6"}, {"0.960923"}, {"1.0"},
	{"1.1dev1"}, {"1.1a1"},
	{"1.1.0dev1", "1.1.dev1"},
	{"1.1.a1"}, {"1.1.0rc1"},
	{"1.1.0.0", "1.1.0", "1.1"},
	{"1.1.post1", "1.1.0post1"},
	{"1.1post1"},
	{"1996.07.12"},
	{"1!0.4.1"}, {"1!3.1.1.6"}, {"2!0.4.1"},
}

// more are orders that channel-format.md tells of and the example list does not show.
var more = [][]string{
	{"1.0.1_"}, {"1.0.1a"}, {"1.0.1b"}, {"1.0.1b_"}, {"1.0.1"}, {"1.0.2-1", "1.0.2_1"}, {"1.1devel"}, {"1.1"}, {"1.9+x"}, {"2"},
}

func TestOrder(t *testing.T) {
	t.Parallel()
	for _, list := range [][][]string{ordered, more} {
		for i, row := range list {
			for j, other := range list {
				for _, a := range row {
					for _, b := range other {
						if got, want := parse(t, a).Compare(parse(t, b)), cmp.Compare(i, j); got != want {
							t.Errorf("%s against %s = %d, want %d", a, b, got, want)
						}
					}
				}
			}
		}
	}
}

func parse(t testing.TB, s string) Version {
	t.Helper()
	v, err := Parse(s)
	if err != nil {
		t.Fatalf("Parse(%q): %v", s, err)
	}
	return v
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, wantErr string }{
		{in: "1!2.0+local"}, {in: "2024a"}, {in: "1.1.1w"}, {in: "0.0.0.post105+699b871"}, {in: "1_"}, {in: "1._"}, {in: "a_"},
		{in: "2147483647"}, {in: "000000000000000000000000000000001"}, {in: "1-2"},
		{in: "", wantErr: "is empty"},
		{in: "1..2", wantErr: "empty part"},
		{in: "1._2", wantErr: "empty part"},
		{in: "1.", wantErr: "empty part"},
		{in: ".1", wantErr: "empty part"},
		{in: "1+", wantErr: "empty part"},
		{in: "1.__", wantErr: "empty part"},
		{in: "1+a_", wantErr: "empty part"},
		{in: "1!2!3", wantErr: "more than one '!'"},
		{in: "1+2+3", wantErr: "more than one '+'"},
		{in: "+1", wantErr: "nothing but"},
		{in: "1!", wantErr: "nothing but"},
		{in: "_", wantErr: "nothing but"},
		{in: "1!_+2", wantErr: "nothing but"},
		{in: "!1", wantErr: "epoch"},
		{in: "a!1", wantErr: "epoch"},
		{in: "1+2!3", wantErr: "epoch"},
		{in: "1-2_3", wantErr: "mixes"},
		{in: "1.*", wantErr: `holds "*"`},
		{in: "1 ", wantErr: `holds " "`},
		{in: "1\xff", wantErr: `holds "\x`},
		{in: "2147483648", wantErr: "2147483647"},
		{in: "99999999999999999999", wantErr: "2147483647"},
		{in: "2147483648!1", wantErr: "2147483647"},
	} {
		t.Run(tt.in, func(t *testing.T) {
			_, err := Parse(tt.in)
			switch {
			case tt.wantErr == "" && err != nil:
				t.Fatalf("Parse: %v", err)
			case tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr)):
				t.Fatalf("Parse: error %v, want one with %q", err, tt.wantErr)
			}
		})
	}
}

func TestCompareStrings(t *testing.T) {
	t.Parallel()
	got := []string{"1.1.0", "10", "bad..1", "2", "", "1.1", "1.1a1"}
	slices.SortFunc(got, Compare)
	want := []string{"", "bad..1", "1.1a1", "1.1", "1.1.0", "2", "10"}
	if !slices.Equal(got, want) {
		t.Errorf("sorted = %q, want %q", got, want)
	}
}

func TestIsPrerelease(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{
		"1.0rc1": true, "2.0.dev3": true, "1.1a1": true, "1.0.alpha": true, "1.0_beta": true, "1.0.post1.dev2": true, "dev": true,
		"1.0": false, "1.1.1w": false, "1.1.0h": false, "2024a": false, "1.0.1_": false, "1.0.1a_": false, "v1.0": false,
		"0.0.0.post105+699b871": false, "1!2.0+rc1": false, "r12b": false,
	} {
		if got := parse(t, in).IsPrerelease(); got != want {
			t.Errorf("%s: prerelease = %v, want %v", in, got, want)
		}
	}
}

// drawn makes versions that are close to one another, so that equal and neighbouring ones are common.
func drawn(t *rapid.T, label string) Version {
	text := rapid.StringMatching(`([01]!)?[0-2]?(dev|post|a|rc|b_?)?[0-2]?([._]([01]{1,2}|dev|post|a|rc)[0-1]?){0,3}_?(\+[0-1a](\.[01a])?)?`).
		Filter(func(s string) bool { _, err := Parse(s); return err == nil }).Draw(t, label)
	v, _ := Parse(text)
	return v
}

func TestOrderIsTotal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawn(t, "a"), drawn(t, "b"), drawn(t, "c")
		if a.Compare(b) != -b.Compare(a) {
			t.Fatalf("a:b = %d, b:a = %d", a.Compare(b), b.Compare(a))
		}
		if a.Compare(b) <= 0 && b.Compare(c) <= 0 && a.Compare(c) > 0 {
			t.Fatalf("a <= b <= c, but a > c")
		}
		if a.Compare(b) == 0 && a.Compare(c) != b.Compare(c) {
			t.Fatalf("a = b, but they differ against c: %d, %d", a.Compare(c), b.Compare(c))
		}
	})
}

func FuzzVersion(f *testing.F) {
	for _, s := range slices.Concat(slices.Concat(ordered...), slices.Concat(more...)) {
		f.Add(s, "1.0", "1.0rc1")
	}
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if got, back := Compare(a, b), Compare(b, a); got != -back || (got == 0) != (a == b) {
			t.Errorf("Compare(%q, %q) = %d, reversed %d", a, b, got, back)
		}
		v, errV := Parse(a)
		w, errW := Parse(b)
		x, errX := Parse(c)
		if errV != nil || errW != nil || errX != nil {
			return
		}
		if v.Compare(v) != 0 || v.Compare(w) != -w.Compare(v) {
			t.Errorf("%q against %q = %d, reversed %d", a, b, v.Compare(w), w.Compare(v))
		}
		if v.Compare(w) == 0 && v.Compare(x) != w.Compare(x) {
			t.Errorf("%q = %q, but against %q they are %d and %d", a, b, c, v.Compare(x), w.Compare(x))
		}
		if strings.ToUpper(a) != a && v.Compare(parse(t, strings.ToUpper(a))) != 0 {
			t.Errorf("%q differs from its upper-case form", a)
		}
	})
}

func BenchmarkCompare(b *testing.B) {
	for b.Loop() {
		if Compare("1.21.0.post1", "1.21.0") <= 0 {
			b.Fatal("post release sorted low")
		}
	}
}
