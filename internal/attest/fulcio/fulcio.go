// Package fulcio reads whom a certificate of sigstore's authority names: which job of which CI service. It compares nothing,
// and trusts nothing: whoever hands it a certificate has verified it.
package fulcio

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"strings"

	"sluice/internal/fault"
)

// Signer is whom a certificate of Fulcio names (its docs/oid-info.md). Values are as the certificate has them; one that
// is absent, empty or "<nil>" is empty.
type Signer struct {
	// Identity is the certificate's only name, a URI: for CI services the file that holds the job.
	Identity string `json:"identity"`
	Issuer   string `json:"issuer"`
	// BuildSigner and BuildSignerDigest are the file that holds the job, and its commit.
	BuildSigner       string `json:"build_signer,omitempty"`
	BuildSignerDigest string `json:"build_signer_digest,omitempty"`
	Runner            string `json:"runner,omitempty"`
	// Repository is the address of the source repository, Commit and Ref what was built of it.
	Repository string `json:"repository,omitempty"`
	Commit     string `json:"commit,omitempty"`
	Ref        string `json:"ref,omitempty"`
	// RepositoryID and OwnerID never change and are never given to another.
	RepositoryID string `json:"repository_id,omitempty"`
	Owner        string `json:"owner,omitempty"`
	OwnerID      string `json:"owner_id,omitempty"`
	// BuildConfig and BuildConfigDigest are the workflow that was started, and its commit.
	BuildConfig       string `json:"build_config,omitempty"`
	BuildConfigDigest string `json:"build_config_digest,omitempty"`
	// Trigger is the event that started the run, Run the run's address.
	Trigger     string `json:"trigger,omitempty"`
	Run         string `json:"run,omitempty"`
	Visibility  string `json:"visibility,omitempty"`
	Environment string `json:"environment,omitempty"`
	// Subject is the "sub" of the identity token.
	Subject string `json:"subject,omitempty"`
}

// fulcioArc is the arc of Fulcio's extensions, without the last number.
var fulcioArc = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1}

// The numbers of extensions below the arc. From 8 on the value is a UTF8String; 1 is the raw text of the issuer.
const (
	extOldIssuer = 1
	extIssuer    = 8
)

// field is where the value of an extension goes; nil for those that are not kept.
func (s *Signer) field(number int) *string {
	fields := [...]*string{
		&s.Issuer, &s.BuildSigner, &s.BuildSignerDigest, &s.Runner, &s.Repository, &s.Commit, &s.Ref, &s.RepositoryID, &s.Owner,
		&s.OwnerID, &s.BuildConfig, &s.BuildConfigDigest, &s.Trigger, &s.Run, &s.Visibility, &s.Environment, &s.Subject,
	}
	if i := number - extIssuer; i >= 0 && i < len(fields) {
		return fields[i]
	}
	return nil
}

// Read reads whom a certificate names. It refuses people (fault.NotACISigner) and what could be read in two ways
// (fault.CertificateUntrusted).
func Read(c *x509.Certificate) (Signer, error) {
	notCI := fault.New(fault.NotACISigner, "The attestation was signed by something other than a CI job: its certificate must have exactly one name, an address.")
	if len(c.URIs) != 1 || len(c.EmailAddresses)+len(c.DNSNames)+len(c.IPAddresses) > 0 || otherNames(c) {
		return Signer{}, notCI
	}
	s := Signer{Identity: c.URIs[0].String()}
	if strings.Contains(s.Identity, "<nil>") || strings.Contains(s.Identity, "%3Cnil%3E") {
		return Signer{}, notCI
	}
	var seen []int
	for _, e := range c.Extensions {
		if len(e.Id) != len(fulcioArc)+1 || !e.Id[:len(fulcioArc)].Equal(fulcioArc) {
			continue
		}
		number := e.Id[len(fulcioArc)]
		if slices.Contains(seen, number) {
			return Signer{}, fault.New(fault.CertificateUntrusted, "The attestation's certificate has the extension %s twice.", e.Id)
		}
		seen = append(seen, number)
		into := s.field(number)
		if into == nil {
			continue
		}
		var text string
		if rest, err := asn1.UnmarshalWithParams(e.Value, &text, "utf8"); err != nil || len(rest) > 0 {
			return Signer{}, fault.New(fault.CertificateUntrusted, "The attestation's certificate has an extension %s that is no text.", e.Id)
		}
		if !strings.Contains(text, "<nil>") {
			*into = text
		}
	}
	if old, ok := oldIssuer(c); s.Issuer == "" || ok && old != s.Issuer {
		return Signer{}, fault.New(fault.CertificateUntrusted, "The attestation's certificate names no issuer, or two different ones.")
	}
	return s, nil
}

// oldIssuer is the issuer as certificates had it first; whoever reads only that must read the same.
func oldIssuer(c *x509.Certificate) (issuer string, ok bool) {
	for _, e := range c.Extensions {
		if e.Id.Equal(append(slices.Clone(fulcioArc), extOldIssuer)) {
			return string(e.Value), true
		}
	}
	return "", false
}

// otherNames reports whether the certificate has a name of a kind that Go does not read: Fulcio writes user names as
// otherName.
func otherNames(c *x509.Certificate) bool {
	const contextClass, otherName = 2, 0
	san := asn1.ObjectIdentifier{2, 5, 29, 17}
	for _, e := range c.Extensions {
		if !e.Id.Equal(san) {
			continue
		}
		var seq asn1.RawValue
		if rest, err := asn1.Unmarshal(e.Value, &seq); err != nil || len(rest) > 0 {
			return true
		}
		for rest := seq.Bytes; len(rest) > 0; {
			var name asn1.RawValue
			var err error
			if rest, err = asn1.Unmarshal(rest, &name); err != nil || name.Class == contextClass && name.Tag == otherName {
				return true
			}
		}
	}
	return false
}
