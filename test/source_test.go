package test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/repodata"
	"sluice/test/clients"
)

// TestSourceReadsWhatOthersWrite has other indexers index packages, and reads from their repodata.json what the
// packages say themselves: every one, in no field changed, but where the indexer rewrites specifications.
func TestSourceReadsWhatOthersWrite(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"rattler", "conda-index"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			own := map[string]conda.Record{}
			all := slices.Concat(ordinary(t), odd(t))
			for _, p := range all {
				r := readParcel(t, p).Record
				r.MD5, r.SHA256, r.Size = md5.Sum(p.body), sha256.Sum256(p.body), int64(len(p.body))
				own[p.file] = r
			}
			var got struct {
				Subdirs map[string]struct{ Repodata json.RawMessage }
			}
			clients.NewUser(t).Drive(t, "reference.py", "--by", by, folderOf(t, all)).Into(t, &got)
			for name, sub := range got.Subdirs {
				wantOwn(t, by, name, sub.Repodata, own)
			}
			for file := range own {
				t.Errorf("%s was not read", file)
			}
		})
	}
}

// wantOwn reads a repodata.json and takes from own what it says of each file, having compared them.
func wantOwn(t *testing.T, by, subdir string, text []byte, own map[string]conda.Record) {
	t.Helper()
	d, err := conda.ParseSubdir(subdir)
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range repodata.NewSource(bytes.NewReader(text), d).Entries() {
		if err != nil {
			t.Errorf("%s: %v", subdir, err)
			continue
		}
		want := own[e.File.String()]
		delete(own, e.File.String())
		want.IndexedMS = e.Record.IndexedMS
		for _, line := range conda.Diff(want, e.Record) {
			rewritten := by == "rattler" && e.File.Name() == "full" && strings.HasPrefix(line, "depends: ")
			if !rewritten {
				t.Errorf("%s in %s, package → index: %s", e.File, subdir, line)
			}
		}
	}
}

// readParcel reads a package as an upload does.
func readParcel(t *testing.T, p parcel) *artifact.Package {
	t.Helper()
	f, err := conda.ParseFilename(p.file)
	if err != nil {
		t.Fatal(err)
	}
	lim := artifact.DefaultLimits()
	lim.Now = time.Now()
	pkg, err := artifact.Read(t.Context(), bytes.NewReader(p.body), int64(len(p.body)), f, lim)
	if err != nil {
		t.Fatalf("%s: %v", p.file, err)
	}
	return pkg
}
