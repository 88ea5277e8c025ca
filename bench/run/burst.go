package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"sluice/bench/generate"
	"sluice/internal/servertest/postgres"
)

// burstUploads come from burstClients at once.
const (
	burstUploads = 1000
	burstClients = 20
)

func burst() row {
	return row{
		name: "burst", what: fmt.Sprintf("%d uploads from %d clients at once", burstUploads, burstClients), beside: "one client, one upload after another",
		records: 100_000, pairs: 7, measure: measureBurst,
		notes: []string{"Commits are the generations of the index that the uploads made. After each database's runs every uploaded package was looked up."},
	}
}

func measureBurst(ctx context.Context, b *bench) ([]Line, error) {
	onSQLite, err := b.filled(ctx, b.records)
	if err != nil {
		return nil, err
	}
	lines, err := b.burstInto(ctx, onSQLite)
	if err != nil {
		return nil, err
	}
	onPostgres, err := b.filledPostgres(ctx)
	if err != nil {
		return nil, err
	}
	more, err := b.burstInto(ctx, onPostgres)
	return append(lines, more...), err
}

// filledPostgres fills a new database; it is not kept.
func (b *bench) filledPostgres(ctx context.Context) (home, error) {
	address, err := postgres.Create(ctx)
	if err != nil {
		return home{}, err
	}
	data, err := os.MkdirTemp(b.scratch, "data-")
	if err != nil {
		return home{}, err
	}
	h, err := b.empty(ctx, home{data: data, db: address})
	if err != nil {
		return home{}, err
	}
	from, err := b.packages(ctx, b.records)
	if err != nil {
		return home{}, err
	}
	_, err = b.fill(ctx, from, h)
	return h, err
}

// upload is a package ready to be sent.
type upload struct {
	generate.Package
	body []byte
}

// burster sends bursts into one server.
type burster struct {
	server  *server
	channel *generate.Channel
	sent    []upload
}

func (b *bench) burstInto(ctx context.Context, h home) ([]Line, error) {
	database, err := h.database(ctx)
	if err != nil {
		return nil, err
	}
	c, err := channelOf(b.records)
	if err != nil {
		return nil, err
	}
	s, err := b.serve(ctx, h)
	if err != nil {
		return nil, err
	}
	defer s.kill()
	x := &burster{server: s, channel: c}
	var commits []float64
	ours, theirs, err := alternate(b.pairs, func() (float64, error) {
		before, err := h.generations(ctx)
		if err != nil {
			return 0, err
		}
		rate, err := x.send(ctx, burstClients)
		if err != nil {
			return 0, err
		}
		after, err := h.generations(ctx)
		commits = append(commits, (after-before)/burstUploads)
		return rate, err
	}, func() (float64, error) { return x.send(ctx, 1) })
	if err != nil {
		return nil, err
	}
	if err := x.nothingLost(ctx); err != nil {
		return nil, err
	}
	rate := compare(share, ours, theirs)
	rate.Case, rate.Unit, rate.Beside, rate.Goal = database, "uploads/s", "one client", Goal{AtLeast: 4}
	grouped := Line{Case: database + ", commits for each upload", Ours: sampleOf(commits), Goal: Goal{AtMost: 0.25}}
	return []Line{rate, grouped}, nil
}

// send uploads new packages and returns how many were taken in a second.
func (x *burster) send(ctx context.Context, clients int) (float64, error) {
	f, from := generate.NewFiler(), len(x.sent)
	for i := range burstUploads {
		p := x.channel.Extra(from + i)
		body, err := f.File(p)
		if err != nil {
			return 0, err
		}
		x.sent = append(x.sent, upload{p, bytes.Clone(body)})
	}
	begin := time.Now()
	err := x.server.uploadAll(ctx, clients, burstUploads, func(i int) (string, []byte, error) {
		u := x.sent[from+i]
		return u.File.String(), u.body, nil
	})
	return burstUploads / time.Since(begin).Seconds(), err
}

// nothingLost looks up everything that was sent.
func (x *burster) nothingLost(ctx context.Context) error {
	c := newClient(x.server.url, "", 1)
	defer c.close()
	index := map[string][]byte{}
	for _, s := range subdirs() {
		b, _, err := c.get(ctx, in(s, repodataJSON))
		if err != nil {
			return err
		}
		index[s] = b
	}
	for _, u := range x.sent {
		if !bytes.Contains(index[u.Record.Subdir.String()], []byte(`"`+u.File.String()+`":`)) {
			return fmt.Errorf("%s was taken and is lost", u.File)
		}
	}
	return nil
}

// generations is the sum of the numbers of all generations: how many commits changed an index.
func (h home) generations(ctx context.Context) (n float64, err error) {
	err = h.query(ctx, `SELECT sum(number) FROM generation`, &n)
	return n, err
}

// database is the name and the version of the database.
func (h home) database(ctx context.Context) (version string, err error) {
	if h.db == "" {
		err = h.query(ctx, `SELECT sqlite_version()`, &version)
		return "SQLite " + version, err
	}
	err = h.query(ctx, `SHOW server_version`, &version)
	version, _, _ = strings.Cut(version, " ") // what Debian adds
	return "PostgreSQL " + version, err
}

// query asks the database for one value, beside the server.
func (h home) query(ctx context.Context, query string, into any) error {
	driver, address := "pgx", h.db
	if h.db == "" {
		driver, address = "sqlite", "file:"+filepath.Join(h.data, "sluice.db")+"?_pragma=busy_timeout(10000)"
	}
	d, err := sql.Open(driver, address)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // it was only read
	return d.QueryRowContext(ctx, query).Scan(into)
}
