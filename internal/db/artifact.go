package db

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/index"
	"sluice/internal/publish"
)

// uploadColumns are the columns of an artifact that an upload sets, in the order of uploadValues.
var uploadColumns = strings.Fields(`name version build build_number sha256 md5 size timestamp_ms depends index_json about license created_us
	publisher_id account_id uploader provenance run ref source schema_version run_exports traits patch listed yanked_us yanked_why sidecar_sha256 source_yanked source_patch`)

func uploadValues(c publish.Commit, at time.Time) []any {
	var publisher, account, provenance, yankedAt any
	uploader, run, ref, source, why, sourcePatch := c.Right.Actor().Name, "", "", "", "", ""
	switch {
	case c.Import != nil:
		uploader, source, sourcePatch = importer, c.Import.Source, patchText(c.Patch)
		if c.Import.Yanked {
			yankedAt, why = cmp.Or(micros(c.Import.YankedAt), micros(at)), cmp.Or(c.Import.YankedWhy, yankedThere)
		}
	case c.Right.Publish != nil:
		r := c.Right.Publish.Run
		publisher, provenance, run, ref = c.Grants[0].PublisherID, text(r), r.RunID, r.Ref
	default:
		account = c.Right.User.ID
	}
	r := c.Record
	return []any{
		r.Name, r.Version, r.Build, int64(r.BuildNumber), r.SHA256[:], r.MD5[:], r.Size, r.TimestampMS, text(r.Depends), c.RawIndex, text(c.About), r.License, micros(at),
		publisher, account, uploader, provenance, run, ref, source, revision(c.V3), text(c.RunExports), int64(c.Traits), patchText(c.Patch), len(c.Labels), yankedAt, why, sidecarBytes(r.AttestationsSHA256),
		bit(c.Import != nil && c.Import.Yanked), sourcePatch,
	}
}

// sidecarBytes is the digest of a file of attestations as the database keeps it: empty for none.
func sidecarBytes(sum [32]byte) []byte {
	if sum == [32]byte{} {
		return []byte{}
	}
	return sum[:]
}

// patchText is an overlay as the database keeps it: "" for none.
func patchText(p conda.Patch) string {
	if p.IsZero() {
		return ""
	}
	return text(p)
}

// yankedThere is why an artifact is yanked whose source does not tell.
const yankedThere = "It was yanked where it was imported from."

// importer is the uploader of what an operator imported.
const importer = "import"

// revision is the repodata revision that a record needs; 0 for what every client reads.
func revision(v3 bool) int {
	if v3 {
		return 3
	}
	return 0
}

// insertText and replaceText set uploadColumns, after the three parameters of a key and the one of a number.
var insertText, replaceText = func() (insert, replace string) {
	marks, set := []string{"$1", "$2", "$3"}, make([]string, len(uploadColumns))
	for i, c := range uploadColumns {
		marks = append(marks, fmt.Sprintf("$%d", i+4))
		set[i] = fmt.Sprintf("%s = $%d", c, i+2)
	}
	return `INSERT INTO artifact (channel_id, subdir, filename, ` + strings.Join(uploadColumns, ", ") + `) VALUES (` + strings.Join(marks, ", ") + `) RETURNING id`,
		`UPDATE artifact SET ` + strings.Join(set, ", ") + `, yanked_by = '', deleted_us = NULL, deleted_by = '', deleted_why = '', purged_us = NULL WHERE id = $1`
}()

func insertArtifact(ctx context.Context, tx *sql.Tx, c publish.Commit, at time.Time) (id int64, err error) {
	key := []any{c.Channel.ID, c.Record.Subdir.String(), c.File.String()}
	if err := tx.QueryRowContext(ctx, insertText, append(key, uploadValues(c, at)...)...).Scan(&id); err != nil {
		return 0, fmt.Errorf("insert artifact: %w", err)
	}
	return id, nil
}

// replaceArtifact makes another artifact of a row: nothing of the old one stays but its number and its name.
func replaceArtifact(ctx context.Context, tx *sql.Tx, id int64, c publish.Commit, at time.Time) error {
	if _, err := tx.ExecContext(ctx, replaceText, append([]any{id}, uploadValues(c, at)...)...); err != nil {
		return fmt.Errorf("replace artifact: %w", err)
	}
	return nil
}

// replace puts other bytes in the place of an artifact, wherever it is listed, and where the commit says.
func (b *batch) replace(ctx context.Context, c publish.Commit, old there) (publish.Outcome, error) {
	now := b.now()
	where, err := listings(ctx, b.tx, old.id)
	if err != nil {
		return publish.Outcome{}, err
	}
	c.Labels = slices.Clone(c.Labels)
	for _, l := range where {
		if !l.takenOut && !slices.Contains(c.Labels, l.label) {
			c.Labels = append(c.Labels, l.label)
		}
	}
	if err := replaceArtifact(ctx, b.tx, old.id, c, uploadedAt(c, now)); err != nil {
		return publish.Outcome{}, err
	}
	if _, _, err := b.db.attest(ctx, b.tx, old.id, c.Record.SHA256, c.Attestations, now); err != nil {
		return publish.Outcome{}, err
	}
	// Where the old bytes are taken out, the new ones were never listed: they must not come back with the old time.
	if _, err := b.tx.ExecContext(ctx, `DELETE FROM record WHERE artifact_id = $1 AND taken_out = 1`, old.id); err != nil {
		return publish.Outcome{}, fmt.Errorf("forget where a file was taken out: %w", err)
	}
	if !old.purged {
		if err := doubt(ctx, b.tx, old.sum, now); err != nil {
			return publish.Outcome{}, err
		}
	}
	if err := b.show(ctx, c, old.id); err != nil {
		return publish.Outcome{}, err
	}
	for _, l := range where {
		if l.shown != shownRemoved {
			continue
		}
		p, err := b.place(ctx, l.label, b.subdir)
		if err != nil {
			return publish.Outcome{}, err
		}
		p.touch(index.Removed, c.File.String()) // the old bytes were yanked, the new ones are not
	}
	b.recount[c.Record.Name] = true
	c.Event.Facts["replaced_sha256"] = hexSum(old.sum)
	b.events = append(b.events, c)
	return publish.Outcome{IndexedAt: now}, nil
}

// doubt notes that a blob may be needed no more, for somebody to look at.
func doubt(ctx context.Context, tx *sql.Tx, sum [32]byte, at time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO doubt (sha256, at_us) VALUES ($1, $2) ON CONFLICT (sha256) DO NOTHING`, sum[:], micros(at))
	if err != nil {
		return fmt.Errorf("doubt a blob: %w", err)
	}
	return nil
}

// Located is where the bytes of an artifact are.
type Located struct {
	SHA256 [32]byte
	Size   int64
	At     time.Time
}

// listed names a file in a place.
type listed struct {
	place index.Place
	file  conda.Filename
}

// Locate finds an artifact that is listed in a place; fault.NotFound when none is: what is in no label, or deleted,
// is invisible to every reader. What is yanked is there: lock files name it.
func (db *DB) Locate(ctx context.Context, p index.Place, f conda.Filename) (Located, error) {
	return db.locations.get(ctx, listed{p, f}, func(ctx context.Context) (Located, error) { return db.locate(ctx, p, f) })
}

func (db *DB) locate(ctx context.Context, p index.Place, f conda.Filename) (Located, error) {
	var l Located
	var sum []byte
	plain, _ := index.SeriesOf(f, false)
	newer, _ := index.SeriesOf(f, true)
	err := db.reader.QueryRowContext(ctx, `SELECT a.sha256, a.size, r.indexed_us FROM record r JOIN artifact a ON a.id = r.artifact_id
		WHERE r.channel_id = $1 AND r.label = $2 AND r.subdir = $3 AND r.series IN ($4, $5) AND r.filename = $6 AND r.shown > 0`,
		p.ChannelID, p.Label.String(), p.Subdir.String(), string(plain), string(newer), f.String()).Scan(&sum, &l.Size, when{&l.At})
	if errors.Is(err, sql.ErrNoRows) {
		return l, fault.New(fault.NotFound, "There is no %s/%s here.", p.Subdir, f)
	} else if err != nil {
		return l, fmt.Errorf("locate %s: %w", f, err)
	}
	copy(l.SHA256[:], sum)
	return l, nil
}

// digestsAtOnce bounds the parameters of one statement.
const digestsAtOnce = 500
