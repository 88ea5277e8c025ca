package test

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/conda"
	"sluice/internal/conda/version"
	"sluice/test/clients"
)

// listed are the versions of CEP 33's ordered example, then real ones that are odd in some way.
var listed = strings.Fields(`
	0.4 0.4.0 0.4.1.rc 0.4.1.RC 0.4.1+local 0.4.1+0.local 0.4.1 0.4.1+0 0.4.1+1.local 0.5a1 0.5b3 0.5C1 0.5 0.9.6 0.960923 1.0
	1.1dev1 1.1a1 1.1.0dev1 1.1.dev1 1.1.a1 1.1.0rc1 1.1.0.0 1.1.0 1.1 1.1.post1 1.1.0post1 1.1post1 1996.07.12 1!0.4.1 1!3.1.1.6 2!0.4.1

	1.0.1_ 1.0.1a 1.0.1b 1.0.1 1.0.2_1 1.1devel 1.1.0h 1.1.1w 1.1.1 1.1.1a 9e 9d 2024a 2023c 2024.1 r12b v1.0 7.1.0_8 5.9.0_1
	0.0.0.post105+699b871 0.1.0.dev0+g1234567 1.0.0.dev20240101 20240116.2 2.0.0rc1 2.0.0.rc1 2.0.0_rc1 3.0.0b1.post2 1.8.5_1.8.5
	4.3.0_4 1_2_3 1.2.3_ 0.5_ 5.7.0alpha1 8.0.0.beta3 6.02 6.2 6.20 1.10 1.9 1.09 01.1 1!1.0 1.0+cu118 2.1.0+cu121 2.1.0 2.1.0+cpu
	1.21.0.post1 1.21.0 0.post0 post1 dev1 dev a 1.0.post1.dev2 4.2.0.post42 2147483647 1.2147483647.0 2.0b10 2.0b2
	10.0.0.1.2.3.4.5.6.7.8.9 1.0.0.0.0.0.0.1 1.x.y x.1 3.10.0rc2 3.9 1.2.4.alpha 1.2.4.beta 1.2.4alpha 1.2.4dev 1.2.4post 1.2.4.post 1.2.4
`)

// TestVersionOrder holds our order of versions against that of rattler, as a library of Python and as what
// runs in browsers, over listed versions and random ones that are close to one another.
func TestVersionOrder(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	versions := slices.Concat(listed, random(rand.New(rand.NewPCG(seed, 33)), 1200))
	slices.Sort(versions)
	versions = slices.Compact(versions)
	for _, driver := range []struct {
		args []string
		own  *regexp.Regexp
	}{{[]string{"versions.py"}, ownOfRattler}, {[]string{"browser.cjs", "versions"}, ownOfBrowsers}} {
		t.Run(driver.args[0], func(t *testing.T) {
			var got struct {
				Groups  [][]string
				Invalid map[string]string
			}
			clients.NewUser(t).DriveWith(t, versions, driver.args[0], driver.args[1:]...).Into(t, &got)
			wantOrder(t, got.Groups, driver.own)
			wantTaken(t, versions, got.Invalid)
		})
	}
}

// Versions that rattler orders in a way of its own. We keep to CEP 33, as conda does: a '_' at the end belongs
// to the letters before it, so that 1a comes before 1a_; for rattler it comes after. A '-' at the end, which no
// package's version can have, is left to each. What runs in browsers is an older rattler, which also takes "devel" for
// "dev" and more.
var (
	ownOfRattler  = regexp.MustCompile(`(?i)([a-z]_|-)(\+|$)`)
	ownOfBrowsers = regexp.MustCompile(`(?i)([a-z]_|-)(\+|$)|(dev|post)[a-z]`)
)

// wantOrder compares all with all, except those that the client orders in a way of its own.
func wantOrder(t *testing.T, groups [][]string, own *regexp.Regexp) {
	t.Helper()
	rank := map[string]int{}
	for i, group := range groups {
		for _, v := range group {
			if !own.MatchString(v) {
				rank[v] = i
			}
		}
	}
	if len(rank) < 300 {
		t.Errorf("only %d versions were compared, want 300", len(rank))
	}
	all := slices.Sorted(maps.Keys(rank))
	for _, a := range all {
		v, err := version.Parse(a)
		if err != nil {
			continue // wantTaken judges it
		}
		for _, b := range all {
			w, err := version.Parse(b)
			if err == nil && v.Compare(w) != cmp.Compare(rank[a], rank[b]) {
				t.Errorf("%s against %s = %d, rattler has %d", a, b, v.Compare(w), cmp.Compare(rank[a], rank[b]))
			}
		}
	}
}

// wantTaken makes sure that nobody can publish a version that rattler cannot read, for it would make the
// whole index unreadable, and that we refuse nothing listed.
func wantTaken(t *testing.T, versions []string, invalid map[string]string) {
	t.Helper()
	for _, v := range versions {
		if why, bad := invalid[v]; bad && conda.CheckVersion(v) == nil {
			t.Errorf("%q may be published, and rattler refuses it: %s", v, why)
		}
	}
	for _, v := range listed {
		if err := conda.CheckVersion(strings.ToLower(v)); err != nil || invalid[v] != "" {
			t.Errorf("%q: we say %v, rattler says %q", v, err, invalid[v])
		}
	}
}

// random makes versions out of few parts, so that equal and neighbouring ones are common, some of them broken.
func random(r *rand.Rand, n int) []string {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	part := func() string {
		return pick("", "0", "1", "01", "2", "10") + pick("", "", "", "a", "b", "rc", "dev", "post", "alpha", "_") + pick("", "", "0", "1", "01")
	}
	var versions []string
	for range n {
		v := pick("", "", "", "", "0!", "1!", "!") + part()
		for range r.IntN(4) {
			v += pick(".", ".", ".", ".", "_", "", "-", "..") + part()
		}
		versions = append(versions, v+pick("", "", "", "_", "+1", "+a.1", "+0", "+", "+1+1", "*", " "))
	}
	return versions
}
