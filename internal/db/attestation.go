package db

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/internal/attest"
	"sluice/internal/catalog"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/index"
	"sluice/internal/publish"
)

// attested is what is stored of one attestation.
type attested struct {
	key    attest.Key
	bundle []byte
}

// attestationsOf reads the attestations that an artifact has for these bytes, up to an ordinal, in order.
func attestationsOf(ctx context.Context, q queryer, id int64, sum [32]byte, upTo int) ([]attested, error) {
	out, err := collect(ctx, q, func(r *sql.Rows, a *attested) error {
		var certificate, signature []byte
		if err := r.Scan(&certificate, &signature, &a.bundle); err != nil {
			return err
		}
		copy(a.key.Certificate[:], certificate)
		copy(a.key.Signature[:], signature)
		return nil
	}, `SELECT certificate_sha256, signature_sha256, bundle FROM attestation WHERE artifact_id = $1 AND sha256 = $2 AND ordinal <= $3 ORDER BY ordinal`, id, sum[:], upTo)
	if err != nil {
		return nil, fmt.Errorf("attestations: %w", err)
	}
	return out, nil
}

// attest adds attestations to those that an artifact has for these bytes, but for those that are there. It returns the
// ordinals of all in list, and those that came. It refuses more than an artifact may have before it writes anything.
func (db *DB) attest(ctx context.Context, tx *sql.Tx, id int64, sum [32]byte, list []publish.Attestation, at time.Time) (ordinals []int, added []publish.Attestation, err error) {
	if len(list) == 0 {
		return nil, nil, nil
	}
	have, err := attestationsOf(ctx, tx, id, sum, attest.MaxSidecar)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range list {
		i := slices.IndexFunc(have, func(h attested) bool { return h.key == a.Key })
		if i < 0 {
			added = append(added, a)
			i = len(have) + len(added) - 1
		}
		ordinals = append(ordinals, i+1)
	}
	if len(added) == 0 {
		return ordinals, nil, nil
	}
	size := 0
	for _, h := range have {
		size += len(h.bundle)
	}
	for _, a := range added {
		size += len(a.Bundle)
	}
	if n := len(have) + len(added); n > attest.MaxSidecar || size > attest.MaxPart {
		return nil, nil, fault.New(fault.TooManyBundles, "A file may have %d attestations of %d bytes together; this would make it %d of %d.", attest.MaxSidecar, attest.MaxPart, n, size)
	}
	if err := db.judgedEarlier(ctx, tx, id, added); err != nil {
		return nil, nil, err
	}
	var sidecar [32]byte
	bundles := bundlesOf(have)
	for _, a := range added {
		bundles = append(bundles, a.Bundle)
		body := attest.Sidecar(bundles)
		sidecar = sha256.Sum256(body)
		_, err := tx.ExecContext(ctx, `INSERT INTO attestation (artifact_id, sha256, ordinal, certificate_sha256, signature_sha256, bundle, verdict, fit, added_us, sidecar_sha256, sidecar_size)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			id, sum[:], len(bundles), a.Key.Certificate[:], a.Key.Signature[:], a.Bundle, text(a.Verdict), string(a.Fit), micros(at), sidecar[:], len(body))
		if err != nil {
			return nil, nil, fmt.Errorf("add attestation: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, `UPDATE artifact SET sidecar_sha256 = $2 WHERE id = $1`, id, sidecar[:]); err != nil {
		return nil, nil, fmt.Errorf("attest artifact: %w", err)
	}
	return ordinals, added, nil
}

// Subject implements publish.Store.
func (db *DB) Subject(ctx context.Context, channelID int64, d conda.Subdir, f conda.Filename) (name string, sum [32]byte, err error) {
	var digest []byte
	err = db.reader.QueryRowContext(ctx, `SELECT name, sha256 FROM artifact WHERE channel_id = $1 AND subdir = $2 AND filename = $3 AND deleted_us IS NULL`,
		channelID, d.String(), f.String()).Scan(&name, &digest)
	if errors.Is(err, sql.ErrNoRows) {
		return "", sum, fault.New(fault.NotFound, "There is no %s/%s in this channel.", d, f)
	} else if err != nil {
		return "", sum, fmt.Errorf("look for %s: %w", f, err)
	}
	return name, [32]byte(digest), nil
}

// later adds attestations to an artifact that has to be there with the bytes that they were checked for.
func (b *batch) later(ctx context.Context, c publish.Commit) (publish.Outcome, error) {
	var id int64
	var at time.Time
	err := b.tx.QueryRowContext(ctx, `SELECT id, created_us FROM artifact WHERE channel_id = $1 AND subdir = $2 AND filename = $3 AND sha256 = $4 AND deleted_us IS NULL`,
		c.Channel.ID, c.Record.Subdir.String(), c.File.String(), c.Record.SHA256[:]).Scan(&id, when{&at})
	if errors.Is(err, sql.ErrNoRows) {
		return publish.Outcome{}, fault.New(fault.NotFound, "%s/%s was deleted or replaced while its attestations were checked; nothing was stored.", c.Record.Subdir, c.File)
	} else if err != nil {
		return publish.Outcome{}, fmt.Errorf("look for %s: %w", c.File, err)
	}
	return b.attestLater(ctx, c, id, at)
}

// attestLater adds attestations to an artifact that is there since at, and has every label that lists it say so.
func (b *batch) attestLater(ctx context.Context, c publish.Commit, id int64, at time.Time) (publish.Outcome, error) {
	out := publish.Outcome{Already: true, IndexedAt: at}
	ordinals, added, err := b.db.attest(ctx, b.tx, id, c.Record.SHA256, c.Attestations, b.now())
	if err != nil || len(added) == 0 {
		out.Ordinals = ordinals
		return out, err
	}
	out.Ordinals, out.Added = ordinals, len(added)
	if slices.Max(ordinals) == len(added) { // it had none before
		if err := b.countAttested(ctx, c, id); err != nil {
			return publish.Outcome{}, err
		}
	}
	if err := b.encodeAgain(ctx, id); err != nil {
		return publish.Outcome{}, err
	}
	if c.Event.Kind != "" {
		c.Event = publish.Attesting(c.Event, added)
	}
	b.events = append(b.events, c)
	return out, nil
}

// encodeAgain makes the records of an artifact anew, in every label that lists it. The times of its listing stay.
func (b *batch) encodeAgain(ctx context.Context, id int64) error {
	e, err := b.db.entryOf(ctx, b.tx, id)
	if err != nil {
		return err
	}
	where, err := listings(ctx, b.tx, id)
	if err != nil {
		return err
	}
	for _, l := range where {
		if l.takenOut {
			continue
		}
		p, err := b.place(ctx, l.label, b.subdir)
		if err != nil {
			return err
		}
		if err := p.list(ctx, e, l.indexedAt, l.shown); err != nil {
			return err
		}
	}
	return nil
}

// Sidecar is the file of an artifact's attestations (CEP 50).
type Sidecar struct {
	Body   []byte
	SHA256 [32]byte
	// At is when its last attestation was added.
	At time.Time
}

// sidecarOf finds the attestations of what is listed in a place: the artifact, the digest of its bytes, and that of the file of
// all its attestations, which is empty for none. sql.ErrNoRows where it is not listed.
func sidecarOf(ctx context.Context, q queryer, p index.Place, f conda.Filename) (id int64, sum, newest []byte, err error) {
	plain, _ := index.SeriesOf(f, false)
	newer, _ := index.SeriesOf(f, true)
	err = q.QueryRowContext(ctx, `SELECT a.id, a.sha256, a.sidecar_sha256 FROM record r JOIN artifact a ON a.id = r.artifact_id
		WHERE r.channel_id = $1 AND r.label = $2 AND r.subdir = $3 AND r.series IN ($4, $5) AND r.filename = $6 AND r.shown > 0`,
		p.ChannelID, p.Label.String(), p.Subdir.String(), string(plain), string(newer), f.String()).Scan(&id, &sum, &newest)
	return id, sum, newest, err
}

// Sidecar reads the file of the attestations of what is listed in a place: the newest, or the earlier one with that
// digest. fault.NotFound when the file is not listed, has none, or never had that one.
func (db *DB) Sidecar(ctx context.Context, p index.Place, f conda.Filename, sum *[32]byte) (s Sidecar, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		id, digest, want, err := sidecarOf(ctx, tx, p, f)
		if err != nil {
			return err
		}
		if sum != nil {
			want = sum[:]
		}
		var ordinal int
		err = tx.QueryRowContext(ctx, `SELECT ordinal, added_us FROM attestation WHERE artifact_id = $1 AND sha256 = $2 AND sidecar_sha256 = $3`, id, digest, want).
			Scan(&ordinal, when{&s.At})
		if err != nil {
			return err
		}
		list, err := attestationsOf(ctx, tx, id, [32]byte(digest), ordinal)
		if err != nil {
			return err
		}
		s.Body = attest.Sidecar(bundlesOf(list))
		if s.SHA256 = sha256.Sum256(s.Body); s.SHA256 != [32]byte(want) {
			return fmt.Errorf("the stored attestations of %s/%s are damaged: they have SHA-256 %x, and should have %x", p.Subdir, f, s.SHA256, want)
		}
		return nil
	})
	if errors.Is(err, sql.ErrNoRows) {
		return s, fault.New(fault.NotFound, "There are no such attestations of %s/%s here.", p.Subdir, f)
	}
	return s, err
}

// Sidecars implements exporting.Store.
func (db *DB) Sidecars(ctx context.Context, p index.Place, f conda.Filename) (all [][]byte, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		all = nil
		id, digest, _, err := sidecarOf(ctx, tx, p, f)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		} else if err != nil {
			return err
		}
		list, err := attestationsOf(ctx, tx, id, [32]byte(digest), attest.MaxSidecar)
		for n := range list {
			all = append(all, attest.Sidecar(bundlesOf(list[:n+1])))
		}
		return err
	})
	return all, err
}

// Attestations implements check.Artifacts.
func (db *DB) Attestations(ctx context.Context, id int64, sum [32]byte) ([][]byte, error) {
	list, err := attestationsOf(ctx, db.reader, id, sum, attest.MaxSidecar)
	return bundlesOf(list), err
}

func bundlesOf(list []attested) [][]byte {
	out := make([][]byte, len(list))
	for i, a := range list {
		out[i] = a.bundle
	}
	return out
}

// addAttestations reads what is known of the attestations of files.
func (db *DB) addAttestations(ctx context.Context, files []catalog.File) error {
	type row struct {
		id int64
		catalog.Attestation
	}
	at := make(map[int64]*catalog.File, len(files))
	ids := make([]int64, len(files))
	for i := range files {
		ids[i], at[files[i].ID] = files[i].ID, &files[i]
	}
	for some := range slices.Chunk(ids, digestsAtOnce) {
		var p params
		rows, err := collect(ctx, db.reader, func(r *sql.Rows, v *row) error {
			var sum []byte
			err := r.Scan(&v.id, &v.Ordinal, jsonText{&v.Verdict}, &v.Fit, when{&v.AddedAt}, &sum, jsonText{&v.NoLongerTrusted})
			copy(v.Signature[:], sum)
			return err
		}, `SELECT t.artifact_id, t.ordinal, t.verdict, t.fit, t.added_us, t.signature_sha256, t.no_longer_trusted FROM attestation t JOIN artifact a ON a.id = t.artifact_id AND a.sha256 = t.sha256
			WHERE t.artifact_id IN (`+in(&p, some)+`) ORDER BY t.artifact_id, t.ordinal`, p.args...)
		if err != nil {
			return fmt.Errorf("attestations of files: %w", err)
		}
		for _, r := range rows {
			at[r.id].Attestations = append(at[r.id].Attestations, r.Attestation)
		}
	}
	return nil
}

// Bundle implements catalog.Store.
func (db *DB) Bundle(ctx context.Context, fileID int64, ordinal int) (bundle []byte, err error) {
	err = db.reader.QueryRowContext(ctx, `SELECT t.bundle FROM attestation t JOIN artifact a ON a.id = t.artifact_id AND a.sha256 = t.sha256
		WHERE t.artifact_id = $1 AND t.ordinal = $2`, fileID, ordinal).Scan(&bundle)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.New(fault.NotFound, "The file has no attestation %d.", ordinal)
	}
	return bundle, err
}
