package files

import (
	"fmt"
	"io"
	"sync"
)

const (
	// smallBody is the size of the largest package whose bytes are kept in memory. To open a file takes longer than to
	// send so little; above, the kernel sends the file itself.
	smallBody = 64 << 10
	// bodiesMost is what each of the two maps of bodies holds, in bytes.
	bodiesMost = 16 << 20
)

// bodies are small packages that were sent lately, by their SHA-256: they never change, and who may have one is asked
// before. It holds at most twice bodiesMost. The zero value is empty.
type bodies struct {
	mu         sync.Mutex // guards what follows
	young, old map[[32]byte][]byte
	size       int // of young, in bytes
}

func (b *bodies) get(sum [32]byte) ([]byte, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if body, ok := b.young[sum]; ok {
		return body, true
	}
	body, ok := b.old[sum]
	if ok {
		b.put(sum, body)
	}
	return body, ok
}

func (b *bodies) keep(sum [32]byte, body []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.put(sum, body)
}

// put is called with mu held.
func (b *bodies) put(sum [32]byte, body []byte) {
	if b.young == nil || b.size+len(body) > bodiesMost {
		b.young, b.old, b.size = map[[32]byte][]byte{}, b.young, 0
	}
	b.young[sum] = body
	b.size += len(body)
}

// readAll reads a body of exactly size bytes.
func readAll(from io.Reader, size int64) ([]byte, error) {
	body := make([]byte, size)
	if _, err := io.ReadFull(from, body); err != nil {
		return nil, fmt.Errorf("read a package: %w", err)
	}
	return body, nil
}
