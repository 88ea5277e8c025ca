package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// micros is t as the database keeps it; the zero time is NULL.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// when reads a time that may be NULL, as the zero time.
type when struct{ t *time.Time }

// Scan takes microseconds or NULL.
func (w when) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*w.t = time.Time{}
	case int64:
		*w.t = time.UnixMicro(v).UTC()
	default:
		return fmt.Errorf("a time is a number of microseconds, not %T", src)
	}
	return nil
}

// jsonText reads a column of JSON into a value; NULL and "" leave it as it is.
type jsonText struct{ v any }

// Scan takes text, bytes or NULL.
func (j jsonText) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		return nil
	case string:
		return unmarshal([]byte(v), j.v)
	case []byte:
		return unmarshal(v, j.v)
	default:
		return fmt.Errorf("a JSON column is text, not %T", src)
	}
}

func unmarshal(b []byte, v any) error {
	if len(b) == 0 {
		return nil
	}
	return json.Unmarshal(b, v)
}

// text is v as JSON. Only types of ours come here, and none of them can fail.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("db: %T cannot be JSON: %v", v, err))
	}
	return string(b)
}

// queryer is what reading needs: a transaction or the pool.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// collect runs a query and scans every row.
func collect[T any](ctx context.Context, q queryer, scan func(*sql.Rows, *T) error, query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	var out []T
	for rows.Next() {
		var v T
		if err := scan(rows, &v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
