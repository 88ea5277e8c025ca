package index

import (
	"container/list"
	"sync"
)

// cache bounds what its shelves keep together, in bytes; what was used least recently goes first.
type cache struct {
	limit int64

	mu    sync.Mutex // guards what follows, and the shelves; nothing slow happens under it
	size  int64
	byUse *list.List // of *item, most recently used first
}

// item is one thing on one shelf.
type item struct {
	value any
	size  int64
	drop  func() // takes it from its shelf
}

func newCache(limit int64) *cache { return &cache{limit: limit, byUse: list.New()} }

// shelf is the part of a cache that keeps things of one kind by their keys.
type shelf[K comparable, V any] struct {
	cache *cache
	at    map[K]*list.Element
}

func newShelf[K comparable, V any](c *cache) *shelf[K, V] {
	return &shelf[K, V]{cache: c, at: map[K]*list.Element{}}
}

// get returns what is kept by that key.
func (s *shelf[K, V]) get(key K) (v V, ok bool) {
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	return s.take(key)
}

// getAll returns what is kept by each of the keys, and the places in keys of those by which nothing is.
func (s *shelf[K, V]) getAll(keys []K) (found []V, missing []int) {
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	found = make([]V, len(keys))
	for i, k := range keys {
		var ok bool
		if found[i], ok = s.take(k); !ok {
			missing = append(missing, i)
		}
	}
	return found, missing
}

func (s *shelf[K, V]) take(key K) (v V, ok bool) {
	e, ok := s.at[key]
	if !ok {
		return v, false
	}
	s.cache.byUse.MoveToFront(e)
	return e.Value.(*item).value.(V), true
}

// overhead is what keeping a thing costs beside it, in bytes, roughly.
const overhead = 200

// put keeps v, of so many bytes, in place of any other by that key. What is larger than the whole cache is not kept.
func (s *shelf[K, V]) put(key K, v V, size int) {
	c := s.cache
	n := int64(size) + overhead
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := s.at[key]; ok {
		c.drop(e)
	}
	if n > c.limit {
		return
	}
	s.at[key] = c.byUse.PushFront(&item{value: v, size: n, drop: func() { delete(s.at, key) }})
	c.size += n
	for c.size > c.limit {
		c.drop(c.byUse.Back())
	}
}

func (c *cache) drop(e *list.Element) {
	i := e.Value.(*item)
	c.byUse.Remove(e)
	i.drop()
	c.size -= i.size
}
