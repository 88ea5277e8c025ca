package publish

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"sluice/internal/access"
	"sluice/internal/attest"
	"sluice/internal/attest/fulcio"
	"sluice/internal/attest/policy"
	"sluice/internal/channel"
	"sluice/internal/fault"
)

// Attestation is a bundle that was checked and may stand beside an artifact.
type Attestation struct {
	// Bundle is as attest.ReadBundles gave it.
	Bundle []byte
	attest.Verdict
	// Fit says why the signer may sign.
	Fit policy.Fit
}

// Signers says who may sign.
type Signers interface {
	// ByPublisher refuses, with fault.SignerMismatch, a signer that no live publisher of the channel lets publish the package.
	ByPublisher(ctx context.Context, channelID int64, s fulcio.Signer, name string) error
}

const (
	// oldest is how old a signature may be that comes with a publish token: the run has just made it, and older ones
	// are somebody else's.
	oldest = 24 * time.Hour
	// clockSkew is by how much others' clocks may be ahead.
	clockSkew = 5 * time.Minute
)

// Attest adds what came with the body as its attestations: at most attest.MaxPart bytes. It is checked when the package is published.
// Errors: those of attest.ReadBundles.
func (r *Received) Attest(part []byte) (err error) {
	r.bundles, err = attest.ReadBundles(part, attest.MaxBundles)
	return err
}

// attested checks the attestations of the body. One that is refused refuses the upload: to drop it would be to strip it.
func (r *Received) attested(ctx context.Context, ch channel.Channel, right access.Right, name string) (out []Attestation, err error) {
	for _, b := range r.bundles {
		v, err := r.uploads.Attest.Check(b, attest.Subject{File: r.file.String(), SHA256: r.sha256})
		if err != nil {
			return nil, err
		}
		if v.Target != (attest.Target{}) {
			if err := v.Target.For(r.uploads.URL + "/" + ch.Name.String()); err != nil {
				return nil, err
			}
		}
		fit, err := r.uploads.signedBy(ctx, ch, right, v, name)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(out, func(a Attestation) bool { return a.Key == v.Key }) {
			out = append(out, Attestation{Bundle: b, Verdict: v, Fit: fit})
		}
	}
	return out, nil
}

// signedBy says why the signer may sign: a CI run signs for itself, and what a person uploads was signed by a run of the
// channel's publishers.
func (u *Uploads) signedBy(ctx context.Context, ch channel.Channel, right access.Right, v attest.Verdict, name string) (policy.Fit, error) {
	now := u.Now()
	if v.SignedAt().After(now.Add(clockSkew)) {
		return "", fault.New(fault.TimeUnproven, "The attestation says that it was signed at %s, which is still to come: this server's clock, or theirs, is wrong.", v.SignedAt().Format(time.RFC3339))
	}
	if right.Publish == nil {
		return policy.ByPublisher, u.Signers.ByPublisher(ctx, ch.ID, v.Signer, name)
	}
	if now.Sub(v.SignedAt()) > oldest {
		return "", fault.New(fault.TimeUnproven, "The attestation was signed at %s, more than a day ago, and a run attests what it has just built.", v.SignedAt().Format(time.RFC3339))
	}
	return policy.ByRun, right.Publish.SignedBy(v.Signer)
}

// sidecarOf is the digest of the file of new attestations; zero for none.
func sidecarOf(list []Attestation) (sum [32]byte) {
	if len(list) == 0 {
		return sum
	}
	bundles := make([][]byte, len(list))
	for i, a := range list {
		bundles[i] = a.Bundle
	}
	return sha256.Sum256(attest.Sidecar(bundles))
}
