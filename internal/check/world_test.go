package check_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"sluice/internal/access"
	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/blob"
	"sluice/internal/channel"
	"sluice/internal/check"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/build"
	"sluice/internal/curate"
	"sluice/internal/db"
	"sluice/internal/index"
	"sluice/internal/publish"
	"sluice/internal/servertest/postgres"
	"sluice/internal/token"
)

// both runs a test over SQLite and over PostgreSQL, each with a database of its own.
func both(t *testing.T, run func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		w := &world{dir: t.TempDir()}
		path := filepath.Join(w.dir, "sluice.db")
		d, err := db.OpenSQLite(t.Context(), path, w.now)
		w.open(t, d, err, "sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
		run(t, w)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		w := &world{dir: t.TempDir()}
		address := postgres.Database(t)
		d, err := db.OpenPostgres(t.Context(), address, w.now)
		w.open(t, d, err, "pgx", address)
		run(t, w)
	})
}

// world is a database and a folder of blobs with a channel of real packages, and a way to damage them.
type world struct {
	db      *db.DB
	raw     *sql.DB
	dir     string
	blobs   *blob.Folder
	uploads *publish.Uploads
	keep    *curate.Curator
	checker *check.Checker
	channel channel.Channel
	right   access.Right
	ticks   atomic.Int64
}

// now is a clock of which every reading is a second later.
func (w *world) now() time.Time {
	return time.Date(2026, 11, 23, 14, 6, 0, 0, time.UTC).Add(time.Duration(w.ticks.Add(1)) * time.Second)
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

func (w *world) open(t *testing.T, d *db.DB, err error, driver, address string) {
	t.Helper()
	w.db = must(d, err)(t)
	t.Cleanup(func() { _ = w.db.Close() })
	w.raw = must(sql.Open(driver, address))(t)
	t.Cleanup(func() { _ = w.raw.Close() })
	root := must(os.OpenRoot(w.dir))(t)
	t.Cleanup(func() { _ = root.Close() })
	w.blobs = must(blob.NewFolder(root, w.db.Referenced))(t)
	w.uploads = publish.New(publish.Config{
		Blobs: w.blobs, Store: w.db, Log: slog.New(slog.DiscardHandler), Now: time.Now, Limits: artifact.DefaultLimits(), MaxSize: 1 << 30,
	})
	w.keep, w.checker = &curate.Curator{Store: w.db}, check.New(w.db, w.blobs)
	ctx := t.Context()
	ann := must(w.db.CreateUser(ctx, account.User{Name: "ann", CreatedAt: w.now()}, "hash", token.Hash{}, audit.Event{Kind: audit.AccountCreated}))(t)
	w.channel = must(w.db.CreateChannel(ctx, channel.Channel{Name: must(conda.ParseChannel("forge"))(t), Visibility: channel.Public, CreatedAt: w.now()}, ann.ID, audit.Event{Kind: audit.ChannelCreated}))(t)
	tok := must(w.db.CreateAPIToken(ctx, account.APIToken{
		Hash: token.New(token.API).Hash(), UserID: ann.ID, Name: "laptop", Scopes: []account.Scope{account.Upload}, CreatedAt: w.now(), ExpiresAt: w.now().Add(time.Hour),
	}, audit.Event{Kind: audit.APITokenCreated}))(t)
	w.right = access.Right{User: &ann, APIToken: &tok}
}

// upload publishes a real package.
func (w *world) upload(ctx context.Context, p build.Package, ext string) error {
	write := p.Conda
	if ext == conda.ExtTarBz2 {
		write = p.TarBz2
	}
	body, err := write()
	if err != nil {
		return err
	}
	f, err := p.Filename(ext)
	if err != nil {
		return err
	}
	received, err := w.uploads.Receive(ctx, publish.Announced{File: f}, bytes.NewReader(body))
	if err != nil {
		return err
	}
	_, err = received.Publish(ctx, w.channel, w.right)
	return err
}

// fill uploads packages whose records take several pieces, yanks one and lists one in another label.
func (w *world) fill(t *testing.T) {
	t.Helper()
	specs := make([]string, 230)
	for i := range specs {
		specs[i] = fmt.Sprintf("library-%03d >=%d.2,<%d", i, i, i+7)
	}
	for i := range 40 {
		p := build.Package{Name: fmt.Sprintf("tide%02d", i/2), Version: fmt.Sprintf("1.%d", i%2), Build: "0", Subdir: "noarch", Noarch: "generic", License: "MIT", Depends: specs}
		p.RunExports.Weak = []string{p.Name + " >=1"}
		ext := conda.ExtConda
		if i%4 == 3 {
			ext = conda.ExtTarBz2
		}
		if err := w.upload(t.Context(), p, ext); err != nil {
			t.Fatal(err)
		}
	}
	w.do(t, "tide03", curate.Change{Kind: curate.Yank, Reason: "broken"})
	w.do(t, "tide04", curate.Change{Kind: curate.List, Label: must(conda.ParseLabel("rc"))(t)})
	w.do(t, "tide05", curate.Change{Kind: curate.Patch, Patch: conda.Patch{License: new("BSD-3-Clause")}})
	w.do(t, "tide06", curate.Change{Kind: curate.Delete, Reason: "a secret in it"})
}

func (w *world) do(t *testing.T, name string, c curate.Change) {
	t.Helper()
	must(w.keep.Do(t.Context(), audit.Actor{Kind: audit.User, Name: "ann"}, w.channel, curate.Selection{Name: name}, c))(t)
}

// look checks the channel.
func (w *world) look(t *testing.T, quick bool) (*check.Result, []check.Difference) {
	t.Helper()
	var found []check.Difference
	r := must(w.checker.Channel(t.Context(), w.channel, check.Options{Quick: quick, Found: func(d check.Difference) { found = append(found, d) }}))(t)
	return r, found
}

// clean fails where a check finds anything.
func (w *world) clean(t *testing.T) {
	t.Helper()
	w.agrees(t, false)
	w.agrees(t, true)
}

// agrees fails where one check finds anything.
func (w *world) agrees(t *testing.T, quick bool) {
	t.Helper()
	r, found := w.look(t, quick)
	for _, d := range found {
		t.Errorf("quick %v: %s", quick, d)
	}
	if r.Artifacts < 40 || r.Pieces < 8 || r.Shards < 20 || r.Records < 40 {
		t.Errorf("looked at no more than %+v", r)
	}
}

// hurt runs a statement that changes something.
func (w *world) hurt(t *testing.T, query string, args ...any) {
	t.Helper()
	n := must(must(w.raw.ExecContext(t.Context(), query, args...))(t).RowsAffected())(t)
	if n == 0 {
		t.Fatalf("%s changed nothing", query)
	}
}

// files are the files that clients read, and their shards, in both labels.
func (w *world) files(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	x := index.New(w.db, 1<<20)
	for _, p := range must(w.db.Places(t.Context(), w.channel.ID))(t) {
		for _, n := range []index.Name{index.RepodataJSON, index.RunExportsJSON, index.RepodataZst, index.RunExportsZst} {
			r := must(x.File(t.Context(), p, w.channel.CreatedAt, n))(t).Open(t.Context())
			out[fmt.Sprint(p.Label, p.Subdir, n)] = string(must(io.ReadAll(r))(t))
			_ = r.Close()
		}
		for after := ""; ; {
			names := must(w.db.NamesAfter(t.Context(), p, after, 10))(t)
			for _, n := range names {
				out[fmt.Sprint(p.Label, p.Subdir, n.Name)] = hex.EncodeToString(n.SHA256)
				after = n.Name
			}
			if len(names) < 10 {
				break
			}
		}
	}
	return out
}

// decoded are files without those that are compressed: pieces may be cut in other places.
func decoded(files map[string]string) map[string]string {
	files = maps.Clone(files)
	maps.DeleteFunc(files, func(k, _ string) bool { return filepath.Ext(k) == ".zst" })
	return files
}

func kinds(counts map[check.Kind]int) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, fmt.Sprintf("%s %d", k, counts[k]))
	}
	return fmt.Sprint(out)
}
