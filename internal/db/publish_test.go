package db_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/vmihailenco/msgpack/v5"

	"sluice/internal/audit"
	"sluice/internal/conda"
	"sluice/internal/db"
	"sluice/internal/fault"
	"sluice/internal/index"
	"sluice/internal/publish"
)

// place is a subdir in the label main.
func (f *fixture) place(t testing.TB, subdir string) index.Place {
	t.Helper()
	return index.Place{ChannelID: f.channel.ID, Label: conda.MainLabel(), Subdir: must(conda.ParseSubdir(subdir))(t)}
}

// file is an index file of a subdir as it is now.
func (f *fixture) file(t testing.TB, subdir string, n index.Name) *index.File {
	t.Helper()
	return must(index.New(f.DB, 1<<20).File(t.Context(), f.place(t, subdir), f.channel.CreatedAt, n))(t)
}

// generation is the newest one of a subdir.
func (f *fixture) generation(t testing.TB, subdir string) index.Generation {
	t.Helper()
	return f.file(t, subdir, index.RunExportsJSON).Generation
}

// files reads every index file of a snapshot and checks that they agree; it returns the file names.
func (f *fixture) files(t testing.TB, subdir string) []string {
	t.Helper()
	var flat struct {
		Packages      map[string]map[string]any `json:"packages"`
		PackagesConda map[string]map[string]any `json:"packages.conda"`
	}
	if err := json.Unmarshal(f.decode(t, subdir, index.RepodataZst), &flat); err != nil {
		t.Fatal(err)
	}
	if raw := read(t, f.file(t, subdir, index.RepodataJSON)); !bytes.Equal(raw, f.decode(t, subdir, index.RepodataZst)) {
		t.Error("repodata.json differs from its .zst")
	}
	var exports struct {
		Packages      map[string]any `json:"packages"`
		PackagesConda map[string]any `json:"packages.conda"`
	}
	if err := json.Unmarshal(f.decode(t, subdir, index.RunExportsZst), &exports); err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(flat.Packages))
	names = append(names, slices.Sorted(maps.Keys(flat.PackagesConda))...)
	if got := append(slices.Sorted(maps.Keys(exports.Packages)), slices.Sorted(maps.Keys(exports.PackagesConda))...); !slices.Equal(got, names) {
		t.Errorf("run_exports lists %q, repodata %q", got, names)
	}
	if got := f.sharded(t, subdir); !slices.Equal(got, names) {
		t.Errorf("shards list %q, repodata %q", got, names)
	}
	return names
}

// sharded reads the shard index and every shard, and returns the file names in the order of repodata.
func (f *fixture) sharded(t testing.TB, subdir string) []string {
	t.Helper()
	var idx struct {
		Shards map[string][]byte `msgpack:"shards"`
	}
	if err := msgpack.Unmarshal(f.decode(t, subdir, index.ShardIndex), &idx); err != nil {
		t.Fatal(err)
	}
	var old, conda []string
	for name, sum := range idx.Shards {
		var shard struct {
			Packages      map[string]map[string]any `msgpack:"packages"`
			PackagesConda map[string]map[string]any `msgpack:"packages.conda"`
		}
		b := must(f.Shard(t.Context(), f.place(t, subdir), [32]byte(sum)))(t)
		if err := msgpack.Unmarshal(inflate(t, b), &shard); err != nil {
			t.Fatal(err)
		}
		for file, r := range shard.Packages {
			old = append(old, file)
			if r["name"] != name {
				t.Errorf("shard %s holds a record of %v", name, r["name"])
			}
		}
		conda = slices.AppendSeq(conda, maps.Keys(shard.PackagesConda))
	}
	slices.Sort(old)
	slices.Sort(conda)
	return append(old, conda...)
}

// read reads a file to its end.
func read(t testing.TB, file *index.File) []byte {
	t.Helper()
	r := file.Open(t.Context())
	b := must(io.ReadAll(r))(t)
	if err := r.Close(); err != nil || int64(len(b)) != file.Size() {
		t.Errorf("read %d bytes where %d were announced, %v", len(b), file.Size(), err)
	}
	return b
}

// decode reads a compressed index file of a subdir and returns its content.
func (f *fixture) decode(t testing.TB, subdir string, n index.Name) []byte {
	t.Helper()
	file := f.file(t, subdir, n)
	out := inflate(t, read(t, file))
	if int64(len(out)) != file.Layout.RawSize() {
		t.Errorf("%s has %d bytes of content, %d were announced", n, len(out), file.Layout.RawSize())
	}
	return out
}

func inflate(t testing.TB, b []byte) []byte {
	t.Helper()
	dec := must(zstd.NewReader(bytes.NewReader(b)))(t)
	defer dec.Close()
	return must(io.ReadAll(dec))(t)
}

func TestPublishShowsInEveryFile(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		first := f.generation(t, "noarch")
		if first.Number != 0 || len(f.files(t, "noarch")) != 0 {
			t.Errorf("an empty place has generation %d", first.Number)
		}
		f.publish(t, f.commit(t, "noarch", "tide-1.0-0.conda", 1))
		f.publish(t, f.commit(t, "noarch", "tide-1.0-0.tar.bz2", 2))
		f.publish(t, f.commit(t, "noarch", "tide-0.9-0.conda", 3))
		out := f.publish(t, f.commit(t, "noarch", "ebb-1.0-0.conda", 4))
		want := []string{"tide-1.0-0.tar.bz2", "ebb-1.0-0.conda", "tide-0.9-0.conda", "tide-1.0-0.conda"}
		if got := f.files(t, "noarch"); !slices.Equal(got, want) {
			t.Errorf("files = %q, want %q", got, want)
		}
		if out.Generation != 4 || f.generation(t, "noarch").Number != 4 {
			t.Errorf("generation = %d, want 4", out.Generation)
		}
		if n := f.generation(t, "linux-64").Number; n != 0 {
			t.Errorf("another subdir rose to generation %d", n)
		}
	})
}

func TestPublishRefuses(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		base := f.commit(t, "noarch", "tide-1.0-0.conda", 1, "ebb")
		f.publish(t, base)
		if out := f.publish(t, base); !out.Already {
			t.Error("the same bytes by the same account must be no new upload")
		}
		stranger := base
		bob := f.ann
		bob.ID = must(f.CreateUser(t.Context(), userNamed("bob"), "", noSetup, audit.Event{}))(t).ID
		if err := f.SetMember(t.Context(), f.channel.ID, "bob", "maintainer", audit.Event{}); err != nil {
			t.Fatal(err)
		}
		bobs := f.token
		stranger.Right.User, stranger.Right.APIToken = &bob, &bobs
		for _, tt := range []struct {
			name string
			code fault.Code
			says string
			c    func() (err error)
		}{
			{"other bytes", fault.Exists, "0900000", func() error {
				_, err := f.Publish(t.Context(), f.commit(t, "noarch", "tide-1.0-0.conda", 9, "ebb"))
				return err
			}},
			{"same bytes, another right", fault.Exists, "these same bytes", func() error { _, err := f.Publish(t.Context(), stranger); return err }},
			{"twin with other dependencies", fault.TwinDiffers, "tide-1.0-0.conda", func() error {
				_, err := f.Publish(t.Context(), f.commit(t, "noarch", "tide-1.0-0.tar.bz2", 5, "flow"))
				return err
			}},
		} {
			before := f.generation(t, "noarch")
			err := tt.c()
			if fault.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %v, want %s with %q", tt.name, err, tt.code, tt.says)
			}
			if diff := cmp.Diff(before, f.generation(t, "noarch")); diff != "" {
				t.Errorf("%s: a refusal raised the generation:\n%s", tt.name, diff)
			}
		}
		if err := f.RevokeAPIToken(t.Context(), f.ann.ID, f.token.ID, f.clock.now(), audit.Event{}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Publish(t.Context(), f.commit(t, "noarch", "tide-2.0-0.conda", 6)); fault.CodeOf(err) != fault.Revoked {
			t.Errorf("a token revoked mid-upload: %v", err)
		}
		if got := f.files(t, "noarch"); !slices.Equal(got, []string{"tide-1.0-0.conda"}) {
			t.Errorf("files = %q", got)
		}
	})
}

// The cost of an upload is that of one piece and one shard: the rows that a channel of another size holds
// must not change what an upload writes.
func TestPiecesSplitAndStaySmall(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		depends := make([]string, 400)
		for i := range depends {
			depends[i] = fmt.Sprintf("library-%d >=1.%d,<2.0a0", i, i)
		}
		var want []string
		for i := range 40 { // ~12 kB each, so several pieces
			name := fmt.Sprintf("p%02d-1.0-0.conda", (i*7)%40)
			f.clock.advance(1)
			f.publish(t, f.commit(t, "linux-64", name, byte(i+1), depends...))
			want = append(want, name)
		}
		slices.Sort(want)
		if got := f.files(t, "linux-64"); !slices.Equal(got, want) {
			t.Errorf("files = %q, want %q", got, want)
		}
		listing, ok, err := f.Pieces(t.Context(), f.place(t, "linux-64"), []index.Series{index.Conda}, 0)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		pieces := listing.Pieces[index.Conda]
		if len(pieces) < 4 {
			t.Errorf("%d pieces, want several", len(pieces))
		}
		for i, p := range pieces {
			if p.RawLen > 128<<10 {
				t.Errorf("piece %d has %d bytes", i, p.RawLen)
			}
		}
	})
}

func TestUploadsAtOnceAllCount(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				subdir := []string{"noarch", "linux-64"}[i%2]
				if _, err := f.Publish(t.Context(), f.commit(t, subdir, fmt.Sprintf("p%d-1.0-0.conda", i/4), byte(i+1))); err != nil && !fault.Is(err, fault.Exists) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, subdir := range []string{"noarch", "linux-64"} {
			if got := f.files(t, subdir); len(got) != 4 || f.generation(t, subdir).Number != 4 {
				t.Errorf("%s: files %q at generation %d", subdir, got, f.generation(t, subdir).Number)
			}
		}
		totals := must(f.Totals(t.Context(), f.channel.ID))(t)
		if totals.Artifacts != 8 || totals.Packages != 4 {
			t.Errorf("totals = %+v", totals)
		}
	})
}

// What an upload allocates, and what its transaction reads and writes, is that of the pieces and the shard that it
// falls into. Pieces are between half full and full, so it may differ by as much, and by no more.
func TestAllocationsOfAnUploadDoNotFollowTheChannel(t *testing.T) {
	c := newClock()
	d, err := db.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "sluice.db"), c.now)
	f := newFixture(t, d, err, c)
	n := 0
	next := func() publish.Commit {
		c := f.commit(t, "linux-64", fmt.Sprintf("package-%05d-1.0-h0_0.conda", n*7919%100_000), byte(n), "python >=3.10", "libgcc >=14", "openssl >=3.3,<4.0a0")
		n++
		return c
	}
	grow := func(to int) {
		for n < to {
			batch := make([]publish.Commit, min(500, to-n))
			for i := range batch {
				batch[i] = next()
			}
			must(f.DB.Publish(t.Context(), batch))(t)
		}
	}
	cost := func() (allocations float64) {
		return testing.AllocsPerRun(40, func() { f.publish(t, next()) })
	}
	grow(300)
	small := cost()
	grow(1500)
	if large := cost(); large > 2*small || large > 6000 {
		t.Errorf("an upload allocates %.0f times into 300 artifacts, and %.0f times into 1,500", small, large)
	}
}
