package db

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func preparingDB(t *testing.T) *sql.DB {
	t.Helper()
	c, err := newPreparing("file:" + filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	d := sql.OpenDB(c)
	d.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := d.ExecContext(t.Context(), `CREATE TABLE n (v INTEGER PRIMARY KEY); INSERT INTO n VALUES (1), (2), (3)`); err != nil {
		t.Fatal(err)
	}
	return d
}

const above = `SELECT v FROM n WHERE v > ? ORDER BY v`

func numbers(t *testing.T, q queryer, from int) (out []int) {
	t.Helper()
	out, err := collect(t.Context(), q, func(r *sql.Rows, n *int) error { return r.Scan(n) }, above, from)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A statement whose rows are still open is not the one that the same query gets.
func TestPreparedStatementsDoNotMix(t *testing.T) {
	t.Parallel()
	d := preparingDB(t)
	tx, err := d.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	rows, err := tx.QueryContext(t.Context(), above, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var seen []int
	for rows.Next() {
		var v int
		if err := rows.Scan(&v); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, v)
		if got := fmt.Sprint(numbers(t, tx, 1)); got != "[2 3]" {
			t.Errorf("beside open rows: %s", got)
		}
	}
	if err := rows.Err(); err != nil || fmt.Sprint(seen) != "[1 2 3]" {
		t.Errorf("%v, %v", seen, err)
	}
}

// A statement that failed, was cut short, or was prepared before the table changed leaves nothing for the next.
func TestPreparedStatementsBeginAnew(t *testing.T) {
	t.Parallel()
	d := preparingDB(t)
	insert := func(v int) error {
		_, err := d.ExecContext(t.Context(), `INSERT INTO n VALUES (?)`, v)
		return err
	}
	if err := insert(1); err == nil {
		t.Error("a second 1 was taken")
	}
	if err := insert(4); err != nil {
		t.Error(err)
	}
	var first int
	if err := d.QueryRowContext(t.Context(), above, 0).Scan(&first); err != nil || first != 1 {
		t.Error(first, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.ExecContext(ended, `INSERT INTO n VALUES (?)`, 9); err == nil {
		t.Error("an ended context was taken")
	}
	if _, err := d.ExecContext(t.Context(), `ALTER TABLE n ADD COLUMN w INTEGER`); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(numbers(t, d, 2)); got != "[3 4]" {
		t.Errorf("= %s", got)
	}
}

func TestPreparedStatementsAreBounded(t *testing.T) {
	t.Parallel()
	d := preparingDB(t)
	for i := range 3 * maxPrepared {
		var v int
		if err := d.QueryRowContext(t.Context(), fmt.Sprintf(`SELECT v + %d FROM n WHERE v = ?`, i), 1).Scan(&v); err != nil || v != i+1 {
			t.Fatal(v, err)
		}
	}
	long := `SELECT v FROM n WHERE v = ?` + strings.Repeat(" ", maxText)
	var v int
	if err := d.QueryRowContext(t.Context(), long, 2).Scan(&v); err != nil || v != 2 {
		t.Error(v, err)
	}
	c, err := d.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	err = c.Raw(func(conn any) error {
		kept := conn.(*preparingConn).idle
		if _, there := kept[long]; there || len(kept) > maxPrepared {
			t.Errorf("%d statements are kept, the long one %v", len(kept), there)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
