package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"modernc.org/sqlite"
)

// To prepare a statement takes SQLite as long as to run most of ours, and the driver does it each time anew. So our
// connections keep what they have prepared, as pgx does by itself.

// preparing is a connector of SQLite whose connections keep their prepared statements.
type preparing struct{ driver.Connector }

func newPreparing(dsn string) (driver.Connector, error) {
	c, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	return preparing{c}, nil
}

// Connect implements driver.Connector.
func (p preparing) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := p.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	all, ok := c.(sqliteConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("a connection of the SQLite driver is a %T, which lacks methods", c), c.Close())
	}
	return &preparingConn{sqliteConn: all, idle: map[string]sqliteStmt{}}, nil
}

// sqliteConn is what database/sql uses of a connection of the driver.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// sqliteStmt is what we use of a statement of the driver.
type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// maxPrepared bounds the statements of a connection, maxText the length of those that are kept: longer ones are lists
// of values, and no two alike.
const (
	maxPrepared = 256
	maxText     = 2000
)

// preparingConn is a connection, for one goroutine at a time. A statement that runs is not in idle, so that rows may
// be open on a query while it is asked again.
type preparingConn struct {
	sqliteConn

	idle map[string]sqliteStmt
}

func (c *preparingConn) take(ctx context.Context, query string) (sqliteStmt, error) {
	if s, ok := c.idle[query]; ok {
		delete(c.idle, query)
		return s, nil
	}
	s, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	all, ok := s.(sqliteStmt)
	if !ok {
		return nil, errors.Join(fmt.Errorf("a statement of the SQLite driver is a %T, which lacks methods", s), s.Close())
	}
	return all, nil
}

// give keeps a statement that has ended for the next time.
func (c *preparingConn) give(query string, s sqliteStmt) error {
	if _, there := c.idle[query]; there || len(query) > maxText {
		return s.Close()
	}
	for other, old := range c.idle {
		if len(c.idle) < maxPrepared {
			break
		}
		delete(c.idle, other)
		if err := old.Close(); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	c.idle[query] = s
	return nil
}

// ExecContext implements driver.ExecerContext.
func (c *preparingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if len(args) == 0 {
		return c.sqliteConn.ExecContext(ctx, query, args) // perhaps several statements: a migration
	}
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	r, err := s.ExecContext(ctx, args)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return r, c.give(query, s)
}

// QueryContext implements driver.QueryerContext.
func (c *preparingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if len(args) == 0 {
		return c.sqliteConn.QueryContext(ctx, query, args)
	}
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &preparedRows{Rows: rows, end: func() error { return c.give(query, s) }}, nil
}

// Close implements driver.Conn.
func (c *preparingConn) Close() error {
	var errs []error
	for _, s := range c.idle {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.sqliteConn.Close())...)
}

// preparedRows gives their statement back when they are closed.
type preparedRows struct {
	driver.Rows

	end func() error
}

// Close implements driver.Rows. A second one does nothing.
func (r *preparedRows) Close() error {
	if r.end == nil {
		return nil
	}
	end := r.end
	r.end = nil
	return errors.Join(r.Rows.Close(), end())
}
