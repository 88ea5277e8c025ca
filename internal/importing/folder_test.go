package importing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/audit"
	"sluice/internal/conda"
	"sluice/internal/conda/repodata"
	"sluice/internal/importing"
	"sluice/internal/publish"
)

// What is good comes in as its source had it; what is not is refused alone, with a sentence.
func TestEveryFileForItself(t *testing.T) {
	t.Parallel()
	e := newElsewhere(t)
	good := e.add("noarch", pkg("tide", "1.0", "noarch", "python >=3.10"), conda.ExtConda)
	older := e.add("linux-64", pkg("tide", "0.9", "linux-64"), conda.ExtTarBz2)

	patched, r := e.file("noarch", pkg("tide", "1.1", "noarch", "python"), conda.ExtConda)
	r.Depends, r.License = []string{"python <3.14"}, "BSD-3-Clause"
	e.list("noarch", patched, r)

	onlyMD5, r := e.file("noarch", pkg("tide", "1.2", "noarch"), conda.ExtConda)
	e.member("noarch", "packages.conda", without(t, string(repodata.Member(onlyMD5, r)), "sha256", "indexed_timestamp", "timestamp"))

	damaged, r := e.file("noarch", pkg("tide", "2.0", "noarch"), conda.ExtConda)
	r.SHA256[0]++
	e.list("noarch", damaged, r)
	cut, r := e.file("noarch", pkg("tide", "2.1", "noarch"), conda.ExtConda)
	r.Size++
	e.list("noarch", cut, r)
	damagedToo, r := e.file("noarch", pkg("tide", "2.2", "noarch"), conda.ExtConda)
	r.MD5[0]++
	e.member("noarch", "packages.conda", without(t, string(repodata.Member(damagedToo, r)), "sha256"))
	other, r := e.file("noarch", pkg("tide", "2.3", "noarch"), conda.ExtConda)
	r.BuildNumber = 7
	e.list("noarch", other, r)
	missing, r := e.file("noarch", pkg("tide", "2.4", "noarch"), conda.ExtConda)
	e.list("noarch", missing, r)
	large, r := e.file("noarch", pkg("tide", "2.5", "noarch"), conda.ExtConda)
	r.Size = 2 << 20
	e.list("noarch", large, r)
	foreign, r := e.file("noarch", pkg("tide", "2.6", "linux-64"), conda.ExtConda)
	r.Subdir = conda.Noarch()
	e.list("noarch", foreign, r)
	junk, r := e.file("noarch", pkg("tide", "2.7", "noarch"), conda.ExtConda)
	e.list("noarch", junk, conda.Record{Name: r.Name, Version: r.Version, Build: r.Build, Subdir: r.Subdir, Depends: []string{}, SHA256: [32]byte{1}})
	e.write("noarch/"+junk.String(), []byte("junk"))
	e.member("noarch", "packages.conda", `"Loud-1-0.conda":{"name":"Loud","version":"1","build":"0","build_number":0,"depends":[]}`)

	yanked, _ := e.file("noarch", pkg("tide", "3.0", "noarch"), conda.ExtConda)
	e.removed["noarch"] = []string{yanked.String(), "tide-3.1-0.conda"}
	e.index()
	if err := os.Remove(filepath.Join(e.dir, "noarch", missing.String())); err != nil {
		t.Fatal(err)
	}

	both(t, func(t *testing.T, s *site) {
		sum, lines := s.bring(t, s.config(folder(t, e.dir)))
		want := importing.Counts{Imported: 5, Refused: 10, Yanked: 1, Patched: 1, Bytes: sum.Bytes}
		if d := cmp.Diff(want, sum.Counts); d != "" {
			t.Errorf("counts (-want +got):\n%s", d)
		}
		for file, why := range map[string]string{
			damaged.String():    "what came has SHA-256",
			cut.String():        "bytes came, and the source's index says",
			damagedToo.String(): "what came has MD5",
			other.String():      "build_number: 0 → 7",
			missing.String():    "the source names it in its index, and does not have it",
			large.String():      "at most 1048576 bytes",
			foreign.String():    "says that it is for linux-64",
			junk.String():       "SHA-256",
			"Loud-1-0.conda":    "Loud",
			"tide-3.1-0.conda":  "the source calls it removed, and does not have it any more",
		} {
			if l := lines["noarch/"+file]; l.Outcome != "refused" || !strings.Contains(l.Why, why) {
				t.Errorf("%s: %+v, want it refused with %q", file, l, why)
			}
		}
		noarch := s.entries(t, "main", "noarch")
		if len(noarch) != 4 || len(s.entries(t, "main", "linux-64")) != 1 {
			t.Errorf("noarch lists %d files, want 4; linux-64 has %v", len(noarch), s.entries(t, "main", "linux-64"))
		}
		if got := noarch[good.String()].Record; got.IndexedMS != old.UnixMilli() || !slices.Equal(got.Depends, []string{"python >=3.10"}) {
			t.Errorf("%s is listed as %+v", good, got)
		}
		if got := noarch[patched.String()].Record; !slices.Equal(got.Depends, []string{"python <3.14"}) || got.License != "BSD-3-Clause" {
			t.Errorf("%s is listed as %+v", patched, got)
		}
		if got := noarch[onlyMD5.String()].Record; got.IndexedMS != old.UnixMilli() || got.SHA256 == [32]byte{} {
			t.Errorf("%s is listed as %+v", onlyMD5, got)
		}
		if got := noarch[yanked.String()].Place; got != repodata.Removed {
			t.Errorf("%s stands in %v", yanked, got)
		}
		stored, err := s.db.Stored(t.Context(), s.ch.ID, conda.Noarch(), []string{good.String(), yanked.String()})
		if err != nil || !stored[good.String()].UploadedAt.Equal(old) || !stored[yanked.String()].UploadedAt.Equal(old) {
			t.Errorf("stored as %+v, %v", stored, err)
		}
		if blobs, staging := s.stored(t); len(blobs) != 5 || len(staging) != 0 {
			t.Errorf("%d blobs, want 5; staging holds %v", len(blobs), staging)
		}
		s.wantOneEvent(t, e.dir, sum)

		again, _ := s.bring(t, s.config(folder(t, e.dir)))
		if again.Present != 5 || again.Imported != 0 || again.Refused != 10 {
			t.Errorf("the second run: %+v", again)
		}
		_ = older
	})
}

// wantOneEvent checks that the audit log has one line for the whole import.
func (s *site) wantOneEvent(t *testing.T, source string, sum importing.Summary) {
	t.Helper()
	events, err := s.db.Events(t.Context(), audit.Query{ChannelID: s.ch.ID, Limit: 100})
	if err != nil || len(events) != 2 { // the other is the making of the channel
		t.Fatalf("%d events, %v", len(events), err)
	}
	if ev := events[0]; ev.Kind != audit.Imported || ev.Facts["source"] != source || ev.Facts["imported"] != fmt.Sprint(sum.Imported) || ev.Facts["refused"] != fmt.Sprint(sum.Refused) {
		t.Errorf("the event is %+v", ev)
	}
}

// without takes fields out of a member.
func without(t *testing.T, member string, fields ...string) string {
	t.Helper()
	key, value, _ := strings.Cut(member, ":")
	var record map[string]any
	if err := json.Unmarshal([]byte(value), &record); err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		delete(record, f)
	}
	b, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	return key + ":" + string(b)
}

// A file is listed in every label that has it, since when that label did, and comes once.
func TestLabels(t *testing.T) {
	t.Parallel()
	e := newElsewhere(t)
	shared, r := e.file("noarch", pkg("tide", "1.0", "noarch"), conda.ExtConda)
	e.list("noarch", shared, r)
	e.file("label/dev/noarch", pkg("tide", "1.0", "noarch"), conda.ExtConda)
	r.IndexedMS += 1000
	e.list("label/dev/noarch", shared, r)
	mine := e.add("noarch", pkg("tide", "1.1", "noarch"), conda.ExtConda)
	theirs := e.add("label/dev/noarch", pkg("tide", "2.0", "noarch"), conda.ExtConda)
	// Removed from main, and still listed in dev.
	back := e.add("label/dev/noarch", pkg("tide", "0.1", "noarch"), conda.ExtConda)
	e.removed["noarch"] = []string{back.String()}
	e.add("label/rc/1/linux-64", pkg("tide", "3.0", "linux-64"), conda.ExtConda)
	e.index()
	e.write("labels.json", []byte(`{"labels":["dev","main","rc/1"]}`))

	both(t, func(t *testing.T, s *site) {
		sum, _ := s.bring(t, s.config(folder(t, e.dir)))
		if sum.Imported != 5 || sum.Yanked != 0 || sum.Refused != 0 {
			t.Fatalf("%+v", sum)
		}
		main, dev := s.entries(t, "main", "noarch"), s.entries(t, "dev", "noarch")
		if len(main) != 2 || main[mine.String()].Record.IndexedMS != old.UnixMilli() {
			t.Errorf("main has %+v", main)
		}
		if len(dev) != 3 || dev[theirs.String()].File != theirs || dev[back.String()].Place == repodata.Removed {
			t.Errorf("dev has %+v", dev)
		}
		if a, b := main[shared.String()].Record.IndexedMS, dev[shared.String()].Record.IndexedMS; a != old.UnixMilli() || b != a+1000 {
			t.Errorf("%s was listed at %d and %d", shared, a, b)
		}
		if rc := s.entries(t, "rc/1", "linux-64"); len(rc) != 1 {
			t.Errorf("rc/1 has %+v", rc)
		}
	})
	t.Run("only some", func(t *testing.T) {
		s := newSite(t, t.TempDir(), "")
		c := s.config(folder(t, e.dir))
		dev, err := conda.ParseLabel("dev")
		if err != nil {
			t.Fatal(err)
		}
		c.Labels, c.Subdirs = []conda.Label{dev}, []conda.Subdir{conda.Noarch()}
		if sum, _ := s.bring(t, c); sum.Imported != 3 {
			t.Errorf("%+v", sum)
		}
		if main := s.entries(t, "main", "noarch"); len(main) != 0 {
			t.Errorf("main has %+v", main)
		}
	})
}

// What a label lists and calls removed as well, as some indexers write it, is listed, now and at the next import: readers of the
// source install it.
func TestListedAndRemoved(t *testing.T) {
	t.Parallel()
	e := newElsewhere(t)
	f, r := e.file("noarch", pkg("tide", "1.0", "noarch"), conda.ExtConda)
	for name, index := range map[string]string{
		"removed last":  `{"packages.conda":{` + string(repodata.Member(f, r)) + `},"removed":["` + f.String() + `"]}`,
		"removed first": `{"removed":["` + f.String() + `"],"packages.conda":{` + string(repodata.Member(f, r)) + `}}`,
	} {
		t.Run(name, func(t *testing.T) {
			e.write("noarch/repodata.json", []byte(index))
			s := newSite(t, t.TempDir(), "")
			c := s.config(folder(t, e.dir))
			c.Progress = &importing.Progress{}
			if sum, _ := s.bring(t, c); sum.Imported != 1 || sum.Yanked != 0 || sum.Present != 0 || c.Progress.Files.Load() != 1 {
				t.Errorf("%+v; %d files were expected", sum, c.Progress.Files.Load())
			}
			if sum, _ := s.bring(t, s.config(folder(t, e.dir))); sum.Present != 1 || sum.Updated != 0 {
				t.Errorf("again: %+v", sum)
			}
			if got := s.entries(t, "main", "noarch")[f.String()]; got.Place == repodata.Removed {
				t.Error("it is yanked")
			}
		})
	}
}

// A folder without an index lists what lies in it.
func TestBareFolder(t *testing.T) {
	t.Parallel()
	e := newElsewhere(t)
	e.file("noarch", pkg("tide", "1.0", "noarch"), conda.ExtConda)
	e.file("noarch", pkg("tide", "1.0", "noarch"), conda.ExtTarBz2)
	e.write("noarch/README.txt", []byte("no package"))
	s := newSite(t, t.TempDir(), "")
	before := time.Now()
	sum, _ := s.bring(t, s.config(folder(t, e.dir)))
	if sum.Imported != 2 || sum.Refused != 0 {
		t.Errorf("%+v", sum)
	}
	for name, e := range s.entries(t, "main", "noarch") {
		if at := time.UnixMilli(e.Record.IndexedMS); !at.Equal(old) || at.After(before) {
			t.Errorf("%s was listed at %v, want the time of its file", name, at)
		}
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	t.Parallel()
	e := newElsewhere(t)
	e.add("noarch", pkg("tide", "1.0", "noarch"), conda.ExtConda)
	e.index()
	s := newSite(t, t.TempDir(), "")
	c := s.config(folder(t, e.dir))
	c.DryRun = true
	sum, lines := s.bring(t, c)
	if sum.Imported != 1 || sum.Bytes == 0 || lines["noarch/tide-1.0-0.conda"].Outcome != "would be imported" {
		t.Errorf("%+v, %+v", sum, lines)
	}
	if blobs, staging := s.stored(t); len(blobs)+len(staging) != 0 || len(s.entries(t, "main", "noarch")) != 0 {
		t.Errorf("a dry run left %v, %v", blobs, staging)
	}
}

// What has another content here under the same name is left alone, and refused.
func TestOtherBytesUnderTheSameName(t *testing.T) {
	t.Parallel()
	e, o := newElsewhere(t), newElsewhere(t)
	f := e.add("noarch", pkg("tide", "1.0", "noarch"), conda.ExtConda)
	o.add("noarch", pkg("tide", "1.0", "noarch", "python"), conda.ExtConda)
	e.index()
	o.index()
	s := newSite(t, t.TempDir(), "")
	s.bring(t, s.config(folder(t, e.dir)))
	before := s.entries(t, "main", "noarch")
	sum, lines := s.bring(t, s.config(folder(t, o.dir)))
	if sum.Refused != 1 || !strings.Contains(lines["noarch/"+f.String()].Why, "has other bytes under this name already") {
		t.Errorf("%+v %+v", sum, lines)
	}
	if d := cmp.Diff(before, s.entries(t, "main", "noarch"), cmp.AllowUnexported(conda.Filename{}, conda.Subdir{})); d != "" {
		t.Errorf("the channel changed:\n%s", d)
	}
}

func TestNoChannelThere(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir(), "")
	if _, err := importing.Run(t.Context(), s.config(folder(t, t.TempDir()))); err == nil || !strings.Contains(err.Error(), "no subdir there has a repodata.json") {
		t.Errorf("error = %v", err)
	}
	if _, err := importing.OpenFolder(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "there is no folder") {
		t.Errorf("error = %v", err)
	}
}

// shaky is a database that does not take some commits.
type shaky struct {
	importing.Store

	take func(all []publish.Commit) bool
}

func (s shaky) Publish(ctx context.Context, all []publish.Commit) ([]publish.Result, error) {
	if !s.take(all) {
		return nil, errors.New("the database stumbled")
	}
	return s.Store.Publish(ctx, all)
}

// A file that the database does not take is refused alone. When it takes none, the import ends there and then.
func TestDatabaseThatFails(t *testing.T) {
	t.Parallel()
	e := newElsewhere(t)
	const files = 600 // more than a batch
	for i := range files {
		e.add("noarch", pkg("tide", fmt.Sprintf("1.%d", i), "noarch"), conda.ExtConda)
	}
	e.index()
	s := newSite(t, t.TempDir(), "")
	c := s.config(folder(t, e.dir))
	asked := 0
	c.Store = shaky{s.db, func([]publish.Commit) bool { asked++; return false }}
	sum, err := importing.Run(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "the database stumbled") || sum.Imported != 0 || asked > 20 {
		t.Errorf("%+v, %v; asked %d times", sum, err, asked)
	}
	if _, err := s.blobs.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if blobs, staging := s.stored(t); len(blobs)+len(staging) != 0 {
		t.Errorf("%d blobs are left, staging holds %d", len(blobs), len(staging))
	}
	const poison = "tide-1.7-0.conda"
	c.Store = shaky{s.db, func(all []publish.Commit) bool {
		return !slices.ContainsFunc(all, func(c publish.Commit) bool { return c.File.String() == poison })
	}}
	sum, lines := s.bring(t, c)
	if sum.Imported != files-1 || sum.Refused != 1 || !strings.Contains(lines["noarch/"+poison].Why, "the database does not take it") {
		t.Errorf("%+v, %+v", sum, lines[poison])
	}
	if got := s.entries(t, "main", "noarch"); len(got) != files-1 {
		t.Errorf("%d files are listed", len(got))
	}
}
