// Package recheck looks at stored attestations a second time when an instance of sigstore has got another trusted root:
// which of them would not be taken today. It changes neither bundles nor verdicts, and must not know where roots come from
// or who reads what it finds.
package recheck

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/internal/attest"
)

// Look is a second look that is under way. It goes by ascending artifact.
type Look struct {
	// Instance is whose attestations are looked at, Root its trusted root in use, SHA256 the digest of that.
	Instance string
	Root     []byte
	SHA256   [32]byte
	// After is the artifact up to which it has come; 0: it begins.
	After int64
	// Until is how long its server has it to itself. It tells that from others that have come as far.
	Until time.Time
}

// Stored is an attestation as it is kept.
type Stored struct {
	ArtifactID int64
	// SHA256 is of the bytes that it is for, Ordinal counts those of these bytes.
	SHA256  [32]byte
	Ordinal int
	Bundle  []byte
	// Profile and Root are those of its verdict.
	Profile, Root string
	// Distrust is what an earlier look found; nil for nothing.
	Distrust *attest.Distrust
}

// Finding is what a look changes of an attestation: Distrust is nil where it is trusted again.
type Finding struct {
	Stored
	Distrust *attest.Distrust
}

// Store keeps attestations, and how far looks have come. One method is one transaction.
type Store interface {
	// ClaimLook returns a look that is not done, which then no other server gets until that time; false where there is none.
	ClaimLook(ctx context.Context, until time.Time) (Look, bool, error)
	// AttestationsAfter lists the attestations of the next artifacts that have any, at most so many artifacts.
	AttestationsAfter(ctx context.Context, artifact int64, artifacts int) ([]Stored, error)
	// SaveLook keeps how far l has come since it was at l.After, and tells the audit logs of the channels of what was found. It
	// reports false, and changes nothing, where the look is not this server's any more: the root was replaced, an attestation
	// came that was judged by an older one, or another server took it over.
	SaveLook(ctx context.Context, l Look, s Step) (bool, error)
}

// Step is how far a look has come.
type Step struct {
	// To is the artifact up to which it has come, Done that there is none after it.
	To   int64
	Done bool
	// Found are the attestations that change.
	Found []Finding
	// Until is how long others are kept away; the zero time lets them in.
	Until time.Time
}

// Looks does second looks in the background of a server. All fields are required.
type Looks struct {
	Store   Store
	Checker *attest.Checker
	// Changed gets a value when a root was replaced.
	Changed <-chan struct{}
	Log     *slog.Logger
	Now     func() time.Time
}

const (
	// every is how often the database is asked for looks that others have left undone.
	every = time.Minute
	// lease is how long a server may be silent before another takes its look over.
	lease = 2 * time.Minute
	// page is how many artifacts are looked at between two commits: at most 16 MiB of attestations.
	page = 16
)

// Run does what is to be done until ctx ends.
func (j *Looks) Run(ctx context.Context) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		if err := j.Finish(ctx); err != nil && ctx.Err() == nil {
			j.Log.LogAttrs(ctx, slog.LevelError, "second look at attestations failed", slog.Any("cause", err))
		}
		select {
		case <-j.Changed:
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// Finish does every look that is not done and that no other server is at.
func (j *Looks) Finish(ctx context.Context) error {
	for {
		l, ok, err := j.Store.ClaimLook(ctx, j.Now().Add(lease))
		if err != nil || !ok {
			return err
		}
		if err := j.do(ctx, l); err != nil {
			return err
		}
	}
}

// do goes on with a look, page by page. Where it is cut, whoever claims it next goes on from the last page.
func (j *Looks) do(ctx context.Context, l Look) error {
	profile, err := attest.NewProfile(l.Instance, l.Root)
	if err != nil {
		return err
	}
	for {
		s, err := j.next(ctx, profile, l.After)
		if err != nil { // the server stops, perhaps: let others in at once
			_, errLeave := j.Store.SaveLook(context.WithoutCancel(ctx), l, Step{To: l.After})
			return fmt.Errorf("look at attestations of %s: %w", l.Instance, errors.Join(err, errLeave))
		}
		if ok, err := j.Store.SaveLook(ctx, l, s); err != nil || !ok || s.Done {
			return err
		}
		l.After, l.Until = s.To, s.Until
	}
}

// next looks at the page after an artifact.
func (j *Looks) next(ctx context.Context, p *attest.Profile, after int64) (Step, error) {
	stored, err := j.Store.AttestationsAfter(ctx, after, page)
	if err != nil || len(stored) == 0 {
		return Step{To: after, Done: true}, err
	}
	found, err := j.look(ctx, p, stored)
	return Step{To: stored[len(stored)-1].ArtifactID, Found: found, Until: j.Now().Add(lease)}, err
}

// look verifies what others than this root have judged, and returns what is to be changed.
func (j *Looks) look(ctx context.Context, p *attest.Profile, stored []Stored) (out []Finding, err error) {
	verdicts := make([]*attest.Distrust, len(stored))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, s := range stored {
		g.Go(func() error {
			verdicts[i] = s.Distrust
			if err := ctx.Err(); err != nil || s.Profile != p.Name {
				return err
			}
			verdicts[i] = j.judge(ctx, p, s)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, s := range stored {
		if (verdicts[i] == nil) != (s.Distrust == nil) || verdicts[i] != nil && verdicts[i].Root != s.Distrust.Root {
			out = append(out, Finding{s, verdicts[i]})
		}
	}
	return out, nil
}

// judge says what is to be kept of an attestation. What this root has accepted it need not see again.
func (j *Looks) judge(ctx context.Context, p *attest.Profile, s Stored) *attest.Distrust {
	if s.Root == p.Root() {
		return nil
	}
	switch refusal := j.Checker.Stands(p, s.Bundle, s.SHA256); {
	case refusal == nil:
		return nil
	case attest.RootDecides(refusal.Code):
		return &attest.Distrust{Root: p.Root(), At: j.Now().UTC(), Code: refusal.Code, Sentence: refusal.Detail}
	default: // not the root's doing: the bundle is damaged
		j.Log.LogAttrs(ctx, slog.LevelError, "stored attestation cannot be verified", slog.Int64("artifact", s.ArtifactID), slog.Int("ordinal", s.Ordinal),
			slog.String("sha256", hex.EncodeToString(s.SHA256[:])), slog.Any("cause", refusal))
		return s.Distrust
	}
}
