package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/internal/conda"
	"sluice/internal/conda/version"
	"sluice/internal/publish"
)

// count adds a new artifact to the line that lists of packages show of its name. Where more than an addition to main
// befell the name, the line is made anew at the end.
func (b *batch) count(ctx context.Context, c publish.Commit, id int64, at time.Time) error {
	r := c.Record
	if b.recount[r.Name] {
		return nil
	}
	if c.Import != nil && c.Import.Yanked || !slices.Contains(c.Labels, conda.MainLabel()) {
		b.recount[r.Name] = true
		return nil
	}
	_, err := b.tx.ExecContext(ctx, `INSERT INTO package (channel_id, name, latest_version, latest_id, summary, subdirs, artifacts, by_ci, attested, imported, bytes, updated_us)
		VALUES ($1, $2, $3, $4, $5, '[]', 0, 0, 0, 0, 0, $6) ON CONFLICT (channel_id, name) DO NOTHING`, c.Channel.ID, r.Name, r.Version, id, c.About.Summary, micros(at))
	if err != nil {
		return fmt.Errorf("count package: %w", err)
	}
	var latest, summary string
	var latestID int64
	var subdirs []string
	err = b.tx.QueryRowContext(ctx, `SELECT latest_version, latest_id, summary, subdirs FROM package WHERE channel_id = $1 AND name = $2`+b.db.forUpdate,
		c.Channel.ID, r.Name).Scan(&latest, &latestID, &summary, jsonText{&subdirs})
	if err != nil {
		return fmt.Errorf("count package: %w", err)
	}
	if newer(r.Version, latest) {
		latest, latestID, summary = r.Version, id, c.About.Summary
	} else if plain, err := isPlain(ctx, b.tx, latestID); err != nil {
		return err
	} else if !plain {
		b.recount[r.Name] = true
		return nil
	}
	if at, ok := slices.BinarySearch(subdirs, r.Subdir.String()); !ok {
		subdirs = slices.Insert(subdirs, at, r.Subdir.String())
	}
	_, err = b.tx.ExecContext(ctx, `UPDATE package SET latest_version = $3, latest_id = $4, summary = $5, subdirs = $6, artifacts = artifacts + 1,
		by_ci = by_ci + $7, attested = attested + $8, imported = imported + $9, bytes = bytes + $10,
		updated_us = CASE WHEN updated_us < $11 THEN $11 ELSE updated_us END WHERE channel_id = $1 AND name = $2`,
		c.Channel.ID, r.Name, latest, latestID, summary, text(subdirs), bit(c.Right.Publish != nil), bit(c.Right.Publish != nil && len(c.Attestations) > 0),
		bit(c.Import != nil), r.Size, micros(at))
	if err != nil {
		return fmt.Errorf("count package: %w", err)
	}
	return nil
}

// countAttested adds an artifact that has got its first attestation to the line of its name, where it counts there.
func (b *batch) countAttested(ctx context.Context, c publish.Commit, id int64) error {
	_, err := b.tx.ExecContext(ctx, `UPDATE package SET attested = attested + 1 WHERE channel_id = $1 AND name = $2
		AND EXISTS (SELECT 1 FROM artifact a WHERE a.id = $3 AND a.provenance IS NOT NULL AND a.listed > 0 AND a.deleted_us IS NULL)`, c.Channel.ID, c.Record.Name, id)
	if err != nil {
		return fmt.Errorf("count attested: %w", err)
	}
	return nil
}

// isPlain reports whether an artifact may be shown as the latest: main lists it, and it is not yanked.
func isPlain(ctx context.Context, tx *sql.Tx, id int64) (bool, error) {
	var n int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM record WHERE artifact_id = $1 AND label = 'main' AND shown = 1`, id).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("latest of a package: %w", err)
	}
	return n > 0, nil
}

// newer reports whether a package of version v should be shown as the latest in place of one of version
// latest: a release goes before any prerelease, then the higher version, then what came last.
func newer(v, latest string) bool {
	a, errA := version.Parse(v)
	b, errB := version.Parse(latest)
	if errA == nil && errB == nil && a.IsPrerelease() != b.IsPrerelease() {
		return b.IsPrerelease()
	}
	return version.Compare(v, latest) >= 0
}

// counted is what the line of a name says.
type counted struct {
	version, subdir, summary string
	id, size, createdUS      int64
	byCI, attested, imported bool
	// rank is 2 for what main lists, 1 for what another label lists, 0 for what is yanked.
	rank int
}

// line is what lists of packages show of a name; zero when there is nothing to show.
type line struct {
	Version            string
	ID                 int64
	Summary            string
	Subdirs            []string
	Artifacts, ByCI    int
	Attested, Imported int
	Bytes, UpdatedUS   int64
}

// String is the line as people read it who look for a mistake in it.
func (l line) String() string {
	if l.Artifacts == 0 {
		return ""
	}
	return text(l)
}

// recountPackage makes the line of a name anew from the artifacts that readers may see.
func (db *DB) recountPackage(ctx context.Context, tx *sql.Tx, channelID int64, name string) error {
	// The row is locked first: a package's files of another subdir may be counted at this moment.
	var one int
	err := tx.QueryRowContext(ctx, `SELECT 1 FROM package WHERE channel_id = $1 AND name = $2`+db.forUpdate, channelID, name).Scan(&one)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("recount package: %w", err)
	}
	l, err := countLine(ctx, tx, channelID, name)
	if err != nil {
		return err
	}
	if l.Artifacts == 0 {
		if _, err := tx.ExecContext(ctx, `DELETE FROM package WHERE channel_id = $1 AND name = $2`, channelID, name); err != nil {
			return fmt.Errorf("recount package: %w", err)
		}
		return nil
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO package (channel_id, name, latest_version, latest_id, summary, subdirs, artifacts, by_ci, attested, imported, bytes, updated_us)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (channel_id, name) DO UPDATE SET latest_version = excluded.latest_version,
			latest_id = excluded.latest_id, summary = excluded.summary, subdirs = excluded.subdirs, artifacts = excluded.artifacts,
			by_ci = excluded.by_ci, attested = excluded.attested, imported = excluded.imported, bytes = excluded.bytes, updated_us = excluded.updated_us`,
		channelID, name, l.Version, l.ID, l.Summary, text(l.Subdirs), l.Artifacts, l.ByCI, l.Attested, l.Imported, l.Bytes, l.UpdatedUS)
	if err != nil {
		return fmt.Errorf("recount package: %w", err)
	}
	return nil
}

// storedLine reads the line of a name.
func storedLine(ctx context.Context, q queryer, channelID int64, name string) (l line, err error) {
	err = q.QueryRowContext(ctx, `SELECT latest_version, latest_id, summary, subdirs, artifacts, by_ci, attested, imported, bytes, updated_us FROM package WHERE channel_id = $1 AND name = $2`, channelID, name).
		Scan(&l.Version, &l.ID, &l.Summary, doubtful{&l.Subdirs}, &l.Artifacts, &l.ByCI, &l.Attested, &l.Imported, &l.Bytes, &l.UpdatedUS)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return l, fmt.Errorf("line of a package: %w", err)
	}
	return l, nil
}

// countLine makes the line of a name from the artifacts that readers may see. The latest is the newest of those that
// main lists; then of those that any label lists; then of the yanked ones.
func countLine(ctx context.Context, q queryer, channelID int64, name string) (l line, err error) {
	rows, err := collect(ctx, q, func(r *sql.Rows, k *counted) error {
		var about struct {
			Summary string `json:"summary"`
		}
		err := r.Scan(&k.id, &k.version, &k.subdir, doubtful{&about}, &k.size, &k.createdUS, &k.byCI, &k.attested, &k.imported, &k.rank)
		k.summary = about.Summary
		return err
	}, `SELECT a.id, a.version, a.subdir, a.about, a.size, a.created_us, CASE WHEN a.provenance IS NULL THEN 0 ELSE 1 END,
			CASE WHEN a.provenance IS NOT NULL AND length(a.sidecar_sha256) > 0 THEN 1 ELSE 0 END, CASE WHEN a.provenance IS NULL AND a.source <> '' THEN 1 ELSE 0 END,
			CASE WHEN a.yanked_us IS NOT NULL THEN 0 WHEN EXISTS (SELECT 1 FROM record r WHERE r.artifact_id = a.id AND r.label = 'main' AND r.shown = 1) THEN 2 ELSE 1 END
		FROM artifact a WHERE a.channel_id = $1 AND a.name = $2 AND a.listed > 0 AND a.deleted_us IS NULL ORDER BY a.id`, channelID, name)
	if err != nil {
		return l, fmt.Errorf("count package: %w", err)
	}
	if len(rows) == 0 {
		return l, nil
	}
	latest := rows[0]
	for _, k := range rows {
		if k.rank > latest.rank || k.rank == latest.rank && newer(k.version, latest.version) {
			latest = k
		}
		if !slices.Contains(l.Subdirs, k.subdir) {
			l.Subdirs = append(l.Subdirs, k.subdir)
		}
		l.Bytes, l.UpdatedUS = l.Bytes+k.size, max(l.UpdatedUS, k.createdUS)
		l.ByCI, l.Attested, l.Imported = l.ByCI+bit(k.byCI), l.Attested+bit(k.attested), l.Imported+bit(k.imported)
	}
	slices.Sort(l.Subdirs)
	l.Version, l.ID, l.Summary, l.Artifacts = latest.version, latest.id, latest.summary, len(rows)
	return l, nil
}
