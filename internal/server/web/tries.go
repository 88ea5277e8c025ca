package web

import (
	"container/list"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// tries holds back those who guess passwords: each name and each address may be tried a few times at once, and
// then slowly. Only wrong passwords count.
type tries struct{ names, addresses *buckets }

// Bounds of sign-in. Many people may share one address, a proxy's for example; a name belongs to one.
const (
	perName, everyName       = 10, 30 * time.Second
	perAddress, everyAddress = 50, 2 * time.Second
	// maxBuckets bounds the memory: the least recently tried are forgotten.
	maxBuckets = 10_000
)

func newTries() *tries {
	return &tries{names: newBuckets(perName, everyName), addresses: newBuckets(perAddress, everyAddress)}
}

// take asks for one try. It returns how long to wait instead when there is none left, and otherwise a function
// that gives the try back.
func (t *tries) take(address, name string, now time.Time) (wait time.Duration, giveBack func()) {
	a := t.addresses.of(address).ReserveN(now, 1)
	if wait := a.DelayFrom(now); wait > 0 {
		a.CancelAt(now)
		return wait, nil
	}
	n := t.names.of(name).ReserveN(now, 1)
	if wait := n.DelayFrom(now); wait > 0 {
		n.CancelAt(now)
		a.CancelAt(now)
		return wait, nil
	}
	return 0, func() {
		n.CancelAt(now)
		a.CancelAt(now)
	}
}

// buckets are limiters by key, the least recently used of which are forgotten.
type buckets struct {
	burst int
	every time.Duration

	mu    sync.Mutex // guards what follows
	used  *list.List // of *bucket, the last used first
	byKey map[string]*list.Element
}

type bucket struct {
	key string
	*rate.Limiter
}

func newBuckets(burst int, every time.Duration) *buckets {
	return &buckets{burst: burst, every: every, used: list.New(), byKey: map[string]*list.Element{}}
}

// of returns the limiter of a key.
func (b *buckets) of(key string) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e, ok := b.byKey[key]; ok {
		b.used.MoveToFront(e)
		return e.Value.(*bucket).Limiter
	}
	if b.used.Len() >= maxBuckets {
		last := b.used.Back()
		delete(b.byKey, b.used.Remove(last).(*bucket).key)
	}
	l := rate.NewLimiter(rate.Every(b.every), b.burst)
	b.byKey[key] = b.used.PushFront(&bucket{key, l})
	return l
}
