package attest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"sluice/internal/fault"
)

// Profile is one instance of sigstore: its keys and what it gives. Use NewProfile, or AwaitedProfile.
type Profile struct {
	// Name is what verdicts call it.
	Name     string
	root     string           // the SHA-256 of the trusted root, in hex
	logs     bool             // it has a transparency log, and an entry there is demanded
	verifier *verify.Verifier // nil where there is no root yet
}

// Root is the SHA-256 of the trusted root, in hex; empty while none is there.
func (p *Profile) Root() string { return p.root }

// AwaitedProfile is an instance whose trusted root could not be had so far: it refuses with fault.NoTrustRoot.
func AwaitedProfile(name string) *Profile { return &Profile{Name: name} }

// NewProfile makes a profile of a trusted root (sigstore's trusted_root.json). A bundle has to bring whatever the instance
// gives: one entry of its transparency log and a promise of its certificate log, where the root lists those; and a time
// that a log or a timestamp authority vouches for. Where there is no log, as with GitHub's instance for private
// repositories, the time is a timestamp authority's.
func NewProfile(name string, trustedRoot []byte) (*Profile, error) {
	material, err := root.NewTrustedRootFromJSON(trustedRoot)
	if err != nil {
		return nil, fmt.Errorf("trusted root of %s: %w", name, err)
	}
	logs := len(material.RekorLogs()) > 0
	if len(material.FulcioCertificateAuthorities()) == 0 || !logs && len(material.TimestampingAuthorities()) == 0 {
		return nil, fmt.Errorf("trusted root of %s: it has no certificate authority, or nothing that vouches for times", name)
	}
	options := []verify.VerifierOption{verify.WithSignedTimestamps(1)}
	if logs {
		options = []verify.VerifierOption{verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1)}
	}
	if len(material.CTLogs()) > 0 {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	v, err := verify.NewVerifier(material, options...)
	if err != nil {
		return nil, fmt.Errorf("profile %s: %w", name, err)
	}
	return &Profile{Name: name, root: fmt.Sprintf("%x", sha256.Sum256(trustedRoot)), logs: logs, verifier: v}, nil
}

// verify has the library verify all of a bundle but who signed. The bundle is read anew, since the library notes in it what it found.
func (p *Profile) verify(raw []byte, sum [32]byte) (w witness, failure *fault.Error) {
	if p.verifier == nil {
		return witness{}, fault.New(fault.NoTrustRoot, "This server could not get the keys of the sigstore instance %s so far, so that no attestation can be checked: send it again later; the operator finds the reason in the server's log.", p.Name)
	}
	defer func() {
		if r := recover(); r != nil { // what strangers send must not end the server
			w, failure = witness{}, fault.Wrap(fmt.Errorf("panic: %v", r), fault.BundleMalformed, "Not a sigstore bundle that can be verified.")
		}
	}()
	var b bundle.Bundle
	if err := b.UnmarshalJSON(raw); err != nil {
		return witness{}, fault.Wrap(err, fault.BundleMalformed, "Not a sigstore bundle: %s.", reason(err))
	}
	// Of several the library takes those that it can verify and passes over the others, and does not say which.
	entries := b.GetVerificationMaterial().GetTlogEntries()
	if p.logs && len(entries) > 1 {
		return witness{}, fault.New(fault.LogInvalid, "The attestation has %d entries of transparency logs, and exactly one is taken: sign with a configuration that names one log.", len(entries))
	}
	// Whom the certificate names is compared by whoever asked, field by field; see Checker.Check.
	result, err := p.verifier.Verify(&b, verify.NewPolicy(verify.WithArtifactDigest("sha256", sum[:]), verify.WithoutIdentitiesUnsafe()))
	if err != nil {
		return witness{}, p.refusal(err)
	}
	for _, t := range result.VerifiedTimestamps {
		w.times = append(w.times, t.Timestamp)
	}
	if p.logs {
		w.log = logged(entries[0])
	}
	return w, nil
}

// steps are the stages of the library in its order, by the words that its errors begin with. They choose what the
// refusal says; that it is refused is settled.
var steps = []struct {
	prefix string
	code   fault.Code
	says   string
}{
	{"failed to verify log inclusion: not enough verified", fault.LogUnknown, "it is in no transparency log that is trusted here"},
	{"failed to verify log inclusion", fault.LogInvalid, "its entry in the transparency log is not right"},
	{"failed to verify timestamps", fault.TimeUnproven, "nobody who is trusted here says when it was signed"},
	{"failed to verify leaf certificate", fault.CertificateUntrusted, "its certificate comes from no authority that is trusted here, or was not valid when it signed"},
	{"failed to verify signed certificate timestamp", fault.SCTMissing, "its certificate is in no certificate log that is trusted here"},
	{"failed to verify signature: provided artifact digest", fault.WrongArtifact, "it was made for another file"},
	{"failed to verify signature", fault.SignatureInvalid, "its signature is not right"},
	{"failed to fetch envelope statement", fault.StatementMalformed, "its signed statement cannot be read"},
}

// stage is how far a bundle came.
func stage(c fault.Code) int {
	for i, s := range steps {
		if s.code == c {
			return i
		}
	}
	return -1
}

func (p *Profile) refusal(err error) *fault.Error {
	for _, s := range steps {
		if strings.HasPrefix(err.Error(), s.prefix) {
			return fault.Wrap(err, s.code, "The attestation does not hold by the instance %s: %s.", p.Name, s.says)
		}
	}
	return fault.Wrap(err, fault.BundleMalformed, "Not a sigstore bundle that can be verified: %s.", reason(err))
}

// reason is the library's own word on a bundle, short. Its texts hold parts of the input.
func reason(err error) string {
	for _, known := range []error{bundle.ErrMissingVerificationMaterial, bundle.ErrMissingBundleContent, bundle.ErrUnsupportedMediaType} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return fault.OneLine(err.Error(), 200)
}
