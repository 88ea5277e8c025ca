package attest

import (
	"sluice/internal/attest/fulcio"
	"sluice/internal/fault"
)

// Wanted is who has to have signed; a value that is empty is compared with nothing. Values are compared to the byte.
type Wanted struct {
	Identity, Issuer, Repository string
}

// IsZero reports whether anybody will do.
func (w Wanted) IsZero() bool { return w == Wanted{} }

// Match compares the signer, and refuses with fault.SignerMismatch and all differences.
func (w Wanted) Match(s fulcio.Signer) error {
	var differences []fault.Difference
	for _, p := range []struct{ name, want, got string }{
		{"issuer", w.Issuer, s.Issuer}, {"identity", w.Identity, s.Identity}, {"repository", w.Repository, s.Repository},
	} {
		if p.want != "" && p.want != p.got {
			differences = append(differences, fault.Difference{Claim: p.name, Got: p.got, Want: p.want})
		}
	}
	if len(differences) == 0 {
		return nil
	}
	d := differences[0]
	return fault.New(fault.SignerMismatch, "Somebody else signed: the attestation has the %s %q, and %q is wanted.", d.Claim, fault.OneLine(d.Got, 150), fault.OneLine(d.Want, 150)).With(differences)
}

// For refuses a target that is not the channel at an address, with fault.TargetMismatch.
func (t Target) For(channel string) error {
	if t.Is(channel) {
		return nil
	}
	if t.URL == "" {
		return fault.New(fault.TargetMismatch, "The attestation was made for no channel in particular, and %q is wanted.", fault.OneLine(channel, 200))
	}
	return fault.New(fault.TargetMismatch, "The attestation was made for the channel %q, and %q is wanted.", fault.OneLine(t.URL, 200), fault.OneLine(channel, 200))
}
