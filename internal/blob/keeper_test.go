package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stageAll stages each text as an upload.
func stageAll(t *testing.T, f *Folder, texts ...string) []Staged {
	t.Helper()
	var all []Staged
	for _, text := range texts {
		s, sum := stageOf(t, f, []byte(text))
		all = append(all, Staged{s, sum})
	}
	return all
}

func keeperOf(t *testing.T, f *Folder) *Keeper {
	t.Helper()
	k, err := f.Keeper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return k
}

// each is a system that has no syncfs.
func each(*os.File) (bool, error) { return false, nil }

// The order of these steps is what durability rests on, with syncfs and without.
func TestKeeperSyscallSequence(t *testing.T) {
	for name, tt := range map[string]struct {
		sync func(*os.File) (bool, error)
		want string
	}{
		"syncfs": {SyncFS, `create staging/arriving.R
create staging/arriving.R
create staging/holds.R
write staging/holds.R
mkdir blobs/2d
fsync blobs
mkdir blobs/a1
fsync blobs
syncfs
rename staging/arriving.R blobs/X
rename staging/arriving.R blobs/Y
syncfs
commit
unlink staging/holds.R`},
		"each": {each, `create staging/arriving.R
create staging/arriving.R
create staging/holds.R
write staging/holds.R
mkdir blobs/2d
fsync blobs
mkdir blobs/a1
fsync blobs
fsync staging/holds.R
fsync staging/arriving.R
fsync staging/arriving.R
fsync staging
rename staging/arriving.R blobs/X
rename staging/arriving.R blobs/Y
fsync blobs/2d
fsync blobs/a1
commit
unlink staging/holds.R`},
	} {
		t.Run(name, func(t *testing.T) {
			l := &ledger{}
			f := open(t, t.TempDir(), l.referenced)
			k := keeperOf(t, f)
			k.sync = tt.sync
			var got []string
			f.step = func(what string) { got = append(got, what) }
			all := stageAll(t, f, "x", "y")
			holds, err := k.Keep(t.Context(), all)
			if err != nil {
				t.Fatal(err)
			}
			f.did("commit")
			if err := errors.Join(holds[0].Settle(), holds[1].Settle()); err != nil {
				t.Fatal(err)
			}
			text := regexp.MustCompile(`\.[A-Z2-7]{26}`).ReplaceAllString(strings.Join(got, "\n"), ".R")
			for i, letter := range []string{"X", "Y"} {
				text = strings.ReplaceAll(text, blobPath(all[i].Sum), "blobs/"+letter)
			}
			if d := cmp.Diff(tt.want, text); d != "" {
				t.Errorf("steps (-want +got):\n%s", d)
			}
		})
	}
}

// At every step of many uploads at once a copy of the folder is taken, as a kill would leave it.
func TestKeeperStoppedAfterEachStep(t *testing.T) {
	for name, sync := range map[string]func(*os.File) (bool, error){"syncfs": SyncFS, "each": each} {
		t.Run(name, func(t *testing.T) {
			dir, l := t.TempDir(), &ledger{}
			f := open(t, dir, l.referenced)
			before, sum := keep(t, f, []byte("there before"))
			l.commit(sum, 1)
			if err := before.Settle(); err != nil {
				t.Fatal(err)
			}
			k := keeperOf(t, f)
			k.sync = sync
			steps := 0
			f.step = func(what string) {
				steps++
				checkCopy(t, what, dir, l)
			}
			all := stageAll(t, f, "x", "there before", "x", "refused")
			holds, err := k.Keep(t.Context(), all)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range all[:3] {
				l.commit(s.Sum, 1)
			}
			f.did("commit")
			if err := errors.Join(holds[0].Settle(), holds[1].Settle(), holds[2].Settle(), holds[3].Release(t.Context())); err != nil {
				t.Error(err)
			}
			if steps < 16 {
				t.Errorf("only %d steps", steps)
			}
			wantContents(t, dir, sum, sha256.Sum256([]byte("x")))
			if len(f.live) != 0 {
				t.Errorf("%d digests are remembered for nothing", len(f.live))
			}
		})
	}
}

func TestKeeperThatFailsLeavesNothing(t *testing.T) {
	broken := errors.New("the disk is broken")
	syncs := 0
	for name, tt := range map[string]struct {
		sync func(*os.File) (bool, error)
		want error
	}{
		"first sync":  {func(*os.File) (bool, error) { return true, broken }, broken},
		"second sync": {func(*os.File) (bool, error) { syncs++; return true, []error{nil, broken}[syncs-1] }, broken},
	} {
		t.Run(name, func(t *testing.T) {
			dir, l := t.TempDir(), &ledger{}
			f := open(t, dir, l.referenced)
			k := keeperOf(t, f)
			k.sync = tt.sync
			all := stageAll(t, f, "x", "y")
			if holds, err := k.Keep(t.Context(), all); holds != nil || !errors.Is(err, tt.want) {
				t.Errorf("Keep = %v, %v", holds, err)
			}
			wantContents(t, dir)
			if len(f.live) != 0 {
				t.Errorf("%d digests are remembered for nothing", len(f.live))
			}
			if _, err := k.Keep(t.Context(), all); err == nil {
				t.Error("stages that are over were kept")
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		dir, l := t.TempDir(), &ledger{}
		f := open(t, dir, l.referenced)
		k := keeperOf(t, f)
		ctx, cancel := context.WithCancel(t.Context())
		all := stageAll(t, f, "x", "y")
		cancel()
		if _, err := k.Keep(ctx, all); !errors.Is(err, context.Canceled) {
			t.Errorf("error = %v", err)
		}
		wantContents(t, dir)
	})
}
