package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"sluice/internal/conda"
	"sluice/internal/conda/repodata"
	"sluice/internal/index"
)

// shown is how a record appears in the files of its place.
type shown int

const (
	// shownNot: the label lists it no more, or the artifact is deleted.
	shownNot shown = 0
	// shownPackage: among the packages.
	shownPackage shown = 1
	// shownRemoved: the artifact is yanked; its name stands among the removed ones.
	shownRemoved shown = 2
)

// entry is what a record is made of.
type entry struct {
	artifactID int64
	file       conda.Filename
	record     conda.Record
	runExports conda.RunExports
	v3         bool
}

// members encodes an entry, once and for all.
func (e entry) members() (flat, shard, runExports []byte) {
	runExports = repodata.RunExportsMember(e.file, e.runExports)
	if e.v3 {
		return repodata.MemberV3(e.file, e.record), repodata.ShardMemberV3(e.file, e.record, e.runExports), runExports
	}
	return repodata.Member(e.file, e.record), repodata.ShardMember(e.file, e.record, e.runExports), runExports
}

// list adds an artifact to the place, or makes anew what the place says of it. It was first listed at that time; the
// zero time means now.
func (c *change) list(ctx context.Context, e entry, at time.Time, how shown) error {
	if at.IsZero() {
		at = c.gen.CommittedAt
	}
	e.record.IndexedMS = at.UnixMilli()
	flat, shard, exports := e.members()
	series, runExports := index.SeriesOf(e.file, e.v3)
	if err := c.unlist(ctx, e.file, e.v3); err != nil {
		return err
	}
	_, err := c.tx.ExecContext(ctx, `INSERT INTO record (channel_id, label, subdir, series, filename, name, artifact_id, indexed_us, generation, member, shard_member, run_exports, shown)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (channel_id, label, subdir, series, filename) DO UPDATE SET
			artifact_id = excluded.artifact_id, indexed_us = excluded.indexed_us, generation = excluded.generation, member = excluded.member,
			shard_member = excluded.shard_member, run_exports = excluded.run_exports, shown = excluded.shown, taken_out = 0`,
		c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), string(series), e.file.String(), e.record.Name, e.artifactID, micros(at), c.gen.Number,
		flat, shard, exports, int(how))
	if err != nil {
		return fmt.Errorf("list record: %w", err)
	}
	touched := []index.Series{series, runExports}
	if how == shownRemoved {
		touched = append(touched, index.Removed)
	}
	c.note("list "+hexSum(e.record.SHA256), e.file, e.record.Name, touched...)
	return nil
}

// unlist removes the record that the place may have of the file among those of the other revision: a replaced artifact
// may need the newer one where the old did not.
func (c *change) unlist(ctx context.Context, f conda.Filename, v3 bool) error {
	other, _ := index.SeriesOf(f, !v3)
	res, err := c.tx.ExecContext(ctx, `DELETE FROM record WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND series = $4 AND filename = $5`,
		c.place.ChannelID, c.place.Label.String(), c.place.Subdir.String(), string(other), f.String())
	if err != nil {
		return fmt.Errorf("unlist record: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	c.touch(other, f.String())
	c.touch(index.Removed, f.String())
	return nil
}

// listing is where one artifact is, or was, listed.
type listing struct {
	label     conda.Label
	indexedAt time.Time
	series    index.Series
	takenOut  bool
	shown     shown
}

// listings reads where an artifact is, or was, listed, by label.
func listings(ctx context.Context, tx *sql.Tx, artifactID int64) ([]listing, error) {
	out, err := collect(ctx, tx, func(r *sql.Rows, l *listing) (err error) {
		var label string
		if err := r.Scan(&label, when{&l.indexedAt}, &l.series, &l.takenOut, &l.shown); err != nil {
			return err
		}
		l.label, err = conda.ParseLabel(label)
		return err
	}, `SELECT label, indexed_us, series, taken_out, shown FROM record WHERE artifact_id = $1 ORDER BY label`, artifactID)
	if err != nil {
		return nil, fmt.Errorf("listings of an artifact: %w", err)
	}
	return out, nil
}
