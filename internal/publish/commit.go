package publish

import (
	"context"
	"time"

	"sluice/internal/access"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/trust"
)

// Commit is everything that one upload writes together.
type Commit struct {
	Channel channel.Channel
	// Address is the channel's public one, for which attestations are made.
	Address string
	// Labels are where the artifact is listed; none: it is held, and no reader sees it.
	Labels []conda.Label
	File   conda.Filename
	// Record is what the index will say; the store sets its IndexedMS, the moment of the listing.
	Record     conda.Record
	RunExports conda.RunExports
	// Traits are what channeldata.json tells of the package's files.
	Traits conda.Traits
	// Patch lies over Record and RunExports where the index speaks of the artifact; Record is the package's own.
	Patch conda.Patch
	// RawIndex is info/index.json as the package has it.
	RawIndex []byte
	About    artifact.About
	// Attestations are those that came with it; Record has the digest of their file.
	Attestations []Attestation
	// Later says that the artifact is there, and that nothing but Attestations is added to it. Of Record its name, subdir and
	// SHA-256 are then set alone: those that the attestations were checked for.
	Later bool
	// Right is who uploads; Grants the publishers' rules that cover it, of which the store takes the first that still
	// stands and has room for it; one zero grant for accounts.
	Right  access.Right
	Grants []trust.Grant
	// V3 says that only readers of revision 3 may see the record (CEP 48).
	V3 bool
	// Force says that the caller wants to replace what is there, which some channels allow.
	Force bool
	// Import says that an operator brings the artifact from another channel. Right and Grants are then not looked at.
	Import *Import
	// Event is the audit event; the store fills in what only it knows.
	Event audit.Event
}

// Import is what the source of an imported artifact says of it, beside its bytes.
type Import struct {
	// Source is the address or folder that it came from, without credentials.
	Source string
	// UploadedAt is when it was published there, IndexedAt when it was first listed there (CEP 47). The first may be zero:
	// not known; the second is kept as the time of the listing, and is zero where nobody knows better than now.
	UploadedAt, IndexedAt time.Time
	// IndexedIn goes before IndexedAt for the labels that it has.
	IndexedIn map[conda.Label]time.Time
	// Yanked says that the source lists it among its removed files only; YankedAt and YankedWhy are when and why, where the
	// source tells.
	Yanked    bool
	YankedAt  time.Time
	YankedWhy string
}

// Listed is when a label first listed the artifact; zero: not before now. A nil Import knows of no label.
func (i *Import) Listed(l conda.Label) time.Time {
	if i == nil {
		return time.Time{}
	}
	if at, ok := i.IndexedIn[l]; ok {
		return at
	}
	return i.IndexedAt
}

// Outcome is what became of a commit.
type Outcome struct {
	// Already says that the same bytes were published before by the same right, and nothing changed.
	Already bool
	// Ordinals are those of the attestations of the commit among all of an artifact that was there before, in the order of
	// the commit; Added counts those that are new.
	Ordinals []int
	Added    int
	// IndexedAt is when the artifact was listed.
	IndexedAt time.Time
	// Generation is the number of the generation that shows it; 0 where nothing changed.
	Generation int64
}

// Result is what became of one commit among others.
type Result struct {
	Outcome
	// Err is why this one was refused; nil otherwise.
	Err error
}

// Store writes artifacts. One method is one transaction.
type Store interface {
	// Subject tells the package name and the bytes of an artifact that is there; fault.NotFound where there is none, or it was
	// deleted.
	Subject(ctx context.Context, channelID int64, d conda.Subdir, f conda.Filename) (name string, sha256 [32]byte, err error)
	// Publish makes artifacts of one channel and subdir, or attestations of such that are there, and all that shows them,
	// one generation for all of them, and tells of each what became of it, in order. One that is refused harms no other. The
	// error is for what befell all of them: then nothing was written, or it is not known.
	//
	// It checks once more, with everything else locked out, that each right is still alive (fault.Revoked), and holds each to
	// what the channel demands of attestations at that moment (Commit.Hold, fault.AttestationRegressed). Other
	// refusals: fault.Exists for other bytes (or another right) under the same name, fault.TwinDiffers,
	// fault.NewNameNotAllowed and fault.RunLimit where no grant lets the run do more, fault.V3NotAllowed, fault.TooManyBundles,
	// and fault.NotFound for attestations of what is not there any more.
	Publish(ctx context.Context, all []Commit) ([]Result, error)
	// Referenced reports whether any artifact has these bytes.
	Referenced(ctx context.Context, sha256 [32]byte) (bool, error)
}
