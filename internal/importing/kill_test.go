package importing_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/conda"
	"sluice/internal/conda/repodata"
	"sluice/internal/importing"
	"sluice/internal/servertest/postgres"
)

// TestMain runs the tests, or is a second process: this test binary again, told by variables what to import.
func TestMain(m *testing.M) {
	if data := os.Getenv("IMPORT_TEST_DATA"); data != "" {
		if err := child(data); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child imports, and prints a line for each package that it fetches.
func child(data string) error {
	ctx := context.Background()
	s, _, err := openSite(ctx, data, os.Getenv("IMPORT_TEST_DB"))
	if err != nil {
		return err
	}
	source, err := importing.OpenFolder(os.Getenv("IMPORT_TEST_SOURCE"))
	if err != nil {
		return err
	}
	_, err = importing.Run(ctx, s.config(told{source}))
	return err
}

// told prints a line for each package.
type told struct{ *importing.Folder }

func (f told) Package(ctx context.Context, p importing.Place, base string, name conda.Filename) (importing.Body, error) {
	fmt.Println("fetch", name)
	return f.Folder.Package(ctx, p, base, name)
}

// An import that is killed at any moment leaves a channel of which every file is whole, and nothing else; running it
// again ends in the state of one that was left alone.
func TestKilledAtRandomMoments(t *testing.T) {
	t.Parallel()
	const files, kills = 1300, 4 // more than two batches
	e := newElsewhere(t)
	for i := range files {
		e.add([]string{"noarch", "linux-64"}[i%2], pkg("tide", fmt.Sprintf("1.%d", i), []string{"noarch", "linux-64"}[i%2]), conda.ExtConda)
	}
	e.index()
	whole := newSite(t, t.TempDir(), "")
	if sum, _ := whole.bring(t, whole.config(folder(t, e.dir))); sum.Imported != files {
		t.Fatalf("%+v", sum)
	}
	for name, address := range map[string]string{"sqlite": "", "postgres": postgres.Database(t)} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			for range kills {
				killed := runChild(t, e.dir, data, address, 1+rand.IntN(files/2))
				s, shut, err := openSite(t.Context(), data, address) // takes up what was left
				if err != nil {
					t.Fatal(err)
				}
				s.wantSound(t)
				shut()
				if !killed {
					break // it came to its end first
				}
			}
			if runChild(t, e.dir, data, address, -1) {
				t.Fatal("the last run did not end by itself")
			}
			s := newSite(t, data, address)
			s.wantSound(t)
			for _, subdir := range []string{"noarch", "linux-64"} {
				equal := cmp.Comparer(func(a, b repodata.Entry) bool {
					return a.Place == b.Place && a.File == b.File && a.Record.Equal(b.Record)
				})
				if d := cmp.Diff(whole.entries(t, "main", subdir), s.entries(t, "main", subdir), equal); d != "" {
					t.Errorf("%s differs from that of an import that was left alone:\n%s", subdir, d)
				}
			}
		})
	}
}

// runChild imports in a process that is killed when it fetched so many packages, and reports whether it was. -1: it
// is left alone.
func runChild(t *testing.T, source, data, address string, after int) (killed bool) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), "IMPORT_TEST_SOURCE="+source, "IMPORT_TEST_DATA="+data, "IMPORT_TEST_DB="+address)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if !strings.HasPrefix(lines.Text(), "fetch ") {
			said = append(said, lines.Text())
		} else if after--; after == 0 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			killed = true
		}
	}
	if err := cmd.Wait(); err != nil && !killed {
		t.Fatalf("%v: %q", err, said)
	}
	return killed
}

// wantSound checks that the blobs are those of the listed files, and that nothing is left of what was under way.
func (s *site) wantSound(t *testing.T) {
	t.Helper()
	var want []string
	for _, subdir := range []string{"noarch", "linux-64"} {
		for _, e := range s.entries(t, "main", subdir) {
			want = append(want, fmt.Sprintf("%x", e.Record.SHA256))
		}
	}
	blobs, staging := s.stored(t)
	slices.Sort(want)
	slices.Sort(blobs)
	if d := cmp.Diff(want, blobs); d != "" || len(staging) > 0 {
		t.Errorf("blobs of listed files (-want +got):\n%s\nstaging holds %v", d, staging)
	}
}
