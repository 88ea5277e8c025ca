package artifact_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
)

// parse is ParseIndex for the package that the tests take apart.
func parse(t *testing.T, raw []byte, now time.Time) (conda.Record, int, error) {
	t.Helper()
	f, err := conda.ParseFilename(stem + conda.ExtConda)
	if err != nil {
		t.Fatal(err)
	}
	return artifact.ParseIndex(raw, f, now)
}

// Whatever Read takes, its raw index gives the same record again, at the same time and at any later one.
func TestParseIndexIsWhatReadDoes(t *testing.T) {
	t.Parallel()
	raw := index(fields{"noarch": true, "timestamp": 1_500_000_000, "track_features": []string{"b", "a"}, "license": []string{"A", "B"},
		"purls": []string{"pkg:pypi/b", "pkg:pypi/a"}, "schema_version": 3, "depends": []string{"a >=1"}, "extra_depends": fields{"x": []string{"y"}}})
	want, err := withIndex(t, raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{now, {}} {
		got, schema, err := parse(t, want.RawIndex, at)
		if diff := cmp.Diff(want.Record, got, cmp.Comparer(func(a, b conda.Subdir) bool { return a == b })); err != nil || schema != 3 || diff != "" {
			t.Errorf("at %v: schema version %d, error %v, record (-Read +ParseIndex):\n%s", at, schema, err, diff)
		}
	}
}

// What upload refuses and an old channel may have: each is taken without a clock and refused with one.
func TestParseIndexOfOldChannels(t *testing.T) {
	t.Parallel()
	future := now.Add(time.Hour).UnixMilli()
	for _, tt := range []struct {
		in    fields
		why   string
		right func(r conda.Record) bool
	}{
		{fields{"timestamp": future}, "lies in the future", func(r conda.Record) bool { return r.TimestampMS == future }},
		{fields{"timestamp": -5}, "must not be negative", func(r conda.Record) bool { return r.TimestampMS == 0 }},
		{fields{"build_number": rawNumber("3.0")}, "must be a whole number", func(r conda.Record) bool { return r.BuildNumber == 3 }},
		{fields{"build_number": rawNumber("1e2")}, "must be a whole number", func(r conda.Record) bool { return r.BuildNumber == 100 }},
		{fields{"subdir": nil}, "is missing", func(r conda.Record) bool { return r.Subdir.IsZero() }},
	} {
		t.Run(fmt.Sprint(tt.in), func(t *testing.T) {
			t.Parallel()
			_, _, err := parse(t, index(tt.in), now)
			wantRefusal(t, err, tt.why)
			if r, _, err := parse(t, index(tt.in), time.Time{}); err != nil || !tt.right(r) {
				t.Errorf("without a clock: %+v, %v", r, err)
			}
			lim := limits()
			lim.Imported = true
			got, err := read(t, bz2(tarOf(tarFile{path: "info/index.json", data: string(index(tt.in))})), stem+".tar.bz2", lim)
			if err != nil || !tt.right(got.Record) {
				t.Errorf("Read of a package that is imported: %+v, %v", got, err)
			}
		})
	}
	for _, in := range []fields{{"build_number": rawNumber("1.5")}, {"build_number": rawNumber("-1.0")}, {"build_number": "0"}, {"build_number": rawNumber("1e300")},
		{"timestamp": rawNumber("1e300")}, {"noarch": "foo"}, {"name": "y"}, {"subdir": "x"}} {
		if r, _, err := parse(t, index(in), time.Time{}); err == nil {
			t.Errorf("%v was taken as %+v", in, r)
		}
	}
	_, _, err := parse(t, []byte(`{"name":"x-y","name":"x-y"}`), time.Time{})
	wantRefusal(t, err, `the key "name" twice`)
}

func TestImportsMayLackMetadata(t *testing.T) {
	t.Parallel()
	lim := limits()
	lim.Imported = true
	meta, pkg, info := members()
	without := zipOf(ending{}, pkg, info)
	if got, err := read(t, without, stem+".conda", lim); err != nil || got.Record.Name != "x-y" {
		t.Errorf("without metadata.json: %+v, %v", got, err)
	}
	check(t, without, stem+".conda", "the ZIP holds 2 members")
	for _, data := range [][]byte{zipOf(ending{}, meta, info), zipOf(ending{}, meta, pkg)} {
		_, err := read(t, data, stem+".conda", lim)
		wantRefusal(t, err, "the ZIP lacks a member")
	}
	_, err := read(t, zipOf(ending{}, info), stem+".conda", lim)
	wantRefusal(t, err, "the ZIP holds 1 members")
	meta.data = []byte(`{"conda_pkg_format_version": 3}`)
	_, err = read(t, zipOf(ending{}, meta, pkg, info), stem+".conda", lim)
	wantRefusal(t, err, "conda_pkg_format_version")
}

// rawNumber is a number in a spelling of its own.
type rawNumber string

func (n rawNumber) MarshalJSON() ([]byte, error) { return []byte(n), nil }
