// Package postgres gives a test a real PostgreSQL database of its own.
//
// The first call in a test binary makes a server: a fresh cluster in a temporary folder, reachable on
// a free loopback port, with the durability that PostgreSQL has by default. Later calls only create
// databases in it. Nothing has to be stopped: a watchdog process ends the server and removes the
// folder when the test binary is gone, whether it returned, panicked or was killed.
//
// The package knows how to run PostgreSQL, and nothing of what Sluice keeps there.
package postgres

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// createDatabase has a collation that sorts as people do, "a" before "B": a query that needs the order
// of bytes and does not say so is found here, as it would fail on an operator's server.
const createDatabase = `CREATE DATABASE %s TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'`

// shared is the one server of this test binary.
var shared = sync.OnceValues(start)

// Database creates an empty database and returns its address, postgres://…, for t alone. It stays until
// the test binary ends, 8 MB of it: to drop it would cost a checkpoint, half a second for each test.
//
// It fails t, with what to install, where there is no PostgreSQL 15 or newer: a test that skipped
// itself would not be missed.
func Database(t testing.TB) string {
	t.Helper()
	address, err := Create(t.Context())
	if err != nil {
		t.Fatalf("postgres: %v", err)
	}
	return address
}

// Create is Database for a program that is no test: what is said of the test binary is true of the program.
func Create(ctx context.Context) (address string, err error) {
	s, err := shared()
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("test_%d", s.made.Add(1))
	if err := s.exec(ctx, fmt.Sprintf(createDatabase, name)); err != nil {
		return "", fmt.Errorf("create database: %w", err)
	}
	return s.address(name), nil
}

// A server is a running cluster.
type server struct {
	port     int
	password string
	made     atomic.Int64 // databases so far, for their names
	life     io.Closer    // open as long as the test binary lives
}

// superuser owns the cluster. Its password is new for each cluster, for other users of the machine can
// reach the port.
const superuser = "sluice"

func (s *server) address(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, s.password),
		Host:     fmt.Sprintf("127.0.0.1:%d", s.port),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// exec runs one statement outside of any test's database.
func (s *server) exec(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.address("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}
