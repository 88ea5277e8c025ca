package db

import (
	"bytes"
	"cmp"
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
	"sluice/internal/attest/policy"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/publish"
	"sluice/internal/trust"
)

// Publish implements publish.Store. Whatever is refused is refused before it writes anything, so its neighbours need
// no savepoint.
func (db *DB) Publish(ctx context.Context, all []publish.Commit) ([]publish.Result, error) {
	var out []publish.Result
	err := db.write(ctx, func(tx *sql.Tx) error {
		b, err := db.beginBatch(ctx, tx, all)
		if err != nil {
			return err
		}
		out = make([]publish.Result, len(all))
		for i, c := range all {
			if out[i], err = b.publish(ctx, c); err != nil {
				return err
			}
		}
		return b.end(ctx, out)
	})
	if errors.Is(err, errUnchanged) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// errUnchanged ends a transaction that has nothing to write.
var errUnchanged = errors.New("unchanged")

// batch is the transaction of uploads that came at once, to one subdir of one channel.
type batch struct {
	*changes
	subdir conda.Subdir
	// replaceable says that the channel lets files be replaced, policy what it demands of attestations.
	replaceable bool
	policy      policy.Policy
	// recount are the package names whose lines are made anew, since more than an addition befell them.
	recount map[string]bool
	// events wait for the number of the generation.
	events []publish.Commit
}

func (db *DB) beginBatch(ctx context.Context, tx *sql.Tx, all []publish.Commit) (*batch, error) {
	ch, subdir := all[0].Channel, all[0].Record.Subdir
	var labels []conda.Label
	sums := make([][32]byte, len(all))
	for i, c := range all {
		if c.Channel.ID != ch.ID || c.Record.Subdir != subdir {
			return nil, errors.New("a batch of several channels or subdirs")
		}
		labels = append(labels, c.Labels...)
		sums[i] = c.Record.SHA256
	}
	// In order, so that two transactions never wait for one another.
	slices.SortFunc(sums, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	for _, sum := range slices.Compact(sums) {
		if err := lockBlob(ctx, tx, db.nameBlob, sum); err != nil {
			return nil, err
		}
	}
	b := &batch{subdir: subdir, policy: policy.Default(), recount: map[string]bool{}}
	var err error
	if b.changes, err = db.open(ctx, tx, ch, []conda.Subdir{subdir}, labels); err != nil {
		return nil, err
	}
	if err := db.lockRuns(ctx, tx, all); err != nil {
		return nil, err
	}
	err = tx.QueryRowContext(ctx, `SELECT replaceable, attestations FROM channel WHERE id = $1`+db.forShare, ch.ID).Scan(&b.replaceable, jsonText{&b.policy})
	if err != nil {
		return nil, fmt.Errorf("settings of the channel: %w", err)
	}
	return b, nil
}

// publish does one upload of the batch. A refusal is in the result; the error is for what ends the whole transaction.
func (b *batch) publish(ctx context.Context, c publish.Commit) (publish.Result, error) {
	out, err := b.one(ctx, c)
	if _, refused := errors.AsType[*fault.Error](err); refused {
		return publish.Result{Err: err}, nil
	}
	return publish.Result{Outcome: out}, err
}

func (b *batch) one(ctx context.Context, c publish.Commit) (publish.Outcome, error) {
	if err := b.db.stillMay(ctx, b.tx, &c); err != nil {
		return publish.Outcome{}, err
	}
	if err := c.Hold(b.policy); err != nil {
		return publish.Outcome{}, err
	}
	if c.Later {
		return b.later(ctx, c)
	}
	there, err := b.present(ctx, c)
	if err != nil {
		return publish.Outcome{}, err
	}
	if there.same {
		return b.attestLater(ctx, c, there.id, there.at)
	}
	if err := checkTwin(ctx, b.tx, c); err != nil {
		return publish.Outcome{}, err
	}
	if err := b.stepsBack(ctx, &c); err != nil {
		return publish.Outcome{}, err
	}
	if err := b.db.charge(ctx, b.tx, &c); err != nil {
		return publish.Outcome{}, err
	}
	if there.id != 0 {
		return b.replace(ctx, c, there)
	}
	return b.insert(ctx, c)
}

// insert makes a new artifact and lists it.
func (b *batch) insert(ctx context.Context, c publish.Commit) (publish.Outcome, error) {
	now := b.now()
	id, err := insertArtifact(ctx, b.tx, c, uploadedAt(c, now))
	if err != nil {
		return publish.Outcome{}, err
	}
	if _, _, err := b.db.attest(ctx, b.tx, id, c.Record.SHA256, c.Attestations, now); err != nil {
		return publish.Outcome{}, err
	}
	if err := b.show(ctx, c, id); err != nil {
		return publish.Outcome{}, err
	}
	if err := b.count(ctx, c, id, uploadedAt(c, now)); err != nil {
		return publish.Outcome{}, err
	}
	b.events = append(b.events, c)
	return publish.Outcome{IndexedAt: now}, nil
}

// uploadedAt is when the artifact was published, here or where it is imported from.
func uploadedAt(c publish.Commit, now time.Time) time.Time {
	if c.Import != nil && !c.Import.UploadedAt.IsZero() {
		return c.Import.UploadedAt
	}
	return now
}

// show lists the artifact in the labels of the commit.
func (b *batch) show(ctx context.Context, c publish.Commit, id int64) error {
	e := entry{artifactID: id, file: c.File, v3: c.V3}
	var err error
	if e.record, e.runExports, err = c.Patch.Apply(c.Record, c.RunExports, c.V3); err != nil {
		return err
	}
	how := shownPackage
	if c.Import != nil && c.Import.Yanked {
		how = shownRemoved
	}
	for _, l := range c.Labels {
		p, err := b.place(ctx, l, b.subdir)
		if err != nil {
			return err
		}
		if err := p.list(ctx, e, c.Import.Listed(l), how); err != nil {
			return err
		}
	}
	return nil
}

// end writes the index and what depends on its number.
func (b *batch) end(ctx context.Context, out []publish.Result) error {
	for _, name := range slices.Sorted(maps.Keys(b.recount)) {
		if err := b.db.recountPackage(ctx, b.tx, b.channel.ID, name); err != nil {
			return err
		}
	}
	if len(b.events) == 0 {
		return errUnchanged
	}
	if err := b.write(ctx); err != nil {
		return err
	}
	main, err := b.place(ctx, conda.MainLabel(), b.subdir)
	if err != nil {
		return err
	}
	for i := range out {
		if out[i].Err == nil && (!out[i].Already || out[i].Added > 0) {
			out[i].Generation = main.gen.Number
		}
	}
	for _, c := range b.events {
		if err := b.report(ctx, c, main); err != nil {
			return err
		}
	}
	return nil
}

// report writes the audit event of an upload, with what only the store knows.
func (b *batch) report(ctx context.Context, c publish.Commit, main *change) error {
	e := c.Event
	if e.Kind == "" {
		return nil
	}
	e.At = main.gen.CommittedAt
	e.Actor, e.Sentence = c.Right.Actor(), cmp.Or(e.Sentence, "uploaded "+e.Subject)
	if e.Facts = maps.Clone(e.Facts); e.Facts[attestedBefore] != "" {
		e.Sentence += ": not attested, earlier files of " + c.Record.Name + " are"
	}
	if c.Right.Publish != nil {
		maps.Copy(e.Facts, runFacts(c.Right.Publish.Run))
	}
	e.Facts["generation"] = fmt.Sprint(main.gen.Number)
	return b.db.appendEvent(ctx, b.tx, e)
}

// stillMay checks inside the commit that nobody took the right away since the upload began. The rows are
// locked, so that whoever takes it away now waits, and everything before that moment counts.
func (db *DB) stillMay(ctx context.Context, tx *sql.Tx, c *publish.Commit) error {
	switch {
	case c.Import != nil:
		return nil
	case c.Right.Publish == nil:
		return db.accountStillMay(ctx, tx, *c)
	default:
		return db.publisherStillMay(ctx, tx, c)
	}
}

func (db *DB) accountStillMay(ctx context.Context, tx *sql.Tx, c publish.Commit) error {
	admin, err := db.stillCalls(ctx, tx, c)
	if err != nil {
		return err
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

// stillCalls checks that the account stands, and the token that it came with, and reports whether it is an administrator.
func (db *DB) stillCalls(ctx context.Context, tx *sql.Tx, c publish.Commit) (admin bool, err error) {
	var revoked, disabled sql.Null[int64]
	if c.Right.APIToken == nil { // a session
		err = tx.QueryRowContext(ctx, `SELECT disabled_us, admin FROM account WHERE id = $1`+db.forShare, c.Right.User.ID).Scan(&disabled, &admin)
	} else {
		err = tx.QueryRowContext(ctx, `SELECT t.revoked_us, a.disabled_us, a.admin FROM api_token t JOIN account a ON a.id = t.account_id WHERE t.id = $1`+db.forShare,
			c.Right.APIToken.ID).Scan(&revoked, &disabled, &admin)
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, fmt.Errorf("check who uploads: %w", err)
	}
	if err != nil || revoked.Valid || disabled.Valid {
		return false, fault.New(fault.Revoked, "This API token or account was revoked while %s was being uploaded; nothing was stored.", c.File)
	}
	return admin, nil
}

// there is an artifact that has the name of an upload.
type there struct {
	id int64 // 0: none
	at time.Time
	// same says that it has the same bytes by the same right.
	same   bool
	sum    [32]byte
	purged bool
}

const dayAndTime = "2 Jan 2006 15:04 UTC"

// present looks for an artifact of the same name. Any but the same one is a refusal, unless it may be replaced.
func (b *batch) present(ctx context.Context, c publish.Commit) (t there, err error) {
	var sum []byte
	var publisher, account sql.Null[int64]
	var run trust.Provenance
	var deletedAt, purgedAt time.Time
	err = b.tx.QueryRowContext(ctx, `SELECT id, sha256, created_us, publisher_id, account_id, provenance, deleted_us, purged_us FROM artifact
		WHERE channel_id = $1 AND subdir = $2 AND filename = $3`, c.Channel.ID, c.Record.Subdir.String(), c.File.String()).
		Scan(&t.id, &sum, when{&t.at}, &publisher, &account, jsonText{&run}, when{&deletedAt}, when{&purgedAt})
	if errors.Is(err, sql.ErrNoRows) {
		return t, nil
	} else if err != nil {
		return t, fmt.Errorf("look for %s: %w", c.File, err)
	}
	t.sum, t.purged = [32]byte(sum), !purgedAt.IsZero()
	equal := t.sum == c.Record.SHA256
	if c.Force && b.replaceable && !equal {
		return t, nil
	}
	by := "with an API token"
	if !run.IsZero() {
		by = "by " + run.Byline()
	}
	first := fmt.Sprintf("%s/%s exists in channel %s since %s, uploaded %s", c.Record.Subdir, c.File, c.Channel.Name, t.at.Format(dayAndTime), by)
	if !deletedAt.IsZero() {
		return t, fault.New(fault.Exists, "%s/%s was deleted from channel %s on %s, and its name is not given out again: raise the build number, or let an owner of the channel restore it.",
			c.Record.Subdir, c.File, c.Channel.Name, deletedAt.Format(dayAndTime))
	}
	byPublisher := publisher.Valid && slices.ContainsFunc(c.Grants, func(g trust.Grant) bool { return g.PublisherID == publisher.V })
	if equal && (c.Import != nil || byPublisher || account.Valid && c.Right.User != nil && account.V == c.Right.User.ID) {
		t.same = true
		return t, nil
	}
	switch {
	case equal:
		return t, fault.New(fault.Exists, "%s, with these same bytes. Use --skip-existing.", first)
	case c.Force:
		return t, fault.New(fault.NotPermitted, "Channel %s does not allow a published file to be replaced: leave out --force and raise the build number.", c.Channel.Name)
	default:
		return t, fault.New(fault.Exists, "%s, with SHA-256 %x; yours has %x. Raise the build number, or use --skip-existing.", first, sum, c.Record.SHA256)
	}
}

// checkTwin refuses a build whose other format is there with other dependencies: clients treat both as one.
func checkTwin(ctx context.Context, tx *sql.Tx, c publish.Commit) error {
	if c.Import != nil {
		return nil // what the source serves has been lived with
	}
	ext := ".conda"
	if c.File.Ext() == ext {
		ext = ".tar.bz2"
	}
	twin := c.File.Stem() + ext
	var depends []string
	err := tx.QueryRowContext(ctx, `SELECT depends FROM artifact WHERE channel_id = $1 AND subdir = $2 AND filename = $3 AND deleted_us IS NULL`,
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

// Referenced implements publish.Store. It waits for transactions that are about to name the blob: when the
// process that began one is killed, PostgreSQL may have been told to commit it, and still be at it while the
// next process asks whether the blob can go.
func (db *DB) Referenced(ctx context.Context, sum [32]byte) (bool, error) {
	n := 0
	err := db.write(ctx, func(tx *sql.Tx) error {
		if err := lockBlob(ctx, tx, db.doubtBlob, sum); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM artifact WHERE sha256 = $1 AND purged_us IS NULL LIMIT 1) AS one`, sum[:]).Scan(&n)
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

// hexSum is a digest as audit events write it.
func hexSum(sum [32]byte) string { return hex.EncodeToString(sum[:]) }
