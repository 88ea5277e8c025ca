package index

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/conda"
	"sluice/internal/conda/repodata"
	"sluice/internal/fault"
)

// counting is a store of one place that counts how often its pieces are read.
type counting struct {
	now  *Snapshot
	slow time.Duration
	read int
}

func (c *counting) Generation(context.Context, Place) (Generation, bool, error) {
	if c.now == nil {
		return Generation{}, false, nil
	}
	return c.now.Generation, true, nil
}

func (c *counting) Snapshot(context.Context, Place) (*Snapshot, bool, error) {
	c.read++
	time.Sleep(c.slow)
	return c.now, true, nil
}

func (c *counting) Shard(context.Context, Place, [32]byte) ([]byte, error) { return nil, nil }

var made = time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)

func place(t *testing.T, subdir string) Place {
	t.Helper()
	d, err := conda.ParseSubdir(subdir)
	if err != nil {
		t.Fatal(err)
	}
	return Place{ChannelID: 7, Label: conda.MainLabel(), Subdir: d}
}

func TestGenerationsChain(t *testing.T) {
	noarch, linux := place(t, "noarch"), place(t, "linux-64")
	a, b := First(noarch, made), First(linux, made)
	if a.Number != 0 || a.Chain == b.Chain || a.Chain != First(noarch, made).Chain || a.Chain == First(noarch, made.Add(1000)).Chain {
		t.Error("the first generation must follow from its place and the channel alone")
	}
	next := a.Next(made.Add(time.Second), "list x")
	if next.Number != 1 || next.Chain == a.Chain || next.Chain != a.Next(made.Add(time.Second), "list x").Chain {
		t.Error("the next generation must follow from the one before and the change")
	}
	for _, other := range []Generation{a.Next(made.Add(time.Second), "list y"), a.Next(made.Add(2*time.Second), "list x"), b.Next(made.Add(time.Second), "list x")} {
		if other.Chain == next.Chain {
			t.Error("another change, time or place must give another chain")
		}
	}
}

func TestSnapshotIsReadOncePerGeneration(t *testing.T) {
	p := place(t, "noarch")
	g := First(p, made).Next(made, "1")
	s := &counting{now: &Snapshot{Generation: g, Place: p}}
	x := New(s, 1<<20)
	for range 3 {
		if got, err := x.Snapshot(t.Context(), p, made); err != nil || got.Number != 1 {
			t.Fatalf("= %+v, %v", got, err)
		}
	}
	if s.read != 1 {
		t.Errorf("one generation was read %d times", s.read)
	}
	s.now = &Snapshot{Generation: g.Next(made, "2"), Place: p}
	if got, err := x.Snapshot(t.Context(), p, made); err != nil || got.Number != 2 || s.read != 2 {
		t.Errorf("after a change: generation %d, read %d times, %v", got.Number, s.read, err)
	}
}

func TestReadersAtOnceReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := place(t, "noarch")
		s := &counting{now: &Snapshot{Generation: First(p, made).Next(made, "1"), Place: p}, slow: time.Second}
		x := New(s, 1<<20)
		hasty, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := x.Snapshot(hasty, p, made); err == nil {
				t.Error("a reader that left got an answer")
			}
		})
		synctest.Wait()
		for range 20 {
			wg.Go(func() {
				if got, err := x.Snapshot(t.Context(), p, made); err != nil || got.Number != 1 {
					t.Errorf("= %+v, %v", got, err)
				}
			})
		}
		synctest.Wait()
		cancel()
		wg.Wait()
		if s.read != 1 {
			t.Errorf("read %d times", s.read)
		}
	})
}

func TestCacheStaysWithinItsBound(t *testing.T) {
	big := func(subdir string, n int) *Snapshot {
		p := place(t, subdir)
		return &Snapshot{Generation: First(p, made), Place: p, Pieces: map[Series][]repodata.Piece{Conda: {{Block: make([]byte, n)}}}}
	}
	c := newCache(3000)
	a, b, d := big("noarch", 500), big("linux-64", 500), big("osx-64", 500)
	for _, s := range []*Snapshot{a, b} {
		c.put(s)
	}
	c.get(a.Place, a.Chain) // now b is the least recently used
	c.put(d)
	if _, ok := c.get(b.Place, b.Chain); ok {
		t.Error("the least recently used one stayed")
	}
	if _, ok := c.get(a.Place, a.Chain); !ok || c.size > c.limit {
		t.Errorf("kept %v, %d of %d bytes", ok, c.size, c.limit)
	}
	c.put(big("win-64", 5000))
	if _, ok := c.get(a.Place, a.Chain); !ok {
		t.Error("one that is larger than the cache drove another out")
	}
	c.put(a)
	c.put(a)
	if c.byUse.Len() != len(c.at) {
		t.Errorf("%d in the list, %d in the map", c.byUse.Len(), len(c.at))
	}
}

func TestFilesOfAnEmptyPlace(t *testing.T) {
	x := New(&counting{}, 1<<20)
	tags := map[string]bool{}
	for _, subdir := range []string{"noarch", "linux-64"} {
		s, err := x.Snapshot(t.Context(), place(t, subdir), made)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []Name{RepodataJSON, RepodataZst, ShardIndex, RunExportsJSON, RunExportsZst} {
			f, err := s.File(n)
			if err != nil || f.Compressed != strings.HasSuffix(string(n), ".zst") || !f.ModifiedAt.Equal(made) {
				t.Errorf("%s/%s = %+v, %v", subdir, n, f, err)
			}
			if tags[f.ETag] || !strings.HasPrefix(f.ETag, `"`) {
				t.Errorf("%s/%s has the ETag %s, which another file has, too", subdir, n, f.ETag)
			}
			tags[f.ETag] = true
		}
		if _, err := s.File("current_repodata.json"); !fault.Is(err, fault.NotFound) {
			t.Errorf("an unknown file: %v", err)
		}
	}
}
