// Package attesttest is a sigstore of one's own for tests and measurements: a certificate authority that names CI jobs as Fulcio does, beside
// sigstore-go's log and timestamp authority, and the TUF repository that tells its keys. It must not be part of the program.
package attesttest

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

// Test is what is told of failures, and then goes no further in that goroutine. A testing.TB is one.
type Test interface {
	Helper()
	Fatal(args ...any)
}

// Instance is a sigstore that lives for an hour. Use New.
type Instance struct {
	t    Test
	rest *ca.VirtualSigstore
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// Root is its trusted_root.json.
	Root []byte
}

// New makes an instance with keys of its own.
func New(t Test) *Instance {
	t.Helper()
	rest, err := ca.NewVirtualSigstore()
	check(t, err)
	i := &Instance{t: t, rest: rest}
	i.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"test"}, CommonName: "test instance"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
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
	i.Root, err = tr.MarshalJSON()
	check(t, err)
	return i
}

// RootWith is the trusted root of i with the logs (tlogs), or the authorities (certificateAuthorities), of another instance in
// the place of its own.
func (i *Instance) RootWith(other *Instance, member string) []byte {
	i.t.Helper()
	var root, its map[string]json.RawMessage
	check(i.t, json.Unmarshal(i.Root, &root))
	check(i.t, json.Unmarshal(other.Root, &its))
	if root[member] == nil {
		i.t.Fatal("a trusted root has no " + member)
	}
	root[member] = its[member]
	b, err := json.Marshal(root)
	check(i.t, err)
	return b
}

func onlyLog(t Test, c *ca.VirtualSigstore) *root.TransparencyLog {
	t.Helper()
	for _, log := range c.RekorLogs() {
		return log
	}
	t.Fatal("the instance has no log")
	return nil
}

func publicKey(t Test, k crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k)
	check(t, err)
	return der
}

func (i *Instance) issue(template, parent *x509.Certificate, key crypto.PublicKey) *x509.Certificate {
	i.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, i.key)
	check(i.t, err)
	c, err := x509.ParseCertificate(der)
	check(i.t, err)
	return c
}

// Signing is what goes into one bundle.
type Signing struct {
	PayloadType string
	Statement   string
	// URIs and Emails are the names of the certificate, Extensions Fulcio's by number: from 8 on, and 1 as raw text.
	URIs, Emails []string
	Extensions   map[int]string
	// At is when it is signed.
	At time.Time
	// Change alters the bundle once it is made.
	Change func(*protobundle.Bundle)
}

// Job is what Fulcio writes of a job of build.yml in acme/forge.
func Job() map[int]string {
	return map[int]string{
		8: "https://token.actions.example.com", 9: "https://github.com/acme/forge/.github/workflows/build.yml@refs/heads/main", 10: sha1Hex, 11: "github-hosted",
		12: "https://github.com/acme/forge", 13: sha1Hex, 14: "refs/heads/main", 15: "1234", 16: "https://github.com/acme", 17: "99",
		18: "https://github.com/acme/forge/.github/workflows/build.yml@refs/heads/main", 19: sha1Hex, 20: "push",
		21: "https://github.com/acme/forge/actions/runs/77/attempts/1", 22: "public", 23: "release", 24: "repo:acme/forge:environment:release",
	}
}

const sha1Hex = "0123456789abcdef0123456789abcdef01234567"

// Sign makes a bundle of Rekor v1, with inclusion proof, the log's promise and a timestamp.
func (i *Instance) Sign(s Signing) []byte {
	i.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(i.t, err)
	leaf := i.issue(s.template(i.t), i.cert, key.Public())
	sum := sha256.Sum256(dsse.PAE(s.PayloadType, []byte(s.Statement)))
	sig, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	check(i.t, err)
	envelope := &dsse.Envelope{PayloadType: s.PayloadType, Payload: base64.StdEncoding.EncodeToString([]byte(s.Statement)), Signatures: []dsse.Signature{{Sig: base64.StdEncoding.EncodeToString(sig)}}}
	entry, err := i.rest.GenerateTlogEntry(leaf, envelope, sig, s.At.Unix(), true)
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
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{PayloadType: s.PayloadType, Payload: []byte(s.Statement), Signatures: []*protodsse.Signature{{Sig: sig}}}},
	}
	if s.Change != nil {
		s.Change(b)
	}
	raw, err := protojson.Marshal(b)
	check(i.t, err)
	return raw
}

// promised is an entry as a bundle has it, with the promise of the log.
func (i *Instance) promised(e *tlog.Entry) *protorekor.TransparencyLogEntry {
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
func (s Signing) template(t Test) *x509.Certificate {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: s.At.Add(-time.Minute), NotAfter: s.At.Add(9 * time.Minute), EmailAddresses: s.Emails,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	for _, u := range s.URIs {
		uri, err := url.Parse(u)
		check(t, err)
		c.URIs = append(c.URIs, uri)
	}
	for number, text := range s.Extensions {
		value, err := asn1.MarshalWithParams(text, "utf8")
		if number == 1 {
			value, err = []byte(text), nil
		}
		check(t, err)
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, number}, Value: value})
	}
	return c
}

// Statement is a statement of CEP 27.
func Statement(name string, sum [32]byte, target string) string {
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

func check(t Test, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
