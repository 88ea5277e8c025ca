package db

import (
	"context"
	"database/sql"
	"fmt"

	"sluice/internal/verify"
)

// Signed implements verify.Store.
func (db *DB) Signed(ctx context.Context, id int64, sum [32]byte) ([]verify.Signed, error) {
	out, err := collect(ctx, db.reader, func(r *sql.Rows, s *verify.Signed) error {
		return r.Scan(&s.Bundle, &s.Fit)
	}, `SELECT bundle, fit FROM attestation WHERE artifact_id = $1 AND sha256 = $2 ORDER BY ordinal`, id, sum[:])
	if err != nil {
		return nil, fmt.Errorf("attestations to verify: %w", err)
	}
	return out, nil
}
