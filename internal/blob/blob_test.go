package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/fault"
)

// ledger stands for the database: which blobs are referenced, and how often.
type ledger struct {
	mu   sync.Mutex
	refs map[Sum]int
	err  error
}

func (l *ledger) referenced(ctx context.Context, sum Sum) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refs[sum] > 0, errors.Join(l.err, ctx.Err())
}

func (l *ledger) commit(sum Sum, by int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refs == nil {
		l.refs = map[Sum]int{}
	}
	l.refs[sum] += by
}

// sums are the blobs that are referenced.
func (l *ledger) sums() (out []Sum) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for sum, n := range l.refs {
		if n > 0 {
			out = append(out, sum)
		}
	}
	return out
}

func open(t testing.TB, dir string, refs References) *Folder {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	f, err := NewFolder(root, refs)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func stageOf(t *testing.T, f *Folder, data []byte) (Stage, Sum) {
	t.Helper()
	s, err := f.Stage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(data); err != nil {
		t.Fatal(err)
	}
	return s, sha256.Sum256(data)
}

func keep(t *testing.T, f *Folder, data []byte) (Hold, Sum) {
	t.Helper()
	s, sum := stageOf(t, f, data)
	h, err := s.Keep(t.Context(), sum)
	if err != nil {
		t.Fatal(err)
	}
	return h, sum
}

// contents lists every blob below dir as its name, and checks that its bytes have that name.
func contents(t *testing.T, dir string) (blobs, staging []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, blobDir), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		name := filepath.Base(filepath.Dir(p)) + filepath.Base(p)
		if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != name {
			t.Errorf("blob %s holds other bytes, %d of them", name, len(b))
		}
		blobs = append(blobs, name)
		return err
	})
	entries, err2 := os.ReadDir(filepath.Join(dir, stagingDir))
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		staging = append(staging, e.Name())
	}
	slices.Sort(blobs)
	return blobs, staging
}

func wantContents(t *testing.T, dir string, want ...Sum) {
	t.Helper()
	var names []string
	for _, s := range want {
		names = append(names, hex.EncodeToString(s[:]))
	}
	slices.Sort(names)
	blobs, staging := contents(t, dir)
	if d := cmp.Diff(names, blobs); d != "" {
		t.Errorf("blobs (-want +got):\n%s", d)
	}
	if len(staging) > 0 {
		t.Errorf("staging holds %v", staging)
	}
}

func TestStageKeepOpen(t *testing.T) {
	dir, l := t.TempDir(), &ledger{}
	f := open(t, dir, l.referenced)
	s, _ := f.Stage(t.Context())
	for _, part := range []string{"hello ", "", "world"} {
		if n, err := s.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	b := make([]byte, 5)
	if _, err := s.ReadAt(b, 6); err != nil || string(b) != "world" || s.Size() != 11 {
		t.Errorf("ReadAt = %q, %v; size %d", b, err, s.Size())
	}
	sum := sha256.Sum256([]byte("hello world"))
	if _, _, err := f.Open(t.Context(), sum); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a staged blob can be opened: %v", err)
	}
	h, err := s.Keep(t.Context(), sum)
	if err != nil {
		t.Fatal(err)
	}
	l.commit(sum, 1)
	if err := errors.Join(h.Settle(), h.Settle(), h.Release(t.Context()), s.Discard()); err != nil {
		t.Error("ends after the end:", err)
	}
	if _, err := s.Keep(t.Context(), sum); err == nil {
		t.Error("kept twice")
	}
	r, size, err := f.Open(t.Context(), sum)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if _, isFile := r.(*os.File); string(got) != "hello world" || size != 11 || err != nil || !isFile {
		t.Errorf("read %q of %d, %v, %T", got, size, err, r)
	}
	wantContents(t, dir, sum)
	if len(f.live) != 0 {
		t.Errorf("%d digests are remembered for nothing", len(f.live))
	}
}

func TestNothingStays(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, f *Folder, l *ledger) error
	}{
		{"discarded", func(t *testing.T, f *Folder, _ *ledger) error {
			s, _ := stageOf(t, f, []byte("x"))
			return errors.Join(s.Discard(), s.Discard())
		}},
		{"kept and refused", func(t *testing.T, f *Folder, _ *ledger) error {
			h, _ := keep(t, f, []byte("x"))
			return h.Release(t.Context())
		}},
		{"refused after the client hung up", func(t *testing.T, f *Folder, _ *ledger) error {
			h, _ := keep(t, f, []byte("x"))
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			return h.Release(ctx)
		}},
		{"deleted", func(t *testing.T, f *Folder, l *ledger) error {
			h, sum := keep(t, f, []byte("x"))
			l.commit(sum, 1)
			d, err := f.Hold(t.Context(), sum)
			l.commit(sum, -1)
			return errors.Join(h.Settle(), err, d.Release(t.Context()))
		}},
		{"hold of what is not there", func(t *testing.T, f *Folder, _ *ledger) error {
			h, err := f.Hold(t.Context(), Sum{1})
			return errors.Join(err, h.Release(t.Context()))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, l := t.TempDir(), &ledger{}
			f := open(t, dir, l.referenced)
			if err := tt.do(t, f, l); err != nil {
				t.Error(err)
			}
			wantContents(t, dir)
			if len(f.live) != 0 {
				t.Errorf("%d digests are remembered for nothing", len(f.live))
			}
		})
	}
}

func TestReleaseLeavesWhatOthersNeed(t *testing.T) {
	dir, l := t.TempDir(), &ledger{}
	f := open(t, dir, l.referenced)
	first, sum := keep(t, f, []byte("x"))
	second, _ := keep(t, f, []byte("x"))
	if err := second.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if blobs, staging := contents(t, dir); len(blobs) != 1 || len(staging) != 1 {
		t.Fatalf("an upload that is under way lost its blob: %v, %v", blobs, staging)
	}
	l.commit(sum, 1)
	if err := first.Settle(); err != nil {
		t.Error(err)
	}
	third, _ := keep(t, f, []byte("x"))
	if err := third.Release(t.Context()); err != nil {
		t.Error(err)
	}
	wantContents(t, dir, sum)
}

func TestReleaseWithoutAnAnswerKeepsTheDoubt(t *testing.T) {
	dir, l := t.TempDir(), &ledger{err: io.ErrNoProgress}
	f := open(t, dir, l.referenced)
	h, _ := keep(t, f, []byte("x"))
	if err := h.Release(t.Context()); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("error = %v", err)
	}
	if blobs, staging := contents(t, dir); len(blobs) != 1 || len(staging) != 1 {
		t.Fatalf("blobs %v, staging %v; want both kept", blobs, staging)
	}
	if n, err := f.Recover(t.Context()); err == nil {
		t.Errorf("Recover without an answer = %d", n)
	}
	l.err = nil
	if n, err := f.Recover(t.Context()); n != 1 || err != nil {
		t.Errorf("Recover = %d, %v", n, err)
	}
	wantContents(t, dir)
}

func TestKeepHealsADamagedBlob(t *testing.T) {
	dir, l := t.TempDir(), &ledger{}
	f := open(t, dir, l.referenced)
	h, sum := keep(t, f, []byte("good bytes"))
	l.commit(sum, 1)
	if err := os.WriteFile(filepath.Join(dir, blobPath(sum)), []byte("rot"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, _ := keep(t, f, []byte("good bytes"))
	if err := errors.Join(h.Settle(), again.Settle()); err != nil {
		t.Error(err)
	}
	wantContents(t, dir, sum)
}

func TestRecoverLeavesForeignFilesAlone(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir, (&ledger{}).referenced)
	upper := strings.ToUpper(strings.Repeat("ab", 32)) + ".X"
	for _, name := range []string{"notes.txt", upper, "abcd.X"} {
		if err := os.WriteFile(filepath.Join(dir, stagingDir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n, err := f.Recover(t.Context())
	if _, staging := contents(t, dir); n != 0 || err != nil || len(staging) != 3 {
		t.Errorf("Recover = %d, %v; left %v", n, err, staging)
	}
}

func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no /dev/full on this system")
	}
	f := open(t, t.TempDir(), (&ledger{}).referenced)
	s, err := f.Stage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	st := s.(*stage)
	_ = st.file.Close()
	st.file.File = full
	if _, err := s.Write([]byte("x")); !fault.Is(err, fault.NoSpace) {
		t.Errorf("write to a full disk = %v, want %s", err, fault.NoSpace)
	}
	if err := s.Discard(); err != nil {
		t.Error(err)
	}
}

func TestNotWritable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	open(t, dir, nil)
	if err := os.Chmod(filepath.Join(dir, stagingDir), 0o500); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if _, err := NewFolder(root, nil); err == nil || !strings.Contains(err.Error(), "cannot be written by this user") {
		t.Errorf("error = %v", err)
	}
}

// Many uploads and deletions of few digests at once; some end well, some are refused, and in the end
// there is exactly what the ledger names.
func TestConcurrentUploadsOfTheSameBytes(t *testing.T) {
	dir, l := t.TempDir(), &ledger{}
	f := open(t, dir, l.referenced)
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 12 {
				data := bytes.Repeat([]byte{byte(i % 3)}, 1000)
				h, sum := keep(t, f, data)
				switch (worker + i) % 3 {
				case 0:
					l.commit(sum, 1)
					if r, _, err := f.Open(t.Context(), sum); err != nil {
						t.Errorf("a committed blob is gone: %v", err)
					} else {
						_ = r.Close()
					}
					if err := h.Settle(); err != nil {
						t.Error(err)
					}
					d, err := f.Hold(t.Context(), sum)
					l.commit(sum, -(worker % 2))
					if err := errors.Join(err, d.Release(t.Context())); err != nil {
						t.Error(err)
					}
				default:
					if err := h.Release(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	wantContents(t, dir, l.sums()...)
	if len(f.live) != 0 {
		t.Errorf("%d digests are remembered for nothing", len(f.live))
	}
}
