package conda_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/conda"
)

// full is a record that says something in every field.
func full(t *testing.T) conda.Record {
	t.Helper()
	linux, err := conda.ParseSubdir("linux-64")
	if err != nil {
		t.Fatal(err)
	}
	return conda.Record{
		Name: "x", Version: "1", Build: "b", BuildNumber: 2, Subdir: linux, Depends: []string{"a <1"}, Constrains: []string{"c"},
		Noarch: "python", License: "MIT", LicenseFamily: "mit", Features: "f", TrackFeatures: "t", PythonSitePackagesPath: "lib",
		Purls: []string{"pkg:pypi/x"}, ExtraDepends: map[string][]string{"g": {"d"}}, Flags: []string{"cuda"}, TimestampMS: 3,
		MD5: [16]byte{4}, SHA256: [32]byte{5}, Size: 6, IndexedMS: 7, AttestationsSHA256: [32]byte{8},
	}
}

// Every field of a record, of whatever kind, is compared and named once.
func TestDiffSeesEveryField(t *testing.T) {
	t.Parallel()
	a := full(t)
	if d := conda.Diff(a, full(t)); d != nil || !a.Equal(full(t)) {
		t.Errorf("a record differs from itself in %q", d)
	}
	var names []string
	for i := range reflect.TypeFor[conda.Record]().NumField() {
		b := full(t)
		reflect.ValueOf(&b).Elem().Field(i).SetZero()
		lines := conda.Diff(a, b)
		if len(lines) != 1 || a.Equal(b) || b.Equal(a) {
			t.Errorf("without %s: %q", reflect.TypeFor[conda.Record]().Field(i).Name, lines)
			continue
		}
		name, _, _ := strings.Cut(lines[0], ":")
		names = append(names, name)
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != reflect.TypeFor[conda.Record]().NumField() {
		t.Errorf("names of fields: %q", names)
	}
}

func TestDiffLines(t *testing.T) {
	t.Parallel()
	b := full(t)
	b.Depends, b.License, b.MD5, b.Subdir, b.ExtraDepends = []string{"a >=1", `"`}, "", [16]byte{}, conda.Noarch(), nil
	want := []string{
		`depends: ["a <1"] → ["a >=1","\""]`, `extra_depends: {"g":["d"]} → null`, `license: "MIT" → ""`,
		`md5: "04000000000000000000000000000000" → "00000000000000000000000000000000"`, `subdir: "linux-64" → "noarch"`,
	}
	if diff := cmp.Diff(want, conda.Diff(full(t), b)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if d := conda.Diff(conda.Record{Depends: []string{}, ExtraDepends: map[string][]string{"a": nil}}, conda.Record{ExtraDepends: map[string][]string{"a": {}}}); d != nil {
		t.Errorf("empty lists differ from none: %q", d)
	}
	if d := fmt.Sprint(conda.Diff(conda.Record{}, conda.Record{Flags: []string{"a"}})); d != `[flags: [] → ["a"]]` {
		t.Errorf("a list that came: %s", d)
	}
}

func TestTraitsHas(t *testing.T) {
	t.Parallel()
	if both := conda.PreLinks | conda.TextPrefix; !both.Has(conda.PreLinks) || !both.Has(both) || both.Has(conda.PostLinks) || conda.PreLinks.Has(both) {
		t.Error("Has is wrong")
	}
	// These numbers lie in databases.
	want := []conda.Traits{1, 2, 4, 8, 16, 32, 64}
	got := []conda.Traits{conda.Activates, conda.Deactivates, conda.PreLinks, conda.PostLinks, conda.PreUnlinks, conda.BinaryPrefix, conda.TextPrefix}
	if !slices.Equal(got, want) {
		t.Errorf("bits = %v", got)
	}
}
