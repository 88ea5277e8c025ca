package catalog

import (
	"context"
	"errors"
	"time"

	"sluice/internal/attest/policy"
	"sluice/internal/channel"
	"sluice/internal/fault"
)

// Held is a file that readers see, with what a policy asks of it.
type Held struct {
	ID int64
	// Name is the package's.
	Name, Subdir, Filename string
	// UploadedAt is when it was published.
	UploadedAt time.Time
	// Signatures are of its attestations, in their order.
	Signatures []policy.Signature
}

// Unattested are files without an attestation: how many, and the first.
type Unattested struct {
	Files int
	First []Held
}

// Failing is what lies in a channel and does not satisfy other demands: what would fail by them alone, and what Already fails
// by those of today.
type Failing struct {
	Failures

	Already Failures
}

// Failures are files that fail.
type Failures struct {
	// Unattested counts the files that need an attestation and have none, NotCounting those with one that does not satisfy
	// what is needed, or that counts now and would count no more.
	Unattested, NotCounting int
	// First are the first of both, at most MaxFailing, the unattested before the others.
	First []FailingFile
}

// Files counts all.
func (f Failures) Files() int { return f.Unattested + f.NotCounting }

// FailingFile is one of them.
type FailingFile struct {
	Subdir, Filename string
	// Why is what an upload of it would be told, or what is wrong with its attestation.
	Why *fault.Error
}

// MaxFailing bounds the files that Failures name, heldAtOnce those whose verdicts are in memory.
const (
	MaxFailing = 200
	heldAtOnce = 500
)

// Failing finds what in a channel at an address would fail other demands than those it has. Nothing is changed. Files without an
// attestation are counted by the database; the verdicts of others are read page by page, and only where they can matter.
// Errors: fault.InvalidField for a policy that says something impossible.
func (c *Catalog) Failing(ctx context.Context, ch channel.Channel, after policy.Policy, address string) (out Failing, err error) {
	if err := after.Check(); err != nil {
		return out, err
	}
	needing := after.Needing()
	if len(needing) > 0 {
		fresh, already, err := c.Store.Unattested(ctx, ch.ID, needing, ch.Attestations.Needing(), MaxFailing)
		if err != nil {
			return out, err
		}
		out.unattested(fresh, after, address)
		out.Already.unattested(already, after, address)
	}
	if !after.CountsLike(ch.Attestations) {
		needing = []string{"*"} // what nobody needs may count no more
	}
	for last := (Held{}); len(needing) > 0; {
		page, err := c.Store.Attested(ctx, ch.ID, needing, last, heldAtOnce)
		if err != nil || len(page) == 0 {
			return out, err
		}
		for _, h := range page {
			out.attested(h, ch.Attestations, after, address)
		}
		last = page[len(page)-1]
	}
	return out, nil
}

// unattested adds files without an attestation, which all need one.
func (f *Failures) unattested(u Unattested, after policy.Policy, address string) {
	f.Unattested = u.Files
	for _, h := range u.First {
		f.add(h, after.Judge(h.Name, nil, address))
	}
}

// attested adds a file with attestations, where it fails.
func (f *Failing) attested(h Held, before, after policy.Policy, address string) {
	why := fails(h, before, after, address)
	if why == nil {
		return
	}
	to := &f.Failures
	if before.Judge(h.Name, h.Signatures, address) != nil {
		to = &f.Already
	}
	to.NotCounting++
	to.add(h, why)
}

func (f *Failures) add(h Held, why error) {
	if refusal, ok := errors.AsType[*fault.Error](why); ok && len(f.First) < MaxFailing {
		f.First = append(f.First, FailingFile{h.Subdir, h.Filename, refusal})
	}
}

// fails says what an attested file does not satisfy afterwards: what its package needs, or what it satisfies now.
func fails(h Held, before, after policy.Policy, address string) error {
	if err := after.Judge(h.Name, h.Signatures, address); err != nil {
		return err
	}
	for _, s := range h.Signatures {
		if err := after.Counts(s, address); err != nil && before.Counts(s, address) == nil {
			return err
		}
	}
	return nil
}
