package repodata

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"

	"sluice/internal/conda"
)

// packed is what another library of msgpack makes of a value, in a frame.
func packed(t testing.TB, v any) []byte {
	t.Helper()
	b, err := msgpack.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return fileOf(t, b)
}

// ordered are the entries of a source by place and name.
func ordered(t *testing.T, s *Source) (entries []Entry, bad []string) {
	t.Helper()
	for e, err := range s.Entries() {
		if err != nil {
			bad = append(bad, err.Error())
			continue
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Place, b.Place), cmp.Compare(a.File.String(), b.File.String()))
	})
	slices.Sort(bad)
	return entries, bad
}

// A shard says what a repodata.json with the same maps says, odd values included, hashes as bytes or not.
func TestShardSource(t *testing.T) {
	t.Parallel()
	record := func(version string, more map[string]any) map[string]any {
		r := map[string]any{"name": "x", "version": version, "build": "0", "build_number": 0, "depends": []any{"y >=1"}}
		maps.Copy(r, more)
		return r
	}
	sum := make([]byte, 32)
	sum[0] = 0xAB
	repodata := func(hash any) map[string]any {
		return map[string]any{
			"packages": map[string]any{
				"x-1-0.tar.bz2": record("1", map[string]any{"license": nil, "noarch": true, "sha256": hash, "timestamp": 1.5e12, "size": float32(12)}),
				"x-2-0.tar.bz2": record("2", map[string]any{"attestations_sha256": strings.Repeat("ab", 32), "noarch": "no"}),
				"X.tar.bz2":     nil,
			},
			"packages.conda": map[string]any{"x-3-0.conda": record("3", map[string]any{"indexed_timestamp": int64(1) << 40, "unknown": []any{-5, -500, -70000, true, false, 1e-7}})},
			"v3":             map[string]any{"conda": map[string]any{"x-4-0": record("4", map[string]any{"flags": []any{"cuda"}})}, "whl": map[string]any{}},
			"removed":        []any{"x-0-0.conda"},
		}
	}
	text, err := json.Marshal(repodata("ab" + strings.Repeat("0", 62)))
	if err != nil {
		t.Fatal(err)
	}
	want, wantBad := ordered(t, NewSource(strings.NewReader(string(text)), conda.Noarch()))
	shard, err := NewShardSource(packed(t, repodata(sum)), conda.Noarch())
	if err != nil {
		t.Fatal(err)
	}
	got, bad := ordered(t, shard)
	if diff := gocmp.Diff(want, got, equal); diff != "" || len(want) != 4 || want[0].Record.SHA256[0] != 0xAB {
		t.Errorf("(-repodata.json +shard):\n%s", diff)
	}
	if diff := gocmp.Diff(wantBad, bad); diff != "" || len(bad) != 2 {
		t.Errorf("what cannot be used (-repodata.json +shard):\n%s", diff)
	}
}

func TestSourceShards(t *testing.T) {
	t.Parallel()
	sum := make([]byte, 32)
	sum[31] = 7
	index := func(version any, info map[string]any, hash any) []byte {
		return packed(t, map[string]any{"version": version, "info": info, "shards": map[string]any{"x": hash}, "more": nil})
	}
	info := map[string]any{"base_url": "../a", "shards_base_url": "https://shards.example.com/b", "created_at": 1.5, "subdir": nil}
	for _, version := range []any{1, nil} {
		want := Shards{BaseURL: "../a", ShardsBaseURL: "https://shards.example.com/b", Hashes: map[string][32]byte{"x": [32]byte(sum)}}
		got, err := SourceShards(index(version, info, sum))
		if diff := gocmp.Diff(want, got, equal); diff != "" || err != nil {
			t.Errorf("version %v: %v %s", version, err, diff)
		}
	}
	for name, tt := range map[string]struct {
		file []byte
		why  string
	}{
		"version 2":          {index(2, info, sum), "a shard index of version 2; version 1 is read"},
		"a short hash":       {index(1, info, sum[1:]), `the hash of "x" is not one of 32 bytes`},
		"a hash that is one": {index(1, info, "x"), `the hash of "x" is not one of 32 bytes`},
		"no map":             {packed(t, []any{1}), "cannot unmarshal array"},
		"a time of msgpack":  {index(1, map[string]any{"created_at": time.Unix(0, 0)}, sum), "not of the type"},
		"two frames":         {append(index(1, info, sum), index(1, info, sum)...), "not exactly one zstd frame"},
		"cut":                {fileOf(t, []byte{0x81}), "cut short"},
	} {
		if got, err := SourceShards(tt.file); err == nil || !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%s: %+v, %v; want an error with %q", name, got, err, tt.why)
		}
	}
	if _, err := NewShardSource(packed(t, make([]byte, shardMost)), conda.Noarch()); err == nil {
		t.Error("a shard that is larger than any client takes was read")
	}
}

// FuzzAsJSON: whatever msgpack is read comes out as JSON.
func FuzzAsJSON(f *testing.F) {
	for _, v := range []any{nil, true, 1.5, math.Inf(1), float32(math.NaN()), "\xff", []any{-1, []byte{1}}, map[string]any{"a": map[string]any{}}} {
		b, err := msgpack.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) == 0 {
			return
		}
		if text, err := asJSON(fileOf(t, raw), shardWindow, shardMost); err == nil && !json.Valid(text) {
			t.Errorf("%x became %q", raw, text)
		}
	})
}
