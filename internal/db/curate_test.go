package db_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/access"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/curate"
	"sluice/internal/fault"
	"sluice/internal/index"
	"sluice/internal/publish"
)

// real gives a commit the info/index.json that its record stands for, from which records are made anew.
func (f *fixture) real(t testing.TB, subdir, filename string, sum byte, depends ...string) *curated {
	t.Helper()
	c := f.commit(t, subdir, filename, sum, depends...)
	c.RawIndex = must(json.Marshal(map[string]any{
		"name": c.Record.Name, "version": c.Record.Version, "build": c.Record.Build, "build_number": 0, "subdir": subdir, "depends": append([]string{}, depends...),
	}))(t)
	f.publish(t, c)
	return &curated{f: f, key: curate.Key{Subdir: c.Record.Subdir, File: c.File}}
}

// curated is an artifact that things are done to.
type curated struct {
	f   *fixture
	key curate.Key
}

func (f *fixture) do(t testing.TB, s curate.Selection, c curate.Change) curate.Step {
	t.Helper()
	f.clock.advance(time.Second)
	return must((&curate.Curator{Store: f.DB}).Do(t.Context(), audit.Actor{Kind: audit.User, Name: "ann"}, f.channel, s, c))(t)
}

func (c *curated) do(t testing.TB, change curate.Change) { t.Helper(); c.f.do(t, c.only(), change) }

func (c *curated) only() curate.Selection { return curate.Selection{Files: []curate.Key{c.key}} }

func (c *curated) state(t testing.TB) curate.Artifact {
	t.Helper()
	return must(c.f.Select(t.Context(), c.f.channel.ID, c.only(), 0, 1))(t)[0]
}

// found reports whether a reader of a label gets the file's bytes, and the time of its listing there.
func (c *curated) found(t testing.TB, l string) bool {
	t.Helper()
	_, err := c.f.Locate(t.Context(), index.Place{ChannelID: c.f.channel.ID, Label: label(t, l), Subdir: c.key.Subdir}, c.key.File)
	if err != nil && !fault.Is(err, fault.NotFound) {
		t.Fatal(err)
	}
	return err == nil
}

func label(t testing.TB, s string) conda.Label { t.Helper(); return must(conda.ParseLabel(s))(t) }

// flat is repodata.json of a label, as clients read it.
type flat struct {
	Packages, PackagesConda map[string]struct {
		IndexedMS int64    `json:"indexed_timestamp"`
		Depends   []string `json:"depends"`
	}
	Removed []string
}

func (f *fixture) flat(t testing.TB, l, subdir string) flat {
	t.Helper()
	p := index.Place{ChannelID: f.channel.ID, Label: label(t, l), Subdir: must(conda.ParseSubdir(subdir))(t)}
	file := must(index.New(f.DB, 1<<20).File(t.Context(), p, f.channel.CreatedAt, index.RepodataZst))(t)
	raw := inflate(t, read(t, file))
	var out flat
	raw = []byte(strings.Replace(string(raw), `"packages.conda"`, `"PackagesConda"`, 1))
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestYankAndBack(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		tide := f.real(t, "noarch", "tide-1.0-0.conda", 1)
		f.real(t, "noarch", "tide-0.9-0.conda", 2)
		before := f.flat(t, "main", "noarch")
		tide.do(t, curate.Change{Kind: curate.Yank, Reason: "broken"})
		after := f.flat(t, "main", "noarch")
		if len(after.PackagesConda) != 1 || !slices.Equal(after.Removed, []string{"tide-1.0-0.conda"}) || !tide.found(t, "main") {
			t.Errorf("yanked: %+v, there %v", after, tide.found(t, "main"))
		}
		if got := tide.state(t); got.State != curate.Yanked || got.Reason != "broken" || got.By != "ann" {
			t.Errorf("state %+v", got)
		}
		if p := must(f.Packages(t.Context(), query(f)))(t); len(p) != 1 || p[0].Latest != "0.9" || p[0].Artifacts != 2 {
			t.Errorf("the latest is %+v", p)
		}
		if out := f.do(t, tide.only(), curate.Change{Kind: curate.Yank, Reason: "again"}); len(out.Changed) != 0 {
			t.Errorf("yanked twice: %+v", out)
		}
		tide.do(t, curate.Change{Kind: curate.Unyank})
		if got := f.flat(t, "main", "noarch"); fmt.Sprint(got) != fmt.Sprint(before) {
			t.Errorf("after the undo %+v, before the yank %+v", got, before)
		}
		events := must(f.Events(t.Context(), audit.Query{ChannelID: f.channel.ID, Kinds: []audit.Kind{audit.Yanked, audit.Unyanked}, Limit: 10}))(t)
		if len(events) != 2 || events[1].Sentence != "yanked noarch/tide-1.0-0.conda: broken" || events[1].Facts["reason"] != "broken" {
			t.Errorf("events %+v", events)
		}
	})
}

func TestDeleteRestorePurge(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		tide := f.real(t, "noarch", "tide-1.0-0.conda", 1)
		tide.do(t, curate.Change{Kind: curate.Delete, Reason: "a secret in it"})
		if got := f.flat(t, "main", "noarch"); len(got.PackagesConda)+len(got.Removed) != 0 || tide.found(t, "main") {
			t.Errorf("deleted: %+v", got)
		}
		if p := must(f.Packages(t.Context(), query(f)))(t); len(p) != 0 {
			t.Errorf("packages %+v", p)
		}
		if _, err := f.Publish(t.Context(), f.commit(t, "noarch", "tide-1.0-0.conda", 1)); !fault.Is(err, fault.Exists) || !strings.Contains(err.Error(), "was deleted") {
			t.Errorf("its name is given out again: %v", err)
		}
		tide.do(t, curate.Change{Kind: curate.Restore})
		if !tide.found(t, "main") || len(f.flat(t, "main", "noarch").PackagesConda) != 1 {
			t.Error("not restored")
		}
		tide.do(t, curate.Change{Kind: curate.Delete, Reason: "a secret in it"})
		if n := must(f.PurgeDeleted(t.Context(), f.clock.now(), 10))(t); n != 0 {
			t.Errorf("%d purged at once", n)
		}
		f.clock.advance(time.Hour)
		if n := must(f.PurgeDeleted(t.Context(), f.clock.now(), 10))(t); n != 1 {
			t.Errorf("%d purged, want 1", n)
		}
		events := must(f.Events(t.Context(), audit.Query{ChannelID: f.channel.ID, Kinds: []audit.Kind{audit.Purged}, Limit: 10}))(t)
		if len(events) != 1 || events[0].Channel != "forge" || !strings.HasPrefix(events[0].Sentence, "removed the bytes of noarch/tide-1.0-0.conda, which was deleted on 23 Nov 2026") {
			t.Errorf("events %+v", events)
		}
		if there := must(f.Referenced(t.Context(), [32]byte{1}))(t); there {
			t.Error("its blob is still wanted")
		}
		if sums := must(f.Doubts(t.Context(), 10))(t); len(sums) != 1 || sums[0] != [32]byte{1} {
			t.Errorf("doubts %x", sums)
		}
		_, err := (&curate.Curator{Store: f.DB}).Do(t.Context(), audit.Actor{}, f.channel, curate.Selection{Name: "tide", State: curate.Purged}, curate.Change{Kind: curate.Restore})
		if !fault.Is(err, fault.Conflict) {
			t.Errorf("restored without bytes: %v", err)
		}
	})
}

func TestLabels(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		tide, ebb := f.real(t, "noarch", "tide-1.0-0.conda", 1), f.real(t, "linux-64", "ebb-1.0-0.conda", 2)
		first := f.flat(t, "main", "noarch").PackagesConda["tide-1.0-0.conda"].IndexedMS
		rc := label(t, "rc")
		tide.do(t, curate.Change{Kind: curate.List, Label: rc})
		if later := f.flat(t, "rc", "noarch").PackagesConda["tide-1.0-0.conda"].IndexedMS; later <= first || !tide.found(t, "rc") {
			t.Errorf("listed in rc at %d, in main at %d", later, first)
		}
		tide.do(t, curate.Change{Kind: curate.TakeOut, Label: conda.MainLabel()})
		if tide.found(t, "main") || !tide.found(t, "rc") {
			t.Error("taken out of main only")
		}
		tide.do(t, curate.Change{Kind: curate.TakeOut, Label: rc})
		if tide.found(t, "rc") || tide.state(t).State != curate.Held {
			t.Errorf("held: %+v", tide.state(t))
		}
		if got := must(f.Existing(t.Context(), f.channel.ID, []string{"noarch/tide-1.0-0.conda"}, false))(t); len(got) != 0 {
			t.Errorf("a reader hears of %q", got)
		}
		if _, err := f.File(t.Context(), f.channel.ID, tide.key.Subdir, tide.key.File); !fault.Is(err, fault.NotFound) {
			t.Errorf("a reader sees a held file: %v", err)
		}
		tide.do(t, curate.Change{Kind: curate.List, Label: conda.MainLabel()})
		if again := f.flat(t, "main", "noarch").PackagesConda["tide-1.0-0.conda"].IndexedMS; again != first {
			t.Errorf("listed in main again at %d, first at %d", again, first)
		}
		both := curate.Selection{Files: []curate.Key{tide.key, ebb.key}}
		f.do(t, both, curate.Change{Kind: curate.Move, Label: conda.MainLabel(), To: rc})
		if tide.found(t, "main") || ebb.found(t, "main") || !tide.found(t, "rc") || !ebb.found(t, "rc") {
			t.Error("not moved in both subdirs")
		}
		tide.do(t, curate.Change{Kind: curate.TakeOut, Label: rc})
		_, err := (&curate.Curator{Store: f.DB}).Do(t.Context(), audit.Actor{}, f.channel, both, curate.Change{Kind: curate.Move, Label: rc, To: conda.MainLabel()})
		if !fault.Is(err, fault.Conflict) || ebb.found(t, "main") || !ebb.found(t, "rc") {
			t.Errorf("half moved: %v", err)
		}
	})
}

func TestPatchAndBack(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		tide := f.real(t, "noarch", "tide-1.0-0.conda", 1, "ebb >=1")
		before := f.flat(t, "main", "noarch")
		tide.do(t, curate.Change{Kind: curate.Patch, Patch: conda.Patch{Depends: &[]string{"ebb >=1,<2"}}})
		got := f.flat(t, "main", "noarch").PackagesConda["tide-1.0-0.conda"]
		if !slices.Equal(got.Depends, []string{"ebb >=1,<2"}) || got.IndexedMS != before.PackagesConda["tide-1.0-0.conda"].IndexedMS {
			t.Errorf("patched: %+v", got)
		}
		_, err := (&curate.Curator{Store: f.DB}).Do(t.Context(), audit.Actor{}, f.channel, tide.only(), curate.Change{Kind: curate.Patch, Patch: conda.Patch{Depends: &[]string{`ebb[when="__unix"]`}}})
		if !fault.Is(err, fault.InvalidField) {
			t.Errorf("a patch that old clients cannot read: %v", err)
		}
		tide.do(t, curate.Change{Kind: curate.Patch})
		if after := f.flat(t, "main", "noarch"); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("after taking it off: %+v, before: %+v", after, before)
		}
	})
}

// What is imported brings along when it was first listed where it comes from, and keeps that whatever becomes of it.
func TestImportsKeepTheirTime(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		first := f.clock.now().Add(-240 * time.Hour)
		known, unknown := f.commit(t, "noarch", "tide-1.0-0.conda", 1), f.commit(t, "noarch", "ebb-1.0-0.conda", 2)
		known.Import, unknown.Import = &publish.Import{Source: "a folder", IndexedAt: first}, &publish.Import{Source: "a folder"}
		known.RawIndex = []byte(`{"name":"tide","version":"1.0","build":"0","build_number":0,"subdir":"noarch","depends":[]}`)
		now := f.clock.now()
		f.publish(t, known)
		f.publish(t, unknown)
		tide := &curated{f: f, key: curate.Key{Subdir: known.Record.Subdir, File: known.File}}
		rc := label(t, "rc")
		for _, c := range []curate.Change{
			{}, {Kind: curate.Yank, Reason: "broken"}, {Kind: curate.Unyank}, {Kind: curate.Patch, Patch: conda.Patch{Depends: &[]string{"ebb"}}},
			{Kind: curate.TakeOut, Label: conda.MainLabel()}, {Kind: curate.List, Label: conda.MainLabel()},
			{Kind: curate.Delete, Reason: "a secret"}, {Kind: curate.Restore}, {Kind: curate.List, Label: rc},
		} {
			if c.Kind != "" {
				tide.do(t, c)
			}
			got := f.flat(t, "main", "noarch").PackagesConda
			listed, there := got["tide-1.0-0.conda"]
			hidden := c.Kind == curate.Yank || c.Kind == curate.TakeOut || c.Kind == curate.Delete
			if there == hidden || there && listed.IndexedMS != first.UnixMilli() {
				t.Errorf("after %q: listed %v, at %d, want %d", c.Kind, there, listed.IndexedMS, first.UnixMilli())
			}
			if at := got["ebb-1.0-0.conda"].IndexedMS; at-now.UnixMilli() > 1 || at < now.UnixMilli() {
				t.Errorf("where nobody knows, it is when it was imported: %d, want %d", at, now.UnixMilli())
			}
		}
		if at := f.flat(t, "rc", "noarch").PackagesConda["tide-1.0-0.conda"].IndexedMS; at <= now.UnixMilli() {
			t.Errorf("another label has listed it since %d, want when it did", at)
		}
	})
}

func TestReplace(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		f.real(t, "noarch", "tide-1.0-0.conda", 1)
		c := f.commit(t, "noarch", "tide-1.0-0.conda", 2)
		c.Force = true
		if _, err := f.Publish(t.Context(), c); !fault.Is(err, fault.NotPermitted) {
			t.Errorf("replaced where the channel does not allow it: %v", err)
		}
		on := true
		ch := must((&channel.Channels{Store: f.DB, Now: f.clock.now}).Change(t.Context(), audit.Actor{}, f.channel, channel.Revision{Replaceable: &on}))(t)
		c.Channel = ch
		f.clock.advance(time.Minute)
		before := f.flat(t, "main", "noarch").PackagesConda["tide-1.0-0.conda"].IndexedMS
		f.publish(t, c)
		if got := f.files(t, "noarch"); !slices.Equal(got, []string{"tide-1.0-0.conda"}) {
			t.Errorf("files %q", got)
		}
		if after := f.flat(t, "main", "noarch").PackagesConda["tide-1.0-0.conda"].IndexedMS; after <= before {
			t.Errorf("other bytes were first listed at %d, those before at %d", after, before)
		}
		if sums := must(f.Doubts(t.Context(), 10))(t); len(sums) != 1 || sums[0] != [32]byte{1} {
			t.Errorf("doubts %x", sums)
		}
	})
}

// replaceable lets files of the channel be replaced.
func (f *fixture) replaceable(t testing.TB) {
	t.Helper()
	on := true
	f.channel = must((&channel.Channels{Store: f.DB, Now: f.clock.now}).Change(t.Context(), audit.Actor{}, f.channel, channel.Revision{Replaceable: &on}))(t)
}

// Other bytes are another file: they are not yanked because the old ones were, and were never where those were taken out.
func TestReplacedIsNew(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		f.replaceable(t)
		tide, rc := f.real(t, "noarch", "tide-1.0-0.conda", 1), label(t, "rc")
		tide.do(t, curate.Change{Kind: curate.List, Label: rc})
		old := f.flat(t, "rc", "noarch").PackagesConda["tide-1.0-0.conda"].IndexedMS
		tide.do(t, curate.Change{Kind: curate.TakeOut, Label: rc})
		tide.do(t, curate.Change{Kind: curate.Yank, Reason: "broken"})
		c := f.commit(t, "noarch", "tide-1.0-0.conda", 2)
		c.Force, c.RawIndex = true, []byte(`{"name":"tide","version":"1.0","build":"0","build_number":0,"subdir":"noarch"}`)
		f.publish(t, c)
		if got := f.flat(t, "main", "noarch"); len(got.Removed) != 0 || len(got.PackagesConda) != 1 {
			t.Errorf("replaced: %+v", got)
		}
		tide.do(t, curate.Change{Kind: curate.List, Label: rc})
		if now := f.flat(t, "rc", "noarch").PackagesConda["tide-1.0-0.conda"].IndexedMS; now <= old {
			t.Errorf("listed in rc at %d, the old bytes at %d", now, old)
		}
	})
}

// The line of a name is as new as its newest file, however late an older one is imported.
func TestImportOfAnOldFileIsNoNews(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		f.real(t, "noarch", "tide-1.0-0.conda", 1)
		at := f.clock.now()
		f.clock.advance(time.Hour)
		c := f.commit(t, "noarch", "tide-0.9-0.conda", 2)
		c.Right, c.Import = access.Right{}, &publish.Import{Source: "elsewhere", UploadedAt: at.Add(-time.Hour)}
		f.publish(t, c)
		if p := must(f.Packages(t.Context(), query(f)))(t); len(p) != 1 || p[0].Artifacts != 2 || p[0].UpdatedAt.Sub(at) > time.Minute {
			t.Errorf("packages %+v, the newest came at %s", p, at)
		}
	})
}

func TestBatchHarmsNoNeighbour(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		f.publish(t, f.commit(t, "noarch", "tide-1.0-0.conda", 1))
		all := []string{"ebb-1.0-0.conda", "tide-1.0-0.conda", "flow-1.0-0.conda", "flow-1.0-0.conda", "flow-1.0-0.tar.bz2"}
		batch := f.batch(t, "noarch", all)
		batch[4].Record.Depends = []string{"other"}
		got := must(f.DB.Publish(t.Context(), batch))(t)
		for i, code := range []fault.Code{"", fault.Exists, "", fault.Exists, fault.TwinDiffers} {
			if fault.CodeOf(got[i].Err) != code && !(code == "" && got[i].Err == nil) {
				t.Errorf("%d: %v, want %q", i, got[i].Err, code)
			}
		}
		if s := f.generation(t, "noarch"); s.Number != 2 || got[0].Generation != 2 || got[2].Generation != 2 {
			t.Errorf("generation %d, told %d and %d; one batch is one", s.Number, got[0].Generation, got[2].Generation)
		}
		if files := f.files(t, "noarch"); !slices.Equal(files, []string{"ebb-1.0-0.conda", "flow-1.0-0.conda", "tide-1.0-0.conda"}) {
			t.Errorf("files %q", files)
		}
		again := must(f.DB.Publish(t.Context(), batch[:1]))(t)
		if !again[0].Already || f.generation(t, "noarch").Number != 2 {
			t.Errorf("the same bytes again: %+v", again)
		}
	})
}

func (f *fixture) batch(t testing.TB, subdir string, files []string) (all []publish.Commit) {
	t.Helper()
	for i, name := range files {
		all = append(all, f.commit(t, subdir, name, byte(100+i)))
	}
	return all
}

func query(f *fixture) catalog.Query {
	return catalog.Query{Channels: []int64{f.channel.ID}, Limit: 10}
}
