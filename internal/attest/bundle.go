package attest

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"unicode/utf8"

	"github.com/sigstore/sigstore-go/pkg/bundle"

	"sluice/internal/fault"
)

// Limits of what is read.
const (
	// MaxBundle bounds one bundle, in bytes as it came. Real ones have 4 to 11 kB.
	MaxBundle = 256 << 10
	// MaxBundles is how many may come with an upload.
	MaxBundles = 8
	// MaxSidecar is how many an artifact may have.
	MaxSidecar = 16
	// MaxPart bounds all of them together, white space included.
	MaxPart = 1 << 20
)

// mediaTypes are the spellings of version 0.3, which every tool makes that can make CEP 27 statements. Earlier
// versions carry chains of certificates and have weaker rules for the log.
var mediaTypes = []string{"application/vnd.dev.sigstore.bundle.v0.3+json", "application/vnd.dev.sigstore.bundle+json;version=0.3"}

// ReadBundles takes attestations apart: one bundle, or an array of one up to most. Each is returned without the white
// space between its tokens, and else byte for byte as it came. It looks no deeper than to see that they are JSON objects.
//
// Errors: fault.TooLarge, fault.BundleMalformed, fault.TooManyBundles.
func ReadBundles(part []byte, most int) ([][]byte, error) {
	if len(part) > MaxPart {
		return nil, fault.New(fault.TooLarge, "The attestations have %d bytes, and at most %d are taken.", len(part), MaxPart)
	}
	if !utf8.Valid(part) || bytes.HasPrefix(part, []byte("\ufeff")) {
		return nil, malformed("the attestation is not plain UTF-8")
	}
	list := []json.RawMessage{part}
	if trimmed := bytes.TrimLeft(part, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '[' {
		if err := json.Unmarshal(part, &list); err != nil {
			return nil, malformed("the array of attestations is not JSON")
		}
		if len(list) == 0 {
			return nil, malformed("the array of attestations is empty")
		}
	}
	if len(list) > most {
		return nil, fault.New(fault.TooManyBundles, "There are %d attestations, and at most %d are taken.", len(list), most)
	}
	bundles := make([][]byte, len(list))
	for i, b := range list {
		var out bytes.Buffer
		if err := json.Compact(&out, b); err != nil || out.Len() == 0 || out.Bytes()[0] != '{' {
			return nil, malformed("attestation %d of %d is no JSON object", i+1, len(list))
		}
		if out.Len() > MaxBundle {
			return nil, fault.New(fault.TooLarge, "Attestation %d has %d bytes, and at most %d are taken.", i+1, out.Len(), MaxBundle)
		}
		bundles[i] = out.Bytes()
	}
	return bundles, nil
}

func malformed(format string, args ...any) *fault.Error {
	return fault.New(fault.BundleMalformed, "Not a sigstore bundle: "+format+".", args...)
}

// opened is a bundle of version 0.3 with a certificate and a signed envelope, none of it verified.
type opened struct {
	certificate        *x509.Certificate
	payloadType        string
	payload, signature []byte
}

func (b opened) key() Key {
	return Key{Certificate: sha256.Sum256(b.certificate.Raw), Signature: sha256.Sum256(b.signature)}
}

// parse reads a bundle and refuses kinds that no profile takes, with what to do instead.
func parse(raw []byte) (opened, error) {
	var head struct {
		MediaType string `json:"mediaType"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return opened{}, malformed("it is not JSON")
	}
	var b bundle.Bundle
	err := b.UnmarshalJSON(raw)
	switch {
	case head.MediaType != mediaTypes[0] && head.MediaType != mediaTypes[1]:
		return opened{}, fault.New(fault.BundleVersion, "The attestation is a bundle of media type %q; %q is taken, which current tools make.", head.MediaType, mediaTypes[0])
	case err != nil:
		return opened{}, fault.Wrap(err, fault.BundleMalformed, "Not a sigstore bundle: %s.", reason(err))
	case !asWritten(raw, b.Bundle):
		return opened{}, malformed("a member has another name or form than tools write, such as base64 without its padding; send the bundle as the tool made it")
	case b.GetMessageSignature() != nil:
		return opened{}, fault.New(fault.NotAnAttestation, "The bundle signs bytes and states nothing: make it with attest-blob and the predicate type of CEP 27, not with sign-blob.")
	case b.GetDsseEnvelope() == nil || len(b.GetDsseEnvelope().GetPayload()) == 0:
		return opened{}, malformed("it has no envelope")
	case len(b.GetDsseEnvelope().GetSignatures()) != 1:
		return opened{}, fault.New(fault.SignatureInvalid, "The envelope has %d signatures, and needs exactly one.", len(b.GetDsseEnvelope().GetSignatures()))
	}
	content, err := b.VerificationContent()
	if err != nil || content.Certificate() == nil {
		return opened{}, fault.New(fault.NoCertificate, "The bundle has no certificate that says who signed: sign with an identity, not with a key.")
	}
	env := b.GetDsseEnvelope()
	return opened{
		certificate: content.Certificate(), payloadType: env.GetPayloadType(), payload: env.GetPayload(), signature: env.GetSignatures()[0].GetSig(),
	}, nil
}
