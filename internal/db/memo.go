package db

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// memo answers one question that readers ask over and over, such as which generation a place has, and is never behind
// a commit: whoever asks after a commit has returned gets an answer that was read after it.
//
// On SQLite this process alone serves from the database, and so it knows when an answer is old: see commits. On
// PostgreSQL other servers commit, too, and only the database knows. There no answer is kept; but those who come while
// a query for the same is under way share the next one. Never that one, for it may have begun before what they know of.
type memo[K comparable, V any] struct {
	commits *commits // nil where others commit, too

	mu      sync.Mutex // guards what follows
	kept    recent[K, answer[V]]
	waiting map[K]*flight[V] // a query that has not begun: whoever comes may share it
	running map[K]*flight[V]
}

// answer is what a query found when so many commits had been made.
type answer[V any] struct {
	value   V
	commits int64
}

// flight is a query that several share.
type flight[V any] struct {
	landed chan struct{} // closed when what follows is there
	value  V
	err    error
}

// memoSize is how many answers a memo keeps at least, those that were asked for last.
const memoSize = 4096

func newMemo[K comparable, V any](c *commits) *memo[K, V] {
	return &memo[K, V]{commits: c, waiting: map[K]*flight[V]{}, running: map[K]*flight[V]{}}
}

// queryTime bounds a query that is shared, for it does not end with any of those who wait for it.
const queryTime = time.Minute

// get returns what query finds for key, or has found since the last commit. Only answers without an error are kept.
func (m *memo[K, V]) get(ctx context.Context, key K, query func(context.Context) (V, error)) (V, error) {
	var now int64
	if m.commits != nil {
		var err error
		if now, err = m.commits.count(ctx); err != nil {
			return *new(V), err
		}
	}
	m.mu.Lock()
	if a, ok := m.kept.get(key); ok && a.commits == now {
		m.mu.Unlock()
		return a.value, nil
	}
	f, ok := m.waiting[key]
	if !ok {
		f = &flight[V]{landed: make(chan struct{})}
		m.waiting[key] = f
		go m.fly(context.WithoutCancel(ctx), key, f, m.running[key], query)
	}
	m.mu.Unlock()
	select {
	case <-f.landed:
		return f.value, f.err
	case <-ctx.Done():
		return *new(V), context.Cause(ctx)
	}
}

// fly runs a query when the one before it for the same key has ended.
func (m *memo[K, V]) fly(ctx context.Context, key K, f, before *flight[V], query func(context.Context) (V, error)) {
	if before != nil {
		<-before.landed
	}
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	m.mu.Lock()
	delete(m.waiting, key) // from here on it is too late to share it
	m.running[key] = f
	m.mu.Unlock()
	var now int64
	if m.commits != nil {
		now = m.commits.made.Load() // before the query: a commit while it runs makes the answer old, not the other way round
	}
	f.value, f.err = query(ctx)
	m.mu.Lock()
	delete(m.running, key)
	if m.commits != nil && f.err == nil {
		m.kept.put(key, answer[V]{f.value, now})
	}
	m.mu.Unlock()
	close(f.landed)
}

// recent is a map that keeps at least the memoSize keys that were used last, and at most twice as many.
type recent[K comparable, V any] struct{ young, old map[K]V }

func (r *recent[K, V]) get(key K) (v V, ok bool) {
	if v, ok = r.young[key]; ok {
		return v, true
	}
	if v, ok = r.old[key]; ok {
		r.put(key, v)
	}
	return v, ok
}

func (r *recent[K, V]) put(key K, v V) {
	if r.young == nil || len(r.young) == memoSize {
		r.young, r.old = map[K]V{}, r.young
	}
	r.young[key] = v
}

// commits counts what was committed to an SQLite database: by this process, in the instant between a commit and the
// answer to whoever asked for it, and by commands of the operator, which are other processes, within lookEvery.
type commits struct {
	made atomic.Int64

	reader *sql.DB
	now    func() time.Time
	start  time.Time
	looked atomic.Int64 // how long after start the database was asked last, in ns

	mu      sync.Mutex // guards what follows; held while the database is asked
	conn    *sql.Conn  // what the database answers is told apart by connection
	version int64
}

// lookEvery is how long a change by another process may stay unseen.
const lookEvery = 100 * time.Millisecond

func newCommits(reader *sql.DB, now func() time.Time) *commits {
	return &commits{reader: reader, now: now, start: now()}
}

// raise counts a commit. It stands between the commit and everything that tells of it.
func (c *commits) raise() { c.made.Add(1) }

// count returns how many commits were made.
func (c *commits) count(ctx context.Context) (int64, error) {
	if int64(c.now().Sub(c.start))-c.looked.Load() >= int64(lookEvery) {
		if err := c.look(context.WithoutCancel(ctx)); err != nil {
			return 0, err
		}
	}
	return c.made.Load(), nil
}

// look asks the database whether another connection has committed since it was asked last (PRAGMA data_version). Our
// own writer is one, too, and then counts twice.
func (c *commits) look(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := int64(c.now().Sub(c.start))
	if now-c.looked.Load() < int64(lookEvery) {
		return nil // somebody else has, while this one waited
	}
	fresh := c.conn == nil
	if fresh {
		conn, err := c.reader.Conn(ctx)
		if err != nil {
			return fmt.Errorf("look for other commits: %w", err)
		}
		c.conn = conn
	}
	var version int64
	if err := c.conn.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&version); err != nil {
		_ = c.conn.Close() // it is of no further use, and the next one counts anew
		c.conn = nil
		return fmt.Errorf("look for other commits: %w", err)
	}
	if fresh || version != c.version {
		c.version = version
		c.raise()
	}
	c.looked.Store(now)
	return nil
}

// close gives the connection back.
func (c *commits) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return nil
	}
	err := c.conn.Close()
	c.conn = nil
	return err
}
