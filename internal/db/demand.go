package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math"

	"sluice/internal/attest/policy"
	"sluice/internal/conda"
	"sluice/internal/curate"
	"sluice/internal/fault"
	"sluice/internal/publish"
)

// attestedBefore is the fact of an upload without an attestation that its package had one before: the newest file that
// has.
const attestedBefore = "attested_before"

// stepsBack looks whether a package that had attestations gets a file without, which is how a stolen token shows. Where the
// channel refuses it, it is fault.AttestationRegressed; where it warns, the upload's event says so. Deleted files
// are forgotten, yanked ones are not. It is one seek in an index, however large the channel is.
func (b *batch) stepsBack(ctx context.Context, c *publish.Commit) error {
	if c.Import != nil || len(c.Attestations) > 0 || b.policy.Mode == policy.Off || b.policy.NoRegress == policy.RegressAllowed {
		return nil
	}
	a, ok, err := newestAttested(ctx, b.tx, c.Channel.ID, c.Record.Name, math.MaxInt64)
	if err != nil || !ok {
		return err
	}
	if b.policy.NoRegress == policy.RegressRefused {
		return fault.New(fault.AttestationRegressed, "%s %s has an attestation (%s), and this file has none: upload with --generate-attestation, or let an owner of channel %s allow it.",
			c.Record.Name, a.version, a.path, c.Channel.Name)
	}
	c.Event.Facts = maps.Clone(c.Event.Facts) // a transaction that runs again begins with the old ones
	c.Event.Facts[attestedBefore] = a.path
	return nil
}

// attestedFile is a file that has an attestation.
type attestedFile struct{ version, path string }

// newestAttested finds the newest file of a package that has an attestation, of those that were published before a time, in
// microseconds. ok is false where there is none.
func newestAttested(ctx context.Context, q queryer, channelID int64, name string, before int64) (a attestedFile, ok bool, err error) {
	var subdir, file string
	err = q.QueryRowContext(ctx, newestAttestedQuery, channelID, name, before).Scan(&a.version, &subdir, &file)
	if errors.Is(err, sql.ErrNoRows) {
		return a, false, nil
	} else if err != nil {
		return a, false, fmt.Errorf("look for attested files: %w", err)
	}
	a.path = subdir + "/" + file
	return a, true, nil
}

// The conditions are those of the index artifact_attested.
const newestAttestedQuery = `SELECT version, subdir, filename FROM artifact WHERE channel_id = $1 AND name = $2 AND created_us < $3
	AND length(sidecar_sha256) > 0 AND deleted_us IS NULL ORDER BY created_us DESC LIMIT 1`

// demanded reads what the channel of a change demands, which nobody changes before the commit.
func (c *curation) demanded(ctx context.Context) error {
	c.policy = policy.Default()
	if err := c.tx.QueryRowContext(ctx, `SELECT attestations FROM channel WHERE id = $1`+c.db.forShare, c.channel.ID).Scan(jsonText{&c.policy}); err != nil {
		return fmt.Errorf("what the channel demands: %w", err)
	}
	return nil
}

// hold holds what would be shown again to what the channel demands now.
func (c *curation) hold(ctx context.Context, k *kept) error {
	required, steps := c.policy.Needs(k.name), c.policy.NoRegress == policy.RegressRefused && c.policy.Mode != policy.Off
	if !c.comes(k) || !required && !steps {
		return nil
	}
	have, err := signaturesOf(ctx, c.tx, k.ID)
	if err != nil {
		return err
	}
	channel := c.channel.Name.String()
	if err := c.change.Hold(c.policy, channel, k.Artifact, k.name, have); err != nil || !steps || len(have) > 0 {
		return err
	}
	a, ok, err := newestAttested(ctx, c.tx, c.channel.ID, k.name, k.UploadedAt.UnixMicro())
	if err != nil || !ok {
		return err
	}
	return c.change.HoldBack(k.Artifact, k.name, a.version, a.path)
}

// comes reports whether solvers would see an artifact that they do not see, or see it in one more label.
func (c *curation) comes(k *kept) bool {
	shows := func(l conda.Label) bool { at := k.at(l); return at != nil && !at.takenOut }
	switch c.change.Kind {
	case curate.Unyank:
		return k.yanked && !k.deleted && k.listed > 0
	case curate.Restore:
		return k.deleted && !k.purged && !k.yanked && k.listed > 0
	case curate.List:
		return k.shown() == shownPackage && !shows(c.change.Label)
	case curate.Move:
		return k.shown() == shownPackage && !shows(c.change.To)
	default:
		return false
	}
}

// signaturesOf reads what is known of the attestations that an artifact has for its bytes.
func signaturesOf(ctx context.Context, q queryer, id int64) ([]policy.Signature, error) {
	out, err := collect(ctx, q, func(r *sql.Rows, s *policy.Signature) error {
		return r.Scan(jsonText{&s.Verdict}, &s.Fit, jsonText{&s.Distrust})
	}, `SELECT t.verdict, t.fit, t.no_longer_trusted FROM attestation t JOIN artifact a ON a.id = t.artifact_id AND a.sha256 = t.sha256
		WHERE t.artifact_id = $1 ORDER BY t.ordinal`, id)
	if err != nil {
		return nil, fmt.Errorf("signatures of an artifact: %w", err)
	}
	return out, nil
}
