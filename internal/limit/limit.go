// Package limit holds back those who come too often: for each key, a name or an address, a bucket of tries that
// fills again with time. What is kept lies in the memory of one process and is bounded, so it is a brake and not
// an account: nothing may rest on a count being exact. It is a leaf: it must not know what is tried, nor how
// somebody is told to wait.
package limit

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxKeys bounds the memory of one Buckets, some 200 bytes a key: the least recently used are forgotten, and
// with them what they owed.
const maxKeys = 10_000

// Buckets are limiters by key. Safe for concurrent use.
type Buckets struct {
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

// New makes buckets that hold burst tries each and get one back every so often.
func New(burst int, every time.Duration) *Buckets {
	return &Buckets{burst: burst, every: every, used: list.New(), byKey: map[string]*list.Element{}}
}

// Take asks for one try of a key. It returns how long to wait instead when there is none left, and otherwise 0
// and a function that gives the try back.
func (b *Buckets) Take(key string, now time.Time) (wait time.Duration, giveBack func()) {
	r := b.of(key).ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return wait, nil
	}
	return 0, func() { r.CancelAt(now) }
}

// of returns the limiter of a key.
func (b *Buckets) of(key string) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e, ok := b.byKey[key]; ok {
		b.used.MoveToFront(e)
		return e.Value.(*bucket).Limiter
	}
	if b.used.Len() >= maxKeys {
		last := b.used.Back()
		delete(b.byKey, b.used.Remove(last).(*bucket).key)
	}
	l := rate.NewLimiter(rate.Every(b.every), b.burst)
	b.byKey[key] = b.used.PushFront(&bucket{key, l})
	return l
}

// Address is the key of a client's address, without port: itself, or of IPv6 the /64 that it is from, for one
// host may speak from each of those addresses. What is no address stays as it is.
func Address(s string) string {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Unmap().Is4() {
		return s
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return s
	}
	return p.String()
}
