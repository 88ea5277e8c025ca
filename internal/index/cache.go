package index

import (
	"container/list"
	"sync"
)

// cache keeps snapshots, least recently used first out, within a bound of bytes.
type cache struct {
	limit int64

	mu    sync.Mutex // guards what follows; nothing slow happens under it
	size  int64
	byUse *list.List // of *Snapshot, most recently used first
	at    map[Place]*list.Element
}

func newCache(limit int64) *cache {
	return &cache{limit: limit, byUse: list.New(), at: map[Place]*list.Element{}}
}

// get returns the snapshot of p if it is still the one with that chain.
func (c *cache) get(p Place, chain [32]byte) (*Snapshot, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.at[p]
	if !ok {
		return nil, false
	}
	s := e.Value.(*Snapshot)
	if s.Chain != chain {
		return nil, false
	}
	c.byUse.MoveToFront(e)
	return s, true
}

// put keeps s in place of any other of its place. One that is larger than the whole cache is not kept.
// A slow reader may bring an older one: it is then replaced at the next read, never served as newer.
func (c *cache) put(s *Snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.at[s.Place]; ok {
		c.drop(e)
	}
	if s.bytes() > c.limit {
		return
	}
	c.at[s.Place] = c.byUse.PushFront(s)
	c.size += s.bytes()
	for c.size > c.limit {
		c.drop(c.byUse.Back())
	}
}

func (c *cache) drop(e *list.Element) {
	s := e.Value.(*Snapshot)
	c.byUse.Remove(e)
	delete(c.at, s.Place)
	c.size -= s.bytes()
}
