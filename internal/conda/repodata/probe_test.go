package repodata

import (
	"bytes"
	"fmt"
	"testing"
)

// leaning are blocks made by hand that lean on the initial repeat offsets: literals "abcdefghi", then
// three bytes copied by repeat offset 1, 2 or 3. Right at the beginning of a frame, wrong elsewhere.
func leaning(t testing.TB) map[string][2][]byte {
	t.Helper()
	const literals = "48 616263646566676869"
	made := make(map[string][2][]byte)
	for raw, sequence := range map[string]string{
		"abcdefghiiii": "01 54 09 00 00 01", // offset value 1: code 0, no bits
		"abcdefghifgh": "01 54 09 01 00 02", // offset value 2: code 1, bit 0
		"abcdefghibcd": "01 54 09 01 00 03", // offset value 3: code 1, bit 1
	} {
		body := unhex(t, literals+sequence)
		block := append(appendBlockHeader(nil, compressedBlock, len(body)), body...)
		made[raw[9:]] = [2][]byte{[]byte(raw), block}
	}
	return made
}

// The danger is real, for both decoders: these blocks are right alone and wrong, without an error, in line.
func TestLeaningBlocks(t *testing.T) {
	t.Parallel()
	for name, made := range leaning(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, block := made[0], made[1]
			if got := decode(t, frameOf(len(raw), block)); !bytes.Equal(got, raw) {
				t.Fatalf("alone = %q, want %q: the block is not what it should be", got, raw)
			}
			before := appendOffset(appendOffset(appendOffset(appendRaw(nil, []byte("12345678")), 7), 5), 2)
			inline := frameOf(17+len(raw), before, block)
			got := decode(t, inline)
			if bytes.HasSuffix(got, raw) {
				t.Fatalf("in line = %q: the block does not lean on what stands before it", got)
			}
			if lib := libzstd(t, inline, "-d"); !bytes.Equal(lib, got) {
				t.Errorf("libzstd = %q, klauspost = %q", lib, got)
			}
		})
	}
}

func TestVetRefusesLeaningBlocks(t *testing.T) {
	t.Parallel()
	e := NewEncoder()
	for name, made := range leaning(t) {
		raw, block := made[0], made[1]
		for i, p := range e.seams {
			if ok, _ := p.agrees(e.dec, block, raw, nil); ok {
				t.Errorf("%s: probe %d lets it pass", name, i)
			}
		}
		if ok, _ := e.start.agrees(e.dec, block, raw, nil); !ok {
			t.Errorf("%s: refused at the beginning of a frame, where it is right", name)
		}
		got := e.vet(block, raw, e.seams[:]...)
		if want := appendRaw(nil, raw); !bytes.Equal(got, want) {
			t.Errorf("%s: vet = %x, want the raw block %x", name, got, want)
		}
	}
}

// A later block of a long piece may lean, too, on what the first has left as it was.
func TestVetRefusesLaterBlocks(t *testing.T) {
	t.Parallel()
	e := NewEncoder()
	for name, made := range leaning(t) {
		for _, first := range [][]byte{[]byte("12345678"), corpus(t)["noise"], corpus(t)["noise, long"][:maxBlock]} {
			raw := append(bytes.Clone(first), made[0]...)
			blocks := append(appendRaw(nil, first), made[1]...)
			if got := decode(t, frameOf(len(raw), blocks)); !bytes.Equal(got, raw) {
				t.Fatalf("%s: the blocks are wrong even alone", name)
			}
			if got := e.vet(blocks, raw, e.seams[:]...); !bytes.Equal(got, appendRaw(nil, raw)) {
				t.Errorf("%s: passes behind a first block of %d bytes", name, len(first))
			}
		}
	}
}

func TestVetRefusesOtherBytes(t *testing.T) {
	t.Parallel()
	e := NewEncoder()
	raw := corpus(t)["real"]
	other := bytes.Clone(raw)
	other[len(other)-1] ^= 1
	for name, block := range map[string][]byte{
		"other bytes": e.Compress(other), "fewer bytes": e.Compress(raw[1:]), "no block": nil,
		"no zstd": []byte("not a block"), "more bytes": append(e.Compress(raw), e.Compress(raw)...),
	} {
		if got := e.vet(block, raw, e.seams[:]...); !bytes.Equal(got, appendRaw(nil, raw)) {
			t.Errorf("%s: got past the probes", name)
		}
	}
}

// libzstd's encoder does lean on inherited offsets now and then, at every level. Whatever of its blocks passes the probes
// must decode rightly behind any other piece.
func TestProbesOnLibzstd(t *testing.T) {
	t.Parallel()
	e := NewEncoder()
	all := corpus(t)
	behind := [][]byte{all["real"], all["names"], all["period 3 among records"], all["period 16, flawed"]}
	refused := 0
	for name, raw := range all {
		for _, level := range []string{"-1", "-3"} {
			if len(raw) == 0 || len(raw) > maxBlock {
				continue
			}
			block, err := cutFrame(libzstd(t, raw, "--no-check", level))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(e.vet(block, raw, e.seams[:]...), appendRaw(nil, raw)) && !bytes.Equal(block, appendRaw(nil, raw)) {
				refused++
				continue
			}
			for i, b := range behind {
				frame := frameOf(len(b)+len(raw), e.Compress(b), block)
				if got := decode(t, frame); !bytes.Equal(got[len(b):], raw) {
					t.Errorf("%s at %s passed the probes and is wrong behind piece %d", name, level, i)
				}
			}
		}
	}
	t.Logf("the probes refused %d of libzstd's blocks", refused)
}

func TestAppendOffset(t *testing.T) {
	t.Parallel()
	noise := bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuvwxyz!"), 4000)[:maxBlock]
	for _, offset := range []uint32{1, 2, 4, 5, 28, 29, 60, 61, 125, 65532, 65533, 131063, 131068} {
		t.Run(fmt.Sprint(offset), func(t *testing.T) {
			t.Parallel()
			want := bytes.Clone(noise)
			for range minMatch {
				want = append(want, want[len(want)-int(offset)])
			}
			frame := frameOf(len(want), appendOffset(appendRaw(nil, noise), offset))
			if !bytes.Equal(decode(t, frame), want) {
				t.Error("klauspost copies from elsewhere")
			}
			if !bytes.Equal(libzstd(t, frame, "-d"), want) {
				t.Error("libzstd copies from elsewhere")
			}
		})
	}
}
