package repodata

import (
	"bytes"
	"slices"
	"testing"
)

// A shard that is taken apart and put together again is the same file.
func TestCutShard(t *testing.T) {
	t.Parallel()
	e := NewEncoder()
	all := artifacts(t, 400)
	v3 := func(some []listed) (members [][]byte) {
		for _, a := range some {
			members = append(members, ShardMemberV3(a.file, a.rec, a.re))
		}
		return members
	}
	for _, m := range []ShardMembers{
		{}, {TarBz2: shardMembers(all[:1])}, {Conda: shardMembers(all[:300]), Removed: []string{"x-1-0.conda", "y-1-0.tar.bz2"}},
		{TarBz2: shardMembers(all[:20]), Conda: shardMembers(all[20:90]), TarBz2V3: v3(all[90:100]), CondaV3: v3(all[100:130])},
	} {
		file := e.Shard(m)
		cut, err := e.CutShard(file)
		if err != nil {
			t.Fatal(err)
		}
		members := func(cut []CutMember) (out [][]byte) {
			for _, c := range cut {
				if !bytes.Contains(c.Member, []byte(c.Key)) {
					t.Errorf("%q is the key of %q", c.Key, c.Member)
				}
				out = append(out, c.Member)
			}
			return out
		}
		again := e.Shard(ShardMembers{members(cut.TarBz2), members(cut.Conda), members(cut.TarBz2V3), members(cut.CondaV3), cut.Removed})
		if !bytes.Equal(again, file) || !slices.Equal(cut.Removed, m.Removed) {
			t.Errorf("%d, %d, %d and %d members became another shard", len(cut.TarBz2), len(cut.Conda), len(cut.TarBz2V3), len(cut.CondaV3))
		}
	}
	if _, err := e.CutShard([]byte("no shard")); err == nil {
		t.Error("what is no shard was taken apart")
	}
}

func FuzzCutShard(f *testing.F) {
	e := NewEncoder()
	f.Add(rawShard(ShardMembers{Removed: []string{"a-1-0.conda"}}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, _ = e.CutShard(append(appendRaw(appendFrameHeader(nil, int64(len(raw))), raw), frameEnd...))
	})
}
