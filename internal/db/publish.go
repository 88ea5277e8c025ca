package db

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"sluice/internal/access"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/version"
	"sluice/internal/fault"
	"sluice/internal/index"
	"sluice/internal/publish"
	"sluice/internal/trust"
)

// Publish implements publish.Store.
func (db *DB) Publish(ctx context.Context, c publish.Commit) (publish.Outcome, error) {
	var out publish.Outcome
	err := db.write(ctx, func(tx *sql.Tx) error {
		if err := lockBlob(ctx, tx, db.nameBlob, c.Record.SHA256); err != nil {
			return err
		}
		place := index.Place{ChannelID: c.Channel.ID, Label: c.Label, Subdir: c.Record.Subdir}
		ch, err := db.raise(ctx, tx, c.Channel, place, "list "+c.File.String()+" "+hex.EncodeToString(c.Record.SHA256[:]))
		if err != nil {
			return err
		}
		c := c // a transaction that runs again begins with all grants
		if err := db.stillMay(ctx, tx, &c); err != nil {
			return err
		}
		if at, same, err := db.present(ctx, tx, c); err != nil {
			return err
		} else if same {
			out = publish.Outcome{Already: true, IndexedAt: at}
			return errUnchanged
		}
		if err := checkTwin(ctx, tx, c); err != nil {
			return err
		}
		if err := db.charge(ctx, tx, &c); err != nil {
			return err
		}
		out = publish.Outcome{IndexedAt: ch.gen.CommittedAt, Generation: ch.gen.Number}
		return db.insert(ctx, tx, ch, c)
	})
	if errors.Is(err, errUnchanged) {
		err = nil
	}
	return out, err
}

// errUnchanged ends a transaction that has nothing to write.
var errUnchanged = errors.New("unchanged")

func (db *DB) insert(ctx context.Context, tx *sql.Tx, ch *change, c publish.Commit) error {
	id, err := insertArtifact(ctx, tx, c, ch.gen.CommittedAt)
	if err != nil {
		return err
	}
	if err := ch.list(ctx, id, c.File, c.Record, c.RunExports); err != nil {
		return err
	}
	if err := db.countPackage(ctx, tx, c, id, ch.gen.CommittedAt); err != nil {
		return err
	}
	e := c.Event
	e.At = ch.gen.CommittedAt
	e.Actor, e.Sentence = c.Right.Actor(), "uploaded "+e.Subject
	if c.Right.Publish != nil {
		maps.Copy(e.Facts, runFacts(c.Right.Publish.Run))
	}
	e.Facts["generation"] = fmt.Sprint(ch.gen.Number)
	return db.appendEvent(ctx, tx, e)
}

// stillMay checks inside the commit that nobody took the right away since the upload began. The rows are
// locked, so that whoever takes it away now waits, and everything before that moment counts.
func (db *DB) stillMay(ctx context.Context, tx *sql.Tx, c *publish.Commit) error {
	if c.Right.Publish == nil {
		return db.accountStillMay(ctx, tx, *c)
	}
	return db.publisherStillMay(ctx, tx, c)
}

func (db *DB) accountStillMay(ctx context.Context, tx *sql.Tx, c publish.Commit) error {
	var revoked, disabled sql.Null[int64]
	var admin bool
	err := tx.QueryRowContext(ctx, `SELECT t.revoked_us, a.disabled_us, a.admin FROM api_token t JOIN account a ON a.id = t.account_id WHERE t.id = $1`+db.forShare,
		c.Right.APIToken.ID).Scan(&revoked, &disabled, &admin)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("check API token: %w", err)
	}
	if err != nil || revoked.Valid || disabled.Valid {
		return fault.New(fault.Revoked, "This API token was revoked while %s was being uploaded; nothing was stored.", c.File)
	}
	var closed bool
	if err := tx.QueryRowContext(ctx, `SELECT publisher_only FROM channel WHERE id = $1`+db.forShare, c.Channel.ID).Scan(&closed); err != nil {
		return fmt.Errorf("check channel: %w", err)
	}
	if closed {
		return access.OnlyPublishers(c.Channel.Name.String())
	}
	if admin {
		return nil
	}
	r, err := role(ctx, tx, c.Channel.ID, c.Right.User.ID)
	if err != nil {
		return fmt.Errorf("check member: %w", err)
	}
	if !r.AtLeast(channel.Maintainer) {
		return fault.New(fault.Revoked, "%s stopped being a maintainer of channel %s while %s was being uploaded; nothing was stored.", c.Right.User.Name, c.Channel.Name, c.File)
	}
	return nil
}

// present looks for an artifact of the same name. same is true when it has the same bytes by the same right;
// any other one is a refusal.
func (db *DB) present(ctx context.Context, tx *sql.Tx, c publish.Commit) (at time.Time, same bool, err error) {
	var sum []byte
	var publisher, account sql.Null[int64]
	var run trust.Provenance
	err = tx.QueryRowContext(ctx, `SELECT sha256, created_us, publisher_id, account_id, provenance FROM artifact
		WHERE channel_id = $1 AND subdir = $2 AND filename = $3`, c.Channel.ID, c.Record.Subdir.String(), c.File.String()).
		Scan(&sum, when{&at}, &publisher, &account, jsonText{&run})
	if errors.Is(err, sql.ErrNoRows) {
		return at, false, nil
	} else if err != nil {
		return at, false, fmt.Errorf("look for %s: %w", c.File, err)
	}
	equal := [32]byte(sum) == c.Record.SHA256
	byPublisher := publisher.Valid && slices.ContainsFunc(c.Grants, func(g trust.Grant) bool { return g.PublisherID == publisher.V })
	if equal && (byPublisher || account.Valid && c.Right.User != nil && account.V == c.Right.User.ID) {
		return at, true, nil
	}
	by := "with an API token"
	if !run.IsZero() {
		by = "by " + run.Byline()
	}
	first := fmt.Sprintf("%s/%s exists in channel %s since %s, uploaded %s", c.Record.Subdir, c.File, c.Channel.Name, at.Format("2 Jan 2006 15:04 UTC"), by)
	if equal {
		return at, false, fault.New(fault.Exists, "%s, with these same bytes. Use --skip-existing.", first)
	}
	if c.Force {
		return at, false, fault.New(fault.NotPermitted, "Channel %s does not allow a published file to be replaced: leave out --force and raise the build number.", c.Channel.Name)
	}
	return at, false, fault.New(fault.Exists, "%s, with SHA-256 %x; yours has %x. Raise the build number, or use --skip-existing.", first, sum, c.Record.SHA256)
}

// checkTwin refuses a build whose other format is there with other dependencies: clients treat both as one.
func checkTwin(ctx context.Context, tx *sql.Tx, c publish.Commit) error {
	ext := ".conda"
	if c.File.Ext() == ext {
		ext = ".tar.bz2"
	}
	twin := c.File.Stem() + ext
	var depends []string
	err := tx.QueryRowContext(ctx, `SELECT depends FROM artifact WHERE channel_id = $1 AND subdir = $2 AND filename = $3`,
		c.Channel.ID, c.Record.Subdir.String(), twin).Scan(jsonText{&depends})
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return fmt.Errorf("look for %s: %w", twin, err)
	}
	if !slices.Equal(depends, c.Record.Depends) {
		return fault.New(fault.TwinDiffers, "%s exists with other dependencies than %s, and clients take both for the same build: raise the build number.", twin, c.File)
	}
	return nil
}

func insertArtifact(ctx context.Context, tx *sql.Tx, c publish.Commit, at time.Time) (id int64, err error) {
	var publisher, account, provenance any
	if c.Right.Publish != nil {
		publisher, provenance = c.Grants[0].PublisherID, text(c.Right.Publish.Run)
	} else {
		account = c.Right.User.ID
	}
	r := c.Record
	err = tx.QueryRowContext(ctx, `INSERT INTO artifact (channel_id, subdir, filename, name, version, build, build_number, sha256, md5, size, timestamp_ms,
			depends, index_json, about, license, created_us, publisher_id, account_id, uploader, provenance)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) RETURNING id`,
		c.Channel.ID, r.Subdir.String(), c.File.String(), r.Name, r.Version, r.Build, int64(r.BuildNumber), r.SHA256[:], r.MD5[:], r.Size, r.TimestampMS,
		text(r.Depends), c.RawIndex, text(c.About), r.License, micros(at), publisher, account, c.Right.Actor().Name, provenance).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("insert artifact: %w", err)
	}
	return id, nil
}

// countPackage keeps the line that lists of packages show of a name.
func (db *DB) countPackage(ctx context.Context, tx *sql.Tx, c publish.Commit, id int64, at time.Time) error {
	r := c.Record
	_, err := tx.ExecContext(ctx, `INSERT INTO package (channel_id, name, latest_version, latest_id, summary, subdirs, artifacts, by_ci, bytes, updated_us)
		VALUES ($1, $2, $3, $4, $5, '[]', 0, 0, 0, $6) ON CONFLICT (channel_id, name) DO NOTHING`, c.Channel.ID, r.Name, r.Version, id, c.About.Summary, micros(at))
	if err != nil {
		return fmt.Errorf("count package: %w", err)
	}
	var latest, summary string
	var latestID int64
	var subdirs []string
	err = tx.QueryRowContext(ctx, `SELECT latest_version, latest_id, summary, subdirs FROM package WHERE channel_id = $1 AND name = $2`+db.forUpdate,
		c.Channel.ID, r.Name).Scan(&latest, &latestID, &summary, jsonText{&subdirs})
	if err != nil {
		return fmt.Errorf("count package: %w", err)
	}
	if newer(r.Version, latest) {
		latest, latestID, summary = r.Version, id, c.About.Summary
	}
	if at, ok := slices.BinarySearch(subdirs, r.Subdir.String()); !ok {
		subdirs = slices.Insert(subdirs, at, r.Subdir.String())
	}
	_, err = tx.ExecContext(ctx, `UPDATE package SET latest_version = $3, latest_id = $4, summary = $5, subdirs = $6, artifacts = artifacts + 1,
		by_ci = by_ci + $7, bytes = bytes + $8, updated_us = $9 WHERE channel_id = $1 AND name = $2`,
		c.Channel.ID, r.Name, latest, latestID, summary, text(subdirs), bit(c.Right.Publish != nil), r.Size, micros(at))
	if err != nil {
		return fmt.Errorf("count package: %w", err)
	}
	return nil
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

// Referenced implements publish.Store. It waits for transactions that are about to name the blob: when the
// process that began one is killed, PostgreSQL may have been told to commit it, and still be at it while the
// next process asks whether the blob can go.
func (db *DB) Referenced(ctx context.Context, sum [32]byte) (bool, error) {
	n := 0
	err := db.write(ctx, func(tx *sql.Tx) error {
		if err := lockBlob(ctx, tx, db.doubtBlob, sum); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM artifact WHERE sha256 = $1 LIMIT 1) AS one`, sum[:]).Scan(&n)
	})
	return n > 0, err
}

// lockBlob locks the name of a blob until the transaction ends. Two blobs with one number wait for one
// another in vain, which harms nobody.
func lockBlob(ctx context.Context, tx *sql.Tx, lock string, sum [32]byte) error {
	if lock == "" {
		return nil
	}
	if _, err := tx.ExecContext(ctx, lock, int64(binary.BigEndian.Uint64(sum[:]))); err != nil {
		return fmt.Errorf("lock blob: %w", err)
	}
	return nil
}

// Located is where the bytes of an artifact are.
type Located struct {
	SHA256 [32]byte
	Size   int64
	At     time.Time
}

// Locate finds an artifact that is listed in a place; fault.NotFound when none is: what is in no label is
// invisible to every reader.
func (db *DB) Locate(ctx context.Context, p index.Place, f conda.Filename) (Located, error) {
	var l Located
	var sum []byte
	series, _ := index.SeriesOf(f, false)
	err := db.reader.QueryRowContext(ctx, `SELECT a.sha256, a.size, r.indexed_us FROM record r JOIN artifact a ON a.id = r.artifact_id
		WHERE r.channel_id = $1 AND r.label = $2 AND r.subdir = $3 AND r.series = $4 AND r.filename = $5`,
		p.ChannelID, p.Label.String(), p.Subdir.String(), string(series), f.String()).Scan(&sum, &l.Size, when{&l.At})
	if errors.Is(err, sql.ErrNoRows) {
		return l, fault.New(fault.NotFound, "There is no %s/%s here.", p.Subdir, f)
	} else if err != nil {
		return l, fmt.Errorf("locate %s: %w", f, err)
	}
	copy(l.SHA256[:], sum)
	return l, nil
}
