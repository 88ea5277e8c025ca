package test

import (
	"cmp"
	"math/rand/v2"
	"os"
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
			wantOrder(t, versions, driver.own, 300, driver.args...)
		})
	}
}

// TestRealVersionOrder does the same with versions that real programs have had, each against each.
func TestRealVersionOrder(t *testing.T) {
	t.Parallel()
	wantOrder(t, real(t), ownOfRattler, 5000, "versions.py")
}

// real are the versions in testdata/versions.txt, which says where they are from.
func real(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/versions.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "#") })
}

// TestRecordOrder holds the order in which we prefer records of one name, which decides what is shown as latest,
// against rattler's: features, version, build number and time, over real versions.
func TestRecordOrder(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 33))
	var records []conda.Record
	var input []map[string]any
	for _, v := range real(t) {
		if ownOfRattler.MatchString(v) || conda.CheckVersion(v) != nil {
			continue
		}
		for range 1 + r.IntN(2) {
			rec := conda.Record{Version: v, BuildNumber: r.Uint64N(2), TimestampMS: []int64{0, 1_600_000_000_000, 1_600_000_000_001}[r.IntN(3)]}
			features := []string{}
			if r.IntN(4) == 0 {
				rec.TrackFeatures, features = "a", []string{"a"}
			}
			records = append(records, rec)
			input = append(input, map[string]any{"version": v, "build_number": rec.BuildNumber, "timestamp": rec.TimestampMS, "track_features": features})
		}
	}
	var got struct{ Groups [][]int }
	clients.NewUser(t).DriveWith(t, input, "records.py").Into(t, &got)
	if len(got.Groups) < 5000 {
		t.Errorf("%d records fell into %d groups, want 5000", len(records), len(got.Groups))
	}
	var last conda.Record
	for i, group := range got.Groups {
		for j, place := range group {
			rec := records[place]
			switch c := last.Compare(rec); {
			case i == 0 && j == 0:
			case j == 0 && c >= 0:
				t.Errorf("%+v is not before %+v, which rattler prefers", last, rec)
			case j > 0 && c != 0:
				t.Errorf("%+v and %+v are not alike, as they are to rattler", last, rec)
			}
			last = rec
		}
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

// wantOrder has a client sort versions and compares all with all, at least so many. Those that the client orders in a
// way of its own are left out, for they come between others that are equal. What it takes is judged of all.
func wantOrder(t *testing.T, versions []string, own *regexp.Regexp, least int, driver ...string) {
	t.Helper()
	var all, got struct {
		Groups  [][]string
		Invalid map[string]string
	}
	clients.NewUser(t).DriveWith(t, versions, driver[0], driver[1:]...).Into(t, &all)
	wantTaken(t, versions, all.Invalid)
	clients.NewUser(t).DriveWith(t, slices.DeleteFunc(slices.Clone(versions), own.MatchString), driver[0], driver[1:]...).Into(t, &got)
	wantGroups(t, got.Groups, least)
}

// wantGroups compares each version with each, at least so many, of groups from old to new.
func wantGroups(t *testing.T, groups [][]string, least int) {
	t.Helper()
	type ranked struct {
		text string
		version.Version
		rank int
	}
	var all []ranked
	for rank, group := range groups {
		for _, text := range group {
			if v, err := version.Parse(text); err == nil { // wantTaken judges the others
				all = append(all, ranked{text, v, rank})
			}
		}
	}
	if len(all) < least {
		t.Errorf("only %d versions were compared, want %d", len(all), least)
	}
	for _, a := range all {
		for _, b := range all {
			if got, want := a.Compare(b.Version), cmp.Compare(a.rank, b.rank); got != want {
				t.Errorf("%s against %s = %d, rattler has %d", a.text, b.text, got, want)
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
