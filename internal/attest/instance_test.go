package attest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"google.golang.org/protobuf/encoding/protojson"
)

// instance is a sigstore of its own: a certificate authority that names CI jobs as Fulcio does, beside the library's log and
// timestamp authority.
type instance struct {
	t    *testing.T
	rest *ca.VirtualSigstore
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// root is its trusted_root.json.
	root []byte
}

func newInstance(t *testing.T) *instance {
	t.Helper()
	rest, err := ca.NewVirtualSigstore()
	check(t, err)
	i := &instance{t: t, rest: rest}
	i.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test instance"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	i.cert = i.issue(template, template, i.key.Public())
	log := onlyLog(t, rest)
	id := sha256.Sum256(publicKey(t, log.PublicKey))
	log.ID = id[:]
	tr, err := root.NewTrustedRoot(root.TrustedRootMediaType01,
		[]root.CertificateAuthority{&root.FulcioCertificateAuthority{Root: i.cert, URI: "https://fulcio.example.com", ValidityPeriodStart: template.NotBefore, ValidityPeriodEnd: template.NotAfter}},
		nil, rest.TimestampingAuthorities(), map[string]*root.TransparencyLog{hex.EncodeToString(log.ID): log})
	check(t, err)
	i.root, err = tr.MarshalJSON()
	check(t, err)
	return i
}

func onlyLog(t *testing.T, c *ca.VirtualSigstore) *root.TransparencyLog {
	t.Helper()
	for _, log := range c.RekorLogs() {
		return log
	}
	t.Fatal("the instance has no log")
	return nil
}

func publicKey(t *testing.T, k crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k)
	check(t, err)
	return der
}

func (i *instance) issue(template, parent *x509.Certificate, key crypto.PublicKey) *x509.Certificate {
	i.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, i.key)
	check(i.t, err)
	c, err := x509.ParseCertificate(der)
	check(i.t, err)
	return c
}

// signing is what goes into one bundle.
type signing struct {
	payloadType string
	statement   string
	// uris and emails are the names of the certificate, extensions Fulcio's by number, from 8 on.
	uris, emails []string
	extensions   map[int]string
	// signed is when.
	signed time.Time
	// change alters the bundle once it is made.
	change func(*protobundle.Bundle)
}

// job is what Fulcio writes of a job of build.yml in acme/forge.
func job() map[int]string {
	return map[int]string{
		8: "https://token.actions.example.com", 9: "https://github.com/acme/forge/.github/workflows/build.yml@refs/heads/main", 10: sha1Hex, 11: "github-hosted",
		12: "https://github.com/acme/forge", 13: sha1Hex, 14: "refs/heads/main", 15: "1234", 16: "https://github.com/acme", 17: "99",
		18: "https://github.com/acme/forge/.github/workflows/build.yml@refs/heads/main", 19: sha1Hex, 20: "push",
		21: "https://github.com/acme/forge/actions/runs/77/attempts/1", 22: "public", 23: "release", 24: "repo:acme/forge:environment:release",
	}
}

const sha1Hex = "0123456789abcdef0123456789abcdef01234567"

// sign makes a bundle of Rekor v1, with inclusion proof, the log's promise and a timestamp.
func (i *instance) sign(s signing) []byte {
	i.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(i.t, err)
	leaf := i.issue(s.template(i.t), i.cert, key.Public())
	sum := sha256.Sum256(dsse.PAE(s.payloadType, []byte(s.statement)))
	sig, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	check(i.t, err)
	envelope := &dsse.Envelope{PayloadType: s.payloadType, Payload: base64.StdEncoding.EncodeToString([]byte(s.statement)), Signatures: []dsse.Signature{{Sig: base64.StdEncoding.EncodeToString(sig)}}}
	entry, err := i.rest.GenerateTlogEntry(leaf, envelope, sig, s.signed.Unix(), true)
	check(i.t, err)
	stamp, err := i.rest.TimestampResponse(sig)
	check(i.t, err)
	b := &protobundle.Bundle{
		MediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
		VerificationMaterial: &protobundle.VerificationMaterial{
			Content:                   &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: leaf.Raw}},
			TlogEntries:               []*protorekor.TransparencyLogEntry{i.promised(entry)},
			TimestampVerificationData: &protobundle.TimestampVerificationData{Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamp}}},
		},
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{PayloadType: s.payloadType, Payload: []byte(s.statement), Signatures: []*protodsse.Signature{{Sig: sig}}}},
	}
	if s.change != nil {
		s.change(b)
	}
	raw, err := protojson.Marshal(b)
	check(i.t, err)
	return raw
}

// promised is an entry as a bundle has it, with the promise of the log.
func (i *instance) promised(e *tlog.Entry) *protorekor.TransparencyLogEntry {
	i.t.Helper()
	p := e.TransparencyLogEntry()
	p.KindVersion = &protorekor.KindVersion{Kind: "dsse", Version: "0.0.1"}
	promise, err := i.rest.RekorSignPayload(tlog.RekorPayload{
		Body: base64.StdEncoding.EncodeToString(p.GetCanonicalizedBody()), IntegratedTime: p.GetIntegratedTime(), LogIndex: p.GetLogIndex(), LogID: hex.EncodeToString(p.GetLogId().GetKeyId()),
	})
	check(i.t, err)
	p.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: promise}
	return p
}

// template is a leaf as Fulcio makes it.
func (s signing) template(t *testing.T) *x509.Certificate {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: s.signed.Add(-time.Minute), NotAfter: s.signed.Add(9 * time.Minute), EmailAddresses: s.emails,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	for _, u := range s.uris {
		uri, err := url.Parse(u)
		check(t, err)
		c.URIs = append(c.URIs, uri)
	}
	for number, text := range s.extensions {
		value, err := asn1.MarshalWithParams(text, "utf8")
		if number == 1 {
			value, err = []byte(text), nil
		}
		check(t, err)
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, number}, Value: value})
	}
	return c
}

// stated is a statement of CEP 27.
func stated(name string, sum [32]byte, target string) string {
	quoted := func(s string) string {
		b, err := json.Marshal(s)
		if err != nil {
			panic(err) // a string is always JSON
		}
		return string(b)
	}
	return fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":%s,"digest":{"sha256":"%x"}}],`+
		`"predicateType":"https://schemas.conda.org/attestations-publish-1.schema.json","predicate":{"targetChannel":%s}}`, quoted(name), sum, quoted(target))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
