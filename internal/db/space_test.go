package db

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"sluice/internal/audit"
	"sluice/internal/fault"
)

// A database that cannot grow refuses, so that the uploader learns why and its bytes are not kept in doubt.
func TestFullDiskIsARefusal(t *testing.T) {
	t.Parallel()
	d, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "sluice.db"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if _, err := d.writer.ExecContext(t.Context(), "PRAGMA max_page_count(1)"); err != nil { // SQLite takes it for what there is
		t.Fatal(err)
	}
	for range 100 {
		if err = d.Append(t.Context(), audit.Event{Facts: map[string]string{"x": string(make([]byte, 10_000))}}); err != nil {
			break
		}
	}
	if !fault.Is(err, fault.NoSpace) {
		t.Errorf("a full disk: %v", err)
	}
	if !outOfSpace(&pgconn.PgError{Code: "53100"}) || outOfSpace(sql.ErrNoRows) || outOfSpace(nil) {
		t.Error("PostgreSQL's full disk is not told from other failures")
	}
}
