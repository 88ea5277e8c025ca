package web

import (
	"errors"
	"slices"

	"sluice/internal/attest/policy"
	"sluice/internal/catalog"
	"sluice/internal/fault"
	"sluice/internal/server/web/page"
)

// counts refuses an attestation that satisfies no demand of the channel, as it demands today.
func (p pack) counts(a catalog.Attestation) error {
	return p.Attestations.Counts(policy.Signature{Verdict: a.Verdict, Fit: policy.Fit(a.Fit), Distrust: a.NoLongerTrusted}, p.address)
}

// attested counts the files that carry an attestation that counts.
func (p pack) attested(files []catalog.File) (n int) {
	for _, f := range files {
		if slices.ContainsFunc(f.Attestations, func(a catalog.Attestation) bool { return p.counts(a) == nil }) {
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
	why := p.counts(a)
	out.Counts = why == nil
	if refusal, ok := errors.AsType[*fault.Error](why); ok {
		out.Why = refusal.Detail
	}
	if d := a.NoLongerTrusted; d != nil {
		out.Distrusted = &page.Distrusted{At: d.At, Why: d.Sentence, Root: d.Root}
	}
	return out
}
