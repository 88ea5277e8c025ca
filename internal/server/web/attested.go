package web

import (
	"errors"
	"slices"

	"sluice/internal/attest/policy"
	"sluice/internal/catalog"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/server/web/page"
)

// demand is what a channel demands of attestations today.
type demand struct {
	policy policy.Policy
	// address is where clients find the channel, which attestations are made for.
	address string
}

func (s *site) demandOf(ch channel.Channel) demand {
	return demand{ch.Attestations, s.URL + "/" + ch.Name.String()}
}

// demandsOf are the demands of channels, by their names.
func (s *site) demandsOf(channels []channel.Channel) map[conda.Channel]demand {
	out := make(map[conda.Channel]demand, len(channels))
	for _, ch := range channels {
		out[ch.Name] = s.demandOf(ch)
	}
	return out
}

// counts refuses an attestation that satisfies nothing that is demanded.
func (d demand) counts(s policy.Signature) error { return d.policy.Counts(s, d.address) }

// satisfied reports whether one of a file's signatures counts.
func (d demand) satisfied(signatures []policy.Signature) bool {
	return slices.ContainsFunc(signatures, func(s policy.Signature) bool { return d.counts(s) == nil })
}

// attested counts the files that carry an attestation that counts.
func (p pack) attested(files []catalog.File) (n int) {
	for _, f := range files {
		if p.satisfied(f.Signatures()) {
			n++
		}
	}
	return n
}

// lastAttested is the first of the versions that has an attested file; "" where none has.
func (p pack) lastAttested(versions []catalog.Version) string {
	for _, v := range versions {
		if p.attested(v.Files) > 0 {
			return v.Version
		}
	}
	return ""
}

// signed is an attestation as its reader may see it: what a private repository has on its own site is linked for members
// of the channel alone.
func (p pack) signed(a catalog.Attestation) page.Attested {
	s := a.Signer
	out := page.Attested{
		Ordinal: a.Ordinal, Predicate: a.Predicate, ByRun: a.Fit == string(policy.ByRun), ByPublisher: a.Fit == string(policy.ByPublisher),
		Target: a.Target.URL, SignedAt: a.SignedAt(), Log: a.Log.Index, Instance: a.Profile, Root: a.Root, AddedAt: a.AddedAt,
		Signer: page.Signer{
			Identity: s.Identity, Issuer: s.Issuer, Repository: s.Repository, RepositoryID: s.RepositoryID, Workflow: s.BuildConfig, Run: s.Run,
			Commit: s.Commit, Ref: s.Ref, Trigger: s.Trigger, Environment: s.Environment, Runner: s.Runner, Linked: p.inside || s.Visibility == "public",
		},
	}
	why := p.counts(a.Signed())
	out.Counts = why == nil
	if refusal, ok := errors.AsType[*fault.Error](why); ok {
		out.Why = refusal.Detail
	}
	if d := a.NoLongerTrusted; d != nil {
		out.Distrusted = &page.Distrusted{At: d.At, Why: d.Sentence, Root: d.Root}
	}
	return out
}
