package db

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"sluice/internal/attest/instance"
	"sluice/internal/fault"
	"sluice/internal/publish"
)

const rootColumns = `instance, number, sha256, source, used_us, replaced_us`

func scanRoot(r interface{ Scan(dest ...any) error }, v *instance.Root, more ...any) error {
	var sum []byte
	err := r.Scan(append([]any{&v.Instance, &v.Number, &sum, &v.Source, when{&v.UsedAt}, when{&v.ReplacedAt}}, more...)...)
	copy(v.SHA256[:], sum)
	return err
}

// RootInUse implements instance.Store.
func (db *DB) RootInUse(ctx context.Context, name string) (instance.Root, error) {
	return rootInUse(ctx, db.reader, name)
}

func rootInUse(ctx context.Context, q queryer, name string) (v instance.Root, err error) {
	err = scanRoot(q.QueryRowContext(ctx, `SELECT `+rootColumns+`, root FROM trusted_root WHERE instance = $1 AND replaced_us IS NULL`, name), &v, &v.JSON)
	if errors.Is(err, sql.ErrNoRows) {
		return instance.Root{}, nil
	} else if err != nil {
		return v, fmt.Errorf("trusted root of %s: %w", name, err)
	}
	return v, nil
}

// UseRoot implements instance.Store.
func (db *DB) UseRoot(ctx context.Context, r instance.Root) (used instance.Root, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		used, err = db.useRoot(ctx, tx, r)
		return err
	})
	return used, err
}

// useRoot makes r the root in use, unless its bytes are, and has a second look begin.
func (db *DB) useRoot(ctx context.Context, tx *sql.Tx, r instance.Root) (instance.Root, error) {
	r.SHA256 = sha256.Sum256(r.JSON)
	// The row of its look is the lock of an instance: there is none yet of a root that is its first, and a lock of the root in
	// use leads to a row that is in use no more.
	_, err := tx.ExecContext(ctx, `INSERT INTO second_look (instance, sha256, after_id, busy_us) VALUES ($1, $2, 0, 0)
		ON CONFLICT (instance) DO UPDATE SET busy_us = second_look.busy_us`, r.Instance, r.SHA256[:])
	if err != nil {
		return r, fmt.Errorf("lock trusted root of %s: %w", r.Instance, err)
	}
	last, err := rootInUse(ctx, tx, r.Instance)
	if err != nil || last.SHA256 == r.SHA256 {
		return last, err
	}
	r.Number = last.Number + 1
	for _, q := range []struct {
		text string
		args []any
	}{
		{`UPDATE trusted_root SET replaced_us = $2 WHERE instance = $1 AND replaced_us IS NULL`, []any{r.Instance, micros(r.UsedAt)}},
		{`INSERT INTO trusted_root (instance, number, sha256, root, source, used_us) VALUES ($1, $2, $3, $4, $5, $6)`,
			[]any{r.Instance, r.Number, r.SHA256[:], r.JSON, string(r.Source), micros(r.UsedAt)}},
		{`UPDATE second_look SET sha256 = $2, after_id = 0, busy_us = 0 WHERE instance = $1`, []any{r.Instance, r.SHA256[:]}},
	} {
		if _, err := tx.ExecContext(ctx, q.text, q.args...); err != nil {
			return r, fmt.Errorf("use trusted root of %s: %w", r.Instance, err)
		}
	}
	return r, nil
}

// Told implements instance.Store.
func (db *DB) Told(ctx context.Context, address string) (t instance.Told, err error) {
	err = db.reader.QueryRowContext(ctx, `SELECT version, metadata, checked_us, valid_us FROM tuf_repository WHERE address = $1`, address).
		Scan(&t.Version, jsonText{&t.Metadata}, when{&t.CheckedAt}, when{&t.ValidUntil})
	if errors.Is(err, sql.ErrNoRows) {
		return instance.Told{}, nil
	} else if err != nil {
		return t, fmt.Errorf("TUF repository %s: %w", address, err)
	}
	return t, nil
}

// SaveTold implements instance.Store.
func (db *DB) SaveTold(ctx context.Context, address string, t instance.Told, r *instance.Root) (saved bool, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO tuf_repository (address, version, metadata, checked_us, valid_us) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (address) DO UPDATE SET version = excluded.version, metadata = excluded.metadata, checked_us = excluded.checked_us, valid_us = excluded.valid_us
			WHERE tuf_repository.version = excluded.version - 1`, address, t.Version+1, text(t.Metadata), micros(t.CheckedAt), micros(t.ValidUntil))
		if err != nil {
			return fmt.Errorf("save TUF repository %s: %w", address, err)
		}
		n, err := res.RowsAffected()
		if saved = n > 0; err != nil || !saved || r == nil {
			return err
		}
		_, err = db.useRoot(ctx, tx, *r)
		return err
	})
	return saved, err
}

// TrustedRoots implements api.Roots.
func (db *DB) TrustedRoots(ctx context.Context) ([]instance.Root, error) {
	out, err := collect(ctx, db.reader, func(r *sql.Rows, v *instance.Root) error { return scanRoot(r, v) },
		`SELECT `+rootColumns+` FROM trusted_root ORDER BY instance, number DESC LIMIT $1`, maxRoots)
	if err != nil {
		return nil, fmt.Errorf("trusted roots: %w", err)
	}
	return out, nil
}

// maxRoots bounds a list of roots. Sigstore's public instance has had a dozen in five years.
const maxRoots = 1000

// TrustedRoot implements api.Roots.
func (db *DB) TrustedRoot(ctx context.Context, sum [32]byte) (root []byte, err error) {
	err = db.reader.QueryRowContext(ctx, `SELECT root FROM trusted_root WHERE sha256 = $1 LIMIT 1`, sum[:]).Scan(&root)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.New(fault.NotFound, "This server has never used a trusted root with the SHA-256 %x.", sum)
	} else if err != nil {
		return nil, fmt.Errorf("trusted root: %w", err)
	}
	return root, nil
}

// judgedEarlier has the second look go back to before an artifact, where one of its new attestations was judged by a root that
// was replaced meanwhile: a look that has come past it would miss it. One that has not come so far is taken from its server,
// too, which may have read the page of the artifact already.
func (db *DB) judgedEarlier(ctx context.Context, tx *sql.Tx, id int64, list []publish.Attestation) error {
	for _, a := range list {
		sum, err := hex.DecodeString(a.Root)
		if err != nil {
			return fmt.Errorf("trusted root %q: %w", a.Root, err)
		}
		// Locked: who replaces the root waits for this commit, and its look then sees what is added here.
		var replacedAt time.Time
		err = tx.QueryRowContext(ctx, `SELECT replaced_us FROM trusted_root WHERE instance = $1 AND sha256 = $2 ORDER BY number DESC LIMIT 1`+db.forShare, a.Profile, sum).Scan(when{&replacedAt})
		if err == nil && replacedAt.IsZero() {
			continue
		} else if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("trusted root %s: %w", a.Root, err)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE second_look SET after_id = CASE WHEN after_id < $2 THEN after_id ELSE $2 END, busy_us = 0 WHERE instance = $1`, a.Profile, id-1); err != nil {
			return fmt.Errorf("look again at attestations: %w", err)
		}
	}
	return nil
}
