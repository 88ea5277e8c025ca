package generate_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/bench/generate"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/repodata"
)

func channel(t testing.TB, s generate.Spec) *generate.Channel {
	t.Helper()
	c, err := generate.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// digest is over all that is told of packages.
func digest(packages iter.Seq[generate.Package]) string {
	h := sha256.New()
	for p := range packages {
		h.Write(repodata.Member(p.File, p.Record))
		h.Write(repodata.RunExportsMember(p.File, p.RunExports))
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// Figures of two days can be compared only if the channels were the same. Whoever changes this digest makes
// all results that were measured before incomparable.
func TestSameSeedSameChannel(t *testing.T) {
	t.Parallel()
	const golden = "b3bbe3cbebb255ec"
	c := channel(t, generate.Spec{Records: 2000, Seed: 1})
	if got := digest(c.Packages()); got != golden {
		t.Errorf("digest = %s, want %s", got, golden)
	}
	if got := digest(c.Packages()); got != golden {
		t.Errorf("digest the second time = %s, want %s", got, golden)
	}
	if got := digest(channel(t, generate.Spec{Records: 2000, Seed: 2}).Packages()); got == golden {
		t.Error("another seed gives the same channel")
	}
}

func TestTooSmall(t *testing.T) {
	t.Parallel()
	if c, err := generate.New(generate.Spec{Records: generate.MinRecords - 1}); err == nil || !strings.Contains(err.Error(), "100 at least") {
		t.Errorf("= %v, %v, want a refusal", c, err)
	}
	if n := len(slices.Collect(channel(t, generate.Spec{Records: generate.MinRecords}).Packages())); n != generate.MinRecords {
		t.Errorf("%d packages, want %d", n, generate.MinRecords)
	}
}

// The shape of a channel: what index files and solvers feel of it.
func TestRecordsOverNames(t *testing.T) {
	t.Parallel()
	c := channel(t, generate.Spec{Records: 100_000, Seed: 1})
	counts, subdirs := map[string]int{}, map[string]int{}
	var jsonBytes, needs, ranged, total int
	for p := range c.Packages() {
		total++
		counts[p.Record.Name]++
		subdirs[p.Record.Subdir.String()]++
		jsonBytes += len(repodata.Member(p.File, p.Record))
		needs += len(p.Record.Depends)
		for _, d := range p.Record.Depends {
			if strings.Contains(d, " ") {
				ranged++
			}
		}
	}
	per := slices.Sorted(maps.Values(counts))
	if total != 100_000 || len(per) != 4000 || c.Names() != 4000 {
		t.Errorf("%d records of %d names", total, len(per))
	}
	between := func(what string, got, low, high float64) {
		t.Helper()
		t.Logf("%s: %.2f", what, got)
		if got < low || got > high {
			t.Errorf("%s = %.2f, want between %.2f and %.2f", what, got, low, high)
		}
	}
	between("records of the top name", float64(per[len(per)-1]), 400, 700)
	between("records of the median name", float64(per[len(per)/2]), 10, 22)
	between("records of the last name", float64(per[0]), 6, 12)
	between("bytes of a record", float64(jsonBytes)/float64(total), 550, 700)
	between("dependencies of a record", float64(needs)/float64(total), 6, 12)
	between("dependencies with a range", float64(ranged)/float64(needs), 0.7, 0.85)
	between("records in noarch", float64(subdirs["noarch"])/float64(total), 0.2, 0.4)
}

// The newest version of every name takes the newest of all it needs, so that any name can be solved for.
func TestDependenciesAreThere(t *testing.T) {
	t.Parallel()
	c := channel(t, generate.Spec{Records: 3000, Seed: 1})
	rank := map[string]int{}
	for r := range c.Names() {
		rank[c.Name(r)] = r
	}
	if len(rank) != c.Names() {
		t.Fatalf("%d names, %d of them different", c.Names(), len(rank))
	}
	files := map[string]bool{}
	for p := range c.Packages() {
		if files[p.File.String()] {
			t.Errorf("%s comes twice", p.File)
		}
		files[p.File.String()] = true
		for _, d := range p.Record.Depends {
			name, _, _ := strings.Cut(d, " ")
			of, ok := rank[name]
			if !ok || of >= rank[p.Record.Name] {
				t.Errorf("%s of rank %d needs %q of rank %d", p.File, rank[p.Record.Name], d, of)
			}
		}
	}
}

func TestOnlyOneSubdir(t *testing.T) {
	t.Parallel()
	sub, err := conda.ParseSubdir("osx-arm64")
	if err != nil {
		t.Fatal(err)
	}
	for p := range channel(t, generate.Spec{Records: 500, Seed: 1, Only: sub}).Packages() {
		if p.Record.Subdir != sub || p.Record.Noarch != "" {
			t.Fatalf("%s is in %s, noarch %q", p.File, p.Record.Subdir, p.Record.Noarch)
		}
	}
}

func TestExtrasAreNew(t *testing.T) {
	t.Parallel()
	c := channel(t, generate.Spec{Records: 1000, Seed: 1})
	files := map[string]bool{}
	for p := range c.Packages() {
		files[p.File.String()] = true
	}
	names := map[string]bool{}
	for i := range 500 {
		p := c.Extra(i)
		if files[p.File.String()] {
			t.Errorf("%s is not new", p.File)
		}
		files[p.File.String()] = true
		names[p.Record.Name] = true
		if !cmp.Equal(p, c.Extra(i), cmp.AllowUnexported(conda.Filename{}, conda.Subdir{})) {
			t.Errorf("%s differs the second time", p.File)
		}
	}
	if len(names) < 30 {
		t.Errorf("500 extras are of %d names", len(names))
	}
}

// Every file is one that the server takes, and says what the record says.
func TestFilesAreRead(t *testing.T) {
	t.Parallel()
	f, again := generate.NewFiler(), generate.NewFiler()
	lim := artifact.DefaultLimits()
	lim.Now = time.UnixMilli(1_760_000_000_000)
	formats := map[string]int{}
	c := channel(t, generate.Spec{Records: 2000, Seed: 1})
	extra := func(yield func(generate.Package) bool) {
		for p := range c.Packages() {
			if !yield(p) {
				return
			}
		}
		yield(c.Extra(0))
	}
	for p := range extra {
		b, err := f.File(p)
		if err != nil {
			t.Fatal(err)
		}
		if other, err := again.File(p); err != nil || !bytes.Equal(b, other) {
			t.Fatalf("%s: two writers differ: %v", p.File, err)
		}
		got, err := artifact.Read(t.Context(), bytes.NewReader(b), int64(len(b)), p.File, lim)
		if err != nil {
			t.Fatalf("%s: %v", p.File, err)
		}
		want := p.Record
		want.MD5, want.SHA256, want.Size, want.IndexedMS = [16]byte{}, [32]byte{}, 0, 0
		if diff := cmp.Diff(want, got.Record, cmp.AllowUnexported(conda.Subdir{})); diff != "" {
			t.Fatalf("%s: record (-want +got):\n%s", p.File, diff)
		}
		if diff := cmp.Diff(p.RunExports, got.RunExports); diff != "" || got.Files != 1 {
			t.Fatalf("%s: %d files, run exports (-want +got):\n%s", p.File, got.Files, diff)
		}
		formats[p.File.Ext()]++
	}
	if formats[conda.ExtConda] < 1800 || formats[conda.ExtTarBz2] < 10 {
		t.Errorf("formats: %v", formats)
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	c := channel(t, generate.Spec{Records: 300, Seed: 1})
	dir := t.TempDir()
	if err := generate.WriteFolder(t.Context(), dir, c.Packages()); err != nil {
		t.Fatal(err)
	}
	for p := range c.Packages() {
		b, err := os.ReadFile(filepath.Join(dir, p.Record.Subdir.String(), p.File.String()))
		if err != nil || len(b) < 500 {
			t.Fatalf("%s: %d bytes, %v", p.File, len(b), err)
		}
	}
	if files, err := filepath.Glob(dir + "/*/*"); err != nil || len(files) != 300 {
		t.Errorf("%d files, %v", len(files), err)
	}
	stopped, stop := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	stop(enough)
	if err := generate.WriteFolder(stopped, dir, c.Packages()); !errors.Is(err, enough) {
		t.Errorf("stopped: %v, want %v", err, enough)
	}
	if err := generate.WriteFolder(t.Context(), filepath.Join(dir, "noarch", "repodata.json", "x\x00"), c.Packages()); err == nil {
		t.Error("an impossible folder was written")
	}
}

// The folder of a channel lists exactly its files, with their own digests.
func TestChannelFolder(t *testing.T) {
	t.Parallel()
	c := channel(t, generate.Spec{Records: 2000, Seed: 1})
	dir := t.TempDir()
	if err := generate.WriteChannel(t.Context(), dir, c.Packages()); err != nil {
		t.Fatal(err)
	}
	listed := 0
	for _, subdir := range []string{"noarch", "linux-64"} {
		b, err := os.ReadFile(filepath.Join(dir, subdir, "repodata.json"))
		if err != nil {
			t.Fatal(err)
		}
		type record struct {
			SHA256 string `json:"sha256"`
			Size   int    `json:"size"`
		}
		var index struct {
			Packages      map[string]record `json:"packages"`
			PackagesConda map[string]record `json:"packages.conda"`
		}
		if err := json.Unmarshal(b, &index); err != nil {
			t.Fatal(err)
		}
		if subdir == "linux-64" && (len(index.Packages) < 5 || len(index.PackagesConda) < 1000) {
			t.Errorf("%d .tar.bz2 and %d .conda files", len(index.Packages), len(index.PackagesConda))
		}
		maps.Copy(index.Packages, index.PackagesConda)
		listed += len(index.Packages)
		for name, r := range index.Packages {
			file, err := os.ReadFile(filepath.Join(dir, subdir, name))
			if sum := sha256.Sum256(file); err != nil || hex.EncodeToString(sum[:]) != r.SHA256 || len(file) != r.Size {
				t.Errorf("%s has %d bytes, sha256 %x; listed are %+v; %v", name, len(file), sum, r, err)
			}
		}
	}
	if listed != 2000 {
		t.Errorf("%d packages are listed", listed)
	}
	other, err := conda.ParseSubdir("osx-arm64")
	if err != nil {
		t.Fatal(err)
	}
	if err := generate.WriteChannel(t.Context(), t.TempDir(), channel(t, generate.Spec{Records: 100, Only: other}).Packages()); err == nil {
		t.Error("a subdir that is not listed was written")
	}
}

func BenchmarkRecords(b *testing.B) {
	c := channel(b, generate.Spec{Records: 100_000, Seed: 1})
	next, stop := iter.Pull(c.Packages())
	defer func() { stop() }()
	for b.Loop() {
		if _, ok := next(); !ok {
			stop()
			next, stop = iter.Pull(c.Packages())
		}
	}
}

func BenchmarkFile(b *testing.B) {
	f, c := generate.NewFiler(), channel(b, generate.Spec{Records: 1000, Seed: 1})
	p := c.Extra(0)
	b.ReportAllocs()
	for b.Loop() {
		if file, err := f.File(p); err != nil || len(file) < 500 {
			b.Fatal(fmt.Sprint(len(file), err))
		}
	}
}
