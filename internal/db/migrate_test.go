package db_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"

	"sluice/internal/db"
	"sluice/internal/servertest/postgres"
	"sluice/internal/trust"
)

// TestPublishersOfTheFirstSchema opens a database that was made before publishers had conditions, a scope and a life.
func TestPublishersOfTheFirstSchema(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sluice.db")
	address := postgres.Database(t)
	for _, tt := range []struct {
		dialect              goose.Dialect
		folder, driver, path string
		open                 func(c *clock, o db.Option) (*db.DB, error)
	}{
		{goose.DialectSQLite3, "sqlite", "sqlite", file, func(c *clock, o db.Option) (*db.DB, error) { return db.OpenSQLite(t.Context(), file, c.now, o) }},
		{goose.DialectPostgres, "postgres", "pgx", address, func(c *clock, o db.Option) (*db.DB, error) { return db.OpenPostgres(t.Context(), address, c.now, o) }},
	} {
		t.Run(tt.folder, func(t *testing.T) {
			old := must(sql.Open(tt.driver, tt.path))(t)
			p := must(goose.NewProvider(tt.dialect, old, os.DirFS(filepath.Join("migrations", tt.folder))))(t)
			if _, err := p.UpTo(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			for _, q := range []string{
				`INSERT INTO channel (name, visibility, description, created_us, created_by) VALUES ('forge', 'public', '', 1, 'ann')`,
				`INSERT INTO publisher (channel_id, provider, issuer, owner, repository, repository_fold, workflow, environment, packages, owner_id, repository_id, version, created_us, created_by)
					VALUES (1, 'github', 'https://x', 'Acme', 'Forge', 'acme/forge', 'build.yml', 'release', '["tide*","zlib"]', '9', '71', 3, 1, 'ann'),
					(1, 'github', 'https://x', 'acme', 'other', 'acme/other', 'x.yml', '', '[]', NULL, NULL, 1, 1, 'ann')`,
			} {
				if _, err := old.ExecContext(t.Context(), q); err != nil {
					t.Fatal(err)
				}
			}
			if err := old.Close(); err != nil {
				t.Fatal(err)
			}
			told := 0
			upgrading := db.Upgrading(func(from, to int64) {
				if told++; from != 1 || to < 15 {
					t.Errorf("from %d to %d", from, to)
				}
			})
			d := must(tt.open(newClock(), upgrading))(t)
			t.Cleanup(func() { _ = d.Close() })
			again := must(tt.open(newClock(), upgrading))(t)
			if err := again.Close(); err != nil || told != 1 {
				t.Errorf("an upgrade was told of %d times: %v", told, err)
			}
			list := must(d.Publishers(t.Context(), 1))(t)
			if len(list) != 2 {
				t.Fatalf("%d publishers, want 2", len(list))
			}
			first, second := list[0], list[1]
			if got := first.Sentence(); got != "Runs of build.yml in Acme/Forge with environment release may publish tide* and zlib of forge" || first.Version != 3 || !first.Pinned() ||
				first.PerRun != trust.DefaultLimits() || !first.NewNames || first.Right != trust.Publish {
				t.Errorf("first: %q %+v", got, first)
			}
			if got := second.Sentence(); got != "Runs of x.yml in acme/other may publish every package of forge" || second.Pinned() {
				t.Errorf("second: %q %+v", got, second)
			}
			found := must(d.Candidates(t.Context(), trust.Candidate{Issuer: "https://x", RepositoryKey: "acme/forge", RepositoryID: "71", OwnerKey: "acme", OwnerID: "9"}))(t)
			if len(found) != 1 || found[0].ID != first.ID {
				t.Errorf("candidates %+v", found)
			}
		})
	}
}
