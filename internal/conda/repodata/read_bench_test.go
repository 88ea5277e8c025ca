package repodata

import (
	"bytes"
	"testing"

	"sluice/internal/conda"
)

// What an import pays for a record, before the package itself.
func BenchmarkSource(b *testing.B) {
	const n = 2000
	m := newMaker()
	file := written(b, Repodata(subdir(b, "linux-64"), Records{Conda: m.pieces(",", jsonMembers(artifacts(b, n)))}), m)
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		got := 0
		for _, err := range NewSource(bytes.NewReader(file), conda.Noarch()).Entries() {
			if err != nil {
				b.Fatal(err)
			}
			got++
		}
		if got != n {
			b.Fatalf("%d records, want %d", got, n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/n, "µs/record")
}

// What the index check pays for a record in each of its forms.
func BenchmarkParse(b *testing.B) {
	const n = 25
	all := artifacts(b, n)
	members := jsonMembers(all)
	shard := NewEncoder().Shard(ShardMembers{Conda: shardMembers(all)})
	b.Run("member", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := ParseMember(Conda, members[0]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("shard of 25", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if got, err := ReadShard(shard); err != nil || len(got) != n {
				b.Fatalf("%d records, %v", len(got), err)
			}
		}
	})
}
