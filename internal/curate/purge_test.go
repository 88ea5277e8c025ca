package curate_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sluice/internal/access"
	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/blob"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/build"
	"sluice/internal/curate"
	"sluice/internal/db"
	"sluice/internal/publish"
	"sluice/internal/token"
)

const undo = time.Hour

// site is the data folder of a server, at a time that the test sets.
type site struct {
	dir   string
	db    *db.DB
	blobs blob.Store
	now   time.Time
}

func open(t *testing.T, dir string, now time.Time) *site {
	t.Helper()
	s := &site{dir: dir, now: now}
	s.db = must(db.OpenSQLite(t.Context(), filepath.Join(dir, "sluice.db"), s.clock))(t)
	t.Cleanup(func() { _ = s.db.Close() })
	root := must(os.OpenRoot(dir))(t)
	t.Cleanup(func() { _ = root.Close() })
	blobs := must(blob.NewFolder(root, s.db.Referenced))(t)
	must(blobs.Recover(t.Context()))(t)
	s.blobs = blobs
	return s
}

func (s *site) clock() time.Time { return s.now }

func (s *site) purger(g curate.Graves) *curate.Purger {
	return &curate.Purger{Graves: g, Blobs: s.blobs, Log: slog.New(slog.DiscardHandler), Now: s.clock, Undo: undo}
}

func (s *site) purge(t *testing.T) {
	t.Helper()
	if err := s.purger(s.db).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// owner makes an account with a token.
func (s *site) owner(t *testing.T) access.Right {
	t.Helper()
	accounts := &account.Accounts{Store: s.db, Tokens: s.db, Log: s.db, Now: s.clock, Passwords: account.NewPasswords(1)}
	ann := must(accounts.Create(t.Context(), audit.Actor{}, "ann", "", false, token.Token{}))(t)
	_, kept, err := accounts.CreateToken(t.Context(), audit.Actor{}, ann, account.NewToken{Name: "laptop", Scopes: []account.Scope{account.Upload}})
	if err != nil {
		t.Fatal(err)
	}
	return access.Right{User: &ann, APIToken: &kept}
}

// channel makes a channel in which files can be replaced.
func (s *site) channel(t *testing.T, by access.Right, name string) channel.Channel {
	t.Helper()
	channels := &channel.Channels{Store: s.db, Now: s.clock}
	ch := must(channels.Create(t.Context(), audit.Actor{}, by.User.ID, name, channel.Public, ""))(t)
	return must(channels.Change(t.Context(), audit.Actor{}, ch, channel.Revision{Replaceable: new(true)}))(t)
}

// upload publishes a package, by force, and returns the digest of its bytes.
func (s *site) upload(t *testing.T, ch channel.Channel, by access.Right, name, license string) blob.Sum {
	t.Helper()
	body := must(build.Package{Name: name, Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic", License: license}.Conda())(t)
	uploads := publish.New(publish.Config{
		Blobs: s.blobs, Store: s.db, Log: slog.New(slog.DiscardHandler), Now: s.clock, Limits: artifact.DefaultLimits(), MaxSize: 1 << 20,
	})
	f := must(conda.ParseFilename(name + "-1.0-0.conda"))(t)
	got := must(uploads.Receive(t.Context(), publish.Announced{File: f, Force: true}, bytes.NewReader(body)))(t)
	must(got.Publish(t.Context(), ch, by))(t)
	return sha256.Sum256(body)
}

func (s *site) do(t *testing.T, ch channel.Channel, name string, c curate.Change) {
	t.Helper()
	must((&curate.Curator{Store: s.db}).Do(t.Context(), audit.Actor{Kind: audit.User, Name: "ann"}, ch, curate.Selection{Name: name}, c))(t)
}

// has reports whether the bytes are there, and holds the folder to what is staged: nothing.
func (s *site) has(t *testing.T, sum blob.Sum) bool {
	t.Helper()
	if left := must(os.ReadDir(filepath.Join(s.dir, "staging")))(t); len(left) > 0 {
		t.Errorf("staging holds %v", left)
	}
	r, _, err := s.blobs.Open(t.Context(), sum)
	if err == nil {
		return r.Close() == nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return false
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

var deletion = curate.Change{Kind: curate.Delete, Reason: "a secret in it"}

func TestPurge(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC))
	by := s.owner(t)
	forge, other := s.channel(t, by, "forge"), s.channel(t, by, "other")
	gone, back := s.upload(t, forge, by, "tide", "MIT"), s.upload(t, forge, by, "ebb", "MIT")
	shared := s.upload(t, forge, by, "flow", "MIT")
	if s.upload(t, other, by, "flow", "MIT") != shared {
		t.Fatal("the same package has other bytes")
	}
	replaced := s.upload(t, forge, by, "surf", "MIT")
	instead := s.upload(t, forge, by, "surf", "GPL")
	for _, name := range []string{"tide", "ebb", "flow"} {
		s.do(t, forge, name, deletion)
	}

	s.now = s.now.Add(undo) // to the moment: it can still be restored
	s.purge(t)
	if !s.has(t, gone) || !s.has(t, back) || !s.has(t, shared) {
		t.Error("bytes went before the time was over")
	}
	if s.has(t, replaced) || !s.has(t, instead) {
		t.Errorf("of a replaced file the old bytes are there: %v, the new ones: %v", s.has(t, replaced), s.has(t, instead))
	}
	s.do(t, forge, "ebb", curate.Change{Kind: curate.Restore})

	s.now = s.now.Add(time.Second)
	s.purge(t)
	if s.has(t, gone) {
		t.Error("the bytes of what was deleted are still there")
	}
	if !s.has(t, back) || !s.has(t, shared) || !s.has(t, instead) {
		t.Error("bytes went that are needed: of what was restored, or of another channel's file")
	}
	s.do(t, other, "flow", deletion)
	s.now = s.now.Add(undo + time.Second)
	s.purge(t)
	if s.has(t, shared) {
		t.Error("bytes are there though the last file that had them was purged")
	}
}

// watched takes copies of the folder around each step of a purge: what a crash there would leave.
type watched struct {
	curate.Graves
	t        *testing.T
	s        *site
	pictures map[string]string
}

func (w *watched) picture(step string) {
	dir := w.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(w.s.dir)); err != nil {
		w.t.Fatal(err)
	}
	w.pictures[step] = dir
}

func (w *watched) PurgeDeleted(ctx context.Context, before time.Time, limit int) (int, error) {
	w.picture("nothing purged")
	n, err := w.Graves.PurgeDeleted(ctx, before, limit)
	w.picture("purged, blob there")
	return n, err
}

func (w *watched) Resolve(ctx context.Context, sum blob.Sum) error {
	w.picture("held, in doubt")
	err := w.Graves.Resolve(ctx, sum)
	w.picture("held, doubt forgotten")
	return err
}

// A purge that ends at any of its steps is finished by the next start, and takes nothing that is needed.
func TestCrashBetweenTheStepsOfAPurge(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC))
	by := s.owner(t)
	forge := s.channel(t, by, "forge")
	gone, kept := s.upload(t, forge, by, "tide", "MIT"), s.upload(t, forge, by, "ebb", "MIT")
	s.do(t, forge, "tide", deletion)
	s.now = s.now.Add(undo + time.Second)
	w := &watched{Graves: s.db, t: t, s: s, pictures: map[string]string{}}
	if err := s.purger(w).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.picture("over")
	for step, dir := range w.pictures {
		again := open(t, dir, s.now)
		if there, want := again.has(t, gone), step == "nothing purged" || step == "purged, blob there"; there != want {
			t.Errorf("%s: after the start the blob is there: %v, want %v", step, there, want)
		}
		again.purge(t)
		if again.has(t, gone) || !again.has(t, kept) {
			t.Errorf("%s: what was deleted is there: %v, what is needed: %v", step, again.has(t, gone), again.has(t, kept))
		}
		if left := must(again.db.Doubts(t.Context(), 10))(t); len(left) > 0 {
			t.Errorf("%s: doubts are left: %x", step, left)
		}
	}
	if len(w.pictures) != 5 {
		t.Errorf("%d pictures, want 5", len(w.pictures))
	}
}
