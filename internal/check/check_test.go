package check_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/audit"
	"sluice/internal/blob"
	"sluice/internal/check"
	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/internal/curate"
	"sluice/internal/index"
	"sluice/internal/publish"
)

// damage is one way in which the index, or what it stands on, goes bad.
type damage struct {
	name string
	// do does it.
	do func(t *testing.T, w *world)
	// want are the differences that it makes, no others.
	want map[check.Kind]int
	// about is in each of them: the file, the name or the series.
	about string
	// back mends what a repair cannot; nil where a repair can.
	back func(t *testing.T, w *world)
}

func sqlDamage(query string, args ...any) func(t *testing.T, w *world) {
	return func(t *testing.T, w *world) { t.Helper(); w.hurt(t, query, args...) }
}

const (
	main      = ` channel_id = 1 AND label = 'main' AND subdir = 'noarch'`
	oneRecord = ` label = 'main' AND filename = 'tide10-1.0-0.conda'`
	oneFile   = ` filename = 'tide10-1.0-0.conda'`
)

func damages() []damage {
	type counts = map[check.Kind]int
	return []damage{
		{name: "bytes removed", do: moveBlob("tide10-1.0-0.conda", ".away"), want: counts{check.BlobMissing: 1}, about: "tide10-1.0-0.conda", back: moveBlob("tide10-1.0-0.conda", "")},
		{name: "bytes changed", do: flipBlob("tide10-1.0-0.conda"), want: counts{check.BlobChanged: 1}, about: "tide10-1.0-0.conda", back: flipBlob("tide10-1.0-0.conda")},
		{name: "no package", do: publishRubbish, want: counts{check.Unreadable: 1}, about: "rubbish-1-0.conda", back: func(t *testing.T, w *world) {
			t.Helper()
			w.do(t, "rubbish", curate.Change{Kind: curate.Delete, Reason: "rubbish"})
		}},
		{name: "index.json", do: sqlDamage(`UPDATE artifact SET index_json = $1 WHERE`+oneFile, []byte(`{}`)), want: counts{check.Metadata: 1}, about: "index.json"},
		{name: "run_exports", do: sqlDamage(`UPDATE artifact SET run_exports = '{}' WHERE` + oneFile), want: counts{check.Metadata: 1, check.ChannelData: 1}, about: `"tide10 >=1"]`},
		{name: "traits, told as well", do: func(t *testing.T, w *world) {
			t.Helper()
			w.hurt(t, `UPDATE artifact SET traits = 127 WHERE`+oneFile)
			w.hurt(t, `UPDATE channeldata SET stale = 1 WHERE name = 'tide10'`)
			w.fresh(t)
		}, want: counts{check.Metadata: 1}, about: "traits: 127"},
		{name: "JSON that is none", do: sqlDamage(`UPDATE artifact SET depends = 'x' WHERE` + oneFile), want: counts{check.Metadata: 1}, about: "depends"},
		{name: "size", do: sqlDamage(`UPDATE artifact SET size = 7 WHERE` + oneFile), want: counts{check.Metadata: 1, check.Package: 1}, about: ""},
		{name: "MD5", do: sqlDamage(`UPDATE artifact SET md5 = $1 WHERE`+oneFile, make([]byte, 16)), want: counts{check.Metadata: 1}, about: "md5"},
		{name: "patch", do: sqlDamage(`UPDATE artifact SET patch = '{"name":"x"}' WHERE` + oneFile), want: counts{check.Patch: 1}, about: "tide10-1.0-0.conda",
			back: sqlDamage(`UPDATE artifact SET patch = '' WHERE` + oneFile)},
		{name: "patch lost", do: sqlDamage(`UPDATE artifact SET patch = '' WHERE filename = 'tide05-1.0-0.conda'`), want: counts{check.Record: 1}, about: `license: "BSD-3-Clause"`,
			back: func(t *testing.T, w *world) {
				t.Helper()
				w.do(t, "tide05", curate.Change{Kind: curate.Patch, Patch: conda.Patch{License: new("BSD-3-Clause")}})
			}},
		{name: "attestations lost", do: sqlDamage(`UPDATE artifact SET sidecar_sha256 = $1 WHERE filename = 'tide05-1.0-0.conda'`, sumOf("x")),
			want: counts{check.Attested: 1, check.Record: 1}, about: "tide05", back: func(t *testing.T, w *world) {
				t.Helper()
				w.hurt(t, `UPDATE artifact SET sidecar_sha256 = $1 WHERE filename = 'tide05-1.0-0.conda'`, []byte{})
				r, _ := w.look(t, false)
				if err := w.checker.Repair(t.Context(), audit.Actor{Kind: audit.Operator}, r); err != nil {
					t.Fatal(err)
				}
			}},
		{name: "labels counted wrong", do: sqlDamage(`UPDATE artifact SET listed = 7 WHERE` + oneFile), want: counts{check.Listed: 1}, about: "7 labels"},
		{name: "member", do: sqlDamage(`UPDATE record SET member = $1 WHERE`+oneRecord, []byte(`"tide10-1.0-0.conda":{"license":"GPL"}`)),
			want: counts{check.Record: 1, check.Members: 1}, about: ""},
		{name: "member in a shard", do: sqlDamage(`UPDATE record SET shard_member = $1 WHERE`+oneRecord, []byte{0xa1, 'x', 0x80}),
			want: counts{check.Record: 1, check.Shard: 1}, about: "tide10"},
		{name: "member of run_exports", do: sqlDamage(`UPDATE record SET run_exports = $1 WHERE`+oneRecord, []byte(`"tide10-1.0-0.conda":{}`)),
			want: counts{check.Record: 1, check.Members: 1}, about: ""},
		{name: "record under another name", do: sqlDamage(`UPDATE record SET name = 'zzz' WHERE` + oneRecord), want: counts{check.Record: 1, check.Shard: 2, check.ChannelData: 1}, about: ""},
		{name: "record in another series", do: sqlDamage(`UPDATE record SET series = 'v3.conda' WHERE` + oneRecord),
			want: counts{check.Record: 1, check.Shard: 1, check.Pieces: 1, check.Members: 1}, about: ""},
		{name: "record lost", do: sqlDamage(`DELETE FROM record WHERE` + oneRecord), want: counts{check.Lost: 1, check.Members: 2, check.Shard: 1, check.ChannelData: 1}, about: ""},
		{name: "record lost of what is yanked", do: sqlDamage(`DELETE FROM record WHERE filename = 'tide03-1.0-0.conda'`), want: counts{check.Lost: 1, check.Members: 1, check.Shard: 1}, about: ""},
		{name: "record lost in one of two labels", do: sqlDamage(`DELETE FROM record WHERE label = 'rc' AND filename = 'tide04-1.0-0.conda'`),
			want: counts{check.Lost: 1, check.Members: 2, check.Shard: 1, check.ChannelData: 1}, about: ""},
		{name: "not shown", do: sqlDamage(`UPDATE record SET shown = 0 WHERE` + oneRecord), want: counts{check.Shown: 1, check.Members: 2, check.Shard: 1, check.ChannelData: 1}, about: ""},
		{name: "shown though yanked", do: sqlDamage(`UPDATE record SET shown = 1 WHERE filename = 'tide03-1.0-0.conda'`),
			want: counts{check.Shown: 1, check.Members: 3, check.Shard: 1, check.ChannelData: 1}, about: ""},
		{name: "shown though deleted", do: sqlDamage(`UPDATE record SET shown = 1 WHERE filename = 'tide06-1.0-0.conda'`),
			want: counts{check.Shown: 1, check.Members: 2, check.Shard: 1, check.ChannelData: 1}, about: ""},
		{name: "no generation", do: sqlDamage(`DELETE FROM generation WHERE` + main), want: counts{check.Generation: 1}, about: ""},
		{name: "generation gone back", do: sqlDamage(`UPDATE generation SET number = 2 WHERE` + main), want: counts{check.Generation: 1}, about: "generation 2"},
		{name: "lowest piece", do: sqlDamage(`UPDATE piece SET first_key = 'a' WHERE series = 'packages.conda' AND first_key = '' AND` + main), want: counts{check.Pieces: 1}, about: "packages.conda"},
		{name: "no piece", do: sqlDamage(`DELETE FROM piece WHERE series = 'packages' AND` + main), want: counts{check.Pieces: 1, check.Totals: 1, check.BlockStray: 1}, about: ""},
		{name: "piece lost between others", do: sqlDamage(`DELETE FROM piece WHERE series = 'packages.conda' AND first_key = (SELECT max(first_key) FROM piece WHERE series = 'packages.conda' AND` + main + `) AND` + main),
			want: counts{check.Members: 1, check.Totals: 1, check.BlockStray: 1}, about: ""},
		{name: "block gone", do: sqlDamage(`DELETE FROM block WHERE id = (SELECT block_id FROM piece WHERE series = 'shards' AND` + main + `)`), want: counts{check.Block: 1}, about: "shards"},
		{name: "block broken", do: sqlDamage(`UPDATE block SET bytes = $1 WHERE id = (SELECT block_id FROM piece WHERE series = 'shards' AND`+main+`)`, []byte{1, 2, 3}),
			want: counts{check.Block: 1}, about: "shards"},
		{name: "raw length", do: sqlDamage(`UPDATE piece SET raw_len = raw_len + 1 WHERE series = 'run_exports.packages' AND` + main),
			want: counts{check.Block: 1, check.Totals: 1}, about: "run_exports.packages"},
		{name: "members of a piece", do: sqlDamage(`UPDATE piece SET members = members + 1 WHERE series = 'shards' AND` + main), want: counts{check.Members: 1, check.Totals: 1}, about: "shards"},
		{name: "block of another piece", do: func(t *testing.T, w *world) {
			t.Helper()
			w.hurt(t, `UPDATE piece SET block_id = (SELECT block_id FROM piece WHERE label = 'rc' AND series = 'run_exports.packages.conda'),
				raw_len = (SELECT raw_len FROM piece WHERE label = 'rc' AND series = 'run_exports.packages.conda'),
				block_len = (SELECT block_len FROM piece WHERE label = 'rc' AND series = 'run_exports.packages.conda')
				WHERE series = 'run_exports.packages.conda' AND`+main)
		}, want: counts{check.Members: 1, check.Totals: 1, check.BlockStray: 1}, about: ""},
		{name: "totals", do: sqlDamage(`UPDATE series SET block_len = block_len + 1 WHERE series = 'removed' AND` + main), want: counts{check.Totals: 1}, about: "removed"},
		{name: "totals gone", do: sqlDamage(`DELETE FROM series WHERE series = 'packages' AND` + main), want: counts{check.Totals: 1}, about: "packages"},
		{name: "shard superseded", do: sqlDamage(`UPDATE shard SET superseded_us = 1 WHERE superseded_us IS NULL AND name = 'tide10' AND` + main),
			want: counts{check.Shard: 1, check.Members: 1}, about: ""},
		{name: "shard of no record", do: sqlDamage(`INSERT INTO shard (channel_id, label, subdir, sha256, name, generation, bytes) SELECT channel_id, label, subdir, $1, 'aaa', 1, $2 FROM generation WHERE`+main,
			sumOf("x"), []byte("x")), want: counts{check.Shard: 1, check.Members: 1}, about: ""},
		{name: "shard changed", do: sqlDamage(`UPDATE shard SET bytes = $1 WHERE superseded_us IS NULL AND name = 'tide10' AND`+main, []byte{1}), want: counts{check.ShardSum: 1}, about: "tide10"},
		{name: "superseded shard changed", do: sqlDamage(`INSERT INTO shard (channel_id, label, subdir, sha256, name, generation, bytes, superseded_us)
			SELECT channel_id, label, subdir, $1, 'tide10', 1, $2, 1 FROM generation WHERE`+main, sumOf("old"), []byte("changed")), want: counts{check.ShardOld: 1}, about: "or none"},
		{name: "record lost, and the pieces that show it", do: func(t *testing.T, w *world) {
			t.Helper()
			w.hurt(t, `DELETE FROM record WHERE`+oneRecord)
			w.hurt(t, `DELETE FROM piece WHERE series IN ('packages.conda', 'run_exports.packages.conda') AND`+main)
		}, want: counts{check.Lost: 1, check.Pieces: 2, check.Totals: 2, check.Shard: 1, check.ChannelData: 1, check.BlockStray: 5}, about: ""},
		{name: "record lost, and only a superseded shard shows it", do: func(t *testing.T, w *world) {
			t.Helper()
			w.hurt(t, `DELETE FROM record WHERE`+oneRecord)
			w.hurt(t, `DELETE FROM piece WHERE series IN ('packages.conda', 'run_exports.packages.conda') AND`+main)
			w.hurt(t, `UPDATE shard SET superseded_us = 1 WHERE superseded_us IS NULL AND name = 'tide10' AND`+main)
		}, want: counts{check.Lost: 1, check.Pieces: 2, check.Totals: 2, check.Members: 1, check.Shard: 1, check.ChannelData: 1, check.BlockStray: 5}, about: ""},
		{name: "line of a package", do: sqlDamage(`UPDATE package SET artifacts = 99 WHERE name = 'tide10'`), want: counts{check.Package: 1}, about: "tide10"},
		{name: "line of a package gone", do: sqlDamage(`DELETE FROM package WHERE name = 'tide10'`), want: counts{check.Package: 1}, about: "no line"},
		{name: "channeldata", do: sqlDamage(`DELETE FROM channeldata WHERE name = 'tide10'`), want: counts{check.ChannelData: 1}, about: "main/noarch/tide10"},
		{name: "channeldata of a name", do: sqlDamage(`UPDATE channeldata SET stale = 0, member = $1 WHERE name = 'tide10'`, []byte(`"tide10":{}`)), want: counts{check.ChannelData: 1}, about: `"tide10":{}`},
		{name: "block of no piece", do: sqlDamage(`INSERT INTO block (channel_id, bytes) VALUES (1, $1)`, []byte{1}), want: counts{check.BlockStray: 1}, about: ""},
		{name: "block to be removed", do: sqlDamage(`INSERT INTO dropped_block (id, at_us) SELECT block_id, 1 FROM piece WHERE series = 'shards' AND` + main), want: counts{check.BlockDropped: 1}, about: ""},
	}
}

func sumOf(s string) []byte { sum := sha256.Sum256([]byte(s)); return sum[:] }

// blobOf is the path of a file's bytes.
func (w *world) blobOf(t *testing.T, file string) string {
	t.Helper()
	var sum []byte
	if err := w.raw.QueryRowContext(t.Context(), `SELECT sha256 FROM artifact WHERE filename = $1`, file).Scan(&sum); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(w.dir, "blobs", hex.EncodeToString(sum[:1]), hex.EncodeToString(sum[1:]))
}

// moveBlob moves a file's bytes away, or with "" back.
func moveBlob(file, to string) func(t *testing.T, w *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		path := w.blobOf(t, file)
		from, at := path, path+to
		if to == "" {
			from, at = path+".away", path
		}
		if err := os.Rename(from, at); err != nil {
			t.Fatal(err)
		}
	}
}

// flipBlob changes a byte of a file, and changes it back.
func flipBlob(file string) func(t *testing.T, w *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		path := w.blobOf(t, file)
		b := must(os.ReadFile(path))(t)
		b[len(b)/2] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// publishRubbish publishes bytes that are no package, past the reading of them.
func publishRubbish(t *testing.T, w *world) {
	t.Helper()
	w.keepBlob(t, "rubbish")
	f := must(conda.ParseFilename("rubbish-1-0.conda"))(t)
	c := publish.Commit{
		Channel: w.channel, Labels: []conda.Label{conda.MainLabel()}, File: f, RawIndex: []byte(`{}`), Right: w.right,
		Record: conda.Record{Name: "rubbish", Version: "1", Build: "0", Subdir: must(conda.ParseSubdir("noarch"))(t), SHA256: [32]byte(sumOf("rubbish")), Size: 7},
		Event:  audit.Event{Kind: audit.Uploaded, Facts: map[string]string{}},
	}
	if r := must(w.db.Publish(t.Context(), []publish.Commit{c}))(t); r[0].Err != nil {
		t.Fatal(r[0].Err)
	}
}

// keepBlob puts bytes into the store, and leaves them there.
func (w *world) keepBlob(t *testing.T, text string) blob.Hold {
	t.Helper()
	stage := must(w.blobs.Stage(t.Context()))(t)
	if _, err := stage.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	hold := must(stage.Keep(t.Context(), [32]byte(sumOf(text))))(t)
	return hold
}

// Every damage is found, and nothing else; a repair makes it right, for the clients as it was before.
func TestEveryDamage(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		w.fill(t)
		w.clean(t)
		for _, d := range damages() {
			t.Run(d.name, func(t *testing.T) { w.suffer(t, d) })
		}
	})
}

func (w *world) suffer(t *testing.T, d damage) {
	t.Helper()
	w.fresh(t)
	before := w.files(t)
	d.do(t, w)
	r, found := w.look(t, false)
	if diff := cmp.Diff(d.want, r.Counts); diff != "" {
		t.Errorf("found %s (-want +got)\n%s\n%q", kinds(r.Counts), diff, found)
	}
	for _, f := range found {
		if !strings.Contains(f.String(), d.about) || f.Repairable != f.Kind.Repairable() || f.Channel != "forge" {
			t.Errorf("%s says nothing of %q", f, d.about)
		}
	}
	if err := w.checker.Repair(t.Context(), audit.Actor{Kind: audit.Operator}, r); err != nil {
		t.Fatal(err)
	}
	if d.back != nil {
		d.back(t, w)
	}
	w.agrees(t, false)
	if d.name == "no package" {
		return
	}
	if diff := cmp.Diff(decoded(before), decoded(w.files(t))); diff != "" {
		t.Errorf("after the repair clients read something else: %s", diff)
	}
}

// fresh has channeldata.json made, as somebody does who asks for it.
func (w *world) fresh(t *testing.T) {
	t.Helper()
	for _, l := range []string{"main", "rc"} {
		if more := must(w.db.FreshenChannelData(t.Context(), index.Label{ChannelID: w.channel.ID, Name: must(conda.ParseLabel(l))(t)}))(t); more {
			t.Fatal("channeldata is not all fresh")
		}
	}
}

func TestEveryKindHasItsDamage(t *testing.T) {
	t.Parallel()
	seen := map[check.Kind]bool{check.BlobStray: true} // TestStrayBytes
	for _, d := range damages() {
		for k := range d.want {
			seen[k] = true
		}
	}
	want := slices.Sorted(slices.Values(check.Kinds()))
	if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, want) {
		t.Errorf("damages of kinds %q, there are %q", got, want)
	}
}

// A server that has given out a damaged shard gives the right one after the repair.
func TestRepairedShardIsServed(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		w.fill(t)
		p := index.Place{ChannelID: w.channel.ID, Label: conda.MainLabel(), Subdir: must(conda.ParseSubdir("noarch"))(t)}
		name := must(w.db.NamesAfter(t.Context(), p, "tide09", 1))(t)[0]
		x := index.New(w.db, 1<<20)
		w.hurt(t, `UPDATE shard SET bytes = $1 WHERE superseded_us IS NULL AND name = 'tide10' AND`+main, []byte{1})
		if b := must(x.Shard(t.Context(), p, [32]byte(name.SHA256)))(t); len(b) != 1 {
			t.Fatalf("%d bytes of a damaged shard", len(b))
		}
		r, _ := w.look(t, true)
		if err := w.checker.Repair(t.Context(), audit.Actor{Kind: audit.Operator}, r); err != nil {
			t.Fatal(err)
		}
		if b := must(x.Shard(t.Context(), p, [32]byte(name.SHA256)))(t); !bytes.Equal(b, name.Bytes) {
			t.Errorf("after the repair %d bytes, want %d", len(b), len(name.Bytes))
		}
	})
}

// What is compared comes from one moment, so whatever is done meanwhile is no difference.
func TestBesideChanges(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		w.fill(t)
		var busy sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		for i := range 3 {
			busy.Go(func() { w.bustle(ctx, t, i) })
		}
		for i := range 12 {
			_, found := w.look(t, i%2 == 0)
			must(w.checker.Blobs(t.Context(), func(s check.Stray) { found = append(found, s.Difference) }))(t)
			for _, d := range found {
				t.Errorf("beside changes: %s", d)
			}
		}
		stop()
		busy.Wait()
		w.clean(t)
	})
}

// bustle uploads, yanks, deletes, purges and lists until ctx ends.
func (w *world) bustle(ctx context.Context, t *testing.T, worker int) {
	p := &curate.Purger{Graves: w.db, Blobs: w.blobs, Log: slog.New(slog.DiscardHandler), Now: w.now}
	background, rc := context.WithoutCancel(ctx), must(conda.ParseLabel("rc"))(t)
	for i := 0; ctx.Err() == nil; i++ {
		name := fmt.Sprintf("wave%d-%d", worker, i)
		err := w.upload(background, build.Package{Name: name, Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic", Noise: 2000}, conda.ExtConda)
		for _, c := range []curate.Change{
			{Kind: curate.List, Label: rc}, {Kind: curate.Yank, Reason: "no"}, {Kind: curate.Unyank}, {Kind: curate.Patch, Patch: conda.Patch{License: new("GPL")}},
			{Kind: curate.TakeOut, Label: rc}, {Kind: curate.Delete, Reason: "no"},
		} {
			if err == nil {
				_, err = w.keep.Do(background, audit.Actor{}, w.channel, curate.Selection{Name: name}, c)
			}
		}
		if err = errors.Join(err, p.Run(background)); err != nil {
			t.Errorf("bustle: %v", err)
			return
		}
	}
}

// Bytes that nobody needs are told of, those of an upload that is under way are not; a server removes them.
func TestStrayBytes(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		w.fill(t)
		look := func() (found []check.Stray) {
			n := must(w.checker.Blobs(t.Context(), func(s check.Stray) { found = append(found, s) }))(t)
			if n < 40 {
				t.Errorf("%d blobs", n)
			}
			return found
		}
		held := w.keepBlob(t, "under way")
		if found := look(); len(found) > 0 {
			t.Errorf("nothing is stray, but %q", found)
		}
		if err := w.keepBlob(t, "stray").Settle(); err != nil {
			t.Fatal(err)
		}
		found := look()
		if len(found) != 1 || found[0].Kind != check.BlobStray || found[0].Name != hex.EncodeToString(sumOf("stray")) || found[0].Stored != "5 bytes" ||
			found[0].IsPackage() || found[0].Repairable {
			t.Fatalf("found %q", found)
		}
		if err := w.checker.RemoveStray(t.Context(), found[0]); err != nil {
			t.Fatal(err)
		}
		if found := look(); len(found) > 0 {
			t.Errorf("it is doubted, and found again: %q", found)
		}
		p := &curate.Purger{Graves: w.db, Blobs: w.blobs, Log: slog.New(slog.DiscardHandler), Now: w.now}
		if err := p.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.blobs.Open(t.Context(), [32]byte(sumOf("stray"))); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it is still there: %v", err)
		}
		if _, _, err := w.blobs.Open(t.Context(), [32]byte(sumOf("under way"))); err != nil {
			t.Error(err)
		}
		if err := held.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Packages that are in no database, since an older one was restored, are known by what they say themselves, and can be
// saved; what is deleted and may be restored is not among them.
func TestStrayPackages(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		w.fill(t)
		w.do(t, "tide10", curate.Change{Kind: curate.Delete, Reason: "may come back"})
		want := map[string][]byte{}
		for _, ext := range []string{conda.ExtConda, conda.ExtTarBz2} {
			p := build.Package{Name: "lost", Version: "1.0", Build: "0", Subdir: "linux-64"}
			b, err := p.Conda()
			if ext == conda.ExtTarBz2 {
				b, err = p.TarBz2()
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := w.keepBlob(t, string(b)).Settle(); err != nil {
				t.Fatal(err)
			}
			want["linux-64/"+p.Stem()+ext] = b
		}
		got := map[string][]byte{}
		must(w.checker.Blobs(t.Context(), func(s check.Stray) {
			var b bytes.Buffer
			if err := w.checker.Save(t.Context(), s, &b); err != nil || !strings.Contains(s.Stored, ", the package linux-64/lost-1.0-0.") {
				t.Errorf("%v: %v", s, err)
			}
			got[s.Subdir.String()+"/"+s.File.String()] = b.Bytes()
		}))(t)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("strays (-want +got):\n%s", diff)
		}
	})
}
