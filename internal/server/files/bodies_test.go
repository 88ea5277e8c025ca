package files

import (
	"testing"
)

// What was sent last stays, and no more than the bound.
func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	var b bodies
	sum := func(i int) [32]byte { return [32]byte{byte(i), byte(i >> 8)} }
	const n = 3 * bodiesMost / smallBody
	for i := range n {
		b.keep(sum(i), make([]byte, smallBody))
		if _, ok := b.get(sum(0)); !ok {
			t.Fatalf("the one that is asked for all the time is gone after %d others", i)
		}
	}
	if _, ok := b.get(sum(1)); ok {
		t.Error("one that nobody asked for stayed")
	}
	held := 0
	for _, m := range []map[[32]byte][]byte{b.young, b.old} {
		for _, body := range m {
			held += len(body)
		}
	}
	if held > 2*bodiesMost {
		t.Errorf("%d bytes are held", held)
	}
}
