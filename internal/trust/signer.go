package trust

import (
	"context"

	"sluice/internal/attest/fulcio"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/trust/provider"
)

// SignedBy refuses a signer that is not the run of the token: fault.SignerMismatch with what differs.
func (t PublishToken) SignedBy(s fulcio.Signer) error {
	signed, ok := certified(t.Run.Provider, s)
	if !ok {
		return fault.New(fault.SignerMismatch, "The attestation's certificate names %s, which cannot be held against a run of %s: upload without it.", cut(s.Identity, shownLen), t.Run.Issuer)
	}
	differences := provider.SameRun(t.Run, signed)
	if len(differences) == 0 {
		return nil
	}
	d := differences[0]
	return fault.New(fault.SignerMismatch, "The attestation was signed by another run than the one that uploads: its certificate has the %s %s, the token %s.",
		d.Claim, shown(d.Got), shown(d.Want)).With(differences)
}

// certified is the run that a certificate names, in the words of a kind of CI service.
func certified(kind string, s fulcio.Signer) (Provenance, bool) {
	p, ok := provider.ByName(kind)
	if !ok {
		return Provenance{}, false
	}
	c, ok := p.(provider.Certifier)
	if !ok {
		return Provenance{}, false
	}
	return c.Certified(s)
}

// ByPublisher refuses a signer that no live publisher of the channel lets publish packages of that name in the subdir:
// fault.SignerMismatch.
func (s *Publishers) ByPublisher(ctx context.Context, channelID int64, signer fulcio.Signer, name string, subdir conda.Subdir) error {
	all, err := s.Store.Publishers(ctx, channelID)
	if err != nil {
		return err
	}
	for _, pub := range all {
		run, ok := certified(pub.Provider, signer)
		if !ok || pub.Right == Read || pub.Issuer != run.Issuer {
			continue
		}
		p, _ := provider.ByName(pub.Provider) // or nothing would be certified
		if code, _ := pub.End(s.Now()); code != "" || !provider.Match(p, pub.Rule, run).Granted() {
			continue
		}
		names, ok := pub.namesFor(run.Name())
		if ok && (Grant{Right: Publish, Packages: names, Subdirs: pub.Subdirs}).Allows(name, subdir) {
			return nil
		}
	}
	return fault.New(fault.SignerMismatch, "The attestation was signed by %s, and no trusted publisher of the channel lets that publish %s/%s: have an owner add it, or upload without the attestation.",
		cut(signer.Identity, 150), subdir, name)
}
