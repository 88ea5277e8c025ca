package repodata

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
)

// watched counts the bytes of blocks that were asked for, and refuses them from a number on.
type watched struct {
	*maker
	mu     sync.Mutex // guards what follows
	bytes  int
	calls  int
	failAt int // the call that fails, counted from 1
}

var errGone = errors.New("the block is gone")

func (w *watched) Blocks(ctx context.Context, numbers []int64) ([][]byte, error) {
	blocks, err := w.maker.Blocks(ctx, numbers)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range blocks {
		w.bytes += len(b)
	}
	if w.calls++; w.calls == w.failAt {
		return nil, errGone
	}
	return blocks, err
}

// A reader that is slow holds two batches: the one it is in the middle of, and the next.
func TestReaderLooksOneBatchAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, m := manyPieces(t, 500)
		w := &watched{maker: m}
		r := f.Zstd(t.Context(), w)
		block := f.sections[1].pieces[0].BlockLen
		read := 0
		for range 3 {
			n, err := io.ReadFull(r, make([]byte, batchSize))
			if err != nil {
				t.Fatal(err)
			}
			read += n
			synctest.Wait()
			w.mu.Lock()
			if most := read + 2*(batchSize+block); w.bytes > most || w.bytes <= read {
				t.Errorf("after %d bytes, %d were fetched; want more, and at most %d", read, w.bytes, most)
			}
			w.mu.Unlock()
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestReaderFailsWhereABlockIsGone(t *testing.T) {
	t.Parallel()
	f, m := manyPieces(t, 200)
	var whole bytes.Buffer
	if err := f.WriteZstd(t.Context(), &whole, m); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{1, 2, 3} {
		for name, open := range map[string]func(context.Context, Blocks) io.ReadSeekCloser{"zstd": f.Zstd, "plain": f.Raw} {
			r := open(t.Context(), &watched{maker: m, failAt: at})
			got, err := io.ReadAll(r)
			if !errors.Is(err, errGone) || name == "zstd" && !bytes.HasPrefix(whole.Bytes(), got) {
				t.Errorf("%s, call %d: %d bytes, %v", name, at, len(got), err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.WriteZstd(gone, io.Discard, m); !errors.Is(err, context.Canceled) {
		t.Errorf("a reader that left: %v", err)
	}
	short := few{m}
	if err := f.WriteZstd(t.Context(), io.Discard, short); err == nil {
		t.Error("fewer blocks than were asked for are no error")
	}
}

// few gives a block too few.
type few struct{ *maker }

func (f few) Blocks(ctx context.Context, numbers []int64) ([][]byte, error) {
	return f.maker.Blocks(ctx, numbers[1:])
}
