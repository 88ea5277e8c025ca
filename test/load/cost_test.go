package load

import (
	"bytes"
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"sluice/internal/account"
	"sluice/internal/channel"
	"sluice/internal/conda/build"
	"sluice/internal/index"
	"sluice/internal/servertest"
)

// cost is what one upload costs on the average, in units that do not depend on the machine.
type cost struct {
	// pages of SQLite's file that are written.
	pages float64
	// rebuilt is the content of the pieces of the index that are made anew, in bytes.
	rebuilt float64
	// rows that are added for good.
	rows float64
}

// An upload into a channel of three times the size writes about as much: pieces are between half full and
// full, and no more follows from how many there are. The file names here are long, so that the smaller
// channel has full pieces, too.
func TestCostOfAnUploadDoesNotFollowTheChannel(t *testing.T) {
	t.Parallel()
	const small, large, each = 400, 1200, 40
	u := newUploader(t)
	m := newMeter(t, filepath.Join(u.Data, "sluice.db"))
	var costs []cost
	for _, size := range []int{small, large} {
		for u.count < size {
			u.upload(t)
		}
		costs = append(costs, m.measure(t, each, func() { u.upload(t) }))
		t.Logf("at %d packages: %+v", size, costs[len(costs)-1])
	}
	a, b := costs[0], costs[1]
	for _, x := range []struct {
		what       string
		a, b, most float64
	}{
		{"pages written", a.pages, b.pages, 100},
		{"bytes of pieces rebuilt", a.rebuilt, b.rebuilt, float64(index.Conda.Target() + index.CondaRunExports.Target() + index.Shards.Target())},
		{"rows added", a.rows, b.rows, 8},
	} {
		if x.a == 0 || x.b > 1.7*x.a || x.b > x.most {
			t.Errorf("%s: %.1f at %d packages, %.1f at %d; at most %.0f", x.what, x.a, small, x.b, large, x.most)
		}
	}
}

// uploader publishes one package after another.
type uploader struct {
	*servertest.Server
	token string
	count int
}

func newUploader(t *testing.T) *uploader {
	t.Helper()
	s := servertest.New(t, servertest.Options{})
	ann := s.User(t, "ann", false)
	s.Channel(t, ann, "forge", channel.Public)
	return &uploader{Server: s, token: s.Token(t, ann, nil, account.Upload)}
}

// upload publishes a package with a long file name, which falls anywhere among the others.
func (u *uploader) upload(t *testing.T) {
	t.Helper()
	p := build.Package{
		Name: fmt.Sprintf("p%05d-%s", u.count*7919%100_000, strings.Repeat("x", 50)), Version: "1." + strings.Repeat("0", 60), Build: strings.Repeat("h", 60),
		Subdir: "linux-64", Depends: []string{"python >=3.10", "libgcc >=14", "openssl >=3.3,<4.0a0"},
	}
	b, err := p.Conda()
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, u.URL+"/api/v1/upload/forge", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+u.token)
	req.Header.Set("X-File-Name", p.Stem()+".conda")
	if status, _, said := servertest.Do(t, req); status != http.StatusOK {
		t.Fatal(status, said)
	}
	u.count++
}

// meter looks at a database from outside.
type meter struct {
	sql *sql.DB
	wal string
}

func newMeter(t *testing.T, path string) *meter {
	t.Helper()
	d, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return &meter{d, path + "-wal"}
}

// measure does something n times. The log of changes is emptied before each time, so what is in it then is
// what that time wrote.
func (m *meter) measure(t *testing.T, n int, do func()) cost {
	t.Helper()
	var sum cost
	rows := m.rows(t)
	for range n {
		if busy := m.one(t, "PRAGMA wal_checkpoint(TRUNCATE)"); busy != 0 {
			t.Fatal("the log of changes cannot be emptied")
		}
		do()
		info, err := os.Stat(m.wal)
		if err != nil {
			t.Fatal(err)
		}
		const page, header, frame = 4096, 32, 24
		sum.pages += float64(info.Size()-header) / (page + frame)
		sum.rebuilt += m.one(t, `SELECT sum(raw_len) FROM piece WHERE generation = (SELECT max(number) FROM generation)`)
	}
	return cost{sum.pages / float64(n), sum.rebuilt / float64(n), (m.rows(t) - rows) / float64(n)}
}

// rows counts the rows of all tables, but of blocks only those of pieces: the blocks of pieces that were made anew go
// after an hour.
func (m *meter) rows(t *testing.T) float64 {
	t.Helper()
	names, err := m.sql.QueryContext(t.Context(), `SELECT name FROM sqlite_schema WHERE type = 'table'`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = names.Close() }()
	var counts []string
	for names.Next() {
		var name string
		if err := names.Scan(&name); err != nil {
			t.Fatal(err)
		}
		if name != "block" && name != "dropped_block" {
			counts = append(counts, `(SELECT count(*) FROM "`+name+`")`)
		}
	}
	if err := names.Err(); err != nil {
		t.Fatal(err)
	}
	return m.one(t, "SELECT "+strings.Join(counts, " + "))
}

// one returns the first column of the one row of a query.
func (m *meter) one(t *testing.T, query string) (n float64) {
	t.Helper()
	rows, err := m.sql.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	into := []any{&n}
	for range columns[1:] {
		into = append(into, new(any))
	}
	if !rows.Next() {
		t.Fatalf("%s: no row: %v", query, rows.Err())
	}
	if err := rows.Scan(into...); err != nil {
		t.Fatal(err)
	}
	return n
}
