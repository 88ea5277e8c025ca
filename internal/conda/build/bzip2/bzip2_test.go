package bzip2_test

import (
	"bytes"
	stdbzip2 "compress/bzip2"
	"errors"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sluice/internal/conda/build/bzip2"
)

func compress(t interface{ Fatalf(string, ...any) }, data []byte, chunk int) []byte {
	var buf bytes.Buffer
	z := bzip2.NewWriter(&buf)
	for part := range chunks(data, chunk) {
		if n, err := z.Write(part); n != len(part) || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	return buf.Bytes()
}

func chunks(data []byte, n int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(data) > 0 {
			part := data[:min(n, len(data))]
			if data = data[len(part):]; !yield(part) {
				return
			}
		}
	}
}

// samples are inputs that each reach another part of the format.
func samples() map[string][]byte {
	noise := make([]byte, 150_000)
	rand.NewChaCha8([32]byte{1}).Read(noise)
	skewed := make([]byte, 120_000) // Fibonacci-like frequencies want codes longer than allowed
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range skewed {
		for skewed[i] < 40 && rng.IntN(2) == 0 {
			skewed[i]++
		}
	}
	return map[string][]byte{
		"empty": nil, "one byte": {7}, "two equal": {0, 0}, "three": []byte("aaa"), "four": []byte("aaaa"), "five": []byte("aaaaa"),
		"254": bytes.Repeat([]byte{1}, 254), "255": bytes.Repeat([]byte{1}, 255), "256": bytes.Repeat([]byte{1}, 256), "260": bytes.Repeat([]byte{1}, 260),
		"period": bytes.Repeat([]byte("abcab"), 3000), "zeros over blocks": make([]byte, 6_000_000), "noise over blocks": noise, "skewed": skewed,
		"block exactly full": bytes.Repeat([]byte("ab"), (100_000-19)/2), "text": []byte(strings.Repeat("the quick brown fox; ", 20_000)),
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	tool, _ := exec.LookPath("bzip2")
	for name, data := range samples() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			packed := compress(t, data, 70_001)
			got, err := io.ReadAll(stdbzip2.NewReader(bytes.NewReader(packed)))
			if err != nil || !bytes.Equal(got, data) {
				t.Fatalf("read back %d of %d bytes: %v", len(got), len(data), err)
			}
			if tool == "" {
				return
			}
			cmd := exec.CommandContext(t.Context(), tool, "-t")
			cmd.Stdin = bytes.NewReader(packed)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("bzip2 -t: %v: %s", err, out)
			}
		})
	}
}

func TestRoundTripOfAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var data []byte
		for _, run := range rapid.SliceOfN(rapid.IntRange(0, 5*600-1), 0, 60).Draw(t, "runs") {
			data = append(data, bytes.Repeat([]byte{byte(run % 5)}, run/5)...)
		}
		data = append(data, rapid.SliceOf(rapid.Byte()).Draw(t, "tail")...)
		packed := compress(t, data, rapid.IntRange(1, 1000).Draw(t, "chunk"))
		got, err := io.ReadAll(stdbzip2.NewReader(bytes.NewReader(packed)))
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("read back %d of %d bytes: %v", len(got), len(data), err)
		}
	})
}

func TestItCompresses(t *testing.T) {
	t.Parallel()
	text := []byte(strings.Repeat("a line of some text that comes again and again\n", 2000))
	if got := len(compress(t, text, 4096)); got > len(text)/50 {
		t.Errorf("%d bytes became %d", len(text), got)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestErrorsAreKept(t *testing.T) {
	t.Parallel()
	z := bzip2.NewWriter(full{})
	if _, err := z.Write([]byte("x")); err != nil {
		t.Fatalf("buffered write: %v", err)
	}
	if err := z.Close(); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("Close = %v, want the writer's own error", err)
	}
	z = bzip2.NewWriter(io.Discard)
	if err := z.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if _, err := z.Write([]byte("x")); err == nil {
		t.Error("a closed writer still writes")
	}
}

func BenchmarkWrite(b *testing.B) {
	data := []byte(strings.Repeat("a line of some text that comes again and again\n", 20000))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if out := compress(b, data, 64<<10); len(out) == 0 {
			b.Fatal("nothing written")
		}
	}
}
