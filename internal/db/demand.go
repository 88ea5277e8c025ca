package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"

	"sluice/internal/attest/policy"
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
	var version, subdir, file string
	err := b.tx.QueryRowContext(ctx, newestAttested, c.Channel.ID, c.Record.Name).Scan(&version, &subdir, &file)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return fmt.Errorf("look for attested files: %w", err)
	}
	if b.policy.NoRegress == policy.RegressRefused {
		return fault.New(fault.AttestationRegressed, "%s %s has an attestation (%s/%s), and this file has none: upload with --generate-attestation, or let an owner of channel %s allow it.",
			c.Record.Name, version, subdir, file, c.Channel.Name)
	}
	c.Event.Facts = maps.Clone(c.Event.Facts) // a transaction that runs again begins with the old ones
	c.Event.Facts[attestedBefore] = subdir + "/" + file
	return nil
}

// newestAttested finds the newest file of a package that has an attestation. Its conditions are those of the index
// artifact_attested.
const newestAttested = `SELECT version, subdir, filename FROM artifact WHERE channel_id = $1 AND name = $2 AND length(sidecar_sha256) > 0 AND deleted_us IS NULL
	ORDER BY created_us DESC LIMIT 1`
