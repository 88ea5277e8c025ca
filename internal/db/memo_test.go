package db

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sqliteAt opens the database file at path.
func sqliteAt(t *testing.T, path string) *DB {
	t.Helper()
	d, err := OpenSQLite(t.Context(), path, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// asked counts the queries of a memo, each of which finds how many there have been.
func asked(n *int) func(context.Context) (int, error) {
	return func(context.Context) (int, error) {
		*n++
		return *n, nil
	}
}

func TestMemoKeepsUntilTheNextCommit(t *testing.T) {
	t.Parallel()
	d := sqliteAt(t, filepath.Join(t.TempDir(), "sluice.db"))
	m, n := newMemo[string, int](d.commits), 0
	want := func(want int) {
		t.Helper()
		if got, err := m.get(t.Context(), "key", asked(&n)); got != want || err != nil {
			t.Errorf("= %d, %v; want %d", got, err, want)
		}
	}
	d.commits.now = func() time.Time { return d.commits.start } // nobody looks for other processes
	want(1)
	want(1)
	if err := d.Ping(t.Context()); err != nil { // a transaction that commits
		t.Fatal(err)
	}
	want(2)
	want(2)
	refused := errors.New("refused")
	for range 2 {
		if _, err := m.get(t.Context(), "other", func(context.Context) (int, error) { n++; return 0, refused }); !errors.Is(err, refused) {
			t.Error(err)
		}
	}
	if n != 4 {
		t.Errorf("%d queries: an error was kept", n)
	}
}

// A commit that comes while the query runs, and that the query may have missed, makes its answer old at once.
func TestMemoOfAQueryDuringACommit(t *testing.T) {
	t.Parallel()
	d := sqliteAt(t, filepath.Join(t.TempDir(), "sluice.db"))
	d.commits.now = func() time.Time { return d.commits.start }
	m := newMemo[string, int](d.commits)
	query := func(context.Context) (int, error) { d.commits.raise(); return 1, nil }
	if _, err := m.get(t.Context(), "key", query); err != nil {
		t.Fatal(err)
	}
	n := 1
	if got, err := m.get(t.Context(), "key", asked(&n)); got != 2 || err != nil {
		t.Errorf("= %d, %v; want what was read after the commit", got, err)
	}
}

// The operator's commands write the same file from another process, here from another handle.
func TestMemoSeesOtherProcesses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sluice.db")
	d, operator := sqliteAt(t, path), sqliteAt(t, path)
	at := d.commits.start.Add(lookEvery)
	d.commits.now = func() time.Time { return at }
	m, n := newMemo[string, int](d.commits), 0
	want := func(want int) {
		t.Helper()
		if got, err := m.get(t.Context(), "key", asked(&n)); got != want || err != nil {
			t.Errorf("= %d, %v; want %d", got, err, want)
		}
	}
	want(1)
	at = at.Add(lookEvery)
	want(1)
	if _, err := operator.writer.ExecContext(t.Context(), `INSERT INTO account (name, password, admin, created_us) VALUES ('bob', '', 0, 0)`); err != nil {
		t.Fatal(err)
	}
	want(1) // it is not looked for all the time
	at = at.Add(lookEvery)
	want(2)
	at = at.Add(lookEvery)
	want(2)
}

// Where nothing is kept, those who come while a query runs share the next one, and never that one.
func TestMemoSharesTheNextQuery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemo[string, int](nil)
		var mu sync.Mutex // guards what follows
		begun, committed := 0, 0
		query := func(context.Context) (int, error) {
			mu.Lock()
			begun++
			found := committed
			mu.Unlock()
			time.Sleep(time.Second)
			return found, nil
		}
		var all sync.WaitGroup
		come := func(n int) {
			for range n {
				all.Go(func() {
					mu.Lock()
					want := committed
					mu.Unlock()
					if got, err := m.get(t.Context(), "key", query); got < want || err != nil {
						t.Errorf("after commit %d = %d, %v", want, got, err)
					}
				})
			}
			synctest.Wait()
		}
		come(1)
		for range 3 { // while the first query runs
			mu.Lock()
			committed++
			mu.Unlock()
			come(10)
		}
		hasty, cancel := context.WithCancel(t.Context())
		all.Go(func() {
			if _, err := m.get(hasty, "key", query); !errors.Is(err, context.Canceled) {
				t.Errorf("one that left: %v", err)
			}
		})
		synctest.Wait()
		cancel()
		all.Wait()
		if begun != 2 {
			t.Errorf("%d queries for 31 callers, want the first and the next", begun)
		}
		come(1)
		all.Wait()
		if begun != 3 || len(m.waiting)+len(m.running) != 0 {
			t.Errorf("%d queries, and %d and %d are remembered for nothing", begun, len(m.waiting), len(m.running))
		}
	})
}

func TestMemoIsBounded(t *testing.T) {
	t.Parallel()
	var r recent[int, int]
	for i := range 5 * memoSize {
		r.put(i, i)
		if v, ok := r.get(0); v != 0 || !ok {
			t.Fatalf("what is asked for all the time was gone after %d others", i)
		}
	}
	if n := len(r.young) + len(r.old); n > 2*memoSize {
		t.Errorf("%d answers are kept", n)
	}
	if _, ok := r.get(5*memoSize - memoSize + 1); !ok {
		t.Error("one of the newest is gone")
	}
	if _, ok := r.get(1); ok {
		t.Error("one of the oldest is kept")
	}
}
