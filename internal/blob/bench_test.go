package blob

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"
)

// What it costs to bring in 500 small bodies: one by one, and through a Keeper.
func BenchmarkKeep(b *testing.B) {
	const many = 500
	l := &ledger{}
	f := open(b, b.TempDir(), l.referenced)
	next := uint64(0)
	stage := func() Staged {
		next++
		data := binary.BigEndian.AppendUint64(make([]byte, 2000), next)
		s, err := f.Stage(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Write(data); err != nil {
			b.Fatal(err)
		}
		return Staged{s, sha256.Sum256(data)}
	}
	settle := func(h Hold, err error) {
		if err == nil {
			err = h.Settle()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			for range many {
				s := stage()
				settle(s.Stage.Keep(b.Context(), s.Sum))
			}
		}
	})
	b.Run("together", func(b *testing.B) {
		k, err := f.Keeper()
		if err != nil {
			b.Fatal(err)
		}
		defer k.Close()
		for b.Loop() {
			var all []Staged
			for range many {
				all = append(all, stage())
			}
			holds, err := k.Keep(b.Context(), all)
			for _, h := range holds {
				settle(h, err)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
