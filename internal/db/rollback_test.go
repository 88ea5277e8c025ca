package db

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/mail/address"
	"sluice/internal/servertest/postgres"
	"sluice/internal/token"
)

// What was rolled back is told to nobody; the same committed is told.
func TestWhatDidNotHappenIsNotTold(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "sluice.db"), time.Now)
			if name == "postgres" {
				db, err = OpenPostgres(t.Context(), postgres.Database(t), time.Now)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			to, err := address.Parse("ann@example.com")
			if err != nil {
				t.Fatal(err)
			}
			ann := audit.Event{Kind: audit.AccountCreated, Subject: "ann"}
			if _, err := db.CreateUser(t.Context(), account.User{Name: "ann", CreatedAt: time.Now()}, "", token.Hash{}, ann); err != nil {
				t.Fatal(err)
			}
			ann.Actor = audit.Actor{Kind: audit.User, Name: "ann"}
			if err := db.SetMailAddress(t.Context(), "ann", to, ann); err != nil {
				t.Fatal(err)
			}
			for _, fails := range []error{errors.New("the rest failed"), nil} {
				err := db.write(t.Context(), func(tx *sql.Tx) error {
					return errors.Join(db.appendEvent(t.Context(), tx, audit.Event{Kind: audit.APITokenRevoked, Subject: "ann/laptop"}), fails)
				})
				if !errors.Is(err, fails) {
					t.Fatal(err)
				}
				if _, told, err := db.ClaimLetter(t.Context(), time.Now().Add(time.Minute)); err != nil || told != (fails == nil) {
					t.Errorf("after %v: told %v, %v", fails, told, err)
				}
			}
		})
	}
}
