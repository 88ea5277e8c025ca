package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sluice/internal/attest"
	"sluice/internal/attest/recheck"
	"sluice/internal/audit"
)

// ClaimLook implements recheck.Store.
func (db *DB) ClaimLook(ctx context.Context, until time.Time) (l recheck.Look, ok bool, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		l, ok = recheck.Look{Until: until}, false
		var sum []byte
		err := tx.QueryRowContext(ctx, `SELECT instance, sha256, after_id FROM second_look WHERE after_id IS NOT NULL AND busy_us <= $1 ORDER BY instance LIMIT 1`+db.skipLocked,
			micros(db.now())).Scan(&l.Instance, &sum, &l.After)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		} else if err != nil {
			return fmt.Errorf("claim second look: %w", err)
		}
		copy(l.SHA256[:], sum)
		if l.Root, err = rootOf(ctx, tx, sum); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE second_look SET busy_us = $2 WHERE instance = $1`, l.Instance, micros(until)); err != nil {
			return fmt.Errorf("claim second look: %w", err)
		}
		ok = true
		return nil
	})
	return l, ok, err
}

func rootOf(ctx context.Context, q queryer, sum []byte) (root []byte, err error) {
	if err = q.QueryRowContext(ctx, `SELECT root FROM trusted_root WHERE sha256 = $1 LIMIT 1`, sum).Scan(&root); err != nil {
		return nil, fmt.Errorf("trusted root %x: %w", sum, err)
	}
	return root, nil
}

// AttestationsAfter implements recheck.Store.
func (db *DB) AttestationsAfter(ctx context.Context, artifact int64, artifacts int) ([]recheck.Stored, error) {
	out, err := collect(ctx, db.reader, func(r *sql.Rows, s *recheck.Stored) error {
		var sum []byte
		var v attest.Verdict
		err := r.Scan(&s.ArtifactID, &sum, &s.Ordinal, &s.Bundle, jsonText{&v}, jsonText{&s.Distrust})
		copy(s.SHA256[:], sum)
		s.Profile, s.Root = v.Profile, v.Root
		return err
	}, `SELECT artifact_id, sha256, ordinal, bundle, verdict, no_longer_trusted FROM attestation
		WHERE artifact_id IN (SELECT DISTINCT artifact_id FROM attestation WHERE artifact_id > $1 ORDER BY artifact_id LIMIT $2) ORDER BY artifact_id, sha256, ordinal`, artifact, artifacts)
	if err != nil {
		return nil, fmt.Errorf("attestations to look at: %w", err)
	}
	return out, nil
}

// SaveLook implements recheck.Store.
func (db *DB) SaveLook(ctx context.Context, l recheck.Look, s recheck.Step) (saved bool, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		after := sql.NullInt64{Int64: s.To, Valid: !s.Done}
		res, err := tx.ExecContext(ctx, `UPDATE second_look SET after_id = $4, busy_us = $5 WHERE instance = $1 AND sha256 = $2 AND after_id = $3 AND busy_us = $6`,
			l.Instance, l.SHA256[:], l.After, after, orZero(s.Until), micros(l.Until))
		if err != nil {
			return fmt.Errorf("save second look: %w", err)
		}
		n, err := res.RowsAffected()
		if saved = n > 0; err != nil || !saved {
			return err
		}
		return db.saveFindings(ctx, tx, l.Instance, s.Found)
	})
	return saved, err
}

// news is what a page of findings says to one channel.
type news struct {
	channel int64
	name    string
	trusted bool
	files   map[string]int
	refusal string
}

// saveFindings keeps what was found, and tells each channel once of what is no longer trusted, and of what is again.
func (db *DB) saveFindings(ctx context.Context, tx *sql.Tx, instance string, found []recheck.Finding) error {
	var all []*news
	for _, f := range found {
		kept := ""
		if f.Distrust != nil {
			kept = text(f.Distrust)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE attestation SET no_longer_trusted = $4 WHERE artifact_id = $1 AND sha256 = $2 AND ordinal = $3`, f.ArtifactID, f.SHA256[:], f.Ordinal, kept); err != nil {
			return fmt.Errorf("save what a second look found: %w", err)
		}
		if f.Distrust != nil && f.Stored.Distrust != nil {
			continue // another root says the same
		}
		n := news{trusted: f.Distrust == nil}
		var file string
		err := tx.QueryRowContext(ctx, `SELECT c.id, c.name, a.subdir || '/' || a.filename FROM artifact a JOIN channel c ON c.id = a.channel_id WHERE a.id = $1 AND a.sha256 = $2`, f.ArtifactID, f.SHA256[:]).
			Scan(&n.channel, &n.name, &file)
		if errors.Is(err, sql.ErrNoRows) {
			continue // of bytes that were replaced
		} else if err != nil {
			return fmt.Errorf("file of an attestation: %w", err)
		}
		i := slices.IndexFunc(all, func(o *news) bool { return o.channel == n.channel && o.trusted == n.trusted })
		if i < 0 {
			n.files = map[string]int{}
			if f.Distrust != nil {
				n.refusal = f.Distrust.Sentence
			}
			i, all = len(all), append(all, &n)
		}
		all[i].files[file]++
	}
	for _, n := range all {
		if err := db.appendEvent(ctx, tx, n.event(instance)); err != nil {
			return err
		}
	}
	return nil
}

func (n news) event(instance string) audit.Event {
	count := 0
	for _, c := range n.files {
		count += c
	}
	names := slices.Sorted(maps.Keys(n.files))
	what, of := fmt.Sprintf("%d attestations", count), names[0]
	if count == 1 {
		what = "1 attestation"
	}
	if len(names) > 1 {
		of = fmt.Sprintf("%d files, from %s to %s,", len(names), names[0], names[len(names)-1])
	}
	e := audit.Event{
		Kind: audit.AttestationsDistrusted, Actor: itself, ChannelID: n.channel, Channel: n.name, Subject: names[0],
		Sentence: fmt.Sprintf("found that %s of %s no longer count, since the keys of the sigstore instance %s have changed. %s", what, of, instance, n.refusal),
		Facts:    map[string]string{"instance": instance, "files": strings.Join(names, " ")},
	}
	if count == 1 {
		e.Sentence = strings.Replace(e.Sentence, "no longer count,", "no longer counts,", 1)
	}
	if n.trusted {
		e.Kind, e.Sentence = audit.AttestationsTrusted, fmt.Sprintf("found that %s of %s can be trusted again: the keys of the sigstore instance %s have changed", what, of, instance)
	}
	return e
}
