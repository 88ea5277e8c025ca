package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"runtime"
	"slices"

	"sluice/internal/attest"
	"sluice/internal/attest/policy"
	"sluice/internal/channel"
	"sluice/internal/check"
	"sluice/internal/conda"
)

// Store is what is read of the database.
type Store interface {
	// ArtifactsAfter lists artifacts by number, those after a number, with everything that labels say of them.
	ArtifactsAfter(ctx context.Context, channelID, after int64, limit int) ([]check.Artifact, error)
	// Signed reads the attestations that an artifact has for these bytes, in order.
	Signed(ctx context.Context, id int64, sum [32]byte) ([]Signed, error)
}

// Signed is a stored attestation.
type Signed struct {
	Bundle []byte
	// Fit is why its signer was let in.
	Fit policy.Fit
}

// Own looks at the files of a channel whose server keeps its data where this program runs.
type Own struct {
	Store Store
	Blobs check.Blobs
	// Packages reads packages.
	Packages *check.Checker
	Attest   *attest.Checker
	// URL is the public address of the server, without a slash at its end.
	URL string
}

// Selection says which files are looked at.
type Selection struct {
	// Quick leaves the bytes of packages unread: whether they are there, and as many as there should be, is all that is asked.
	Quick bool
	// Subdirs and Names are those that are looked at; none: all.
	Subdirs []conda.Subdir
	Names   []string
}

// means reports whether a file is looked at.
func (s Selection) means(d, name string) bool {
	return (len(s.Subdirs) == 0 || slices.ContainsFunc(s.Subdirs, func(o conda.Subdir) bool { return o.String() == d })) &&
		(len(s.Names) == 0 || slices.Contains(s.Names, name))
}

// artifactsAtOnce bounds what is in memory of artifacts that nobody has looked at yet.
const artifactsAtOnce = 100

// Channel looks at every file of a channel that readers can get, in the order in which they came, and hands on what it
// finds, one report at a time. Uploads may go on beside it. The error is for what kept it from being looked at, or hand's.
func (o *Own) Channel(ctx context.Context, ch channel.Channel, s Selection, hand func(Report) error) error {
	return inOrder(ctx, runtime.GOMAXPROCS(0), o.artifacts(ctx, ch, s), func(ctx context.Context, a check.Artifact) (*Report, error) {
		return o.twice(ctx, ch, a, s.Quick)
	}, func(r *Report) error {
		if r == nil {
			return nil
		}
		return hand(*r)
	})
}

// artifacts lists the files that are looked at.
func (o *Own) artifacts(ctx context.Context, ch channel.Channel, s Selection) iter.Seq2[check.Artifact, error] {
	return func(yield func(check.Artifact, error) bool) {
		for after := int64(0); ; {
			some, err := o.Store.ArtifactsAfter(ctx, ch.ID, after, artifactsAtOnce)
			if err != nil {
				yield(check.Artifact{}, err)
				return
			}
			for _, a := range some {
				after = a.ID
				if !a.Purged && !a.Deleted && s.means(a.Subdir, nameOf(a.File)) && !yield(a, nil) {
					return
				}
			}
			if len(some) < artifactsAtOnce {
				return
			}
		}
	}
}

// nameOf is the package name in a file's name; empty where it is none.
func nameOf(file string) string {
	f, _ := conda.ParseFilename(file) // whoever looks at the file tells that it is none
	return f.Name()
}

// twice looks at a file, and once more where something is wrong: meanwhile it may have been replaced or deleted, and its bytes
// with it. Of a file that is gone there is nothing to say.
func (o *Own) twice(ctx context.Context, ch channel.Channel, a check.Artifact, quick bool) (*Report, error) {
	r, err := o.look(ctx, ch, a, quick)
	if err != nil || r.Verdict != Failed {
		return r, err
	}
	again, err := o.Store.ArtifactsAfter(ctx, ch.ID, a.ID-1, 1)
	if err != nil || len(again) == 0 || again[0].ID != a.ID || again[0].Purged || again[0].Deleted {
		return nil, err
	}
	return o.look(ctx, ch, again[0], quick)
}

// look looks at one file.
func (o *Own) look(ctx context.Context, ch channel.Channel, a check.Artifact, quick bool) (*Report, error) {
	r := &Report{Channel: ch.Name.String(), Subdir: a.Subdir, File: a.File, SHA256: hex.EncodeToString(a.SHA256[:])}
	own, err := o.bytes(ctx, a, quick, r)
	if err != nil {
		return nil, fmt.Errorf("%s/%s: %w", a.Subdir, a.File, err)
	}
	if own != nil {
		for _, d := range check.Recorded(a, *own) {
			r.differs(d)
		}
	}
	if err := o.attestations(ctx, ch, a, r); err != nil {
		return nil, fmt.Errorf("%s/%s: %w", a.Subdir, a.File, err)
	}
	r.conclude()
	return r, nil
}

// bytes reads the bytes of a file and what the package says of itself; nil where that cannot be, which the report tells.
func (o *Own) bytes(ctx context.Context, a check.Artifact, quick bool, r *Report) (*check.Own, error) {
	if quick {
		return &a.Own, o.there(ctx, a, r)
	}
	own, d, differs, err := o.Packages.Package(ctx, a)
	if differs {
		r.differs(d)
	}
	if own != nil {
		r.Bytes = own.Size
	}
	return own, err
}

// there asks whether there are as many bytes as there should be.
func (o *Own) there(ctx context.Context, a check.Artifact, r *Report) error {
	f, n, err := o.Blobs.Open(ctx, a.SHA256)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.fail(string(check.BlobMissing), fmt.Sprintf("no bytes, should be %d", a.Size))
		return nil
	case err != nil:
		return err
	case n != a.Size:
		r.fail(string(check.BlobChanged), fmt.Sprintf("%d bytes, should be %d", n, a.Size))
	}
	return f.Close()
}

// attestations compares the attestations with the digest that records tell of them, and looks at each.
func (o *Own) attestations(ctx context.Context, ch channel.Channel, a check.Artifact, r *Report) error {
	signed, err := o.Store.Signed(ctx, a.ID, a.SHA256)
	if err != nil {
		return err
	}
	bundles := make([][]byte, len(signed))
	for i, s := range signed {
		bundles[i] = s.Bundle
	}
	var sum [32]byte
	if len(bundles) > 0 {
		sum = sha256.Sum256(attest.Sidecar(bundles))
	}
	if sum != a.Sidecar {
		r.fail(string(check.Attested), fmt.Sprintf("%d attestations with SHA-256 %x, should be SHA-256 %x", len(bundles), sum, a.Sidecar))
	}
	d := demand{
		policy: ch.Attestations, address: o.URL + "/" + ch.Name.String(), name: nameOf(a.File), each: true,
		fit: func(i int, _ attest.Verdict) (policy.Fit, error) { return signed[i].Fit, nil },
	}
	return d.judge(o.Attest, attest.Subject{File: a.File, SHA256: a.SHA256}, bundles, r)
}
