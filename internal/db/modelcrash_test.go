package db_test

import (
	"database/sql"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"sluice/internal/check"
	"sluice/internal/db"
)

// images is how many pictures are taken of the database's files.
const images = 10

// Whatever the files of SQLite are when the machine stops, the index in them is that of its artifacts. The pictures are
// taken while transactions are written.
func TestModelCrash(t *testing.T) {
	t.Parallel()
	seed := *modelSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	path, c := filepath.Join(t.TempDir(), "sluice.db"), newClock()
	d, err := db.OpenSQLite(t.Context(), path, c.now)
	w := newModelWorld(t, newFixture(t, d, err, c), seed)
	w.readers, w.archive = nil, folder(t, nil)
	pin(t, path)
	var taken []string
	var taking sync.WaitGroup
	for i := range *modelOps {
		if i%max(*modelOps/images, 1) == 0 {
			to := t.TempDir()
			taken = append(taken, to)
			taking.Go(func() { picture(t, path, to) })
		}
		w.step(t)
		taking.Wait()
	}
	for _, p := range w.made {
		_ = hold(t, w.archive, p) // all bytes that ever were, for they may have gone since
	}
	artifacts := int64(0)
	for _, dir := range taken {
		then, err := db.OpenSQLite(t.Context(), filepath.Join(dir, "sluice.db"), c.now)
		if err != nil {
			t.Fatal(err)
		}
		r := must(check.New(then, w.archive).Channel(t.Context(), w.channel, check.Options{Found: func(d check.Difference) { t.Errorf("seed %d: after a crash: %s", seed, d) }}))(t)
		artifacts += r.Artifacts
		if err := then.Close(); err != nil {
			t.Error(err)
		}
	}
	if artifacts == 0 {
		t.Error("no picture has an artifact")
	}
	t.Logf("seed %d, %d pictures with %d artifacts in all", seed, len(taken), artifacts)
}

// pin keeps SQLite from moving what was written from its log into the database: then a copy of both, however long it
// takes, is what was on the disk at one moment.
func pin(t *testing.T, path string) {
	t.Helper()
	raw := must(sql.Open("sqlite", "file:"+path))(t)
	tx := must(raw.BeginTx(t.Context(), nil))(t)
	var n int
	if err := tx.QueryRowContext(t.Context(), `SELECT count(*) FROM artifact`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(); _ = raw.Close() })
}

// picture copies the files of a database.
func picture(t *testing.T, path, to string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		from, err := os.Open(path + suffix)
		if err != nil {
			t.Error(err)
			return
		}
		out, err := os.Create(filepath.Join(to, filepath.Base(path)+suffix))
		if err == nil {
			_, err = io.Copy(out, from)
			_ = out.Close()
		}
		_ = from.Close()
		if err != nil {
			t.Error(err)
		}
	}
}
