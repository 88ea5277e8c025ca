package repodata

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"sluice/internal/conda"
)

func TestReadShardIndex(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	for _, n := range []int{0, 1, 5_000} {
		want := Shards{Subdir: subdir(t, "osx-arm64"), BaseURL: "./", ShardsBaseURL: "./shards/", CreatedAt: at, Hashes: map[string][32]byte{}}
		for i := range n {
			name := fmt.Sprintf("package-%05d", i)
			want.Hashes[name] = sha256.Sum256([]byte(name))
		}
		m := newMaker()
		got, err := ReadShardIndex(frameIn(t, ShardIndex(want.Subdir, at, Names{Pieces: m.pieces("", indexMembers(n)), Count: n, V3: n / 2}), m))
		if diff := gocmp.Diff(want, got, equal); err != nil || diff != "" {
			t.Errorf("%d names: %v, (-want +got):\n%s", n, err, diff)
		}
	}
}

func TestReadShardIndexRefusals(t *testing.T) {
	t.Parallel()
	index := func(version int64, info func(p *packForm), shards ...[]byte) []byte {
		var p packForm
		p.open()
		p.key("version")
		p.number(version)
		p.key("info")
		p.open()
		info(&p)
		p.close()
		p.key("shards")
		p.b = append(appendMap(p.b, len(shards)), slices.Concat(shards...)...)
		p.close()
		return fileOf(t, p.b)
	}
	info := func(p *packForm) {
		field(p, "subdir", "noarch")
		p.key("channel_relations") // which it does not know
		p.open()
		p.key("base")
		p.list([]string{"../x"})
		p.close()
	}
	x := ShardIndexMember("x", sha256.Sum256(nil))
	if got, err := ReadShardIndex(index(1, info, x)); err != nil || got.Subdir != conda.Noarch() || len(got.Hashes) != 1 {
		t.Errorf("a good index: %+v, %v", got, err)
	}
	for name, tt := range map[string]struct {
		file []byte
		why  string
	}{
		"version 2":      {index(2, info, x), "version 2"},
		"a name twice":   {index(1, info, x, x), `the name "x" twice`},
		"a short hash":   {index(1, info, appendBin(appendStr(nil, "x"), make([]byte, 31))), "31 bytes"},
		"a hash as text": {index(1, info, appendStr(appendStr(nil, "x"), strings.Repeat("a", 64))), "type"},
		"no subdir":      {index(1, func(*packForm) {}, x), "of which subdir"},
		"a bad subdir":   {index(1, func(p *packForm) { field(p, "subdir", "../x") }, x), "subdir"},
		"a bad time":     {index(1, func(p *packForm) { field(p, "created_at", "now"); info(p) }, x), "parsing time"},
		"nothing":        {fileOf(t, appendMap(nil, 0)), "lacks version"},
		"a key twice":    {fileOf(t, slices.Concat(appendMap(nil, 2), appendStr(nil, "version"), []byte{1}, appendStr(nil, "version"), []byte{1})), "twice"},
		"an unknown key": {fileOf(t, append(appendStr(appendMap(nil, 1), "x"), 1)), "unknown key"},
		"more":           {fileOf(t, append(decode(t, index(1, info, x)), 1)), "more after its end"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := ReadShardIndex(tt.file); err == nil || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("= %+v, %v; want an error with %q", got, err, tt.why)
			}
		})
	}
}

// FuzzReadShardIndex: an index that is read can be written again from what was read, and says the same.
func FuzzReadShardIndex(f *testing.F) {
	for _, n := range []int{0, 3} {
		m := newMaker()
		f.Add(written(f, ShardIndex(conda.Noarch(), time.Unix(0, 0), Names{Pieces: m.pieces("", indexMembers(n)), Count: n}), m))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) == 0 || len(raw) > PieceTarget {
			return
		}
		got, err := ReadShardIndex(fileOf(t, raw))
		if err != nil {
			return
		}
		var members [][]byte
		for name, hash := range got.Hashes {
			members = append(members, ShardIndexMember(name, hash))
		}
		m := newMaker()
		again, err := ReadShardIndex(frameIn(t, ShardIndex(got.Subdir, got.CreatedAt, Names{Pieces: m.pieces("", members), Count: len(members)}), m))
		if err != nil || len(again.Hashes) != len(got.Hashes) || again.Subdir != got.Subdir {
			t.Errorf("%+v was read as %+v, %v", got, again, err)
		}
	})
}
