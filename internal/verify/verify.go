// Package verify looks at files of a channel once more, as their most careful reader would: their bytes, what the index says
// of them, every attestation by the keys of today, and what is demanded of attestations. It says of each file what it found. It
// changes nothing. It must not know of HTTP or SQL, nor decide who may ask.
package verify

import (
	"time"

	"sluice/internal/attest"
	"sluice/internal/attest/fulcio"
	"sluice/internal/check"
	"sluice/internal/fault"
)

// Verdict is what became of a file. Scripts read it.
type Verdict string

// The verdicts.
const (
	// OK: everything is as it should be, and an attestation counts.
	OK Verdict = "ok"
	// Unattested: everything is as it should be; no attestation says that the file was published, and none has to.
	Unattested Verdict = "unattested"
	// Failed: something is not as it should be.
	Failed Verdict = "failed"
)

// Report is what was found of one file.
type Report struct {
	// Channel is the name or the address of its channel.
	Channel string `json:"channel"`
	Subdir  string `json:"subdir"`
	File    string `json:"file"`
	// SHA256 is the digest that the index tells, in hex.
	SHA256  string  `json:"sha256,omitempty"`
	Verdict Verdict `json:"verdict"`
	// Failures are all that is wrong with it; at least one where it failed, none else.
	Failures []Failure `json:"failures,omitempty"`
	// Attestations are those that it has, in order.
	Attestations []Attestation `json:"attestations,omitempty"`
	// Bytes is how many of the file were read.
	Bytes int64 `json:"bytes_read"`
}

// Failure is one thing that is wrong with a file.
type Failure struct {
	// Code is a check.Kind, or the fault.Code of an attestation that does not count. It never changes its meaning.
	Code string `json:"code"`
	// Detail is one sentence.
	Detail string `json:"detail"`
}

// Attestation is what was found of one attestation. Of one that does not hold nothing is told but why: what it says is
// proven by nobody.
type Attestation struct {
	// Counts reports whether it says that the file was published, by somebody who may.
	Counts bool `json:"counts"`
	// Code and Detail say why it does not count.
	Code   fault.Code `json:"code,omitempty"`
	Detail string     `json:"detail,omitempty"`
	// Predicate is the type of its statement, Signer who signed it, Target the channel for which, SignedAt when.
	Predicate string         `json:"predicate_type,omitempty"`
	Signer    *fulcio.Signer `json:"signer,omitempty"`
	Target    string         `json:"target_channel,omitempty"`
	SignedAt  time.Time      `json:"signed_at,omitzero"`
	// Instance is the sigstore instance by which it holds.
	Instance string `json:"instance,omitempty"`
}

// fail notes what is wrong.
func (r *Report) fail(code, detail string) {
	r.Failures = append(r.Failures, Failure{Code: code, Detail: fault.OneLine(detail, maxDetail)})
}

// differs notes what a check has found.
func (r *Report) differs(d check.Difference) {
	detail := d.Stored + ", should be " + d.Expected
	if d.Label != "" {
		detail = "label " + d.Label + ": " + detail
	}
	r.fail(string(d.Kind), detail)
}

// maxDetail bounds the sentence of a failure, in bytes.
const maxDetail = 600

// conclude sets the verdict.
func (r *Report) conclude() {
	r.Verdict = Unattested
	for _, a := range r.Attestations {
		if a.Counts {
			r.Verdict = OK
		}
	}
	if len(r.Failures) > 0 {
		r.Verdict = Failed
	}
}

// Signers are those whose attestations count, each once, in order.
func (r *Report) Signers() []fulcio.Signer {
	var out []fulcio.Signer
	seen := map[string]bool{}
	for _, a := range r.Attestations {
		if a.Counts && !seen[a.Signer.Identity] {
			seen[a.Signer.Identity] = true
			out = append(out, *a.Signer)
		}
	}
	return out
}

// proven is an attestation that holds.
func proven(v attest.Verdict) Attestation {
	return Attestation{Predicate: v.Predicate, Signer: &v.Signer, Target: v.Target.URL, SignedAt: v.SignedAt().UTC(), Instance: v.Profile}
}

// Summary counts what was found of all files.
type Summary struct {
	OK, Unattested, Failed, Bytes int64
}

// Add counts one more file.
func (s *Summary) Add(r Report) {
	switch r.Verdict {
	case OK:
		s.OK++
	case Unattested:
		s.Unattested++
	case Failed:
		s.Failed++
	}
	s.Bytes += r.Bytes
}

// Files is how many files were looked at.
func (s Summary) Files() int64 { return s.OK + s.Unattested + s.Failed }
