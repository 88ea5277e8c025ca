package blob

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A second process is this test binary again, told by a variable what to do.
func TestMain(m *testing.M) {
	if dir := os.Getenv("BLOB_TEST_CHILD"); dir != "" {
		fmt.Println(child(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// The order of these steps is what durability rests on.
func TestSyscallSequence(t *testing.T) {
	l := &ledger{}
	f := open(t, t.TempDir(), l.referenced)
	var got []string
	f.step = func(what string) { got = append(got, what) }
	h, sum := keep(t, f, []byte("x"))
	l.commit(sum, 1)
	f.did("commit")
	if err := h.Settle(); err != nil {
		t.Fatal(err)
	}
	f.did("---")
	d, err := f.Hold(t.Context(), sum)
	l.commit(sum, -1)
	f.did("commit")
	if err := errors.Join(err, d.Release(t.Context())); err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`\.[A-Z2-7]{26}`).ReplaceAllString(strings.Join(got, "\n"), ".R")
	text = strings.ReplaceAll(text, hex.EncodeToString(sum[:]), "SUM")
	text = strings.ReplaceAll(text, blobPath(sum), "blobs/2d/REST")
	want := `create staging/arriving.R
fsync staging/arriving.R
create staging/SUM.R
fsync staging
mkdir blobs/2d
fsync blobs
rename staging/arriving.R blobs/2d/REST
fsync blobs/2d
commit
unlink staging/SUM.R
---
create staging/SUM.R
fsync staging
commit
unlink blobs/2d/REST
fsync blobs/2d
unlink staging/SUM.R`
	if d := cmp.Diff(want, text); d != "" {
		t.Errorf("steps (-want +got):\n%s", d)
	}
}

// At every step of an upload and of a deletion a copy of the folder is taken, as a kill would leave it,
// together with what the ledger says at that moment. Each copy must recover to exactly that.
func TestStoppedAfterEachStep(t *testing.T) {
	for _, other := range []bool{false, true} { // whether another upload of the same bytes was committed before
		t.Run(fmt.Sprintf("referenced before %v", other), func(t *testing.T) {
			dir, l := t.TempDir(), &ledger{}
			f := open(t, dir, l.referenced)
			sum := sha256.Sum256([]byte("x"))
			if other {
				h, _ := keep(t, f, []byte("x"))
				l.commit(sum, 1)
				if err := h.Settle(); err != nil {
					t.Fatal(err)
				}
			}
			steps := 0
			f.step = func(what string) {
				steps++
				checkCopy(t, what, dir, l)
			}
			upload, _ := keep(t, f, []byte("x"))
			l.commit(sum, 1)
			f.did("commit")
			refused, _ := keep(t, f, []byte("x"))
			err := errors.Join(upload.Settle(), refused.Release(t.Context()))
			d, err2 := f.Hold(t.Context(), sum)
			l.commit(sum, -l.refs[sum])
			f.did("commit of the deletion")
			if err := errors.Join(err, err2, d.Release(t.Context())); err != nil || steps < 18 {
				t.Fatalf("%d steps, %v", steps, err)
			}
			wantContents(t, dir)
		})
	}
}

// checkCopy recovers a copy of dir as it is now, and wants exactly the blobs that the ledger names.
func checkCopy(t *testing.T, step, dir string, l *ledger) {
	t.Helper()
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	f := open(t, copied, l.referenced)
	if _, err := f.Recover(t.Context()); err != nil {
		t.Errorf("after %q: %v", step, err)
	}
	wantContents(t, copied, l.sums()...)
	if t.Failed() {
		t.Fatalf("stopped after %q", step)
	}
}

// childData is the bytes of the child's upload number i: of few kinds, so that digests meet again.
func childData(i int) []byte { return bytes.Repeat([]byte{byte(i % 5)}, 1+(i%5)*100_000) }

// child uploads, refuses and deletes until it is killed. Its commits are lines in a file: "+SUM" and
// "-SUM", durable before it goes on.
func child(dir string) error {
	log, err := os.OpenFile(filepath.Join(dir, "commits"), os.O_WRONLY|os.O_CREATE|os.O_APPEND|os.O_SYNC, 0o600)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	l := &ledger{refs: readCommits(dir)}
	f, err := NewFolder(root, l.referenced)
	if err != nil {
		return err
	}
	for i := rand.IntN(100); ; i++ {
		if err := childStep(f, l, log, i); err != nil {
			return err
		}
		fmt.Println(i)
	}
}

func childStep(f *Folder, l *ledger, log io.Writer, i int) error {
	ctx, data := context.Background(), childData(i)
	sum := sha256.Sum256(data)
	commit := func(sign string, by int) error {
		_, err := fmt.Fprintf(log, "%s%x\n", sign, sum)
		l.commit(sum, by)
		return err
	}
	if i%11 == 4 {
		return childBatch(f, l, log, i)
	}
	if i%3 == 2 && l.refs[sum] > 0 {
		h, err := f.Hold(ctx, sum)
		if err != nil {
			return err
		}
		return errors.Join(commit("-", -l.refs[sum]), h.Release(ctx))
	}
	s, err := f.Stage(ctx)
	if err != nil {
		return err
	}
	if err := writeInParts(s, data); err != nil {
		return err
	}
	h, err := s.Keep(ctx, sum)
	if err != nil {
		return err
	}
	if i%7 == 6 {
		return h.Release(ctx)
	}
	return errors.Join(commit("+", 1), h.Settle())
}

func writeInParts(s Stage, data []byte) error {
	for len(data) > 0 {
		n := min(len(data), 32<<10)
		if _, err := s.Write(data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// childBatch keeps three uploads at once and commits two of them in one write.
func childBatch(f *Folder, l *ledger, log io.Writer, i int) error {
	ctx := context.Background()
	k, err := f.Keeper()
	if err != nil {
		return err
	}
	defer k.Close()
	var all []Staged
	for j := range 3 {
		s, err := f.Stage(ctx)
		if err != nil {
			return err
		}
		data := childData(i + j)
		if err := writeInParts(s, data); err != nil {
			return err
		}
		all = append(all, Staged{s, sha256.Sum256(data)})
	}
	holds, err := k.Keep(ctx, all)
	if err != nil {
		return err
	}
	l.commit(all[0].Sum, 1)
	l.commit(all[2].Sum, 1)
	_, err = fmt.Fprintf(log, "+%x\n+%x\n", all[0].Sum, all[2].Sum)
	return errors.Join(err, holds[0].Settle(), holds[1].Release(ctx), holds[2].Settle())
}

// readCommits replays the log. A last line without its end was not committed: it is cut off, as a
// database would do.
func readCommits(dir string) map[Sum]int {
	refs := map[Sum]int{}
	name := filepath.Join(dir, "commits")
	b, _ := os.ReadFile(name)
	whole := b[:bytes.LastIndexByte(b, '\n')+1]
	_ = os.Truncate(name, int64(len(whole)))
	for line := range strings.Lines(string(whole)) {
		sum, _ := parseSum(strings.TrimSpace(line[1:]))
		if line[0] == '-' {
			refs[sum] = 0
		} else {
			refs[sum]++
		}
	}
	return refs
}

func TestKilledAtRandomMoments(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, unfinished := t.TempDir(), 0
	for range 12 {
		cmd := exec.CommandContext(t.Context(), exe)
		cmd.Env = append(os.Environ(), "BLOB_TEST_CHILD="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 1 + rand.IntN(8) {
			if !lines.Scan() || strings.Trim(lines.Text(), "0123456789") != "" {
				t.Fatalf("the child says %q", lines.Text())
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		refs := readCommits(dir)
		n, err := open(t, dir, (&ledger{refs: refs}).referenced).Recover(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		unfinished += n
		wantContents(t, dir, (&ledger{refs: refs}).sums()...)
	}
	t.Logf("%d unfinished uploads and deletions were found in 12 kills", unfinished)
}
