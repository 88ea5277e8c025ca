package verify

import (
	"errors"

	"sluice/internal/attest"
	"sluice/internal/attest/policy"
	"sluice/internal/fault"
)

// demand is what the attestations of one file are held to.
type demand struct {
	policy policy.Policy
	// address is that of the channel for which they have to be made.
	address string
	// name is that of the package.
	name string
	// each says that every attestation has to hold, since the channel's server took it; else one that counts is enough.
	each bool
	// fit says why the signer of an attestation, which is given by its place, may sign. Its error is a refusal.
	fit func(i int, v attest.Verdict) (policy.Fit, error)
}

// judge looks at all attestations of a file, and adds to its report what it finds. The error is for what kept them from
// being looked at.
func (d demand) judge(c *attest.Checker, s attest.Subject, bundles [][]byte, r *Report) error {
	var last *fault.Error
	counts, broken := false, false
	for i, b := range bundles {
		v, err := c.CheckAny(b, s)
		if fault.Is(err, fault.NoTrustRoot) {
			return err
		}
		var a Attestation
		held := err == nil
		if held {
			a = proven(v)
			err = d.counts(i, v)
		}
		if refusal, ok := errors.AsType[*fault.Error](err); ok {
			a.Code, a.Detail = refusal.Code, refusal.Detail
			switch {
			case !held && d.each:
				broken = true
				r.fail(string(a.Code), a.Detail)
			case !held || v.Publishes():
				last = refusal
			}
		} else if err != nil {
			return err
		}
		a.Counts = err == nil
		counts = counts || a.Counts
		r.Attestations = append(r.Attestations, a)
	}
	switch {
	case counts, broken:
	case last != nil && !d.bears(last):
		r.fail(string(last.Code), last.Detail)
	case d.policy.Needs(d.name):
		r.fail(string(fault.AttestationRequired), "No attestation says that the file was published, and "+d.name+" needs one.")
	}
	return nil
}

// bears reports whether a file may have no other attestation than one that is refused so: what a channel has itself let in
// beside files that need none, as imports do, unless its owners have denied the signature since.
func (d demand) bears(refusal *fault.Error) bool {
	return d.each && !d.policy.Needs(d.name) && refusal.Code != fault.SignerDenied
}

// counts refuses an attestation that holds and does not count.
func (d demand) counts(i int, v attest.Verdict) error {
	fit, err := d.fit(i, v)
	if err != nil {
		return err
	}
	return d.policy.Counts(policy.Signature{Verdict: v, Fit: fit}, d.address)
}
