package db_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/curate"
	"sluice/internal/index"
	"sluice/internal/publish"
)

// summary is what this test looks at in channeldata.json.
type summary struct {
	Subdirs  []string
	Packages map[string]nameSummary
}

type nameSummary struct {
	Version    string
	Summary    string
	License    string
	Subdirs    []string
	Timestamp  int64
	PostLink   bool `json:"post_link"`
	RunExports map[string]struct {
		Weak []string `json:"weak"`
	} `json:"run_exports"`
}

// described is an upload that tells something of itself.
func (f *fixture) described(t testing.TB, subdir, filename string, sum byte, summary string) publish.Commit {
	t.Helper()
	c := f.commit(t, subdir, filename, sum)
	c.Record.TimestampMS = int64(sum) * 1000
	c.Record.License = "MIT"
	c.RunExports.Weak = []string{"tide"}
	c.Traits = conda.PostLinks
	c.About = artifact.About{Summary: summary}
	c.RawIndex = must(json.Marshal(map[string]any{
		"name": c.Record.Name, "version": c.Record.Version, "build": c.Record.Build, "build_number": 0, "subdir": subdir, "depends": []string{},
		"license": "MIT", "timestamp": c.Record.TimestampMS,
	}))(t)
	return c
}

func (f *fixture) summary(t testing.TB, x *index.Index, l string) (file *index.File, s summary) {
	t.Helper()
	file = must(x.ChannelData(t.Context(), index.Label{ChannelID: f.channel.ID, Name: label(t, l)}, f.channel.CreatedAt))(t)
	if err := json.Unmarshal(read(t, file), &s); err != nil {
		t.Fatal(err)
	}
	return file, s
}

// Whatever is done to artifacts shows at once, in the labels that it is about and in no other, whether somebody reads
// after every change or for the first time at the end.
func TestChannelDataFollowsEveryChange(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		old, tide, ebb := f.described(t, "noarch", "tide-0.9-0.conda", 1, "old"), f.described(t, "linux-64", "tide-1.0-0.conda", 2, "new"), f.described(t, "noarch", "ebb-1.0-0.conda", 3, "ebb")
		key := func(c publish.Commit) *curated {
			return &curated{f: f, key: curate.Key{Subdir: c.Record.Subdir, File: c.File}}
		}
		weak := func(versions ...string) map[string]struct {
			Weak []string `json:"weak"`
		} {
			out := map[string]struct {
				Weak []string `json:"weak"`
			}{}
			for _, v := range versions {
				out[v] = struct {
					Weak []string `json:"weak"`
				}{[]string{"tide"}}
			}
			return out
		}
		first := nameSummary{Version: "0.9", Summary: "old", License: "MIT", Subdirs: []string{"noarch"}, Timestamp: 1, PostLink: true, RunExports: weak("0.9")}
		second := nameSummary{Version: "1.0", Summary: "new", License: "MIT", Subdirs: []string{"linux-64", "noarch"}, Timestamp: 2, PostLink: true, RunExports: weak("0.9", "1.0")}
		only := second
		only.Subdirs, only.RunExports = []string{"linux-64"}, weak("1.0")
		other := nameSummary{Version: "1.0", Summary: "ebb", License: "MIT", Subdirs: []string{"noarch"}, Timestamp: 3, PostLink: true, RunExports: weak("1.0")}
		patched := other
		patched.License, patched.RunExports = "BSD", weak()
		replaced := other
		replaced.Summary, replaced.Timestamp = "other bytes", 4
		bsd, none := "BSD", conda.RunExports{}
		again := f.described(t, "noarch", "ebb-1.0-0.conda", 4, "other bytes")
		again.Force = true

		reader, state := index.New(f.DB, 1<<20), ""
		for i, step := range []struct {
			what string
			do   func()
			// main and rc are the packages of two labels; nil: as before.
			main, rc map[string]nameSummary
		}{
			{what: "nothing", do: func() {}, main: map[string]nameSummary{}, rc: map[string]nameSummary{}},
			{what: "upload", do: func() { f.publish(t, old) }, main: map[string]nameSummary{"tide": first}},
			{what: "upload to another subdir", do: func() { f.publish(t, tide) }, main: map[string]nameSummary{"tide": second}},
			{what: "another name", do: func() { f.publish(t, ebb) }, main: map[string]nameSummary{"tide": second, "ebb": other}},
			{what: "yank", do: func() { key(tide).do(t, curate.Change{Kind: curate.Yank, Reason: "broken"}) }, main: map[string]nameSummary{"tide": first, "ebb": other}},
			{what: "undo", do: func() { key(tide).do(t, curate.Change{Kind: curate.Unyank}) }, main: map[string]nameSummary{"tide": second, "ebb": other}},
			{what: "list", do: func() { key(tide).do(t, curate.Change{Kind: curate.List, Label: label(t, "rc")}) }, rc: map[string]nameSummary{"tide": only}},
			{what: "take out", do: func() { key(old).do(t, curate.Change{Kind: curate.TakeOut, Label: conda.MainLabel()}) }, main: map[string]nameSummary{"tide": only, "ebb": other}},
			{what: "take out of the other", do: func() { key(tide).do(t, curate.Change{Kind: curate.TakeOut, Label: label(t, "rc")}) }, rc: map[string]nameSummary{}},
			{what: "patch", do: func() {
				key(ebb).do(t, curate.Change{Kind: curate.Patch, Patch: conda.Patch{License: &bsd, RunExports: &none}})
			}, main: map[string]nameSummary{"tide": only, "ebb": patched}},
			{what: "patch taken off", do: func() { key(ebb).do(t, curate.Change{Kind: curate.Patch}) }, main: map[string]nameSummary{"tide": only, "ebb": other}},
			{what: "delete", do: func() { key(tide).do(t, curate.Change{Kind: curate.Delete, Reason: "a secret"}) }, main: map[string]nameSummary{"ebb": other}},
			{what: "replace", do: func() {
				on := true
				f.channel = must((&channel.Channels{Store: f.DB, Now: f.clock.now}).Change(t.Context(), audit.Actor{}, f.channel, channel.Revision{Replaceable: &on}))(t)
				again.Channel = f.channel
				f.publish(t, again)
			}, main: map[string]nameSummary{"ebb": replaced}},
			{what: "restore", do: func() { key(tide).do(t, curate.Change{Kind: curate.Restore}) }, main: map[string]nameSummary{"tide": only, "ebb": replaced}},
			{what: "move", do: func() {
				key(tide).do(t, curate.Change{Kind: curate.Move, Label: conda.MainLabel(), To: label(t, "rc")})
			}, main: map[string]nameSummary{"ebb": replaced}, rc: map[string]nameSummary{"tide": only}},
		} {
			f.clock.advance(time.Second)
			step.do()
			for _, l := range []struct {
				label string
				want  map[string]nameSummary
			}{{"main", step.main}, {"rc", step.rc}} {
				if l.want == nil {
					continue
				}
				file, got := f.summary(t, reader, l.label)
				if diff := cmp.Diff(l.want, got.Packages); diff != "" {
					t.Errorf("%d %s, %s: want (-), got (+)\n%s", i, step.what, l.label, diff)
				}
				subdirs := map[string]bool{}
				for _, p := range l.want {
					for _, d := range p.Subdirs {
						subdirs[d] = true
					}
				}
				if len(got.Subdirs) != len(subdirs) {
					t.Errorf("%d %s, %s: subdirs %q, want %v", i, step.what, l.label, got.Subdirs, subdirs)
				}
				if l.label == "main" && state == file.ETag {
					t.Errorf("%d %s: the validator stays %s", i, step.what, state)
				}
				if l.label == "main" {
					state = file.ETag
				}
				newcomer, fresh := f.summary(t, index.New(f.DB, 1), l.label)
				if diff := cmp.Diff(got, fresh); diff != "" || newcomer.ETag != file.ETag || !newcomer.CommittedAt.Equal(file.CommittedAt) {
					t.Errorf("%d %s, %s: another server has %s of %v where this one has %s of %v\n%s", i, step.what, l.label, newcomer.ETag, newcomer.CommittedAt, file.ETag, file.CommittedAt, diff)
				}
			}
		}
		var left int
		for _, l := range []string{"main", "rc"} {
			must(f.ChannelData(t.Context(), index.Label{ChannelID: f.channel.ID, Name: label(t, l)}, func([]byte) { left++ }))(t)
		}
		if left != 2 {
			t.Errorf("%d members are kept of 2 names in one label each", left)
		}
	})
}

// What is stale is in the file whether it was freshened or not, and is freshened in several transactions.
func TestChannelDataOfManyNames(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		const names = 1203
		var batch []publish.Commit
		for i := range names {
			batch = append(batch, f.described(t, "noarch", fmt.Sprintf("n%04d-1.0-0.conda", i), byte(i%250+1), ""))
		}
		for _, r := range must(f.DB.Publish(t.Context(), batch))(t) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		l := index.Label{ChannelID: f.channel.ID, Name: conda.MainLabel()}
		gather := func() (all []string) {
			must(f.ChannelData(t.Context(), l, func(m []byte) { all = append(all, string(m)) }))(t)
			return all
		}
		stale := gather()
		turns := 1
		for must(f.FreshenChannelData(t.Context(), l))(t) {
			turns++
		}
		if fresh := gather(); len(stale) != names || cmp.Diff(stale, fresh) != "" || turns != 7 {
			t.Errorf("%d members before and %d after %d turns, want %d and the same after 7", len(stale), len(fresh), turns, names)
		}
		if more := must(f.FreshenChannelData(t.Context(), l))(t); more {
			t.Error("there is more to freshen where nothing changed")
		}
	})
}

// Whoever asks after an upload was answered sees it, while others upload and others ask.
func TestChannelDataSeesEveryCommit(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		const uploads = 20
		var answered atomic.Int64
		x := index.New(f.DB, 1<<20)
		version := func(i int64) string { return fmt.Sprintf("1.%d", i) }
		var readers sync.WaitGroup
		for range 3 {
			readers.Go(func() {
				for seen := int64(0); seen < uploads; {
					seen = answered.Load()
					_, got := f.summary(t, x, "main")
					if _, ok := got.Packages["tide"].RunExports[version(seen)]; seen > 0 && !ok {
						t.Errorf("after upload %d: %v", seen, got.Packages["tide"].RunExports)
						return
					}
				}
			})
		}
		for i := range int64(uploads) {
			subdir := []string{"noarch", "linux-64"}[i%2]
			f.publish(t, f.described(t, subdir, "tide-"+version(i+1)+"-0.conda", byte(i+1), ""))
			answered.Store(i + 1)
		}
		readers.Wait()
	})
}
