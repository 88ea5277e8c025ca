package publish

import (
	"context"
	"runtime"

	"golang.org/x/sync/semaphore"

	"sluice/internal/conda/artifact"
)

// memory is what the packages that are being read share, however many come at once. It implements artifact.Memory.
type memory struct{ room *semaphore.Weighted }

// NewMemory makes the memory that packages share which are read at once: room for one with the widest window, and for
// the usual kind beside it.
func NewMemory(lim artifact.Limits) artifact.Memory {
	const others = 2
	usual := lim.MostMemory() - lim.Window
	return memory{semaphore.NewWeighted(lim.MostMemory() + others*usual)}
}

// Acquire implements artifact.Memory.
func (m memory) Acquire(ctx context.Context, n int64) error { return m.room.Acquire(ctx, n) }

// much is what is worth a collection, in bytes.
const much = 32 << 20

// Release implements artifact.Memory. The collector waits until the heap has doubled, so a window that was
// given back would stand beside the next one.
func (m memory) Release(n int64) {
	if n >= much {
		runtime.GC()
	}
	m.room.Release(n)
}
