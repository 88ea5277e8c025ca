package crash

import (
	"context"
	"database/sql"
	"encoding/hex"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"sluice/internal/servertest"
	"sluice/test/process"
)

// ledger looks at the storage from outside of the server: the database and the data folder.
type ledger struct {
	data string
	sql  func(t *testing.T) *sql.DB
	// generations are the last ones seen, states what their files looked like.
	generations map[string]int64
	states      map[string]string
	// cut counts uploads that were never answered, unsure those that were answered 500 after the database
	// had been cut off, refused those that had to be.
	cut, unsure, refused int
	// disconnected counts how often the database was cut off.
	disconnected int
	// survived are uploads that were there though nobody was told so.
	survived map[string]bool
	errs     []error
}

func newLedger(t *testing.T, o process.Options) *ledger {
	t.Helper()
	driver, address := "pgx", o.DB
	if address == "" {
		driver, address = "sqlite", "file:"+(&url.URL{Path: filepath.Join(o.Data, "sluice.db")}).EscapedPath()+"?_pragma=busy_timeout(10000)&_pragma=query_only(1)"
	}
	return &ledger{
		data: o.Data, generations: map[string]int64{}, states: map[string]string{}, survived: map[string]bool{},
		sql: func(t *testing.T) *sql.DB {
			t.Helper()
			d, err := sql.Open(driver, address)
			if err != nil {
				t.Fatal(err)
			}
			return d
		},
	}
}

func (l *ledger) bad(err error) { l.errs = append(l.errs, err) }

// storage checks that the folder and the database tell the same story, while nobody uploads.
func (l *ledger) storage(t *testing.T) {
	t.Helper()
	d := l.sql(t)
	defer func() { _ = d.Close() }()
	if left := files(t, filepath.Join(l.data, "staging")); len(left) > 0 {
		t.Errorf("staging holds %q", left)
	}
	blobs := files(t, filepath.Join(l.data, "blobs"))
	rows := column(t, d, `SELECT DISTINCT sha256 FROM artifact`)
	if !slices.Equal(blobs, rows) {
		t.Errorf("%d blobs, %d digests in the database:\nblobs %q\nrows  %q", len(blobs), len(rows), blobs, rows)
	}
	for what, query := range map[string]string{
		"artifacts without a record":     `SELECT count(*) FROM artifact a WHERE NOT EXISTS (SELECT 1 FROM record r WHERE r.artifact_id = a.id)`,
		"records without an artifact":    `SELECT count(*) FROM record r WHERE NOT EXISTS (SELECT 1 FROM artifact a WHERE a.id = r.artifact_id)`,
		"artifacts against their events": `SELECT (SELECT count(*) FROM artifact) - (SELECT count(*) FROM event WHERE kind = 'artifact.uploaded')`,
		"artifacts against the counts":   `SELECT (SELECT count(*) FROM artifact) - (SELECT coalesce(sum(artifacts), 0) FROM package)`,
		// Uploads that come at once are one generation, and there is none without an upload.
		"generations that are not those of records": `SELECT count(*) FROM generation g WHERE g.number <> (SELECT count(DISTINCT r.generation) FROM record r
			WHERE r.channel_id = g.channel_id AND r.label = g.label AND r.subdir = g.subdir)`,
		"series whose totals are wrong": `SELECT count(*) FROM series s WHERE s.members <> (SELECT coalesce(sum(p.members), 0) FROM piece p
			WHERE p.channel_id = s.channel_id AND p.label = s.label AND p.subdir = s.subdir AND p.series = s.series)`,
		"names without a shard": `SELECT count(*) FROM (SELECT DISTINCT channel_id, label, subdir, name FROM record) r WHERE NOT EXISTS (SELECT 1 FROM shard s
			WHERE s.channel_id = r.channel_id AND s.label = r.label AND s.subdir = r.subdir AND s.name = r.name AND s.superseded_us IS NULL)`,
	} {
		var n int64
		if err := d.QueryRowContext(t.Context(), query).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s: %d (%v)", what, n, err)
		}
	}
	l.integrity(t, d)
}

// disconnect ends all connections of the server to PostgreSQL, every other time. What they were about to
// commit may be committed or not, and the server cannot know.
func (l *ledger) disconnect(t *testing.T) {
	t.Helper()
	if l.sqlite() {
		return
	}
	if l.disconnected++; l.disconnected%2 == 0 {
		return
	}
	d := l.sql(t)
	defer func() { _ = d.Close() }()
	_, err := d.ExecContext(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	if err != nil {
		t.Fatal(err)
	}
}

func (l *ledger) sqlite() bool {
	_, err := os.Stat(filepath.Join(l.data, "sluice.db"))
	return err == nil
}

func (l *ledger) integrity(t *testing.T, d *sql.DB) {
	t.Helper()
	if !l.sqlite() {
		return
	}
	var said string
	if err := d.QueryRowContext(t.Context(), `PRAGMA integrity_check`).Scan(&said); err != nil || said != "ok" {
		t.Errorf("integrity check: %q %v", said, err)
	}
}

// generation checks that a place only moves forward, and that what it shows changes with it and not otherwise.
func (l *ledger) generation(t *testing.T, channel, subdir string, x *servertest.Index) {
	t.Helper()
	d := l.sql(t)
	defer func() { _ = d.Close() }()
	place := channel + "/" + subdir
	var n int64
	err := d.QueryRowContext(t.Context(), `SELECT coalesce(max(g.number), 0) FROM generation g JOIN channel c ON c.id = g.channel_id
		WHERE c.name = $1 AND g.subdir = $2 AND g.label = 'main'`, channel, subdir).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	before, known := l.generations[place]
	if n < before || known && (n == before) != (x.State == l.states[place]) {
		t.Errorf("%s went from generation %d (%s) to %d (%s)", place, before, l.states[place], n, x.State)
	}
	if files := int64(len(x.Records)); n > files || (n == 0) != (files == 0) {
		t.Errorf("%s is of generation %d and lists %d files: each generation is of one upload or of several", place, n, files)
	}
	l.generations[place], l.states[place] = n, x.State
}

// files lists a folder and all below it, sorted; names of blobs as their digest.
func files(t *testing.T, folder string) []string {
	t.Helper()
	out := []string{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(folder, path)
		out = append(out, strings.ReplaceAll(rel, string(filepath.Separator), ""))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// column reads digests, sorted.
func column(t *testing.T, d *sql.DB, query string) []string {
	t.Helper()
	rows, err := d.QueryContext(context.WithoutCancel(t.Context()), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	out := []string{}
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			t.Fatal(err)
		}
		out = append(out, hex.EncodeToString(b))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}
