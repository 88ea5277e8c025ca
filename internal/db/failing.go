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
func (db *DB) Unattested(ctx context.Context, channelID int64, patterns, before []string, limit int) (fresh, already catalog.Unattested, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		if len(before) > 0 {
			if already, err = unattested(ctx, tx, channelID, patterns, before, true, limit); err != nil {
				return err
			}
		}
		fresh, err = unattested(ctx, tx, channelID, patterns, before, false, limit)
		return err
	})
	if err != nil {
		return fresh, already, fmt.Errorf("files without attestation: %w", err)
	}
	return fresh, already, nil
}

// unattested finds those that the patterns before match as well, or else those that they do not match.
func unattested(ctx context.Context, tx *sql.Tx, channelID int64, patterns, before []string, both bool, limit int) (u catalog.Unattested, err error) {
	count, list, args := unattestedQueries(channelID, patterns, before, both, limit)
	if err := tx.QueryRowContext(ctx, count, args...).Scan(&u.Files); err != nil || u.Files == 0 {
		return u, err
	}
	u.First, err = collect(ctx, tx, func(r *sql.Rows, h *catalog.Held) error {
		return r.Scan(&h.ID, &h.Name, &h.Subdir, &h.Filename)
	}, list, args...)
	return u, err
}

// unattestedQueries are the questions how many there are, and which are the first. Their conditions are those of the index
// artifact_unattested.
func unattestedQueries(channelID int64, patterns, before []string, both bool, limit int) (count, list string, args []any) {
	var p params
	where := ` FROM artifact a WHERE a.channel_id = ` + p.add(channelID) + ` AND length(a.sidecar_sha256) = 0 AND ` + visible + ` AND ` + named(&p, patterns)
	if both {
		where += ` AND ` + named(&p, before)
	} else {
		where += ` AND NOT ` + named(&p, before)
	}
	return `SELECT count(*)` + where, `SELECT a.id, a.name, a.subdir, a.filename` + where + fmt.Sprintf(` ORDER BY a.name, a.id LIMIT %d`, limit), p.args
}

// Attested implements catalog.Store.
func (db *DB) Attested(ctx context.Context, channelID int64, patterns []string, after catalog.Held, limit int) (list []catalog.Held, err error) {
	type row struct {
		catalog.Held
		policy.Signature
	}
	query, args := attestedQuery(channelID, patterns, after, limit)
	rows, err := collect(ctx, db.reader, func(r *sql.Rows, v *row) error {
		return r.Scan(&v.ID, &v.Name, &v.Subdir, &v.Filename, when{&v.UploadedAt}, jsonText{&v.Verdict}, &v.Fit, jsonText{&v.Distrust})
	}, query, args...)
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

// attestedQuery is the question for a page of them. Its order and its conditions are those of the index artifact_attested.
func attestedQuery(channelID int64, patterns []string, after catalog.Held, limit int) (query string, args []any) {
	var p params
	return `SELECT f.id, f.name, f.subdir, f.filename, f.created_us, t.verdict, t.fit, t.no_longer_trusted FROM (
			SELECT a.id, a.name, a.subdir, a.filename, a.created_us, a.sha256 FROM artifact a WHERE a.channel_id = ` + p.add(channelID) + `
				AND (a.name, a.created_us, a.id) > (` + p.add(after.Name) + `, ` + p.add(after.UploadedAt.UnixMicro()) + `, ` + p.add(after.ID) + `)
				AND length(a.sidecar_sha256) > 0 AND ` + visible + ` AND ` + named(&p, patterns) + ` ORDER BY a.name, a.created_us, a.id LIMIT ` + p.add(limit) + `
		) AS f JOIN attestation t ON t.artifact_id = f.id AND t.sha256 = f.sha256 ORDER BY f.name, f.created_us, f.id, t.ordinal`, p.args
}

// named is the condition for artifacts a whose name one of the patterns matches (conda.Pattern).
func named(p *params, patterns []string) string {
	either := []string{"1 = 0"}
	for _, s := range patterns {
		switch begins, open := strings.CutSuffix(s, "*"); {
		case !open:
			either = append(either, `a.name = `+p.add(s))
		case begins == "":
			return `(1 = 1)`
		default:
			either = append(either, fmt.Sprintf(`a.name >= %s AND a.name < %s`, p.add(begins), p.add(begins+afterAll)))
		}
	}
	return `(` + strings.Join(either, ` OR `) + `)`
}
