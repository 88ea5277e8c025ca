package publish

import (
	"slices"

	"sluice/internal/attest"
	"sluice/internal/attest/policy"
	"sluice/internal/fault"
	"sluice/internal/trust"
)

// Hold holds the commit to what its channel demands of attestations, and leaves the grants whose publishers demand no more
// than it brings. It compares what was found out before, so that the store can ask once more, inside its transaction, by
// the policy as it is then. Imports are an operator's, and held to nothing.
//
// Errors: fault.AttestationsOff, fault.AttestationRequired, fault.NotStatement, and those of policy.Policy.Counts.
func (c *Commit) Hold(p policy.Policy) error {
	if c.Import != nil {
		return nil
	}
	if p.Mode == policy.Off && len(c.Attestations) > 0 {
		return c.takesNone()
	}
	var first error
	var met []trust.Grant
	for _, g := range c.Grants {
		err := c.meets(p, g.Demand)
		if err == nil {
			met = append(met, g)
		} else if first == nil {
			first = err
		}
	}
	if len(met) == 0 {
		return first
	}
	c.Grants = met
	return nil
}

// takesNone refuses attestations in a channel that wants none.
func (c *Commit) takesNone() error {
	return fault.New(fault.AttestationsOff, "Channel %s takes no attestations: upload without --generate-attestation and --attestation, or let an owner of the channel switch them on.", c.Channel.Name)
}

// meets refuses what a channel does not take by a publisher that demands something beside.
func (c *Commit) meets(p policy.Policy, d policy.Demand) error {
	if p.Mode == policy.Off && d.Attestations == policy.Required {
		return fault.New(fault.AttestationsOff, "The trusted publisher demands an attestation, and channel %s takes none: an owner of the channel changes one of the two.", c.Channel.Name)
	}
	p = p.And(d)
	for _, a := range c.Attestations {
		if err := c.takes(p, a); err != nil {
			return err
		}
	}
	if c.Later {
		return nil // what the file needed it has been held to when it came
	}
	if publishes := func(a Attestation) bool { return a.Publishes() }; len(c.Attestations) > 0 && !slices.ContainsFunc(c.Attestations, publishes) {
		return fault.New(fault.NotStatement, "The upload brings a statement of the type %q alone, and needs one with the predicate type %q beside it, which says that the file is published: upload with --generate-attestation.",
			fault.OneLine(c.Attestations[0].Predicate, 200), attest.PredicateType)
	}
	return p.Judge(c.Record.Name, c.signatures(), c.Address)
}

// takes refuses one attestation. Who made a statement that does not say that the file is published, which satisfies nothing,
// is not asked.
func (c *Commit) takes(p policy.Policy, a Attestation) error {
	if err := p.Takes(a.Verdict, c.Address); err != nil {
		return err
	}
	if !a.Publishes() {
		if !p.OtherStatements {
			return fault.New(fault.NotStatement, "The statement is of the type %q, and channel %s takes those with the predicate type %q alone.", fault.OneLine(a.Predicate, 200), c.Channel.Name, attest.PredicateType)
		}
		return nil
	}
	byRun := c.Right.Publish != nil
	if p.Lets(a.Fit, byRun) {
		return nil
	}
	if byRun && p.Signer == policy.SignedByRun {
		return a.notRun
	}
	return a.notPublisher
}

// signatures are the attestations of the commit as policies see them.
func (c *Commit) signatures() []policy.Signature {
	out := make([]policy.Signature, len(c.Attestations))
	for i, a := range c.Attestations {
		out[i] = a.Signature
	}
	return out
}
