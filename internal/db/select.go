package db

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"sluice/internal/conda"
	"sluice/internal/curate"
	"sluice/internal/fault"
)

// selectAtOnce is how many artifacts are read before patterns are looked at.
const selectAtOnce = 1000

// Select implements curate.Store. Patterns are told apart in Go, since the databases disagree about letter case; what
// stands before the first '*' narrows the query.
func (db *DB) Select(ctx context.Context, channelID int64, s curate.Selection, after int64, limit int) ([]curate.Artifact, error) {
	if len(s.Files) > 0 {
		return db.selectNamed(ctx, channelID, s, after, limit)
	}
	var out []curate.Artifact
	for len(out) < limit {
		rows, last, err := db.selectSome(ctx, channelID, s, after)
		if err != nil {
			return nil, err
		}
		out = append(out, rows[:min(len(rows), limit-len(out))]...)
		if last == 0 {
			break
		}
		after = last
	}
	return db.label(ctx, out)
}

// selectNamed finds the files that are named one by one, by number.
func (db *DB) selectNamed(ctx context.Context, channelID int64, s curate.Selection, after int64, limit int) ([]curate.Artifact, error) {
	var out []curate.Artifact
	for _, k := range s.Files {
		var p params
		query := selectColumns + `a.channel_id = ` + p.add(channelID) + ` AND a.subdir = ` + p.add(k.Subdir.String()) + ` AND a.filename = ` + p.add(k.File.String()) +
			whereSelected(&p, s)
		found, err := collect(ctx, db.reader, scanSelected, query, p.args...)
		if err != nil {
			return nil, fmt.Errorf("select artifacts: %w", err)
		}
		if len(found) == 0 {
			return nil, fault.New(fault.NotFound, "There is no %s/%s of that kind in this channel.", k.Subdir, k.File)
		}
		out = append(out, found...)
	}
	keep := out[:0]
	for _, a := range out {
		if a.ID > after && matches(s, a) && len(keep) < limit {
			keep = append(keep, a)
		}
	}
	return db.label(ctx, keep)
}

// selectSome reads the next artifacts after a number, or before it where the newest come first, and keeps those that the patterns mean. last is the number to go
// on after; 0 at the end.
func (db *DB) selectSome(ctx context.Context, channelID int64, s curate.Selection, after int64) (out []curate.Artifact, last int64, err error) {
	from, order := `a.id > `, `a.id`
	if s.NewestFirst {
		from, order, after = `a.id < `, `a.id DESC`, cmp.Or(after, math.MaxInt64)
	}
	var p params
	query := selectColumns + `a.channel_id = ` + p.add(channelID) + ` AND ` + from + p.add(after) + whereSelected(&p, s) + ` ORDER BY ` + order + ` LIMIT ` + p.add(selectAtOnce)
	rows, err := collect(ctx, db.reader, scanSelected, query, p.args...)
	if err != nil {
		return nil, 0, fmt.Errorf("select artifacts: %w", err)
	}
	if len(rows) == selectAtOnce {
		last = rows[len(rows)-1].ID
	}
	for _, a := range rows {
		if matches(s, a) {
			out = append(out, a)
		}
	}
	return out, last, nil
}

const selectColumns = `SELECT a.id, a.subdir, a.filename, a.size, a.created_us, a.uploader, a.source, a.provenance, a.listed, a.patch,
	a.yanked_us, a.yanked_by, a.yanked_why, a.deleted_us, a.deleted_by, a.deleted_why, a.purged_us FROM artifact a WHERE `

// whereSelected is what of a selection the database can decide.
func whereSelected(p *params, s curate.Selection) string {
	var q strings.Builder
	and := func(format string, v any) { _, _ = fmt.Fprintf(&q, " AND "+format, p.add(v)) }
	if s.Name != "" {
		if prefix, _, open := strings.Cut(s.Name, "*"); open {
			and("a.name >= %s", prefix)
			and("a.name < %s", prefix+afterAll)
		} else {
			and("a.name = %s", s.Name)
		}
	}
	if !s.Subdir.IsZero() {
		and("a.subdir = %s", s.Subdir.String())
	}
	if s.Run != "" {
		and("a.run = %s", s.Run)
	}
	if s.Ref != "" && !strings.Contains(s.Ref, "*") {
		and("a.ref = %s", s.Ref)
	}
	if !s.After.IsZero() {
		and("a.created_us >= %s", micros(s.After))
	}
	if !s.Before.IsZero() {
		and("a.created_us < %s", micros(s.Before))
	}
	if !s.Label.IsZero() {
		and("EXISTS (SELECT 1 FROM record r WHERE r.artifact_id = a.id AND r.label = %s AND r.taken_out = 0)", s.Label.String())
	}
	switch s.State {
	case curate.Live:
		q.WriteString(" AND a.listed > 0 AND a.yanked_us IS NULL AND a.deleted_us IS NULL")
	case curate.Yanked:
		q.WriteString(" AND a.yanked_us IS NOT NULL AND a.deleted_us IS NULL")
	case curate.Held:
		q.WriteString(" AND a.listed = 0 AND a.deleted_us IS NULL")
	case curate.Deleted:
		q.WriteString(" AND a.deleted_us IS NOT NULL AND a.purged_us IS NULL")
	case curate.Purged:
		q.WriteString(" AND a.purged_us IS NOT NULL")
	default: // a purged one is no more than a name that is taken
		q.WriteString(" AND a.purged_us IS NULL")
		if s.Present {
			q.WriteString(" AND a.deleted_us IS NULL")
		}
	}
	return q.String()
}

// matches decides what the database did not: patterns, and where a run ran.
func matches(s curate.Selection, a curate.Artifact) bool {
	return glob(s.Name, a.File.Name()) && glob(s.Version, a.File.Version()) && glob(s.Build, a.File.Build()) && glob(s.Ref, a.Run.Ref) &&
		(s.Repository == "" || strings.EqualFold(s.Repository, a.Run.Repository))
}

// glob reports whether s is what a pattern with any number of '*' means; "" means everything.
func glob(pattern, s string) bool {
	if pattern == "" {
		return true
	}
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(s, parts[0])
	if !ok || len(parts) == 1 {
		return ok && rest == ""
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

func scanSelected(r *sql.Rows, a *curate.Artifact) error {
	var subdir, filename, yankedBy, yankedWhy, deletedBy, deletedWhy string
	var listed int
	var yanked, deleted, purged time.Time
	err := r.Scan(&a.ID, &subdir, &filename, &a.Size, when{&a.UploadedAt}, &a.Uploader, &a.Source, jsonText{&a.Run}, &listed, jsonText{&a.Patch},
		when{&yanked}, &yankedBy, &yankedWhy, when{&deleted}, &deletedBy, &deletedWhy, when{&purged})
	if err != nil {
		return err
	}
	switch {
	case !purged.IsZero():
		a.State, a.At, a.By, a.Reason = curate.Purged, purged, deletedBy, deletedWhy
	case !deleted.IsZero():
		a.State, a.At, a.By, a.Reason = curate.Deleted, deleted, deletedBy, deletedWhy
	case !yanked.IsZero():
		a.State, a.At, a.By, a.Reason = curate.Yanked, yanked, yankedBy, yankedWhy
	case listed == 0:
		a.State = curate.Held
	default:
		a.State = curate.Live
	}
	if a.Subdir, err = conda.ParseSubdir(subdir); err != nil {
		return err
	}
	a.File, err = conda.ParseFilename(filename)
	return err
}

// labelsOf tells which labels list the artifacts of those numbers.
func (db *DB) labelsOf(ctx context.Context, ids []int64) (map[int64][]conda.Label, error) {
	type row struct {
		id    int64
		label string
	}
	out := make(map[int64][]conda.Label, len(ids))
	for some := range slices.Chunk(ids, digestsAtOnce) {
		var p params
		rows, err := collect(ctx, db.reader, func(r *sql.Rows, v *row) error { return r.Scan(&v.id, &v.label) },
			`SELECT artifact_id, label FROM record WHERE artifact_id IN (`+in(&p, some)+`) AND taken_out = 0 ORDER BY artifact_id, label`, p.args...)
		if err != nil {
			return nil, fmt.Errorf("labels of artifacts: %w", err)
		}
		for _, r := range rows {
			l, err := conda.ParseLabel(r.label)
			if err != nil {
				return nil, err
			}
			out[r.id] = append(out[r.id], l)
		}
	}
	return out, nil
}

// label fills in which labels list the selected artifacts.
func (db *DB) label(ctx context.Context, all []curate.Artifact) ([]curate.Artifact, error) {
	ids := make([]int64, len(all))
	for i, a := range all {
		ids[i] = a.ID
	}
	labels, err := db.labelsOf(ctx, ids)
	for i := range all {
		all[i].Labels = labels[all[i].ID]
	}
	return all, err
}

func noArtifact(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fault.New(fault.NotFound, "One of the files is not there any more: look again.")
	}
	return fmt.Errorf("artifact: %w", err)
}
