package publish

import (
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"sluice/internal/access"
	"sluice/internal/attest"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/fault"
)

// AddAttestations adds attestations to an artifact that is there, yanked or not: part is one bundle or an array of them, at
// most attest.MaxPart bytes. All of them are added, but for those that are there, or none. The artifact stays as it is, and so
// does the time of its listing. Whoever may upload the artifact may add to it, by the same rules.
//
// Errors: fault.NotFound for an artifact that is not there, those of access.Right.Grants, attest.ReadBundles and of the check
// of an upload's attestations, and those of Store.Publish.
func (u *Uploads) AddAttestations(ctx context.Context, ch channel.Channel, right access.Right, d conda.Subdir, f conda.Filename, part []byte) (Outcome, error) {
	bundles, err := attest.ReadBundles(part, attest.MaxBundles)
	if err != nil {
		return Outcome{}, err
	}
	name, sum, err := u.Store.Subject(ctx, ch.ID, d, f)
	if err != nil {
		return Outcome{}, err
	}
	grants, err := right.Grants(name, d)
	if err != nil {
		return Outcome{}, err
	}
	c := Commit{
		Channel: ch, Address: u.URL + "/" + ch.Name.String(), File: f, Record: conda.Record{Name: name, Subdir: d, SHA256: sum}, Later: true, Right: right, Grants: grants,
		Event: audit.Event{
			Kind: audit.Attested, ChannelID: ch.ID, Channel: ch.Name.String(), Subject: d.String() + "/" + f.String(),
			Facts: map[string]string{"sha256": hex.EncodeToString(sum[:])}, RequestID: audit.Request(ctx),
		},
	}
	if err := u.attest(ctx, &c, bundles); err != nil {
		return Outcome{}, err
	}
	// From here on the client's connection has no say.
	ctx = context.WithoutCancel(ctx)
	return u.committer.commit(ctx, u.committer.enter(ch.ID, d), c)
}

// Attesting is e as the event that attestations were added to what was there.
func Attesting(e audit.Event, added []Attestation) audit.Event {
	predicates, signers := map[string]bool{}, map[string]bool{}
	for _, a := range added {
		predicates[fault.OneLine(a.Predicate, maxFact)] = true
		signers[fault.OneLine(a.Signer.Identity, maxFact)] = true
	}
	words := func(set map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(set)), ", ") }
	e.Kind, e.Sentence, e.Facts = audit.Attested, "added an attestation to "+e.Subject, maps.Clone(e.Facts)
	if len(added) > 1 {
		e.Sentence = "added attestations to " + e.Subject
	}
	e.Facts["predicate"], e.Facts["signer"] = words(predicates), words(signers)
	return e
}

// maxFact bounds what an event tells of one text of an attestation, in bytes.
const maxFact = 300
