package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"sluice/internal/attest/policy"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/curate"
	"sluice/internal/fault"
	"sluice/internal/index"
)

// Curate implements curate.Store.
func (db *DB) Curate(ctx context.Context, ch channel.Channel, ids []int64, c curate.Change, e audit.Event) (curate.Outcome, error) {
	var out curate.Outcome
	err := db.write(ctx, func(tx *sql.Tx) error {
		out = curate.Outcome{}
		k, err := db.beginCuration(ctx, tx, ch, ids, c, e)
		if err != nil {
			return err
		}
		if out, err = k.apply(ctx, ids); err != nil || len(out.Changed) == 0 {
			return err
		}
		if err := k.write(ctx); err != nil {
			return err
		}
		told := e
		told.Facts = maps.Clone(e.Facts)
		told = c.Report(told, out.Changed)
		told.At = out.At
		return db.appendEvent(ctx, tx, told)
	})
	return out, err
}

// TryCurate implements curate.Store: it does what Curate does, up to the index, and takes it all back.
func (db *DB) TryCurate(ctx context.Context, ch channel.Channel, ids []int64, c curate.Change) (curate.Outcome, error) {
	var out curate.Outcome
	err := db.write(ctx, func(tx *sql.Tx) error {
		k, err := db.beginCuration(ctx, tx, ch, ids, c, audit.Event{})
		if err != nil {
			return err
		}
		if out, err = k.apply(ctx, ids); err != nil {
			return err
		}
		out.At = time.Time{}
		return errUnchanged
	})
	if errors.Is(err, errUnchanged) {
		err = nil
	}
	return out, err
}

// curation is the transaction of one change.
type curation struct {
	*changes
	change curate.Change
	// policy is what the channel demands of attestations; read where the change shows anything.
	policy policy.Policy
	by     string
	// names are the packages whose lines are made anew.
	names map[string]bool
}

func (db *DB) beginCuration(ctx context.Context, tx *sql.Tx, ch channel.Channel, ids []int64, c curate.Change, e audit.Event) (*curation, error) {
	subdirs, err := subdirsOf(ctx, tx, ch.ID, ids)
	if err != nil {
		return nil, err
	}
	var labels []conda.Label
	for _, l := range []conda.Label{c.Label, c.To} {
		if !l.IsZero() {
			labels = append(labels, l)
		}
	}
	k := &curation{change: c, by: e.Actor.Name, names: map[string]bool{}}
	if k.changes, err = db.open(ctx, tx, ch, subdirs, labels); err != nil {
		return nil, err
	}
	k.now() // one time for all of them, before anything is listed
	if c.Kind.Shows() {
		err = k.demanded(ctx)
	}
	return k, err
}

// subdirsOf reads where artifacts are, which never changes.
func subdirsOf(ctx context.Context, tx *sql.Tx, channelID int64, ids []int64) ([]conda.Subdir, error) {
	seen := map[string]bool{}
	for some := range slices.Chunk(ids, digestsAtOnce) {
		var p params
		found, err := collect(ctx, tx, func(r *sql.Rows, s *string) error { return r.Scan(s) },
			`SELECT DISTINCT subdir FROM artifact WHERE channel_id = `+p.add(channelID)+` AND id IN (`+in(&p, some)+`)`, p.args...)
		if err != nil {
			return nil, fmt.Errorf("subdirs of artifacts: %w", err)
		}
		for _, s := range found {
			seen[s] = true
		}
	}
	var out []conda.Subdir
	for s := range maps.Keys(seen) {
		d, err := conda.ParseSubdir(s)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// kept is an artifact as the database has it, locked by the main index of its subdir.
type kept struct {
	curate.Artifact
	name             string
	yanked, deleted  bool
	purged           bool
	revision, listed int
	patch            string
	where            []listing
}

func (k *kept) shown() shown {
	switch {
	case k.deleted:
		return shownNot
	case k.yanked:
		return shownRemoved
	default:
		return shownPackage
	}
}

func readKept(ctx context.Context, tx *sql.Tx, channelID, id int64) (*kept, error) {
	k := &kept{Artifact: curate.Artifact{ID: id}}
	var subdir, filename string
	var yankedAt, deletedAt, purgedAt time.Time
	err := tx.QueryRowContext(ctx, `SELECT subdir, filename, name, size, created_us, uploader, schema_version, listed, patch, yanked_us, deleted_us, purged_us
		FROM artifact WHERE channel_id = $1 AND id = $2`, channelID, id).
		Scan(&subdir, &filename, &k.name, &k.Size, when{&k.UploadedAt}, &k.Uploader, &k.revision, &k.listed, &k.patch, when{&yankedAt}, when{&deletedAt}, when{&purgedAt})
	if err != nil {
		return nil, noArtifact(err)
	}
	k.yanked, k.deleted, k.purged = !yankedAt.IsZero(), !deletedAt.IsZero(), !purgedAt.IsZero()
	if k.Subdir, err = conda.ParseSubdir(subdir); err != nil {
		return nil, err
	}
	if k.File, err = conda.ParseFilename(filename); err != nil {
		return nil, err
	}
	k.where, err = listings(ctx, tx, id)
	return k, err
}

func (c *curation) apply(ctx context.Context, ids []int64) (out curate.Outcome, err error) {
	var refusals []error
	for _, id := range ids {
		k, err := readKept(ctx, c.tx, c.channel.ID, id)
		if err != nil {
			return out, err
		}
		if err := c.hold(ctx, k); fault.Is(err, fault.AttestationRequired) || fault.Is(err, fault.AttestationRegressed) {
			refusals = append(refusals, err)
			continue
		} else if err != nil {
			return out, err
		}
		changed, err := c.one(ctx, k)
		if err != nil {
			return out, err
		}
		if changed {
			out.Changed = append(out.Changed, k.Artifact)
			c.names[k.name] = true
		}
	}
	if len(refusals) > 0 {
		return curate.Outcome{}, curate.Together(refusals)
	}
	if len(out.Changed) == 0 {
		return out, nil
	}
	for _, name := range slices.Sorted(maps.Keys(c.names)) {
		if err := c.db.recountPackage(ctx, c.tx, c.channel.ID, name); err != nil {
			return out, err
		}
	}
	slices.SortFunc(out.Changed, curate.Compare)
	out.At = c.now()
	return out, nil
}

// one changes one artifact, and reports whether it was another way before.
func (c *curation) one(ctx context.Context, k *kept) (bool, error) {
	if k.purged {
		return false, fault.New(fault.Conflict, "%s was deleted, and its bytes are gone: nothing can be done with it any more.", k.Path())
	}
	if k.deleted && c.change.Kind != curate.Restore && c.change.Kind != curate.Delete {
		return false, fault.New(fault.Conflict, "%s is deleted: restore it first.", k.Path())
	}
	switch c.change.Kind {
	case curate.Yank, curate.Unyank:
		return c.yank(ctx, k, c.change.Kind == curate.Yank)
	case curate.Delete, curate.Restore:
		return c.delete(ctx, k, c.change.Kind == curate.Delete)
	case curate.List:
		return c.listIn(ctx, k, c.change.Label)
	case curate.TakeOut:
		return c.takeOut(ctx, k, c.change.Label)
	case curate.Move:
		return c.move(ctx, k)
	case curate.Patch:
		return c.patch(ctx, k)
	default:
		return false, fmt.Errorf("unknown change %q", c.change.Kind)
	}
}

func (c *curation) yank(ctx context.Context, k *kept, yank bool) (bool, error) {
	if k.yanked == yank {
		return false, nil
	}
	at, by, why := time.Time{}, "", ""
	if yank {
		at, by, why = c.now(), c.by, c.change.Reason
	}
	return true, c.setYank(ctx, k, at, by, why)
}

// setYank yanks an artifact, or at the zero time takes that back.
func (c *curation) setYank(ctx context.Context, k *kept, at time.Time, by, why string) error {
	k.yanked = !at.IsZero()
	if _, err := c.tx.ExecContext(ctx, `UPDATE artifact SET yanked_us = $2, yanked_by = $3, yanked_why = $4 WHERE id = $1`, k.ID, micros(at), by, why); err != nil {
		return fmt.Errorf("yank artifact: %w", err)
	}
	return c.show(ctx, k)
}

func (c *curation) delete(ctx context.Context, k *kept, del bool) (bool, error) {
	if k.deleted == del {
		return false, nil
	}
	k.deleted = del
	at, by, why := any(nil), "", ""
	if del {
		at, by, why = micros(c.now()), c.by, c.change.Reason
	}
	if _, err := c.tx.ExecContext(ctx, `UPDATE artifact SET deleted_us = $2, deleted_by = $3, deleted_why = $4 WHERE id = $1`, k.ID, at, by, why); err != nil {
		return false, fmt.Errorf("delete artifact: %w", err)
	}
	return true, c.show(ctx, k)
}

// show brings the records of an artifact, in every label that lists it, in line with what it is now. Their bytes and
// the times of their listing stay.
func (c *curation) show(ctx context.Context, k *kept) error {
	for i := range k.where {
		l := &k.where[i]
		want := k.shown()
		if l.takenOut {
			want = shownNot
		}
		if want == l.shown {
			continue
		}
		p, err := c.place(ctx, l.label, k.Subdir)
		if err != nil {
			return err
		}
		_, err = c.tx.ExecContext(ctx, `UPDATE record SET shown = $2, taken_out = $3, generation = $4 WHERE artifact_id = $1 AND label = $5`,
			k.ID, int(want), bit(l.takenOut), p.gen.Number, l.label.String())
		if err != nil {
			return fmt.Errorf("show record: %w", err)
		}
		l.shown = want
		p.note(fmt.Sprintf("%s %d", c.change.Kind, want), k.File, k.name, k.touched()...)
	}
	return nil
}

// touched are the series that may show the artifact.
func (k *kept) touched() []index.Series {
	records, runExports := index.SeriesOf(k.File, k.revision != 0)
	return []index.Series{records, runExports, index.Removed}
}

// at finds where an artifact is, or was, listed.
func (k *kept) at(l conda.Label) *listing {
	for i := range k.where {
		if k.where[i].label == l {
			return &k.where[i]
		}
	}
	return nil
}

func (c *curation) listIn(ctx context.Context, k *kept, l conda.Label) (bool, error) {
	was := k.at(l)
	if was != nil && !was.takenOut {
		return false, nil
	}
	var first time.Time
	if was != nil {
		first = was.indexedAt // set once, and never again
	}
	return true, c.listSince(ctx, k, l, first)
}

// listSince lists an artifact in a label that does not list it, which first did at that time; the zero time means now.
func (c *curation) listSince(ctx context.Context, k *kept, l conda.Label, first time.Time) error {
	if err := c.encode(ctx, k, l, first); err != nil {
		return err
	}
	return c.countLabels(ctx, k, +1)
}

func (c *curation) takeOut(ctx context.Context, k *kept, l conda.Label) (bool, error) {
	was := k.at(l)
	if was == nil || was.takenOut {
		return false, nil
	}
	was.takenOut = true
	if err := c.show(ctx, k); err != nil {
		return false, err
	}
	return true, c.countLabels(ctx, k, -1)
}

func (c *curation) move(ctx context.Context, k *kept) (bool, error) {
	out, err := c.takeOut(ctx, k, c.change.Label)
	if err != nil {
		return false, err
	}
	if !out {
		return false, fault.New(fault.Conflict, "%s is not in label %s, so nothing was moved.", k.Path(), c.change.Label)
	}
	_, err = c.listIn(ctx, k, c.change.To)
	return true, err
}

func (c *curation) countLabels(ctx context.Context, k *kept, by int) error {
	k.listed += by
	if _, err := c.tx.ExecContext(ctx, `UPDATE artifact SET listed = $2 WHERE id = $1`, k.ID, k.listed); err != nil {
		return fmt.Errorf("count labels: %w", err)
	}
	return nil
}

func (c *curation) patch(ctx context.Context, k *kept) (bool, error) {
	patch := patchText(c.change.Patch)
	if patch == k.patch {
		return false, nil
	}
	return true, c.setPatch(ctx, k, patch)
}

// setPatch lays another correction over an artifact's record.
func (c *curation) setPatch(ctx context.Context, k *kept, patch string) error {
	k.patch = patch
	if _, err := c.tx.ExecContext(ctx, `UPDATE artifact SET patch = $2 WHERE id = $1`, k.ID, patch); err != nil {
		return fmt.Errorf("patch artifact: %w", err)
	}
	for _, l := range k.where {
		if l.takenOut {
			continue // encoded anew when it is listed again
		}
		if err := c.encode(ctx, k, l.label, l.indexedAt); err != nil {
			return err
		}
	}
	return nil
}

// encode makes an artifact's record in a label from what the database keeps of the package.
func (c *curation) encode(ctx context.Context, k *kept, l conda.Label, first time.Time) error {
	e, err := c.db.entryOf(ctx, c.tx, k.ID)
	if err != nil {
		return err
	}
	p, err := c.place(ctx, l, k.Subdir)
	if err != nil {
		return err
	}
	return p.list(ctx, e, first, k.shown())
}

// entryOf makes what a record is made of from the package's own info/index.json, its run_exports, and the correction
// that lies over them.
func (db *DB) entryOf(ctx context.Context, q queryer, id int64) (e entry, err error) {
	var subdir, filename string
	var raw, sum, md, sidecar []byte
	var size int64
	var revision int
	var patch conda.Patch
	err = q.QueryRowContext(ctx, `SELECT subdir, filename, index_json, sha256, md5, size, schema_version, run_exports, patch, sidecar_sha256 FROM artifact WHERE id = $1`, id).
		Scan(&subdir, &filename, &raw, &sum, &md, &size, &revision, jsonText{&e.runExports}, jsonText{&patch}, &sidecar)
	if err != nil {
		return e, fmt.Errorf("artifact: %w", err)
	}
	e.artifactID, e.v3 = id, revision != 0
	if e.file, err = conda.ParseFilename(filename); err != nil {
		return e, err
	}
	own, _, err := artifact.ParseIndex(raw, e.file, time.Time{})
	if err != nil {
		return e, fmt.Errorf("record of %s: %w", filename, err)
	}
	if own.Subdir, err = conda.ParseSubdir(subdir); err != nil {
		return e, err
	}
	own.SHA256, own.MD5, own.Size = [32]byte(sum), [16]byte(md), size
	copy(own.AttestationsSHA256[:], sidecar)
	e.record, e.runExports, err = patch.Apply(own, e.runExports, e.v3)
	if err != nil {
		return e, fault.Wrap(err, fault.InvalidField, "%s/%s cannot be corrected so: %v", subdir, filename, err)
	}
	return e, nil
}
