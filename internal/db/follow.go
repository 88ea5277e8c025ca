package db

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/curate"
	"sluice/internal/importing"
)

// Known implements importing.Store.
func (db *DB) Known(ctx context.Context, channelID int64, d conda.Subdir, source string, filenames []string) (map[string]importing.Known, error) {
	out := make(map[string]importing.Known, len(filenames))
	for names := range slices.Chunk(filenames, digestsAtOnce) {
		var p params
		rows, err := collect(ctx, db.reader, func(r *sql.Rows, v *knownRow) error { return v.scan(r) },
			`SELECT id, filename, sha256, sidecar_sha256, CASE WHEN source = `+p.add(source)+` THEN 1 ELSE 0 END, index_json, run_exports, schema_version,
			source_yanked, source_patch, yanked_us, yanked_by, patch FROM artifact
			WHERE channel_id = `+p.add(channelID)+` AND subdir = `+p.add(d.String())+` AND filename IN (`+in(&p, names)+`) AND deleted_us IS NULL`, p.args...)
		if err != nil {
			return nil, fmt.Errorf("known artifacts: %w", err)
		}
		if err := db.labelKnown(ctx, rows); err != nil {
			return nil, err
		}
		for _, r := range rows {
			if out[r.filename], err = r.known(d); err != nil {
				return nil, fmt.Errorf("what is known of %s/%s: %w", d, r.filename, err)
			}
		}
	}
	return out, nil
}

// knownRow is an artifact, with what its source said of it.
type knownRow struct {
	importing.Known

	filename string
	raw      []byte
	// followed says that it came from the source that is asked about.
	followed bool
	follows  importing.Follows
}

func (v *knownRow) scan(r *sql.Rows) error {
	var sum, sidecar []byte
	var revision int
	var yankedAt time.Time
	var yankedBy string
	f := &v.follows
	err := r.Scan(&v.ArtifactID, &v.filename, &sum, &sidecar, &v.followed, &v.raw, jsonText{&f.RunExports}, &revision,
		&f.Yanked, jsonText{&f.Patch}, when{&yankedAt}, &yankedBy, jsonText{&f.PatchHere})
	if err != nil {
		return err
	}
	copy(v.SHA256[:], sum)
	copy(v.Sidecar[:], sidecar)
	f.V3, f.YankedHere, f.YankedByImport = revision != 0, !yankedAt.IsZero(), yankedBy == ""
	return nil
}

// known reads what the package says of itself, where that is to be compared.
func (v *knownRow) known(d conda.Subdir) (importing.Known, error) {
	if !v.followed {
		return v.Known, nil
	}
	v.Follows = &v.follows
	f, err := conda.ParseFilename(v.filename)
	if err != nil {
		return v.Known, err
	}
	v.Follows.Own, _, err = artifact.ParseIndex(v.raw, f, time.Time{})
	v.Follows.Own.Subdir = d
	return v.Known, err
}

// labelKnown fills in which labels list the artifacts, and did.
func (db *DB) labelKnown(ctx context.Context, rows []knownRow) error {
	by := map[int64]*importing.Follows{}
	for i := range rows {
		if rows[i].followed {
			by[rows[i].ArtifactID] = &rows[i].follows
		}
	}
	if len(by) == 0 {
		return nil
	}
	type row struct {
		id       int64
		label    string
		takenOut bool
	}
	var p params
	records, err := collect(ctx, db.reader, func(r *sql.Rows, v *row) error { return r.Scan(&v.id, &v.label, &v.takenOut) },
		`SELECT artifact_id, label, taken_out FROM record WHERE artifact_id IN (`+in(&p, slices.Sorted(maps.Keys(by)))+`)`, p.args...)
	if err != nil {
		return fmt.Errorf("labels of known artifacts: %w", err)
	}
	for _, r := range records {
		l, err := conda.ParseLabel(r.label)
		if err != nil {
			return err
		}
		if f := by[r.id]; r.takenOut {
			f.TakenOut = append(f.TakenOut, l)
		} else {
			f.Listed = append(f.Listed, l)
		}
	}
	return nil
}

// Follow implements importing.Store.
func (db *DB) Follow(ctx context.Context, ch channel.Channel, d conda.Subdir, all []importing.Update) error {
	labels := map[conda.Label]bool{}
	for _, u := range all {
		for l := range u.Listed {
			labels[l] = true
		}
	}
	return db.write(ctx, func(tx *sql.Tx) error {
		c := &curation{names: map[string]bool{}}
		var err error
		if c.changes, err = db.open(ctx, tx, ch, []conda.Subdir{d}, slices.Collect(maps.Keys(labels))); err != nil {
			return err
		}
		c.now() // one time for all of them, before anything is listed
		for _, u := range all {
			if err := c.follow(ctx, u); err != nil {
				return err
			}
		}
		for _, name := range slices.Sorted(maps.Keys(c.names)) {
			if err := db.recountPackage(ctx, tx, ch.ID, name); err != nil {
				return err
			}
		}
		return c.write(ctx)
	})
}

// follow changes one artifact to what its source says now.
func (c *curation) follow(ctx context.Context, u importing.Update) error {
	k, err := readKept(ctx, c.tx, c.channel.ID, u.ArtifactID)
	if err != nil || k.deleted {
		return err
	}
	c.names[k.name] = true
	if u.Correct { // first, so that what is listed below says it
		if err := c.setPatch(ctx, k, patchText(u.Patch)); err != nil {
			return err
		}
	}
	if err := c.followYank(ctx, k, u); err != nil {
		return err
	}
	for l, first := range u.Listed {
		if k.at(l) != nil {
			continue
		}
		if err := c.listSince(ctx, k, l, first); err != nil {
			return err
		}
	}
	_, err = c.tx.ExecContext(ctx, `UPDATE artifact SET source_yanked = $2, source_patch = $3 WHERE id = $1`, k.ID, bit(u.Yanked), patchText(u.Patch))
	if err != nil {
		return fmt.Errorf("keep what the source says: %w", err)
	}
	return nil
}

func (c *curation) followYank(ctx context.Context, k *kept, u importing.Update) error {
	switch {
	case u.Yank != nil && !k.yanked:
		c.change.Kind = curate.Yank
		at := u.Yank.At
		if at.IsZero() {
			at = c.now()
		}
		return c.setYank(ctx, k, at, "", cmp.Or(u.Yank.Reason, yankedThere))
	case u.Unyank && k.yanked:
		c.change.Kind = curate.Unyank
		return c.setYank(ctx, k, time.Time{}, "", "")
	}
	return nil
}
