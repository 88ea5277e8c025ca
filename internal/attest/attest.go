// Package attest decides what an attestation proves: a sigstore bundle whose signed statement (CEP 27) says that a CI
// identity published one file for one channel. The cryptography is sigstore-go's; what the CEP demands on top of it,
// and the library does not look at, is checked here, and so is who signed.
//
// It reads bytes and compares values. It must not know of HTTP, of the database, of channels' rules, or of who uploads:
// whoever asks brings what is expected.
package attest

import (
	"encoding/hex"
	"time"

	"sluice/internal/attest/fulcio"
)

// Subject is the file that an attestation has to speak of.
type Subject struct {
	// File is its full name, "tidelib-2.4.1-py313h5a0c_0.conda".
	File string
	// SHA256 is the digest of its bytes, as this server computed it.
	SHA256 [32]byte
}

// Verdict is what a bundle proves, as it was found out with one trust root.
type Verdict struct {
	// Key names the signature. Unsigned parts of a bundle can be changed and it still verifies, so its own hash names
	// nothing.
	Key Key `json:"-"`
	// Profile is the name of the profile that the bundle passed, Root the SHA-256 of that profile's trusted root, in hex.
	Profile string `json:"profile"`
	Root    string `json:"trusted_root_sha256"`
	// Predicate is the type of what the statement says: PredicateType, or with CheckAny another.
	Predicate string `json:"predicate_type"`
	// Serial is the certificate's serial number, in hex.
	Serial string `json:"certificate_serial"`
	// Signer is whom the certificate names.
	Signer fulcio.Signer `json:"signer"`
	// Target is the channel for which the statement was made; the zero value: for none in particular.
	Target Target `json:"target"`
	// Times are when logs and timestamp authorities saw the signature, in the bundle's order; at least one.
	Times []time.Time `json:"times"`
	// Log is the entry in the transparency log, as far as it is proven; the zero value where the profile needs none.
	Log LogEntry `json:"log"`
}

// Key tells signatures of one artifact apart: SHA-256 of the certificate, and of the signature in the envelope.
type Key struct{ Certificate, Signature [32]byte }

// String is both digests in hex.
func (k Key) String() string {
	return hex.EncodeToString(k.Certificate[:]) + "." + hex.EncodeToString(k.Signature[:])
}

// SignedAt is the latest of the times that others vouch for.
func (v Verdict) SignedAt() time.Time {
	var latest time.Time
	for _, t := range v.Times {
		if t.After(latest) {
			latest = t
		}
	}
	return latest
}

// Publishes reports whether the statement is one of CEP 27, that the file was published.
func (v Verdict) Publishes() bool { return v.Predicate == PredicateType }

// Check verifies one bundle, as ReadBundles returns it, and holds its statement to CEP 27. Whether the target channel and the
// signer are those that are wanted is the caller's to ask.
//
// Errors are refusals, of fault's attestation codes.
func (c *Checker) Check(raw []byte, s Subject) (Verdict, error) {
	return c.check(raw, s, func(st statement) (Target, error) { return st.publishes(s) })
}

// CheckAny is Check for statements with any predicate. One of CEP 27 is held to the CEP; of another it is only said that
// it speaks of the subject, perhaps of other files too: what it says stays unread.
func (c *Checker) CheckAny(raw []byte, s Subject) (Verdict, error) {
	return c.check(raw, s, func(st statement) (Target, error) {
		if st.predicateType == PredicateType {
			return st.publishes(s)
		}
		return Target{}, st.speaksOf(s)
	})
}

func (c *Checker) check(raw []byte, s Subject, says func(statement) (Target, error)) (Verdict, error) {
	b, err := parse(raw)
	if err != nil {
		return Verdict{}, err
	}
	v := Verdict{Key: b.key(), Serial: b.certificate.SerialNumber.Text(hexadecimal)}
	profile, witness, err := c.verified(raw, s)
	if err != nil {
		return Verdict{}, err
	}
	v.Profile, v.Root = profile.Name, profile.root
	st, err := readStatement(b.payloadType, b.payload)
	if err != nil {
		return Verdict{}, err
	}
	if v.Target, err = says(st); err != nil {
		return Verdict{}, err
	}
	v.Predicate = st.predicateType
	if v.Signer, err = fulcio.Read(b.certificate); err != nil {
		return Verdict{}, err
	}
	v.Times, v.Log = witness.times, witness.log
	return v, nil
}

const hexadecimal = 16
