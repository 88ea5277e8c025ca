package instance_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/attest"
	"sluice/internal/attest/attesttest"
	"sluice/internal/attest/instance"
	"sluice/internal/db"
	"sluice/internal/fault"
	"sluice/internal/servertest"
	"sluice/internal/servertest/postgres"
)

// world is what instances of servers live in: a database, and a clock that is the real one, or later.
type world struct {
	*db.DB
	dir   string
	later atomic.Int64 // by how much, in nanoseconds
	log   servertest.Log
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.later.Load())) }

// aDay moves the clock on, so that repositories are to be asked again.
func (w *world) aDay() { w.later.Add(int64(25 * time.Hour)) }

func both(t *testing.T, run func(t *testing.T, w *world)) {
	t.Helper()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{dir: filepath.Join(t.TempDir(), "tuf")}
			var err error
			if name == "postgres" {
				w.DB, err = db.OpenPostgres(t.Context(), postgres.Database(t), w.now)
			} else {
				w.DB, err = db.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "sluice.db"), w.now)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = w.Close() })
			run(t, w)
		})
	}
}

// start makes the instances of a server that begins.
func (w *world) start(t *testing.T, sources ...instance.Source) *instance.Instances {
	t.Helper()
	k, err := w.tryStart(t, sources...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (w *world) tryStart(t *testing.T, sources ...instance.Source) (*instance.Instances, error) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	return instance.New(t.Context(), instance.Config{Sources: sources, Store: w.DB, Dir: w.dir, Log: log, Now: w.now})
}

// tells is the instance whose root a repository has.
func tells(r *attesttest.Repository) instance.Source {
	return instance.Source{Name: "ours", Repository: &instance.Repository{URL: r.URL, Root: r.First}}
}

// has says which root the only instance has, and how that came.
func has(t *testing.T, name string, k *instance.Instances, root []byte, failed bool) instance.Health {
	t.Helper()
	h := k.Health()[0]
	want := ""
	if root != nil {
		want = fmt.Sprintf("%x", sha256.Sum256(root))
	}
	if h.Root != want || (h.LastError != "") != failed {
		t.Errorf("%s: the root is %.8s, want %.8s; error %q", name, h.Root, want, h.LastError)
	}
	return h
}

const file = "tide-1.0-0.conda"

// sign makes a bundle of an instance, with what it is for.
func sign(i *attesttest.Instance) ([]byte, attest.Subject) {
	s := attest.Subject{File: file, SHA256: sha256.Sum256([]byte("tide"))}
	job := attesttest.Job()
	return i.Sign(attesttest.Signing{
		PayloadType: "application/vnd.in-toto+json", Statement: attesttest.Statement(s.File, s.SHA256, "https://conda.example.com/forge"),
		URIs: []string{job[9]}, Extensions: job, At: time.Now(),
	}), s
}

// checked is the code by which a bundle is refused; "" for accepted.
func checked(t *testing.T, k *instance.Instances, raw []byte, s attest.Subject) fault.Code {
	t.Helper()
	v, err := k.Checker.Check(raw, s)
	if err == nil {
		if v.Root != k.Health()[0].Root {
			t.Errorf("checked by %s, while %s is in use", v.Root, k.Health()[0].Root)
		}
		return ""
	}
	return fault.CodeOf(err)
}

func changed(k *instance.Instances) bool {
	select {
	case <-k.Changed():
		return true
	default:
		return false
	}
}

// What a repository tells is used, and nothing older or unsigned ever after.
func TestRepository(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		one, two := attesttest.New(t), attesttest.New(t)
		three := two.RootWith(one, "tlogs")
		bundle, subject := sign(two)
		repo := attesttest.NewRepository(t)
		k := w.start(t, tells(repo))
		has(t, "nobody was asked", k, nil, false)

		k.Refresh(t.Context())
		has(t, "it has no trusted root", k, nil, true)
		repo.Publish(one.Root)
		k.Refresh(t.Context())
		has(t, "it is not asked again at once", k, nil, true)
		w.aDay()
		k.Refresh(t.Context())
		if h := has(t, "its first", k, one.Root, false); h.Source != instance.FromTUF || h.Stale || h.ValidUntil.Before(time.Now().Add(attesttest.Valid-time.Hour)) || w.now().Sub(h.CheckedAt) > time.Hour {
			t.Errorf("%+v", h)
		}
		if !changed(k) || checked(t, k, bundle, subject) != fault.LogUnknown {
			t.Error("the first is not in use")
		}
		old := repo.State()

		asked := repo.Requests()
		repo.Publish(two.Root)
		k.Refresh(t.Context())
		if has(t, "within a day", k, one.Root, false); repo.Requests() != asked {
			t.Error("it was asked")
		}
		w.aDay()
		k.Refresh(t.Context())
		if has(t, "its second", k, two.Root, false); !changed(k) || checked(t, k, bundle, subject) != "" {
			t.Error("the second is not in use")
		}
		if _, err := os.Stat(w.dir); !os.IsNotExist(err) {
			t.Errorf("something is left in the folder: %v", err)
		}
		second := repo.State()

		// Away, old and forged, before and after a restart: what was had stays.
		for _, tt := range []struct {
			name string
			do   func()
		}{
			{"away", func() { repo.Leave(true) }},
			{"old", func() { repo.Restore(old) }},
			{"forged", repo.Forge},
			{"expired", repo.Expire},
			{"corrupted", func() {
				repo.Publish(three)
				repo.Put(fmt.Sprintf("targets/%x.trusted_root.json", sha256.Sum256(three)), bytes.Replace(three, []byte("2"), []byte("3"), 1))
			}},
		} {
			tt.do()
			w.aDay()
			k.Refresh(t.Context())
			has(t, tt.name, k, two.Root, true)
			again := w.start(t, tells(repo))
			has(t, tt.name+", a restart", again, two.Root, false)
			if checked(t, again, bundle, subject) != "" {
				t.Errorf("%s: a server that starts again refuses", tt.name)
			}
			again.Refresh(t.Context())
			if h := has(t, tt.name+", asked after a restart", again, two.Root, true); h.Stale != h.ValidUntil.Before(w.now()) {
				t.Errorf("%s: %+v", tt.name, h)
			}
			repo.Leave(false)
			repo.Restore(second)
		}
		if changed(k) {
			t.Error("a root was replaced")
		}
		// What was signed counts from then on, though its file was corrupted: the repository is at its third version.
		w.aDay()
		k.Refresh(t.Context())
		has(t, "its second version again", k, two.Root, true)

		// With new keys that the old ones vouch for it is believed again. Other servers find what one has found.
		repo.Rotate()
		repo.Publish(three)
		other := w.start(t, tells(repo))
		other.Refresh(t.Context())
		has(t, "with new keys", other, three, false)
		asked = repo.Requests()
		repo.Leave(true)
		k.Refresh(t.Context()) // not due
		if has(t, "what another server found", k, three, true); repo.Requests() != asked || !changed(k) {
			t.Errorf("%d requests, before %d", repo.Requests(), asked)
		}
		roots, err := w.TrustedRoots(t.Context())
		if err != nil || len(roots) != 3 || roots[0].Number != 3 || !roots[0].ReplacedAt.IsZero() || !roots[1].ReplacedAt.Equal(roots[0].UsedAt) || roots[2].SHA256 != sha256.Sum256(one.Root) {
			t.Errorf("%+v, %v", roots, err)
		}
		for _, b := range [][]byte{one.Root, two.Root, three} {
			if kept, err := w.TrustedRoot(t.Context(), sha256.Sum256(b)); err != nil || !bytes.Equal(kept, b) {
				t.Errorf("a root that was used: %v", err)
			}
		}
	})
}

// The log tells once that a repository does not answer, and once that it does again.
func TestRepositoryLog(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		repo := attesttest.NewRepository(t)
		repo.Publish(attesttest.New(t).Root)
		repo.Leave(true)
		k := w.start(t, tells(repo))
		for range 3 {
			k.Refresh(t.Context())
			w.aDay()
		}
		repo.Leave(false)
		k.Refresh(t.Context())
		if said := w.log.String(); strings.Count(said, "trusted root not refreshed") != 1 || strings.Count(said, "level=WARN") != 1 || strings.Count(said, "refreshed again") != 1 {
			t.Error(said)
		}
	})
}

// since is a trusted root with another beginning of its log.
func since(t *testing.T, root []byte, at string) []byte {
	t.Helper()
	var r map[string]any
	if err := json.Unmarshal(root, &r); err != nil {
		t.Fatal(err)
	}
	log, _ := r["tlogs"].([]any)[0].(map[string]any)
	log["publicKey"].(map[string]any)["validFor"] = map[string]string{"start": at}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Where the repository is asked no more, the newer of what it told and what the program carries counts.
func TestRepositorySwitchedOff(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		i := attesttest.New(t)
		old, told, next := since(t, i.Root, "2037-01-01T00:00:00Z"), since(t, i.Root, "2038-01-01T00:00:00Z"), since(t, i.Root, "2039-01-01T00:00:00Z")
		repo := attesttest.NewRepository(t)
		repo.Publish(told)
		asking := tells(repo)
		asking.Start = old
		k := w.start(t, asking)
		if h := has(t, "at first", k, old, false); h.Source != instance.FromProgram {
			t.Errorf("%+v", h)
		}
		k.Refresh(t.Context())
		has(t, "asked", k, told, false)
		for _, tt := range []struct {
			name    string
			carried []byte
			asks    bool
			want    []byte
		}{
			{"off", old, false, told},
			{"a newer program that asks", next, true, told},
			{"off, and a newer program", next, false, next},
		} {
			s := instance.Source{Name: asking.Name, Start: tt.carried}
			if tt.asks {
				s.Repository = asking.Repository
			}
			has(t, tt.name, w.start(t, s), tt.want, false)
		}
	})
}

// A file is read again when it changes; one that is broken or away changes nothing, also at the next start.
func TestFile(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		one, two := attesttest.New(t), attesttest.New(t)
		bundle, subject := sign(two)
		path := filepath.Join(t.TempDir(), "ours.json")
		changes := 0
		write := func(b []byte) {
			t.Helper()
			changes++
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			at := time.Now().Add(time.Duration(changes) * time.Second) // file systems may have coarse clocks
			if err := os.Chtimes(path, at, at); err != nil {
				t.Fatal(err)
			}
		}
		source := instance.Source{Name: "ours", File: path}
		for _, b := range [][]byte{nil, []byte("{}"), []byte("no JSON"), bytes.Repeat([]byte(" "), 1<<20+1)} {
			if b != nil {
				write(b)
			}
			if _, err := w.tryStart(t, source); err == nil || !strings.Contains(err.Error(), "sigstore instance ours") {
				t.Errorf("it starts with %.10q: %v", b, err)
			}
		}
		write(one.Root)
		k := w.start(t, source)
		if h := has(t, "the file", k, one.Root, false); h.Source != instance.FromFile || h.Stale {
			t.Errorf("%+v", h)
		}
		k.Refresh(t.Context())
		if has(t, "the same", k, one.Root, false); changed(k) || checked(t, k, bundle, subject) != fault.LogUnknown {
			t.Error("something has changed")
		}
		write(two.Root)
		k.Refresh(t.Context())
		if has(t, "another", k, two.Root, false); !changed(k) || checked(t, k, bundle, subject) != "" {
			t.Error("the other is not in use")
		}
		for _, tt := range []struct {
			name string
			do   func()
		}{
			{"broken", func() { write([]byte("{}")) }},
			{"too long", func() { write(bytes.Repeat([]byte(" "), 1<<20+1)) }},
			{"away", func() {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}},
		} {
			tt.do()
			for range 2 {
				k.Refresh(t.Context())
				if h := has(t, tt.name, k, two.Root, true); !h.Stale {
					t.Errorf("%s: %+v", tt.name, h)
				}
			}
			again := w.start(t, source)
			if h := has(t, tt.name+", a restart", again, two.Root, true); !h.Stale || checked(t, again, bundle, subject) != "" {
				t.Errorf("%s, a restart: %+v", tt.name, h)
			}
		}
		// One ERROR of k, whose file was never right in between, and one of each restart.
		if said := w.log.String(); strings.Count(said, "level=ERROR") != 1+3 || strings.Count(said, "the last good one counts") != 1+3 {
			t.Error(said)
		}
		write(one.Root)
		k.Refresh(t.Context())
		if h := has(t, "right again", k, one.Root, false); h.Stale || !changed(k) {
			t.Errorf("%+v", h)
		}
	})
}

// Who brings a bundle of a log that nobody here knows has the repository asked: once a minute, whoever comes.
func TestUnknownLog(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		one, two, stranger := attesttest.New(t), attesttest.New(t), attesttest.New(t)
		bundle, subject := sign(two)
		foreign, _ := sign(stranger)
		repo := attesttest.NewRepository(t)
		repo.Leave(true)
		k := w.start(t, tells(repo))
		if code := checked(t, k, bundle, subject); code != fault.NoTrustRoot {
			t.Errorf("without keys: %q", code)
		}
		repo.Leave(false)
		repo.Publish(one.Root)
		w.later.Add(int64(time.Minute))
		// Its keys come with the first who needs them.
		if code := checked(t, k, bundle, subject); code != fault.LogUnknown {
			t.Errorf("with other keys: %q", code)
		}
		has(t, "on demand", k, one.Root, false)
		repo.Publish(two.Root)
		asked := repo.Requests()
		if code := checked(t, k, bundle, subject); code != fault.LogUnknown || repo.Requests() != asked {
			t.Errorf("within the minute: %q, %d requests, before %d", code, repo.Requests(), asked)
		}
		w.later.Add(int64(time.Minute))
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if code := checked(t, k, bundle, subject); code != "" {
					t.Errorf("with the newest keys: %q", code)
				}
			})
		}
		all.Wait()
		// Root, timestamp, snapshot, targets and the target.
		if n := repo.Requests() - asked; n != 5 {
			t.Errorf("%d requests for one refresh", n)
		}
		asked = repo.Requests()
		for range 2 {
			w.later.Add(int64(time.Minute))
			if code := checked(t, k, foreign, subject); code != fault.LogUnknown {
				t.Errorf("of a stranger: %q", code)
			}
		}
		if n := repo.Requests() - asked; n == 0 {
			t.Error("nobody was asked for the stranger")
		}
		if code := checked(t, k, bundle, attest.Subject{File: file}); code != fault.WrongArtifact {
			t.Errorf("for another file: %q", code)
		}
		has(t, "at last", k, two.Root, false)
	})
}

// Servers that begin or ask at the same time agree, and each root is told once.
func TestManyServers(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		const servers = 6
		repo := attesttest.NewRepository(t)
		start, told := attesttest.New(t).Root, attesttest.New(t).Root
		repo.Publish(told)
		source := tells(repo)
		source.Start = start
		all := make([]*instance.Instances, servers)
		together := func(do func(n int)) {
			var g sync.WaitGroup
			for n := range servers {
				g.Go(func() { do(n) })
			}
			g.Wait()
		}
		together(func(n int) {
			config := instance.Config{Sources: []instance.Source{source}, Store: w.DB, Dir: filepath.Join(t.TempDir(), "tuf"), Log: slog.New(slog.DiscardHandler), Now: w.now}
			var err error
			if all[n], err = instance.New(t.Context(), config); err != nil {
				t.Error(err)
			}
		})
		if t.Failed() {
			return
		}
		together(func(n int) { all[n].Refresh(t.Context()) })
		repo.Publish(start) // it comes back
		w.aDay()
		together(func(n int) { all[n].Refresh(t.Context()) })
		for n := range servers {
			has(t, fmt.Sprintf("server %d", n), all[n], start, false)
		}
		if roots, err := w.TrustedRoots(t.Context()); err != nil || len(roots) != 3 {
			t.Errorf("%+v, %v", roots, err)
		}
	})
}
