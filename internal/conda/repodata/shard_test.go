package repodata

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/vmihailenco/msgpack/v5"
)

func shardMembers(all []listed) [][]byte {
	ms := make([][]byte, len(all))
	for i, a := range all {
		ms[i] = ShardMember(a.file, a.rec, a.re)
	}
	return ms
}

func TestShardEmptyBytes(t *testing.T) {
	t.Parallel()
	str := func(s string) string { return hex.EncodeToString(appendStr(nil, s)) }
	want := "83" + str("packages") + "80" + str("packages.conda") + "80" + str("removed") + "90"
	if got := hex.EncodeToString(decode(t, NewEncoder().Shard(ShardMembers{}))); got != want {
		t.Errorf("= %s, want %s", got, want)
	}
}

// Every record comes back from a shard under its file name, as long as a map's header can count them.
func TestShard(t *testing.T) {
	t.Parallel()
	e := NewEncoder()
	for _, tt := range []struct{ tars, condas int }{{1, 0}, {0, 1}, {15, 16}, {300, 1200}} {
		all := artifacts(t, tt.tars+tt.condas)
		tars, condas := all[:tt.tars], all[tt.tars:]
		file := e.Shard(ShardMembers{TarBz2: shardMembers(tars), Conda: shardMembers(condas)})
		var h zstd.Header
		if err := h.Decode(file); err != nil || !h.HasFCS || h.WindowSize != maxBlock {
			t.Errorf("%v: header %+v, %v", tt, h, err)
		}
		raw := decode(t, file)
		if !bytes.Equal(libzstd(t, file, "-d"), raw) {
			t.Errorf("%v: libzstd decodes it to other bytes", tt)
		}
		dec := msgpack.NewDecoder(bytes.NewReader(raw))
		got := unpackMap(t, dec)
		want := map[string]any{"packages": unpacked(t, tars), "packages.conda": unpacked(t, condas), "removed": []any{}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v (-want +got): %s", tt, diff)
		}
	}
}

func unpacked(t testing.TB, all []listed) map[string]any {
	m := make(map[string]any, len(all))
	for _, a := range all {
		name, rec := unpackMember(t, ShardMember(a.file, a.rec, a.re))
		m[name] = rec
	}
	return m
}

// The bytes of shards are their names, in the caches of clients and in our database: should a new version
// of the encoder change them, this test says so. That is allowed, old shards stay valid; know it, then
// put the new hashes here.
func TestShardIsStable(t *testing.T) {
	t.Parallel()
	e := NewEncoder()
	all := shardMembers(artifacts(t, 60))
	want := "422af7ef315b6239b7ced64ea80d352d5ab9ba8fc9cf22263e0431593d9fe2a3"
	sum := sha256.Sum256(e.Shard(ShardMembers{TarBz2: all[:10], Conda: all[10:]}))
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("a shard's hash is %s, was %s", got, want)
	}
	if again := sha256.Sum256(NewEncoder().Shard(ShardMembers{TarBz2: all[:10], Conda: all[10:]})); again != sum {
		t.Error("another encoder makes another shard")
	}
}

func TestShardMonster(t *testing.T) {
	t.Parallel()
	a := artifacts(t, 3)[1]
	for range 20000 {
		a.rec.Depends = append(a.rec.Depends, strings.Repeat("abcdefgh", len(a.rec.Depends)%9+1))
	}
	member := ShardMember(a.file, a.rec, a.re)
	file := NewEncoder().Shard(ShardMembers{Conda: [][]byte{member}})
	if raw := decode(t, file); !bytes.Contains(raw, member) || !bytes.Equal(libzstd(t, file, "-d"), raw) {
		t.Error("a shard of many blocks comes out wrong")
	}
}
