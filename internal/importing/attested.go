package importing

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"sluice/internal/attest"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/publish"
)

// Attestations says what becomes of the attestations that a source has of its packages. The zero value takes none.
type Attestations string

// What may become of them.
const (
	// AttestationsNone takes none.
	AttestationsNone Attestations = "none"
	// AttestationsKept takes those that hold, and tells which did not.
	AttestationsKept Attestations = "keep"
	// AttestationsRequired refuses files of which the source has none, or one that does not hold.
	AttestationsRequired Attestations = "require"
)

// attest adds the attestations that the source has of a package to its commit.
func (j *job) attest(ctx context.Context, r *ready) error {
	if !j.takesAttestations() {
		return nil
	}
	left, err := j.judge(ctx, r)
	required := j.Attestations == AttestationsRequired
	switch {
	case errors.Is(err, errNotAttested) && !required:
		return nil
	case err != nil:
		return err
	case required && len(left) > 0:
		return fmt.Errorf("not all of its attestations hold: %w", left[0])
	}
	for _, why := range left {
		r.left = append(r.left, fault.OneLine(why.Error(), maxWhy))
	}
	return nil
}

func (j *job) takesAttestations() bool {
	return j.Attestations == AttestationsKept || j.Attestations == AttestationsRequired
}

// errNotAttested is of a file of which the source has no attestations.
var errNotAttested = errors.New("the source has no attestation of it")

// attested is the digest of the attestations that the source's index names; zero for none.
func (e entry) attested() (sum [32]byte) {
	if e.record != nil {
		sum = e.record.AttestationsSHA256
	}
	return sum
}

// attestedElse reports whether the source has other attestations than those of a file with a digest, or may have.
func (j *job) attestedElse(e entry, own [32]byte) bool {
	if e.attested() == [32]byte{} {
		return j.Legacy && own == [32]byte{}
	}
	return e.attested() != own
}

// addLater adds what the source has of attestations to a file that is there.
func (j *job) addLater(ctx context.Context, e entry) error {
	r := ready{entry: e, commit: publish.Commit{
		Channel: j.Channel, File: e.file, Record: conda.Record{Name: e.file.Name(), Subdir: e.place.Subdir, SHA256: e.there}, Later: true, Import: &publish.Import{Source: j.Source.String()},
	}}
	err := j.attest(ctx, &r)
	switch {
	case errors.Is(err, errNotAttested) || err == nil && len(r.commit.Attestations)+len(r.left) == 0:
		j.tally.present(e)
		return nil
	case err != nil:
		return err
	}
	added := 0
	if len(r.commit.Attestations) > 0 {
		results, err := j.Store.Publish(ctx, []publish.Commit{r.commit})
		if err != nil {
			return ownError{fmt.Errorf("add attestations to %s: %w", e.name(), err)}
		}
		if results[0].Err != nil {
			return results[0].Err
		}
		added = results[0].Added
	}
	j.tally.attested(r, added)
	return nil
}

// maxWhy bounds what the report tells of an attestation, in bytes.
const maxWhy = 500

// judge adds those attestations that hold, and returns why the others do not; errNotAttested where there are none.
func (j *job) judge(ctx context.Context, r *ready) (left []error, err error) {
	part, err := j.sidecar(ctx, r.entry)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, errNotAttested):
		return nil, err
	case err != nil:
		return []error{err}, nil //nolint:nilerr // what is wrong with them ends nothing
	}
	bundles, err := attest.ReadBundles(part, attest.MaxSidecar)
	if err != nil {
		return []error{err}, nil //nolint:nilerr // what is wrong with them ends nothing
	}
	if left, err = j.Judge.Imported(ctx, &r.commit, bundles); err != nil {
		return nil, ownError{err}
	}
	return left, nil
}

// sidecar fetches the file of attestations that the source's index names, and looks at its digest before anything else does.
// Where none is named it asks for the older file, if it is to.
func (j *job) sidecar(ctx context.Context, e entry) ([]byte, error) {
	want := e.attested()
	named := want != [32]byte{}
	if !named && !j.Legacy {
		return nil, errNotAttested
	}
	var part []byte
	err := patiently(ctx, cmp.Or(j.Pause, FirstPause), func() error {
		body, err := j.Source.Sidecar(ctx, e.place, e.base, e.file, want)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		_, err = b.ReadFrom(io.LimitReader(body, attest.MaxPart+1))
		part = b.Bytes()
		return errors.Join(err, body.Close())
	})
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return nil, errNotAttested
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the source's index names attestations with SHA-256 %x, and the source does not have them: %w", want, err)
	case err != nil:
		return nil, fmt.Errorf("fetch its attestations: %w", err)
	case len(part) > attest.MaxPart:
		return nil, fmt.Errorf("its attestations have more than %d bytes", attest.MaxPart)
	}
	if sum := sha256.Sum256(part); named && sum != want {
		return nil, fmt.Errorf("its attestations have SHA-256 %x, and the source's index says %x: they were changed or damaged there", sum, want)
	}
	return part, nil
}
