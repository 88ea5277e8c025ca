package catalog

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/conda"
	"sluice/internal/trust"
)

var start = time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)

// file is a file of channel forge that came the given minutes after the start, by a run, or for "" by ann.
func file(t *testing.T, subdir, name, run string, minutes int) File {
	t.Helper()
	f := File{UploadedAt: start.Add(time.Duration(minutes) * time.Minute), Uploader: "ann"}
	var err error
	if f.Channel, err = conda.ParseChannel("forge"); err != nil {
		t.Fatal(err)
	}
	if f.Subdir, err = conda.ParseSubdir(subdir); err != nil {
		t.Fatal(err)
	}
	if f.Filename, err = conda.ParseFilename(name); err != nil {
		t.Fatal(err)
	}
	if run != "" {
		f.Run, f.Uploader = trust.Provenance{Repository: "acme/forge", RunID: run, RunAttempt: "1"}, "acme/forge"
	}
	return f
}

func TestReleasesGatherWhatOneRunPublished(t *testing.T) {
	got := releases([]File{ // newest first
		file(t, "osx-64", "tide-2.0-0.conda", "12", 5),
		file(t, "linux-64", "tide-2.0-0.conda", "12", 4),
		file(t, "linux-64", "ebb-1.0-0.conda", "12", 3),
		file(t, "linux-64", "tide-2.0-1.conda", "13", 2),
		file(t, "linux-64", "tide-2.0-2.conda", "", 1),
	})
	var words []string
	for _, r := range got {
		words = append(words, strings.Join(append([]string{r.Name, r.Version, r.Uploader, r.Run.RunID, r.At.Format("15:04")}, r.Subdirs...), " "))
	}
	want := []string{
		"tide 2.0 acme/forge 12 14:05 linux-64 osx-64",
		"ebb 1.0 acme/forge 12 14:03 linux-64",
		"tide 2.0 acme/forge 13 14:02 linux-64",
		"tide 2.0 ann  14:01 linux-64",
	}
	if diff := cmp.Diff(want, words); diff != "" {
		t.Error(diff)
	}
}

// What solvers do not see is not offered as the latest while there is anything else.
func TestLatestIsWhatSolversSee(t *testing.T) {
	const yanked, dev = "yanked", "dev"
	for _, tt := range []struct {
		name   string
		states map[string]string // of each version; "" is listed in main
		latest string
	}{
		{"yanked", map[string]string{"2.0": yanked, "1.0": ""}, "1.0"},
		{"all yanked", map[string]string{"2.0": yanked, "1.0": yanked}, "2.0"},
		{"a prerelease is better than a yanked release", map[string]string{"2.0": yanked, "2.0rc1": ""}, "2.0rc1"},
		{"a release is better than a prerelease", map[string]string{"2.0rc1": "", "1.0": ""}, "1.0"},
		{"main goes before other labels", map[string]string{"2.0": dev, "1.0": ""}, "1.0"},
		{"another label goes before what is yanked", map[string]string{"2.0": yanked, "1.0": dev}, "1.0"},
	} {
		var files []File
		for v, state := range tt.states {
			f := file(t, "noarch", "tide-"+v+"-0.conda", "1", 0)
			switch state {
			case yanked:
				f.YankedAt = start
			case dev:
				l, err := conda.ParseLabel("dev")
				if err != nil {
					t.Fatal(err)
				}
				f.Labels = []conda.Label{l}
			}
			files = append(files, f)
		}
		versions := Versions(files)
		if got := versions[Latest(versions)]; got.Version != tt.latest || got.Yanked() != (tt.states[tt.latest] == yanked) {
			t.Errorf("%s: latest %s, yanked %v; want %s", tt.name, got.Version, got.Yanked(), tt.latest)
		}
	}
}

func TestVersionsAndLatest(t *testing.T) {
	for _, tt := range []struct{ in, want, latest string }{
		{"1.0 1.10 1.9", "1.10 1.9 1.0", "1.10"},
		{"1.0 2.0rc1 1.1", "2.0rc1 1.1 1.0", "1.1"},
		{"2.0rc1 2.0a1", "2.0rc1 2.0a1", "2.0rc1"},
		{"1.1.1w 1.1.1", "1.1.1 1.1.1w", "1.1.1"},
		{"", "", ""},
	} {
		var files []File
		for v := range strings.FieldsSeq(tt.in) {
			files = append(files, file(t, "noarch", "tide-"+v+"-0.conda", "1", 0), file(t, "linux-64", "tide-"+v+"-0.conda", "1", 1))
		}
		versions := Versions(files)
		var words []string
		for _, v := range versions {
			words = append(words, v.Version)
			if len(v.Files) != 2 || v.Files[0].Subdir.String() != "linux-64" || !v.At().Equal(start.Add(time.Minute)) {
				t.Errorf("%s: version %s = %+v", tt.in, v.Version, v)
			}
		}
		latest := ""
		if i := Latest(versions); i >= 0 {
			latest = versions[i].Version
		}
		if strings.Join(words, " ") != tt.want || latest != tt.latest {
			t.Errorf("%q = %q, latest %q; want %q, %q", tt.in, words, latest, tt.want, tt.latest)
		}
	}
}
