package db_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/access"
	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/db"
	"sluice/internal/publish"
	"sluice/internal/servertest/postgres"
	"sluice/internal/token"
)

// both runs a test over SQLite and over PostgreSQL, each with a database of its own.
func both(t *testing.T, run func(t *testing.T, f *fixture)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		c := newClock()
		d, err := db.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "sluice.db"), c.now)
		run(t, newFixture(t, d, err, c))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		c := newClock()
		d, err := db.OpenPostgres(t.Context(), postgres.Database(t), c.now)
		run(t, newFixture(t, d, err, c))
	})
}

// clock is a time that stands still until it is moved.
type clock struct{ us atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.us.Store(time.Date(2026, 11, 23, 14, 6, 0, 0, time.UTC).UnixMicro())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMicro(c.us.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.us.Add(d.Microseconds()) }

// fixture is an open database with an account, a public channel that it owns, and an API token.
type fixture struct {
	*db.DB
	clock   *clock
	ann     account.User
	channel channel.Channel
	token   account.APIToken
}

func newFixture(t testing.TB, d *db.DB, err error, c *clock) *fixture {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx := t.Context()
	f := &fixture{DB: d, clock: c}
	f.ann = must(d.CreateUser(ctx, account.User{Name: "ann", CreatedAt: c.now()}, "hash", token.Hash{}, audit.Event{Kind: audit.AccountCreated}))(t)
	f.channel = must(d.CreateChannel(ctx, channel.Channel{Name: must(conda.ParseChannel("forge"))(t), Visibility: channel.Public, CreatedAt: c.now()}, f.ann.ID, audit.Event{Kind: audit.ChannelCreated}))(t)
	f.token = must(d.CreateAPIToken(ctx, account.APIToken{
		Hash: token.New(token.API).Hash(), UserID: f.ann.ID, Name: "laptop", Scopes: []account.Scope{account.Upload}, CreatedAt: c.now(), ExpiresAt: c.now().Add(time.Hour),
	}, audit.Event{Kind: audit.APITokenCreated}))(t)
	return f
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

// commit describes an upload of a file by ann, whose bytes have the given digest.
func (f *fixture) commit(t testing.TB, subdir, filename string, sum byte, depends ...string) publish.Commit {
	t.Helper()
	name := must(conda.ParseFilename(filename))(t)
	return publish.Commit{
		Channel: f.channel, Labels: []conda.Label{conda.MainLabel()}, File: name,
		Record: conda.Record{
			Name: name.Name(), Version: name.Version(), Build: name.Build(), Subdir: must(conda.ParseSubdir(subdir))(t),
			Depends: depends, SHA256: [32]byte{sum}, MD5: [16]byte{sum}, Size: 100,
		},
		RawIndex: []byte("{}"),
		Right:    access.Right{User: &f.ann, APIToken: &f.token},
		Event:    audit.Event{Kind: audit.Uploaded, ChannelID: f.channel.ID, Channel: "forge", Subject: subdir + "/" + filename, Facts: map[string]string{}},
	}
}

// Publish publishes one artifact.
func (f *fixture) Publish(ctx context.Context, c publish.Commit) (publish.Outcome, error) {
	r, err := f.DB.Publish(ctx, []publish.Commit{c})
	if err != nil {
		return publish.Outcome{}, err
	}
	return r[0].Outcome, r[0].Err
}

func (f *fixture) publish(t testing.TB, c publish.Commit) publish.Outcome {
	t.Helper()
	return must(f.Publish(context.WithoutCancel(t.Context()), c))(t)
}
