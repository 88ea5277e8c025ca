package repodata

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// corpus is what an encoder could stumble over: real members, repetitions of short periods (the initial
// repeat offsets are 1, 4 and 8), noise, mixtures of them, and lengths around the limits of a block.
func corpus(t testing.TB) map[string][]byte {
	t.Helper()
	real := bytes.Join(jsonMembers(artifacts(t, 800)), []byte(","))
	rnd := rand.New(rand.NewPCG(3, 4))
	noise := make([]byte, maxBlock+500)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	all := map[string][]byte{
		"one byte": {'x'}, "two bytes": []byte("xy"), "nothing": nil, "real": real[:PieceTarget],
		"real, monster": real[:410<<10], "noise": noise[:PieceTarget], "noise, long": noise,
		"names": bytes.Join(indexMembers(2000), nil), "exactly a block": real[:maxBlock],
		"a byte more than a block": real[:maxBlock+1], "blank": bytes.Repeat([]byte{' '}, 500<<10),
	}
	for _, period := range []int{1, 2, 3, 4, 5, 7, 8, 12, 16} {
		unit := real[1000 : 1000+period]
		all[fmt.Sprintf("period %d", period)] = bytes.Repeat(unit, 60<<10/period)
		all[fmt.Sprintf("period %d, short", period)] = bytes.Repeat(unit, 40)
		all[fmt.Sprintf("period %d, monster", period)] = bytes.Repeat(unit, 450<<10/period)
		var mixed, flawed []byte
		for at := 0; len(mixed) < PieceTarget-8000; at += 700 {
			mixed = append(append(mixed, bytes.Repeat(unit, 1+rnd.IntN(300/period))...), real[at:at+rnd.IntN(700)]...)
			flawed = append(append(flawed, bytes.Repeat(unit, 2+rnd.IntN(20))...), byte(rnd.Uint32()))
		}
		all[fmt.Sprintf("period %d among records", period)] = mixed
		all[fmt.Sprintf("period %d, flawed", period)] = flawed
	}
	return all
}

func TestCompressAnywhere(t *testing.T) {
	t.Parallel()
	e := NewEncoder()
	var blocks [][]byte
	var want []byte
	for name, raw := range corpus(t) {
		block := e.Compress(raw)
		if got, err := e.Decompress(block, len(raw)); err != nil || !bytes.Equal(got, raw) {
			t.Errorf("%s: decompressed to %d bytes, %v; want the %d that went in", name, len(got), err, len(raw))
		}
		if len(raw) > 1000 && name[:4] != "nois" && len(block) > len(raw)*9/10 {
			t.Errorf("%s: %d bytes became %d: the probes have refused them", name, len(raw), len(block))
		}
		if len(block) > 0 && cap(block) > len(block)*2 {
			t.Errorf("%s: a block of %d bytes holds on to %d", name, len(block), cap(block))
		}
		blocks, want = append(blocks, block), append(want, raw...) // in map order, so differently each time
	}
	frame := frameOf(len(want), blocks...)
	if !bytes.Equal(decode(t, frame), want) {
		t.Error("klauspost decodes the joined pieces to other bytes")
	}
	if !bytes.Equal(libzstd(t, frame, "-d"), want) {
		t.Error("libzstd decodes the joined pieces to other bytes")
	}
}

func TestCompressOneBlock(t *testing.T) {
	t.Parallel()
	raw := corpus(t)["real"]
	if block := NewEncoder().Compress(raw); blockLen(block) != len(block) {
		t.Errorf("%d bytes became more than one block", len(raw))
	}
}

// What an encoder did before must not show: a shard is named by its hash.
func TestCompressForgets(t *testing.T) {
	t.Parallel()
	old := NewEncoder()
	all := corpus(t)
	for range 2 {
		for name, raw := range all {
			if got, want := old.Compress(raw), NewEncoder().Compress(raw); !bytes.Equal(got, want) {
				t.Errorf("%s: a used encoder made %d bytes, a new one %d others", name, len(got), len(want))
			}
		}
		all = map[string][]byte{"real": all["real"], "names": all["names"]}
	}
}

func TestEncoderShared(t *testing.T) {
	t.Parallel()
	e, all := NewEncoder(), corpus(t)
	want := e.Compress(all["names"])
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, name := range []string{"real", "names", "real, monster"} {
				block := e.Compress(all[name])
				if got, err := e.Decompress(block, len(all[name])); err != nil || !bytes.Equal(got, all[name]) {
					t.Errorf("%s: decompressed to %d bytes, %v", name, len(got), err)
				}
			}
		})
	}
	wg.Wait()
	if !bytes.Equal(e.Compress(all["names"]), want) {
		t.Error("the same piece became another block")
	}
}

func TestEncoderTrims(t *testing.T) {
	t.Parallel()
	e := NewEncoder()
	raw := bytes.Repeat([]byte("0123456789"), maxScratch/8)
	block := e.Compress(raw)
	if cap(e.out) > maxScratch || cap(e.frame) > maxScratch {
		t.Errorf("an idle encoder keeps %d and %d bytes", cap(e.out), cap(e.frame))
	}
	if !bytes.Equal(e.Compress(raw), block) {
		t.Error("a trimmed encoder makes other blocks")
	}
}

func TestDecompressRefuses(t *testing.T) {
	t.Parallel()
	e, raw := NewEncoder(), corpus(t)["real"]
	block := e.Compress(raw)
	for _, tt := range []struct {
		name  string
		block []byte
		n     int
	}{
		{"a byte too many", block, len(raw) + 1},
		{"a byte too few", block, len(raw) - 1},
		{"negative", block, -1},
		{"more than it can be", block, 1 << 50},
		{"half of it", block[:len(block)/2], len(raw)},
		{"a whole frame", frameOf(len(raw), block), len(raw)},
		{"of type 3", []byte{0x0e, 0, 0, 'x'}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, err := e.Decompress(tt.block, tt.n); err == nil {
				t.Errorf("= %d bytes, no error", len(got))
			}
		})
	}
}

// A block decodes to what went in, whatever stands before it in the frame and after it.
func FuzzCompress(f *testing.F) {
	for _, raw := range corpus(f) {
		f.Add(raw[:min(len(raw), 2000)], []byte("aaaabbbbaaaabbbb"), []byte(`"x":{}`))
	}
	e := NewEncoder()
	f.Fuzz(func(t *testing.T, piece, before, after []byte) {
		head := appendOffset(appendRaw(nil, []byte("head")), 2) // decodes to "headada"
		blocks := [][]byte{head, e.Compress(before), e.Compress(piece), e.Compress(after)}
		joined := bytes.Join([][]byte{[]byte("headada"), before, piece, after}, nil)
		if got := decode(t, frameOf(len(joined), blocks...)); !bytes.Equal(got, joined) {
			t.Errorf("decoded %q, want %q", got, joined)
		}
	})
}

// Whatever a block is, Decompress gives exactly the bytes asked for or an error.
func FuzzDecompress(f *testing.F) {
	e := NewEncoder()
	for _, raw := range corpus(f) {
		raw = raw[:min(len(raw), 2000)]
		f.Add(e.Compress(raw), len(raw))
	}
	f.Fuzz(func(t *testing.T, block []byte, n int) {
		got, err := e.Decompress(block, n)
		if err == nil && len(got) != n {
			t.Errorf("%d bytes, want %d", len(got), n)
		}
	})
}
