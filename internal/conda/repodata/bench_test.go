package repodata

import (
	"bytes"
	"fmt"
	"testing"

	"sluice/internal/conda"
)

func BenchmarkMember(b *testing.B) {
	a := artifacts(b, 50)[20]
	b.ReportAllocs()
	for b.Loop() {
		if len(Member(a.file, a.rec)) < 300 || len(ShardMember(a.file, a.rec, a.re)) < 300 {
			b.Fatal("members are too short")
		}
	}
}

func BenchmarkCompress(b *testing.B) {
	for name, raw := range map[string][]byte{
		"repodata":    bytes.Join(jsonMembers(artifacts(b, 250)), []byte(","))[:PieceTarget],
		"shard index": bytes.Join(indexMembers(2500), nil)[:PieceTarget],
	} {
		b.Run(name, func(b *testing.B) {
			e := NewEncoder()
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			var block []byte
			for b.Loop() {
				block = e.Compress(raw)
			}
			if got, err := e.Decompress(block, len(raw)); err != nil || !bytes.Equal(got, raw) {
				b.Fatal("the block is wrong")
			}
			b.ReportMetric(float64(len(block))/float64(len(raw)), "size/raw")
		})
	}
}

// What the probes add to Compress.
func BenchmarkProbe(b *testing.B) {
	e := NewEncoder()
	raw := bytes.Join(jsonMembers(artifacts(b, 250)), []byte(","))[:PieceTarget]
	block := e.Compress(raw)
	for b.Loop() {
		if len(e.vet(block, raw, e.seams[:]...)) != len(block) {
			b.Fatal("refused")
		}
	}
}

func BenchmarkDecompress(b *testing.B) {
	raw := bytes.Join(jsonMembers(artifacts(b, 250)), []byte(","))[:PieceTarget]
	e := NewEncoder()
	block := e.Compress(raw)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Decompress(block, len(raw)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkShard(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			e, members := NewEncoder(), shardMembers(artifacts(b, n))
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				size = len(e.Shard(ShardMembers{Conda: members}))
			}
			if size == 0 {
				b.Fatal("no shard")
			}
			b.ReportMetric(float64(size)/float64(n), "B/record")
		})
	}
}

// discard counts; unlike io.Discard it has no ReadFrom to take a shortcut by.
type discard struct{ n int64 }

func (d *discard) Write(p []byte) (int, error) {
	d.n += int64(len(p))
	return len(p), nil
}

func BenchmarkWrite(b *testing.B) {
	f, m := manyPieces(b, 1000)
	for _, bb := range []struct {
		name  string
		size  int64
		write writeFunc
	}{
		{"zstd", f.ZstdSize(), f.WriteZstd},
		{"plain", f.RawSize(), f.WriteRaw},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(bb.size)
			b.ReportAllocs()
			for b.Loop() {
				var d discard
				if err := bb.write(b.Context(), &d, m); err != nil || d.n != bb.size {
					b.Fatalf("wrote %d of %d bytes: %v", d.n, bb.size, err)
				}
			}
		})
	}
}

// What a new generation costs beside its pieces: laying out a file of a thousand.
func BenchmarkLayOut(b *testing.B) {
	f, _ := manyPieces(b, 1000)
	pieces := f.sections[1].pieces
	b.ReportAllocs()
	for b.Loop() {
		if Repodata(conda.Noarch(), Records{Conda: pieces}).RawSize() < 1000 {
			b.Fatal("too small")
		}
	}
}
