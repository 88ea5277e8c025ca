package web

import (
	"errors"
	"slices"
	"time"

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

// signedAt is when a file that carries an attestation that counts came, and of which version it is.
type signedAt struct {
	time    time.Time
	version string
}

// history is of all files that carry an attestation that counts, the last first.
func (p pack) history() []signedAt {
	var out []signedAt
	for _, v := range p.versions {
		for _, f := range v.Files {
			if p.satisfied(f.Signatures()) {
				out = append(out, signedAt{f.UploadedAt, v.Version})
			}
		}
	}
	slices.SortFunc(out, func(a, b signedAt) int { return b.time.Compare(a.time) })
	return out
}

// stepsBack is the version of the last attested file that came before f, where f is not attested itself; else "". An import
// is no step back: nobody demands anything of it.
func (p pack) stepsBack(f catalog.File, history []signedAt) string {
	i := slices.IndexFunc(history, func(s signedAt) bool { return s.time.Before(f.UploadedAt) })
	if i < 0 || f.Source != "" || p.satisfied(f.Signatures()) {
		return ""
	}
	return history[i].version
}

// earlier is the last other version of which an attested file had come when v began to; else "".
func earlier(v catalog.Version, history []signedAt) string {
	began := first(v)
	i := slices.IndexFunc(history, func(s signedAt) bool { return s.version != v.Version && s.time.Before(began) })
	if i < 0 {
		return ""
	}
	return history[i].version
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
