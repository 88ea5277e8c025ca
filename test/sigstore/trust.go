package sigstore

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"slices"
	"testing"
	"time"

	trustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/sigstore-go/pkg/root"
	"google.golang.org/protobuf/encoding/protojson"
)

// authority is the chain of the certificate authority, from the issuer of leaves to the root.
func (i *Instance) authority(t testing.TB) []*x509.Certificate {
	t.Helper()
	i.await(t, "fulcio")
	answer, err := get(t.Context(), authorityURL())
	must(t, err)
	var bundle struct {
		Chains []struct{ Certificates []string }
	}
	must(t, json.Unmarshal(answer, &bundle))
	if len(bundle.Chains) != 1 {
		t.Fatalf("sigstore: fulcio has %d chains", len(bundle.Chains))
	}
	var chain []*x509.Certificate
	for _, text := range bundle.Chains[0].Certificates {
		chain = append(chain, decode(t, []byte(text))...)
	}
	return chain
}

func authorityURL() string { return url(fulcioPort) + "/api/v2/trustBundle" }

// await waits for a server by its name.
func (i *Instance) await(t testing.TB, name string) {
	t.Helper()
	for _, s := range i.servers {
		if s.name == name {
			s.await(t)
		}
	}
}

// decode reads a PEM file of certificates.
func decode(t testing.TB, text []byte) (chain []*x509.Certificate) {
	t.Helper()
	for block, rest := pem.Decode(bytes.TrimSpace(text)); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		must(t, err)
		chain = append(chain, c)
	}
	return chain
}

// trust collects what clients need to trust the servers, and where they find them.
func (i *Instance) trust(t testing.TB) {
	t.Helper()
	began := time.Now().Add(-time.Hour)
	ca := i.authority(t)
	answer, err := get(t.Context(), url(timestampPort)+"/api/v1/timestamp/certchain")
	must(t, err)
	tsa := decode(t, answer)
	last := len(tsa) - 1

	der, err := x509.MarshalPKIXPublicKey(i.certificateLog)
	must(t, err)
	certificates := sha256.Sum256(der)
	_, signatures, err := note.KeyHash(rekorOrigin, i.signatureLog)
	must(t, err)
	logs := func(address string, id []byte, key crypto.PublicKey) map[string]*root.TransparencyLog {
		return map[string]*root.TransparencyLog{hex.EncodeToString(id): {
			BaseURL: address, ID: id, PublicKey: key, ValidityPeriodStart: began, HashFunc: crypto.SHA256, SignatureHashFunc: crypto.SHA256,
		}}
	}
	tr, err := root.NewTrustedRoot(root.TrustedRootMediaType01,
		[]root.CertificateAuthority{&root.FulcioCertificateAuthority{
			Root: ca[len(ca)-1], Intermediates: ca[:len(ca)-1], URI: url(fulcioPort), ValidityPeriodStart: began,
		}},
		logs(url(certificatesPort), certificates[:], i.certificateLog),
		[]root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{
			Root: tsa[last], Intermediates: tsa[1:last], Leaf: tsa[0], URI: url(timestampPort), ValidityPeriodStart: began,
		}},
		logs("https://"+rekorOrigin, signatures, i.signatureLog))
	must(t, err)
	raw, err := tr.MarshalJSON()
	must(t, err)
	i.Root = named(t, raw)

	service := func(address string, version uint32) []root.Service {
		return []root.Service{{URL: address, MajorAPIVersion: version, ValidityPeriodStart: began, Operator: "example.com"}}
	}
	one := root.ServiceConfiguration{Selector: trustroot.ServiceSelector_ANY}
	signing, err := root.NewSigningConfig(root.SigningConfigMediaType02, service(url(fulcioPort), 1), nil,
		service(url(rekorPort), 2), one, service(url(timestampPort)+"/api/v1/timestamp", 1), one)
	must(t, err)
	signs, err := signing.MarshalJSON()
	must(t, err)
	i.Config, err = json.Marshal(map[string]any{
		"mediaType":   "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
		"trustedRoot": json.RawMessage(i.Root), "signingConfig": json.RawMessage(signs),
	})
	must(t, err)
}

// named gives a name to the authorities of a trusted root that have none, as Fulcio's own has none: sigstore for Python
// reads no root without, though it uses it for nothing.
func named(t testing.TB, raw []byte) []byte {
	t.Helper()
	var r trustroot.TrustedRoot
	must(t, protojson.Unmarshal(raw, &r))
	for _, ca := range slices.Concat(r.GetCertificateAuthorities(), r.GetTimestampAuthorities()) {
		if ca.GetSubject().GetCommonName() == "" {
			ca.Subject.CommonName = "test"
		}
	}
	out, err := protojson.Marshal(&r)
	must(t, err)
	return out
}
