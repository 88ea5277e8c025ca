package repodata

import (
	"bytes"
	"encoding/hex"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// unhex reads hexadecimal bytes; blanks are for the eye.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// decode decodes exactly one frame by klauspost's decoder, at once and as a stream.
func decode(t testing.TB, frame []byte) []byte {
	t.Helper()
	if _, err := cutFrame(bytes.Clone(frame)); err != nil {
		t.Fatalf("not exactly one frame: %v", err)
	}
	dec, err := zstd.NewReader(bytes.NewReader(frame), zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	streamed, err := io.ReadAll(dec)
	if err != nil {
		t.Fatalf("decode as a stream: %v", err)
	}
	whole, err := dec.DecodeAll(frame, nil)
	if err != nil {
		t.Fatalf("decode at once: %v", err)
	}
	if !bytes.Equal(whole, streamed) {
		t.Fatalf("decoded at once %d bytes, as a stream %d others", len(whole), len(streamed))
	}
	return whole
}

// libzstd runs the zstd command on in. It is what most clients decode with, so a machine without it has
// not tested this package.
func libzstd(t testing.TB, in []byte, args ...string) []byte {
	t.Helper()
	if testing.Short() {
		t.Skip("the zstd command is not asked in short tests")
	}
	path, err := exec.LookPath("zstd")
	if err != nil {
		t.Fatal("the zstd command is missing: install Debian's package zstd, or run go test -short")
	}
	cmd := exec.CommandContext(t.Context(), path, append([]string{"-q", "-c"}, args...)...)
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("zstd %v: %v: %s", args, err, complaint.Bytes())
	}
	return out.Bytes()
}

// frameOf lines blocks up as one frame that decodes to size bytes.
func frameOf(size int, blocks ...[]byte) []byte {
	return append(append(appendFrameHeader(nil, int64(size)), bytes.Join(blocks, nil)...), frameEnd...)
}

func TestAppendRaw(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, maxBlock, maxBlock + 1, 3*maxBlock + 7} {
		raw := bytes.Repeat([]byte("0123456789abcdef-"), n/17+1)[:n]
		if got := decode(t, frameOf(n, appendRaw(nil, raw))); !bytes.Equal(got, raw) {
			t.Errorf("%d bytes came out as %d others", n, len(got))
		}
	}
}

func TestCutFrame(t *testing.T) {
	t.Parallel()
	const head = "28b52ffd 00 38 "
	for _, tt := range []struct{ name, in, want string }{
		{"empty block", head + "010000", "000000"},
		{"raw block", head + "0900 00 41", "080000 41"},
		{"RLE block of 5", head + "2b0000 41", "2a0000 41"},
		{"two blocks", head + "2a0000 41 090000 42", "2a0000 41 080000 42"},
		{"nothing", "", ""},
		{"no block", head, ""},
		{"no last block", head + "080000 41", ""},
		{"half a block header", head + "0900", ""},
		{"half a block", head + "110000 41", ""},
		{"bytes after the last block", head + "090000 41 00", ""},
		{"two frames", head + "090000 41" + head + "090000 42", ""},
		{"a checksum", "28b52ffd 04 38 090000 41 00000000", ""},
		{"a dictionary", "28b52ffd 01 38 07 090000 41", ""},
		{"a skippable frame", "502a4d18 04000000 00000001", ""},
		{"foreign bytes", "504b0304 00000000", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := cutFrame(unhex(t, tt.in))
			if want := unhex(t, tt.want); !bytes.Equal(got, want) || (err == nil) != (len(want) > 0) {
				t.Errorf("= %x, %v; want %x", got, err, want)
			}
		})
	}
}
