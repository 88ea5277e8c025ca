// Package db is all of Sluice's SQL: the schema, its migrations, and for each room a file with the
// methods that the room declares. One text serves SQLite and PostgreSQL. An exported method is one
// transaction; lower-case functions that take a *sql.Tx compose into it. It must not know of HTTP, and it
// decides nothing that a room could decide: it keeps what must be true at the moment of the commit.
package db

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/index"
)

//go:embed migrations
var migrations embed.FS

// DB is an open database. It implements the stores of all rooms.
type DB struct {
	writer *sql.DB
	reader *sql.DB
	// forUpdate locks a row that is about to be changed. SQLite needs none: its writers begin IMMEDIATE,
	// so the whole database is theirs.
	forUpdate string
	// lockPublisher is forUpdate for a query that joins publisher p with its channel: uploads must not wait
	// for the channel's row.
	lockPublisher string
	// skipLocked is forUpdate for rows that may as well be left to whoever is about to change them.
	skipLocked string
	// forShare keeps others from changing what a decision rests on until the commit.
	forShare string
	// nameBlob is run by a transaction that is about to name a blob, doubtBlob by one that asks whether any
	// does: it waits for those. SQLite needs neither, for a transaction ends with its process.
	nameBlob, doubtBlob string
	encoders            encoders
	now                 func() time.Time
	upgrading           func(from, to int64)
	// commits counts those of SQLite; nil on PostgreSQL, where others commit, too.
	commits     *commits
	channels    *memo[conda.Channel, channel.Channel]
	generations *memo[index.Place, stated]
	locations   *memo[listed, Located]
}

// Option sets something of a database that is about to be opened.
type Option func(*DB)

// Upgrading has tell called before a schema of an earlier release is brought up to date, with its version and the newest one:
// over many artifacts that takes a while.
func Upgrading(tell func(from, to int64)) Option {
	return func(db *DB) { db.upgrading = tell }
}

func (db *DB) set(opts []Option) {
	for _, o := range opts {
		o(db)
	}
}

// remember makes the memos of a database that is open.
func (db *DB) remember() {
	db.channels = newMemo[conda.Channel, channel.Channel](db.commits)
	db.generations = newMemo[index.Place, stated](db.commits)
	db.locations = newMemo[listed, Located](db.commits)
}

// readers is how many connections read SQLite at once, beside the one that writes and the one that looks for commits.
const readers = 8

// busyTimeout is how long a statement waits for another process that is writing the same SQLite file, in ms.
const busyTimeout = 10000

// OpenSQLite opens, or makes, the database file at path and brings it to the newest schema.
func OpenSQLite(ctx context.Context, path string, now func() time.Time, opts ...Option) (*DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	if f, err := os.OpenFile(abs, os.O_RDWR|os.O_CREATE, 0o600); err != nil { // made by us, for nobody else to read
		return nil, fmt.Errorf("database: %w", err)
	} else if err := f.Close(); err != nil {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	// FULL: what a client was told is stored must survive a power loss; NORMAL in WAL mode may lose it.
	pragmas := url.Values{"_pragma": {
		"journal_mode(wal)", "synchronous(full)", "foreign_keys(1)", fmt.Sprintf("busy_timeout(%d)", busyTimeout),
	}}
	pragmas.Set("_txlock", "immediate")
	connect, err := newPreparing("file:" + (&url.URL{Path: abs}).EscapedPath() + "?" + pragmas.Encode())
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	writer := sql.OpenDB(connect)
	writer.SetMaxOpenConns(1)
	pragmas.Set("_txlock", "deferred")
	pragmas.Add("_pragma", "query_only(1)")
	if connect, err = newPreparing("file:" + (&url.URL{Path: abs}).EscapedPath() + "?" + pragmas.Encode()); err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", path, err), writer.Close())
	}
	reader := sql.OpenDB(connect)
	reader.SetMaxOpenConns(readers + 1)
	db := &DB{writer: writer, reader: reader, encoders: newEncoders(), now: now, commits: newCommits(reader, time.Now)}
	db.remember()
	db.set(opts)
	if err := errors.Join(db.checkSQLite(ctx), db.migrate(ctx, goose.DialectSQLite3, "sqlite")); err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", path, err), db.Close())
	}
	return db, nil
}

// checkSQLite reads the settings back: a driver that does not understand one ignores it silently, and
// without these two an acknowledged upload could be lost.
func (db *DB) checkSQLite(ctx context.Context) error {
	var mode string
	var sync int
	if err := db.writer.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return err
	}
	if err := db.writer.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&sync); err != nil {
		return err
	}
	const full = 2
	if mode != "wal" || sync != full {
		return fmt.Errorf("journal mode is %q and synchronous %d, want wal and %d: is this a file system that SQLite can lock?", mode, sync, full)
	}
	return nil
}

// Bounds of the connections to PostgreSQL.
const (
	maxConns    = 20
	connIdle    = 5 * time.Minute
	lockRetries = 60 // seconds to wait for another replica's migration
)

// OpenPostgres opens the database at a postgres:// address and brings it to the newest schema; replicas
// that start together wait for one another. The address may hold a password, so no error repeats it.
func OpenPostgres(ctx context.Context, dsn string, now func() time.Time, opts ...Option) (*DB, error) {
	pool, err := sql.Open("pgx", dsn)
	if err != nil {
		return nil, errors.New("database: the postgres:// address cannot be read")
	}
	pool.SetMaxOpenConns(maxConns)
	pool.SetMaxIdleConns(maxConns)
	pool.SetConnMaxIdleTime(connIdle)
	db := &DB{
		writer: pool, reader: pool, forUpdate: " FOR UPDATE", skipLocked: " FOR UPDATE SKIP LOCKED", forShare: " FOR SHARE", lockPublisher: " FOR UPDATE OF p",
		nameBlob: `SELECT pg_advisory_xact_lock_shared($1)`, doubtBlob: `SELECT pg_advisory_xact_lock($1)`,
		encoders: newEncoders(), now: now,
	}
	db.remember()
	db.set(opts)
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, lockRetries))
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := db.migrate(ctx, goose.DialectPostgres, "postgres", goose.WithSessionLocker(locker)); err != nil {
		return nil, errors.Join(fmt.Errorf("database: %w", err), db.Close())
	}
	return db, nil
}

func (db *DB) migrate(ctx context.Context, d goose.Dialect, dir string, opts ...goose.ProviderOption) error {
	files, err := fs.Sub(migrations, "migrations/"+dir)
	if err != nil {
		return err
	}
	opts = append(opts, goose.WithSlog(slog.New(slog.DiscardHandler)))
	p, err := goose.NewProvider(d, db.writer, files, opts...)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if db.upgrading != nil {
		from, to, err := p.GetVersions(ctx)
		if err != nil {
			return fmt.Errorf("version of the schema: %w", err)
		}
		if 0 < from && from < to {
			db.upgrading(from, to)
		}
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	return nil
}

// Close closes all connections.
func (db *DB) Close() error {
	if db.reader == db.writer {
		return db.writer.Close()
	}
	return errors.Join(db.commits.close(), db.reader.Close(), db.writer.Close())
}

// Ping reports whether the database answers and can be written.
func (db *DB) Ping(ctx context.Context) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		var one int
		return tx.QueryRowContext(ctx, "SELECT 1").Scan(&one)
	})
}

// retries is how often a transaction is run again that PostgreSQL ended because of another one.
const retries = 5

// write runs f in a transaction and commits it. f must be free of effects outside of tx: it may run again
// when the database asks for that.
func (db *DB) write(ctx context.Context, f func(tx *sql.Tx) error) error {
	for try := 0; ; try++ {
		err := db.writeOnce(ctx, f)
		if outOfSpace(err) {
			return fault.Wrap(err, fault.NoSpace, "this server's database has no room left, and nothing was stored; its operator must make room first")
		}
		if err == nil || try == retries || !again(err) {
			return err
		}
	}
}

func (db *DB) writeOnce(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if err := f(tx); err != nil {
		return err
	}
	err = tx.Commit()
	if db.commits != nil {
		db.commits.raise() // after an error, too: what became of it is not known
	}
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// read runs f over one unchanging state of the database.
func (db *DB) read(ctx context.Context, f func(tx *sql.Tx) error) error {
	opts := &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
	if db.reader != db.writer {
		opts = nil // SQLite: a deferred transaction is a snapshot
	}
	tx, err := db.reader.BeginTx(ctx, opts)
	if err != nil {
		return fmt.Errorf("begin reading: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	return f(tx)
}

// Codes of PostgreSQL (appendix A of its manual).
const (
	pgUnique     = "23505"
	pgSerialize  = "40001"
	pgDeadlocked = "40P01"
	pgDiskFull   = "53100"
)

func again(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == pgSerialize || pg.Code == pgDeadlocked)
}

// outOfSpace reports whether err says that the disk under the database is full. Then nothing was committed.
func outOfSpace(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == pgDiskFull
	}
	lite, ok := errors.AsType[*sqlite.Error](err)
	return ok && lite.Code() == sqlitelib.SQLITE_FULL
}

// taken reports whether err says that a unique key exists already.
func taken(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == pgUnique
	}
	lite, ok := errors.AsType[*sqlite.Error](err)
	return ok && (lite.Code() == sqlitelib.SQLITE_CONSTRAINT_UNIQUE || lite.Code() == sqlitelib.SQLITE_CONSTRAINT_PRIMARYKEY)
}
