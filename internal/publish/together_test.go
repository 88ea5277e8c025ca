package publish_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/internal/access"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/build"
	"sluice/internal/fault"
	"sluice/internal/publish"
)

// countingStore counts transactions, and can be made to fail or wait.
type countingStore struct {
	publish.Store
	mu    sync.Mutex
	sizes []int
	// before runs before each transaction with its commits; an error takes its place.
	before func(all []publish.Commit) error
}

func (c *countingStore) Publish(ctx context.Context, all []publish.Commit) ([]publish.Result, error) {
	c.mu.Lock()
	c.sizes = append(c.sizes, len(all))
	c.mu.Unlock()
	if c.before != nil {
		if err := c.before(all); err != nil {
			return nil, err
		}
	}
	return c.Store.Publish(ctx, all)
}

// publishAll uploads the packages at once, and tells what became of each.
func publishAll(t *testing.T, u *publish.Uploads, ch channel.Channel, right access.Right, names []string) []error {
	t.Helper()
	got := make([]*publish.Received, len(names))
	for i, name := range names {
		body, err := build.Package{Name: name, Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic", Depends: []string{fmt.Sprint("n", i)}}.Conda()
		if err != nil {
			t.Fatal(err)
		}
		f, err := conda.ParseFilename(name + "-1.0-0.conda")
		if err != nil {
			t.Fatal(err)
		}
		if got[i], err = u.Receive(t.Context(), publish.Announced{File: f}, bytes.NewReader(body)); err != nil {
			t.Fatal(err)
		}
	}
	errs := make([]error, len(names))
	var wg sync.WaitGroup
	for i := range names {
		wg.Go(func() { _, errs[i] = got[i].Publish(t.Context(), ch, right) })
	}
	wg.Wait()
	return errs
}

func names(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("tide%02d", i))
	}
	return out
}

// Uploads that come while a transaction runs are the next one, all together.
func TestUploadsAtOnceAreOneTransaction(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	right, ch := found(t, s)
	const n = 20
	release, reached := make(chan struct{}), make(chan struct{}, n)
	store := &countingStore{Store: s.db, before: func(all []publish.Commit) error {
		reached <- struct{}{}
		<-release
		return nil
	}}
	u := publish.New(publish.Config{Blobs: s.blobs, Store: store, Log: slog.New(slog.DiscardHandler), Now: time.Now, Limits: artifact.DefaultLimits(), MaxSize: 1 << 20})
	var first []error
	var wg sync.WaitGroup
	wg.Go(func() { first = publishAll(t, u, ch, right, []string{"ebb"}) })
	<-reached
	var rest []error
	wg.Go(func() { rest = publishAll(t, u, ch, right, names(n)) })
	time.Sleep(time.Second) // long enough for all to stand in the line; fewer would only make the batch smaller
	close(release)
	wg.Wait()
	if err := errors.Join(append(first, rest...)...); err != nil {
		t.Fatal(err)
	}
	if got := s.listed(t, ch); got != n+1 {
		t.Errorf("%d files are listed, want %d", got, n+1)
	}
	if len(store.sizes) > 3 || slices.Max(store.sizes) < n/2 {
		t.Errorf("transactions of %v uploads: those that waited must go together", store.sizes)
	}
}

// A transaction that fails for a reason nobody can be blamed for is tried again, one upload after another.
func TestOneThatBreaksTheTransactionHarmsNoNeighbour(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	right, ch := found(t, s)
	broken := errors.New("this one breaks every transaction it is in")
	store := &countingStore{Store: s.db, before: func(all []publish.Commit) error {
		if slices.ContainsFunc(all, func(c publish.Commit) bool { return c.Record.Name == "tide07" }) {
			return broken
		}
		return nil
	}}
	u := publish.New(publish.Config{Blobs: s.blobs, Store: store, Log: slog.New(slog.DiscardHandler), Now: time.Now, Limits: artifact.DefaultLimits(), MaxSize: 1 << 20})
	for i, err := range publishAll(t, u, ch, right, names(20)) {
		if (i == 7) != errors.Is(err, broken) || i != 7 && err != nil {
			t.Errorf("upload %d: %v", i, err)
		}
	}
	if got := s.listed(t, ch); got != 19 {
		t.Errorf("%d files are listed, want 19", got)
	}
}

// What is refused in a batch is refused alone, and leaves no bytes.
func TestRefusedAmongOthers(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	right, ch := found(t, s)
	u := publish.New(publish.Config{Blobs: s.blobs, Store: s.db, Log: slog.New(slog.DiscardHandler), Now: time.Now, Limits: artifact.DefaultLimits(), MaxSize: 1 << 20})
	list := append(names(10), names(10)...) // each name twice, with other bytes
	taken, refused := 0, 0
	for _, err := range publishAll(t, u, ch, right, list) {
		switch {
		case err == nil:
			taken++
		case fault.Is(err, fault.Exists):
			refused++
		default:
			t.Error(err)
		}
	}
	if taken != 10 || refused != 10 || s.listed(t, ch) != 10 || len(s.stored(t)) != 10 {
		t.Errorf("%d taken, %d refused, %d listed, %d blobs; want 10 of each", taken, refused, s.listed(t, ch), len(s.stored(t)))
	}
}
