package artifact_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// budget notes what is taken of it; full is why nothing more can be.
type budget struct {
	full       error
	held, most int64
}

func (b *budget) Acquire(_ context.Context, n int64) error {
	if b.full == nil {
		b.held += n
		b.most = max(b.most, b.held)
	}
	return b.full
}

func (b *budget) Release(n int64) { b.held -= n }

// wide is a tar with 5 MiB that do not compress, in one frame with a window of 4 MiB.
func wide(t *testing.T) []byte {
	t.Helper()
	noise := make([]byte, 5<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(noise)
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, zstd.WithWindowSize(4<<20))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(tarOf(tarFile{path: "bin/x", data: string(noise)})); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestMemoryIsTakenAndGivenBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		data []byte
		want int64
	}{
		{stem + ".conda", condaOf(nil, wide(t)), 12 << 20},
		{stem + ".conda", condaOf(nil, nil), 8<<20 + 2<<10}, // all of a tar this small
		{stem + ".tar.bz2", bz2(tarOf(good())), 8 << 20},
	} {
		lim, b := limits(), &budget{}
		lim.Memory = b
		if _, err := read(t, tt.data, tt.name, lim); err != nil {
			t.Fatal(err)
		}
		if b.most != tt.want || b.held != 0 || b.most > lim.MostMemory() {
			t.Errorf("%s: %d bytes were taken, want %d; %d are still held", tt.name, b.most, tt.want, b.held)
		}
		b.full = errors.New("the caller has gone")
		if _, err := read(t, tt.data, tt.name, lim); !errors.Is(err, b.full) {
			t.Errorf("%s: %v, want that there is no memory", tt.name, err)
		}
	}
}
