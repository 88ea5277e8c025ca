package db_test

import (
	"database/sql"
	"testing"
	"time"

	"sluice/internal/db"
	"sluice/internal/servertest/postgres"
)

// A server that is killed while PostgreSQL commits for it leaves a transaction that goes on. The next server
// must not take its blob away: it has to wait until that transaction has ended.
func TestReferencedWaitsForCommits(t *testing.T) {
	t.Parallel()
	address, c := postgres.Database(t), newClock()
	d, err := db.OpenPostgres(t.Context(), address, c.now)
	f := newFixture(t, d, err, c)
	first := f.commit(t, "noarch", "tide-1.0-0.conda", 1)
	f.publish(t, first) // so that there is a generation to stand in the way with
	other := must(sql.Open("pgx", address))(t)
	t.Cleanup(func() { _ = other.Close() })
	obstacle := must(other.BeginTx(t.Context(), nil))(t)
	if _, err := obstacle.ExecContext(t.Context(), `SELECT number FROM generation FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	second := f.commit(t, "noarch", "tide-2.0-0.conda", 2)
	published := make(chan error, 1)
	go func() { _, err := f.Publish(t.Context(), second); published <- err }()
	waiting(t, other, 1) // the commit waits for the obstacle
	asked := make(chan bool, 1)
	go func() {
		found, err := f.Referenced(t.Context(), second.Record.SHA256)
		asked <- found && err == nil
	}()
	waiting(t, other, 2)
	if err := obstacle.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	if !<-asked {
		t.Error("a blob whose commit was under way counts as unreferenced")
	}
	if found := must(f.Referenced(t.Context(), [32]byte{9}))(t); found {
		t.Error("a blob that nobody named counts as referenced")
	}
}

// waiting waits until so many connections to the database wait for a lock.
func waiting(t *testing.T, d *sql.DB, want int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		var n int
		err := d.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		if n == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d connections wait for a lock, want %d", n, want)
		}
	}
}
