// Package policy holds what a channel demands of attestations: which packages need one, who may have signed, for which
// channel, and whose signatures count for nothing. It compares verdicts with what is demanded, and refuses with both
// values. It must not know where verdicts come from, nor of HTTP, SQL or who uploads.
package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"sluice/internal/attest"
	"sluice/internal/conda"
	"sluice/internal/fault"
)

// Mode says who needs an attestation.
type Mode string

// The modes.
const (
	// Off refuses attestations.
	Off Mode = "off"
	// Optional takes those that come.
	Optional Mode = "optional"
	// Required refuses files without one.
	Required Mode = "required"
	// RequiredFor is Required for packages of some names.
	RequiredFor Mode = "required_for"
)

// Signers says who may have signed.
type Signers string

// The signers, from the narrowest.
const (
	// SignedByRun: the run that uploads; of what comes with an API token, a run that a trusted publisher lets in.
	SignedByRun Signers = "run"
	// SignedByPublisher: also of what a run uploads, any run that a trusted publisher lets in.
	SignedByPublisher Signers = "publisher"
	// SignedByAnybody: any CI job. This is for channels that take over what others have published.
	SignedByAnybody Signers = "any"
)

// Fit says how a signer was found to be one who may sign. It is stored.
type Fit string

// The fits.
const (
	// ByRun: the run that uploaded.
	ByRun Fit = "run"
	// ByPublisher: a run that a trusted publisher of the channel lets in.
	ByPublisher Fit = "publisher"
	// ByOther: somebody else. It counts where anybody may sign; elsewhere such a signature only stands beside others.
	ByOther Fit = "other"
)

// Targets says for which channel a statement may have been made.
type Targets string

// The targets.
const (
	// TargetExact: this channel at the server's public address.
	TargetExact Targets = "exact"
	// TargetListed: that, or one of Aliases.
	TargetListed Targets = "listed"
	// TargetIgnored: any channel.
	TargetIgnored Targets = "ignore"
)

// Regress says what becomes of a file without an attestation that counts whose package had one before.
type Regress string

// What may become of it.
const (
	// RegressAllowed: nothing.
	RegressAllowed Regress = "allow"
	// RegressWarned: it is taken, and the audit log and the page say so.
	RegressWarned Regress = "warn"
	// RegressRefused: it is refused.
	RegressRefused Regress = "refuse"
)

// Policy is what a channel demands. Use Default, or change one.
type Policy struct {
	Mode Mode `json:"mode"`
	// RequiredFor are patterns of package names (conda.Pattern), for the mode of that name.
	RequiredFor []string `json:"required_for"`
	Signer      Signers  `json:"signer"`
	Target      Targets  `json:"target_channel"`
	// Aliases are further addresses of the channel: former ones, and other hosts.
	Aliases []string `json:"aliases"`
	// AllowAbsent takes statements for no channel in particular, which hold in every channel.
	AllowAbsent bool `json:"allow_absent"`
	// Instances are the names of the sigstore instances that count; empty: all that the server knows.
	Instances []string `json:"instances"`
	NoRegress Regress  `json:"no_regress"`
	// OtherStatements takes, beside those of CEP 27, statements with other predicates: provenance, bills of materials, the
	// results of rebuilds. They satisfy no demand.
	OtherStatements bool `json:"other_statements"`
	// Denied are signatures that count for nothing.
	Denied []Denial `json:"denied"`
}

// Default is what a channel demands whose owner has said nothing.
func Default() Policy {
	return Policy{
		Mode: Optional, RequiredFor: []string{}, Signer: SignedByRun, Target: TargetListed, Aliases: []string{}, AllowAbsent: true,
		Instances: []string{}, NoRegress: RegressWarned, OtherStatements: true, Denied: []Denial{},
	}
}

// State names what a channel demands now, in 32 hexadecimal digits: it is another one after every change. Who changes what they
// have read says so, lest they undo what others changed meanwhile.
func (p Policy) State() string {
	h := sha256.New()
	_ = json.NewEncoder(h).Encode(p) // a Hash takes everything, and what was read from JSON can be JSON again
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Bounds of a policy.
const (
	maxPatterns = 100
	maxAliases  = 20
	maxDenied   = 200
)

// Check refuses a policy that says something impossible, with fault.InvalidField and the field's name.
func (p Policy) Check() error {
	bad := func(field, format string, args ...any) error {
		return fault.New(fault.InvalidField, field+": "+format, args...)
	}
	switch {
	case !slices.Contains([]Mode{Off, Optional, Required, RequiredFor}, p.Mode):
		return bad("mode", "%q is unknown: use off, optional, required or required_for", p.Mode)
	case !slices.Contains([]Signers{SignedByRun, SignedByPublisher, SignedByAnybody}, p.Signer):
		return bad("signer", "%q is unknown: use run, publisher or any", p.Signer)
	case !slices.Contains([]Targets{TargetExact, TargetListed, TargetIgnored}, p.Target):
		return bad("target_channel", "%q is unknown: use exact, listed or ignore", p.Target)
	case !slices.Contains([]Regress{RegressAllowed, RegressWarned, RegressRefused}, p.NoRegress):
		return bad("no_regress", "%q is unknown: use allow, warn or refuse", p.NoRegress)
	case p.Mode == RequiredFor && len(p.RequiredFor) == 0:
		return bad("required_for", "say for which packages, as in tide or libtide*")
	case len(p.RequiredFor) > maxPatterns || len(p.Aliases) > maxAliases || len(p.Denied) > maxDenied:
		return bad("attestations", "a channel has at most %d patterns, %d aliases and %d denials", maxPatterns, maxAliases, maxDenied)
	}
	for _, s := range p.RequiredFor {
		if _, err := conda.ParsePattern(s); err != nil {
			return bad("required_for", "%v", err)
		}
	}
	for _, s := range p.Aliases {
		if err := attest.CheckTarget(s); err != nil {
			return bad("aliases", "%q is no address of a channel: write it as clients do, without a slash at its end", s)
		}
	}
	for _, d := range p.Denied {
		if err := d.check(); err != nil {
			return err
		}
	}
	return nil
}

// Needing are patterns of the names of packages whose files need an attestation that counts (conda.Pattern).
func (p Policy) Needing() []string {
	switch p.Mode {
	case Required:
		return []string{"*"}
	case RequiredFor:
		return p.RequiredFor
	default:
		return nil
	}
}

// Needs reports whether files of a package need an attestation that counts.
func (p Policy) Needs(name string) bool {
	return slices.ContainsFunc(p.Needing(), func(s string) bool {
		pattern, err := conda.ParsePattern(s)
		return err == nil && pattern.Match(name)
	})
}

// CountsLike reports whether by both policies the same signatures count, whichever packages need one.
func (p Policy) CountsLike(q Policy) bool {
	q.Mode, q.RequiredFor, q.NoRegress, q.OtherStatements = p.Mode, p.RequiredFor, p.NoRegress, p.OtherStatements
	return len(Changes(p, q)) == 0
}

// Demand is what a trusted publisher demands of what its runs upload, beyond its channel. The zero value is nothing more.
type Demand struct {
	// Attestations is Required, or empty: as the channel has it.
	Attestations Mode `json:"attestations,omitempty"`
	// Signer is SignedByRun or SignedByPublisher, or empty: as the channel has it. It cannot widen what the channel says.
	Signer Signers `json:"signer,omitempty"`
}

// IsZero reports whether nothing more is demanded.
func (d Demand) IsZero() bool { return d == Demand{} }

// And is the policy with what a publisher demands beside: narrower, or the same. A channel that takes no attestations
// stays so.
func (p Policy) And(d Demand) Policy {
	if d.Attestations == Required && p.Mode != Off {
		p.Mode = Required
	}
	if d.Signer == SignedByRun || d.Signer == SignedByPublisher && p.Signer == SignedByAnybody {
		p.Signer = d.Signer
	}
	return p
}

// Lets reports whether a signer of that fit may sign what a CI run uploads, or else what comes with an API token.
func (p Policy) Lets(f Fit, byRun bool) bool {
	switch f {
	case ByRun:
		return true
	case ByPublisher:
		return !byRun || p.Signer != SignedByRun
	default:
		return p.Signer == SignedByAnybody
	}
}

// Signature is what is known of one attestation of a file.
type Signature struct {
	attest.Verdict
	Fit Fit
	// Distrust is what a second look found; nil: the verdict still holds.
	Distrust *attest.Distrust
}

// Counts refuses a signature that satisfies no demand of a channel at an address, with what is wrong with it:
// fault.NotStatement, fault.CertificateUntrusted, fault.TargetMismatch, fault.SignerMismatch, fault.SignerDenied, or what a second
// look found.
func (p Policy) Counts(s Signature, channel string) error {
	if !s.Publishes() {
		return fault.New(fault.NotStatement, "A statement of the type %q is kept, and does not say that the file was published; one with the predicate type %q does.", fault.OneLine(s.Predicate, 200), attest.PredicateType)
	}
	if d := s.Distrust; d != nil {
		return fault.New(d.Code, "The attestation is no longer trusted since the keys of the sigstore instance %s have changed: build and sign anew. %s", s.Profile, fault.OneLine(d.Sentence, 200))
	}
	if err := p.Takes(s.Verdict, channel); err != nil {
		return err
	}
	if s.Fit != ByRun && s.Fit != ByPublisher && p.Signer != SignedByAnybody {
		return fault.New(fault.SignerMismatch, "The attestation was signed by %s, which is neither the run that uploaded nor one that a trusted publisher lets in.", fault.OneLine(s.Signer.Identity, 200))
	}
	return nil
}

// Takes refuses what the channel wants nothing of, whoever uploads it: a statement of an instance that does not count
// (fault.CertificateUntrusted), for another channel (fault.TargetMismatch), or by a signer who is denied (fault.SignerDenied).
func (p Policy) Takes(v attest.Verdict, channel string) error {
	if len(p.Instances) > 0 && !slices.Contains(p.Instances, v.Profile) {
		return fault.New(fault.CertificateUntrusted, "The attestation holds by the sigstore instance %s, and this channel counts %s only.", v.Profile, strings.Join(p.Instances, ", "))
	}
	if v.Publishes() {
		if err := p.aims(v.Target, channel); err != nil {
			return err
		}
	}
	for _, d := range p.Denied {
		if d.Means(v) {
			return fault.New(fault.SignerDenied, "The attestation was signed by %s, and the channel has denied that: %s.", fault.OneLine(v.Signer.Identity, 200), d)
		}
	}
	return nil
}

// aims compares the channel of a statement.
func (p Policy) aims(t attest.Target, channel string) error {
	switch {
	case t == attest.Target{} && p.AllowAbsent, p.Target == TargetIgnored:
		return nil
	case p.Target == TargetListed && slices.ContainsFunc(p.Aliases, t.Is):
		return nil
	default:
		return t.For(channel)
	}
}

// Judge refuses a file of a package that needs an attestation and has none that counts: fault.AttestationRequired, with what
// is wrong with the last that it has.
func (p Policy) Judge(name string, have []Signature, channel string) error {
	if !p.Needs(name) {
		return nil
	}
	for i, s := range have {
		why := p.Counts(s, channel)
		if why == nil {
			return nil
		}
		if refusal, ok := errors.AsType[*fault.Error](why); ok && i == len(have)-1 {
			return fault.Wrap(why, fault.AttestationRequired, "This channel takes %s only with an attestation that counts. %s", name, refusal.Detail)
		}
	}
	return fault.New(fault.AttestationRequired, "This channel takes %s only with an attestation: upload with --generate-attestation, or with --attestation FILE, in a CI job that can get an identity token.", name)
}
