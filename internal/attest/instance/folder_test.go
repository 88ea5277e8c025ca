package instance_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/attest/attesttest"
	"sluice/internal/attest/instance"
)

// folder opens the folder as a program does that begins.
func folder(t *testing.T, dir string) *instance.Folder {
	t.Helper()
	f, err := instance.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// run is one run of a program that asks.
func runOnce(t *testing.T, dir string, sources ...instance.Source) *instance.Instances {
	t.Helper()
	k, err := instance.New(t.Context(), instance.Config{
		Sources: sources, Store: folder(t, dir), Dir: filepath.Join(t.TempDir(), "tuf"), Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	k.Refresh(t.Context())
	return k
}

// What a repository has told one run, no later one believes less of.
func TestFolder(t *testing.T) {
	t.Parallel()
	one, two := attesttest.New(t), attesttest.New(t)
	repo := attesttest.NewRepository(t)
	dir := filepath.Join(t.TempDir(), "a", "b")
	repo.Publish(one.Root)
	has(t, "first", runOnce(t, dir, tells(repo)), one.Root, false)
	old := repo.State()
	repo.Publish(two.Root)
	if h := has(t, "second", runOnce(t, dir, tells(repo)), two.Root, false); h.Source != instance.FromTUF || h.CheckedAt.IsZero() || h.ValidUntil.Before(time.Now()) {
		t.Errorf("%+v", h)
	}
	repo.Restore(old)
	has(t, "rolled back", runOnce(t, dir, tells(repo)), two.Root, true)
	repo.Leave(true)
	if h := has(t, "away", runOnce(t, dir, tells(repo)), two.Root, true); h.Stale {
		t.Errorf("%+v", h)
	}
	has(t, "away, and nothing kept", runOnce(t, t.TempDir(), tells(repo)), nil, true)
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

// Programs that keep something at once lose nothing, and one of those that have read the same saves.
func TestFolderAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const address, programs = "https://tuf.example.com", 20
	var all sync.WaitGroup
	saved := make(chan int, programs)
	for n := range programs {
		f := folder(t, dir)
		all.Go(func() {
			ctx := context.Background()
			r := instance.Root{Instance: fmt.Sprint(n), JSON: []byte{byte(n)}, Source: instance.FromTUF}
			if got, err := f.UseRoot(ctx, r); err != nil || got.Number != 1 || got.SHA256 != sha256.Sum256(r.JSON) {
				t.Errorf("%+v, %v", got, err)
			}
			told := instance.Told{Metadata: map[string][]byte{"root": {byte(n)}}}
			if ok, err := f.SaveTold(ctx, address, told, &instance.Root{Instance: "all", JSON: []byte{byte(n)}}); err != nil {
				t.Error(err)
			} else if ok {
				saved <- n
			}
		})
	}
	all.Wait()
	close(saved)
	if len(saved) != 1 {
		t.Fatalf("%d have saved", len(saved))
	}
	winner := <-saved
	f := folder(t, dir)
	told, err := f.Told(t.Context(), address)
	if err != nil || told.Version != 1 || !bytes.Equal(told.Metadata["root"], []byte{byte(winner)}) {
		t.Errorf("%+v, %v; %d has saved", told, err, winner)
	}
	for n := range programs {
		if r, err := f.RootInUse(t.Context(), fmt.Sprint(n)); err != nil || !bytes.Equal(r.JSON, []byte{byte(n)}) {
			t.Errorf("of %d: %+v, %v", n, r, err)
		}
	}
	if r, err := f.RootInUse(t.Context(), "all"); err != nil || r.Number != 1 || !bytes.Equal(r.JSON, []byte{byte(winner)}) {
		t.Errorf("%+v, %v", r, err)
	}
	// The same root once more changes nothing, another one counts on.
	for i, tt := range []struct {
		json   byte
		number int
	}{{0, 1}, {50, 2}, {0, 3}} {
		if r, err := f.UseRoot(t.Context(), instance.Root{Instance: "0", JSON: []byte{tt.json}}); err != nil || r.Number != tt.number {
			t.Errorf("%d: %+v, %v", i, r, err)
		}
	}
	if ok, err := f.SaveTold(t.Context(), address, told, nil); !ok || err != nil {
		t.Errorf("the next one is not saved: %v", err)
	}
}

// A file that was damaged is told, with what to do.
func TestFolderDamaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "7.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := folder(t, dir).RootInUse(t.Context(), "ours"); err == nil || !strings.Contains(err.Error(), "7.json: ") || !strings.Contains(err.Error(), "remove it") {
		t.Error(err)
	}
}
