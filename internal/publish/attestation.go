package publish

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"sluice/internal/attest"
	"sluice/internal/attest/fulcio"
	"sluice/internal/attest/policy"
	"sluice/internal/conda"
	"sluice/internal/fault"
)

// Attestation is a bundle that was checked and may stand beside an artifact.
type Attestation struct {
	// Bundle is as attest.ReadBundles gave it.
	Bundle []byte
	// Signature is what was found out: the verdict, and why the signer may sign.
	policy.Signature

	// notRun and notPublisher say why the signer is not the run that uploads, and none that a trusted publisher lets in,
	// for whoever wants one.
	notRun, notPublisher error
}

// Signers says who may sign.
type Signers interface {
	// ByPublisher refuses, with fault.SignerMismatch, a signer that no live publisher of the channel lets publish the
	// package in the subdir.
	ByPublisher(ctx context.Context, channelID int64, s fulcio.Signer, name string, d conda.Subdir) error
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

// attest adds the attestations of the body to the commit, and holds it to what the channel demands.
func (r *Received) attest(ctx context.Context, c *Commit) error {
	err := r.uploads.attest(ctx, c, r.bundles)
	if r.bare && fault.Is(err, fault.AttestationRequired) {
		return fault.Wrap(err, fault.AttestationRequired, "Channel %s takes %s only with an attestation, and a raw body has no room for one: send a multipart form with the parts file and attestation, or use a client that has --generate-attestation.",
			c.Channel.Name, c.Record.Name)
	}
	c.Record.AttestationsSHA256 = sidecarOf(c.Attestations)
	return err
}

// attest adds attestations to a commit, and holds it to what the channel demands.
func (u *Uploads) attest(ctx context.Context, c *Commit, bundles [][]byte) (err error) {
	if len(bundles) > 0 {
		if c.Channel.Attestations.Mode == policy.Off {
			return c.takesNone()
		}
		if c.Attestations, err = u.attested(ctx, *c, bundles); err != nil {
			return err
		}
	}
	return c.Hold(c.Channel.Attestations)
}

// attested checks attestations of the file of a commit, and finds out who signed them. What the channel demands is
// Commit.Hold's to ask. One that is refused refuses all: to drop it would be to strip it.
func (u *Uploads) attested(ctx context.Context, c Commit, bundles [][]byte) (out []Attestation, err error) {
	j := Judge{u.Attest, u.Signers, u.Now}
	for _, b := range bundles {
		a, err := j.judge(ctx, c, b)
		if err != nil {
			return nil, err
		}
		out = withOne(out, a)
	}
	return out, nil
}

// withOne is a list with one more, unless it is there.
func withOne(list []Attestation, a Attestation) []Attestation {
	if slices.ContainsFunc(list, func(b Attestation) bool { return b.Key == a.Key }) {
		return list
	}
	return append(list, a)
}

// Judge finds out what attestations prove of an artifact, and why their signers may sign. All fields are required.
type Judge struct {
	Attest  *attest.Checker
	Signers Signers
	Now     func() time.Time
}

// Imported adds the attestations that an artifact had elsewhere to the commit that brings it in, in order, but for those that
// do not hold or that the channel takes none of: of these it returns why. The error is for what is no fault of theirs.
func (j Judge) Imported(ctx context.Context, c *Commit, bundles [][]byte) (left []error, err error) {
	for _, b := range bundles {
		if c.Channel.Attestations.Mode == policy.Off {
			left = append(left, c.takesNone())
			continue
		}
		a, err := j.judge(ctx, *c, b)
		if _, refused := errors.AsType[*fault.Error](err); refused {
			left = append(left, err)
			continue
		} else if err != nil {
			return left, err
		}
		c.Attestations = withOne(c.Attestations, a)
	}
	c.Record.AttestationsSHA256 = sidecarOf(c.Attestations)
	return left, nil
}

// judge checks one bundle.
func (j Judge) judge(ctx context.Context, c Commit, b []byte) (Attestation, error) {
	p := c.Channel.Attestations
	checker := j.Attest.Only(p.Instances...)
	check := checker.Check
	if p.OtherStatements {
		check = checker.CheckAny
	}
	v, err := check(b, attest.Subject{File: c.File.String(), SHA256: c.Record.SHA256})
	if err != nil {
		return Attestation{}, err
	}
	if err := signedInTime(v, j.Now(), c.Right.Publish != nil); err != nil {
		return Attestation{}, err
	}
	a := Attestation{Bundle: b, Signature: policy.Signature{Verdict: v}}
	return a, j.fit(ctx, c, &a)
}

// signedInTime refuses signatures of times to come, and old ones where a run uploads what it has just built. Statements of
// other kinds than CEP 27's may be older: others make them.
func signedInTime(v attest.Verdict, now time.Time, byRun bool) error {
	if v.SignedAt().After(now.Add(clockSkew)) {
		return fault.New(fault.TimeUnproven, "The attestation says that it was signed at %s, which is still to come: this server's clock, or theirs, is wrong.", v.SignedAt().Format(time.RFC3339))
	}
	if byRun && v.Publishes() && now.Sub(v.SignedAt()) > oldest {
		return fault.New(fault.TimeUnproven, "The attestation was signed at %s, more than a day ago, and a run attests what it has just built.", v.SignedAt().Format(time.RFC3339))
	}
	return nil
}

// fit finds out why the signer may sign: as the run that uploads, as one that a publisher of the channel lets in, or as
// neither.
func (j Judge) fit(ctx context.Context, c Commit, a *Attestation) error {
	if c.Right.Publish != nil {
		if a.notRun = c.Right.Publish.SignedBy(a.Signer); a.notRun == nil {
			a.Fit = policy.ByRun
			return nil
		}
	}
	a.notPublisher = j.Signers.ByPublisher(ctx, c.Channel.ID, a.Signer, c.Record.Name, c.Record.Subdir)
	switch {
	case a.notPublisher == nil:
		a.Fit = policy.ByPublisher
	case fault.Is(a.notPublisher, fault.SignerMismatch):
		a.Fit = policy.ByOther
	default:
		return a.notPublisher
	}
	return nil
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
