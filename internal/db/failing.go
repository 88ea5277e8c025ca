package db

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"sluice/internal/attest/policy"
	"sluice/internal/catalog"
)

// Unattested implements catalog.Store.
func (db *DB) Unattested(ctx context.Context, channelID int64, patterns []string, limit int) (n int, first []catalog.Held, err error) {
	var p params
	where := ` FROM artifact a WHERE a.channel_id = ` + p.add(channelID) + ` AND length(a.sidecar_sha256) = 0 AND ` + visible + ` AND ` + named(&p, patterns)
	err = db.read(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, `SELECT count(*)`+where, p.args...).Scan(&n); err != nil {
			return err
		}
		first, err = collect(ctx, tx, func(r *sql.Rows, h *catalog.Held) error {
			return r.Scan(&h.ID, &h.Name, &h.Subdir, &h.Filename)
		}, `SELECT a.id, a.name, a.subdir, a.filename`+where+fmt.Sprintf(` ORDER BY a.id LIMIT %d`, limit), p.args...)
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("files without attestation: %w", err)
	}
	return n, first, nil
}

// Attested implements catalog.Store.
func (db *DB) Attested(ctx context.Context, channelID int64, patterns []string, after int64, limit int) (list []catalog.Held, err error) {
	type row struct {
		catalog.Held
		policy.Signature
	}
	var p params
	rows, err := collect(ctx, db.reader, func(r *sql.Rows, v *row) error {
		return r.Scan(&v.ID, &v.Name, &v.Subdir, &v.Filename, jsonText{&v.Verdict}, &v.Fit, jsonText{&v.Distrust})
	}, `SELECT f.id, f.name, f.subdir, f.filename, t.verdict, t.fit, t.no_longer_trusted FROM (
			SELECT a.id, a.name, a.subdir, a.filename, a.sha256 FROM artifact a WHERE a.channel_id = `+p.add(channelID)+` AND a.id > `+p.add(after)+`
				AND length(a.sidecar_sha256) > 0 AND `+visible+` AND `+named(&p, patterns)+` ORDER BY a.id LIMIT `+p.add(limit)+`
		) AS f JOIN attestation t ON t.artifact_id = f.id AND t.sha256 = f.sha256 ORDER BY f.id, t.ordinal`, p.args...)
	if err != nil {
		return nil, fmt.Errorf("files with attestations: %w", err)
	}
	for _, r := range rows {
		if n := len(list); n == 0 || list[n-1].ID != r.ID {
			list = append(list, r.Held)
		}
		last := &list[len(list)-1]
		last.Signatures = append(last.Signatures, r.Signature)
	}
	return list, nil
}

// named is the condition for artifacts a whose name one of the patterns matches (conda.Pattern).
func named(p *params, patterns []string) string {
	either := []string{"1 = 0"}
	for _, s := range patterns {
		if begins, ok := strings.CutSuffix(s, "*"); !ok {
			either = append(either, `a.name = `+p.add(s))
		} else {
			either = append(either, fmt.Sprintf(`substr(a.name, 1, %d) = %s`, len(begins), p.add(begins)))
		}
	}
	return `(` + strings.Join(either, ` OR `) + `)`
}
