package curate

import (
	"errors"
	"fmt"

	"sluice/internal/attest/policy"
	"sluice/internal/fault"
)

// Shows reports whether the change may have readers see an artifact that they did not see, or see it in one more label.
func (k Kind) Shows() bool { return k == Unyank || k == Restore || k == List || k == Move }

// Hold refuses to show an artifact of the named package that the channel would not take now, by the judgement of an upload.
// What was out of sight when a demand came has not been agreed to, as what was in sight has. Its attestations are have.
// Its error is fault.AttestationRequired.
func (c Change) Hold(p policy.Policy, channel string, a Artifact, name string, have []policy.Signature) error {
	why := p.Judge(name, have, c.Address)
	if why == nil {
		return nil
	}
	if len(have) == 0 {
		return fault.Wrap(why, fault.AttestationRequired, "%s has no attestation, and channel %s takes %s only with one: %s.", a.Path(), channel, name, c.remedy())
	}
	reason := ""
	if refusal, ok := errors.AsType[*fault.Error](p.Counts(have[len(have)-1], c.Address)); ok {
		reason = " " + refusal.Detail
	}
	return fault.Wrap(why, fault.AttestationRequired, "%s has no attestation that counts, and channel %s takes %s only with one: %s.%s", a.Path(), channel, name, c.remedy(), reason)
}

// HoldBack refuses to show an artifact without an attestation whose package had one before it, which is at that path and of that
// version, in a channel that refuses such. Its error is fault.AttestationRegressed.
func (c Change) HoldBack(a Artifact, name, version, path string) error {
	return fault.New(fault.AttestationRegressed, "%s has no attestation, and %s %s had one before (%s): %s.", a.Path(), name, version, path, c.remedy())
}

// remedy says what lets an artifact come back.
func (c Change) remedy() string {
	if c.Kind == Restore {
		return "a deleted file can get none, so restore it while the channel demands less"
	}
	return "add one first, as with sluice attestation add, or have an owner demand less"
}

// Together is the refusal of several artifacts, which is that of the first and says how many there are.
func Together(refusals []error) error {
	first, ok := errors.AsType[*fault.Error](refusals[0])
	if more := len(refusals) - 1; ok && more > 0 {
		files := "1 more file"
		if more > 1 {
			files = fmt.Sprintf("%d more files", more)
		}
		return fault.Wrap(first, first.Code, "%s So it is with %s.", fault.OneLine(first.Detail, maxFirst), files)
	}
	return refusals[0]
}

// maxFirst bounds the sentence of the first of several refusals, in bytes, so that how many there are is not cut off.
const maxFirst = fault.MaxDetail - 50
