package test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"sluice/internal/attest"
	"sluice/internal/attest/attesttest"
	"sluice/internal/fault"
	"sluice/internal/standin"
	"sluice/test/sigstore"
)

// specimen is a good bundle, and the file that it is for.
type specimen struct {
	root    string // by which it is checked
	bundle  string
	subject attest.Subject
	channel string
	// states is a statement that has yet to be signed, in place of bundle.
	states string
}

// attestationCase is a bundle as somebody might send it, and who takes it.
type attestationCase struct {
	name string
	specimen
	// refused is our refusal; empty: we take it.
	refused fault.Code
	// takers are the clients in Python that take it: "", "sigstore", "conda-sigstore", or both, with a space between.
	takers string
	// why says why a client does otherwise than we do.
	why string
}

const (
	everybody = "conda-sigstore sigstore"
	nobody    = ""
)

// TestAttestationCases asks us and the clients in Python about the same bundles. Where somebody takes what we refuse, or refuses
// what we take, the case says why; so a difference that comes or goes with a new version is noticed.
func TestAttestationCases(t *testing.T) {
	t.Parallel()
	b := newSpecimens(t)
	cases := slices.Concat(b.shapes(t), b.entries(t), b.statements(t))
	allTested(t, cases)
	b.signAll(t, cases)
	asked := make([]clientCase, 0, len(cases))
	for _, c := range cases {
		asked = append(asked, clientCase{Name: c.name, Root: c.root, Bundle: c.bundle, File: c.subject.File, SHA256: hex.EncodeToString(c.subject.SHA256[:]), Channel: c.channel})
	}
	verdicts := inPython(t, b.roots, asked...)
	for _, c := range cases {
		err := b.check(t, c.specimen)
		if c.refused == "" && err != nil || c.refused != "" && fault.CodeOf(err) != c.refused {
			t.Errorf("%s: %v, want %q", c.name, err, c.refused)
		}
		var takers []string
		for _, client := range []string{"conda-sigstore", "sigstore"} {
			if verdicts[c.name][client] == "" {
				takers = append(takers, client)
			}
		}
		if got := strings.Join(takers, " "); got != c.takers {
			t.Errorf("%s: taken by %q, want %q: %v", c.name, got, c.takers, verdicts[c.name])
		}
		if agreed := (c.refused == "") == (c.takers == everybody) && (c.refused == "" || c.takers == nobody); agreed != (c.why == "") {
			t.Errorf("%s: all agree %v, and the case says %q", c.name, agreed, c.why)
		}
	}
}

// specimens are good bundles of an own instance and of the public one, from which the cases are made.
type specimens struct {
	roots    map[string]json.RawMessage
	checkers map[string]*attest.Checker
	// own is of Rekor v2 with a timestamp, public of Rekor v1 with a promise and without, dated of Rekor v1 with both.
	own, public, dated specimen
	// other is as own is, of another file with the same bytes.
	other protobundle.Bundle
	// sign has statements signed as own is, test makes bundles of another instance.
	sign func(statements ...string) []string
	test *attesttest.Instance
}

const ownFile, ownChannel = "tide-1.0-0.conda", "https://conda.example.com/forge"

func newSpecimens(t *testing.T) *specimens {
	t.Helper()
	ci, err := standin.Listen("127.0.0.1:0", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ci.Close() })
	instance := sigstore.Start(t, ci.URL())
	job := ci.Start(standin.Run{Environment: "release"})
	b := &specimens{test: attesttest.New(t), sign: func(statements ...string) []string {
		token, err := job.Token(sigstore.Audience)
		if err != nil {
			t.Fatal(err)
		}
		return instance.Sign(t, token, "application/vnd.in-toto+json", statements...)
	}}
	folder := "../internal/attest/"
	b.roots = map[string]json.RawMessage{"own": instance.Root, "public": read(t, folder+"roots/public-good.json")}
	b.roots["without"] = merged(t, b.test.Root, instance.Root, "ctlogs")
	b.checkers = map[string]*attest.Checker{}
	for name, root := range b.roots {
		p, err := attest.NewProfile(name, root)
		if err != nil {
			t.Fatal(err)
		}
		b.checkers[name] = attest.NewChecker(p)
	}
	subject := attest.Subject{File: ownFile, SHA256: sha256.Sum256([]byte("tide"))}
	b.sign("") // the first entry of a log has the index 0, which protobuf leaves out, and sigstore for Python then misses
	made := b.sign(attesttest.Statement(subject.File, subject.SHA256, ownChannel), attesttest.Statement("other-1.0-0.conda", subject.SHA256, ownChannel))
	b.own = specimen{root: "own", bundle: made[0], subject: subject, channel: ownChannel}
	if err := protojson.Unmarshal([]byte(made[1]), &b.other); err != nil {
		t.Fatal(err)
	}

	const real = "signed-package-2.1.0-hb0f4dca_0"
	b.public = specimen{
		root: "public", bundle: compacted(t, read(t, folder+"testdata/"+real+".sigstore.json")), channel: "https://prefix.dev/sigstore-example",
		subject: attest.Subject{File: real + ".conda", SHA256: sha256.Sum256(read(t, folder+"testdata/"+real+".conda"))},
	}
	var sidecar []json.RawMessage
	if err := json.Unmarshal(read(t, folder+"testdata/actionlint-1.7.12-h60d57d3_0.conda.sigs"), &sidecar); err != nil || len(sidecar) != 1 {
		t.Fatal(len(sidecar), err)
	}
	b.dated = specimen{root: "public", bundle: string(sidecar[0]), subject: subjectOf(t, sidecar[0]), channel: "https://prefix.dev/github-releases"}
	return b
}

// check is what becomes of a bundle that comes with an upload of the file to the channel, whoever signed it.
func (b *specimens) check(t *testing.T, s specimen) error {
	t.Helper()
	list, err := attest.ReadBundles([]byte(s.bundle), 1)
	if err != nil {
		return err
	}
	v, err := b.checkers[s.root].Check(list[0], s.subject)
	if err != nil || v.Target.URL == "" {
		return err
	}
	return v.Target.For(s.channel)
}

// text is the specimen with a part of its bundle's text replaced.
func (s specimen) text(t *testing.T, old, replacement string) specimen {
	t.Helper()
	if !strings.Contains(s.bundle, old) {
		t.Fatalf("the bundle has no %.60q", old)
	}
	s.bundle = strings.Replace(s.bundle, old, replacement, 1)
	return s
}

// edited is the specimen with a bundle that was taken apart and changed.
func (s specimen) edited(t *testing.T, change func(*protobundle.Bundle)) specimen {
	t.Helper()
	var b protobundle.Bundle
	if err := protojson.Unmarshal([]byte(s.bundle), &b); err != nil {
		t.Fatal(err)
	}
	change(&b)
	out, err := protojson.Marshal(&b)
	if err != nil {
		t.Fatal(err)
	}
	s.bundle = string(out)
	return s
}

// entry is edited for the log entry.
func (s specimen) entry(t *testing.T, change func(*protorekor.TransparencyLogEntry)) specimen {
	t.Helper()
	return s.edited(t, func(b *protobundle.Bundle) { change(b.GetVerificationMaterial().GetTlogEntries()[0]) })
}

// stating is the own specimen with a part of its statement replaced, to be signed anew.
func (b *specimens) stating(t *testing.T, old, replacement string) specimen {
	t.Helper()
	statement := attesttest.Statement(ownFile, b.own.subject.SHA256, ownChannel)
	if !strings.Contains(statement, old) {
		t.Fatalf("the statement has no %q", old)
	}
	s := b.own
	s.bundle, s.states = "", strings.Replace(statement, old, replacement, 1)
	return s
}

// signAll signs what has yet to be signed.
func (b *specimens) signAll(t *testing.T, cases []attestationCase) {
	t.Helper()
	var statements []string
	for _, c := range cases {
		if c.states != "" {
			statements = append(statements, c.states)
		}
	}
	b.sign("") // the first entry of a log has the index 0, which protobuf leaves out, and sigstore for Python then misses
	made := b.sign(statements...)
	for i := range cases {
		if cases[i].states != "" {
			cases[i].bundle, made = made[0], made[1:]
		}
	}
}

// whole is the specimen with another text for its bundle.
func (s specimen) whole(text string) specimen {
	s.bundle = text
	return s
}

// at is the specimen uploaded to another channel.
func (s specimen) at(channel string) specimen {
	s.channel = channel
	return s
}

// of is the specimen sent with another file.
func (s specimen) of(file string, sum [32]byte) specimen {
	s.subject = attest.Subject{File: file, SHA256: sum}
	return s
}

// shapes are cases of the bundle itself.
func (b *specimens) shapes(t *testing.T) []attestationCase {
	t.Helper()
	own, public := b.own, b.public
	certificate := func(m *protobundle.VerificationMaterial) *protocommon.X509Certificate { return m.GetCertificate() }
	chain := func(v *protobundle.Bundle) {
		m := v.GetVerificationMaterial()
		m.Content = &protobundle.VerificationMaterial_X509CertificateChain{X509CertificateChain: &protocommon.X509CertificateChain{Certificates: []*protocommon.X509Certificate{certificate(m)}}}
	}
	stranger := own.whole(string(b.test.Sign(attesttest.Signing{
		PayloadType: "application/vnd.in-toto+json", Statement: attesttest.Statement(ownFile, own.subject.SHA256, ownChannel), URIs: []string{attesttest.Job()[9]}, Extensions: attesttest.Job(), At: time.Now(),
	})))
	without := stranger
	without.root = "without"
	return []attestationCase{
		{"1 good, Rekor v1", public, "", everybody, ""},
		{"1 good, Rekor v1 with a timestamp", b.dated, "", everybody, ""},
		{"2 good, Rekor v2", own, "", everybody, ""},
		{"3 spread out", public.whole(indented(t, public.bundle)), "", everybody, ""},
		{"8 truncated", public.whole(public.bundle[:len(public.bundle)/2]), fault.BundleMalformed, nobody, ""},
		{"9 something after it", public.whole(public.bundle + "{}"), fault.BundleMalformed, nobody, ""},
		{"10 member twice", public.text(t, `{"mediaType"`, `{"mediaType":"x","mediaType"`), fault.BundleMalformed, "sigstore", "sigstore takes the last of two members"},
		{"11 unknown member", public.text(t, `{"mediaType"`, `{"extra":1,"mediaType"`), fault.BundleMalformed, nobody, ""},
		{"12 byte order mark", public.text(t, `{"mediaType"`, "\ufeff"+`{"mediaType"`), fault.BundleMalformed, nobody, ""},
		{"13 base64 without padding", public.text(t, `="`, `"`), fault.BundleMalformed, nobody, ""},
		{"13 base64 of another alphabet", public.text(t, `PB+o=`, `PB-o=`), fault.BundleMalformed, nobody, ""},
		{"14 nested", public.text(t, `{"mediaType"`, `{"extra":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+`,"mediaType"`), fault.BundleMalformed, nobody, ""},
		{"17 no media type", own.edited(t, func(v *protobundle.Bundle) { v.MediaType = "" }), fault.BundleVersion, nobody, ""},
		{"18 version 0.4", own.edited(t, func(v *protobundle.Bundle) { v.MediaType = "application/vnd.dev.sigstore.bundle.v0.4+json" }), fault.BundleVersion, nobody, ""},
		{"19 version 0.1", public.edited(t, func(v *protobundle.Bundle) { v.MediaType = "application/vnd.dev.sigstore.bundle+json;version=0.1" }), fault.BundleVersion, nobody, ""},
		{"20 version 0.2", public.edited(t, func(v *protobundle.Bundle) { v.MediaType = "application/vnd.dev.sigstore.bundle+json;version=0.2" }), fault.BundleVersion, nobody, ""},
		{"21 version 0.3, as it was once written", own.edited(t, func(v *protobundle.Bundle) { v.MediaType = "application/vnd.dev.sigstore.bundle+json;version=0.3" }), "", everybody, ""},
		{"22 chain of certificates", own.edited(t, chain), fault.BundleMalformed, nobody, ""},
		{"23 chain and certificate", own.text(t, `"certificate":`, `"x509CertificateChain":{"certificates":[]},"certificate":`), fault.BundleMalformed, nobody, ""},
		{"24 key in place of a certificate", own.edited(t, func(v *protobundle.Bundle) {
			v.GetVerificationMaterial().Content = &protobundle.VerificationMaterial_PublicKey{PublicKey: &protocommon.PublicKeyIdentifier{Hint: "x"}}
		}), fault.NoCertificate, nobody, ""},
		{"25 certificate that is none", own.edited(t, func(v *protobundle.Bundle) { certificate(v.GetVerificationMaterial()).RawBytes = []byte("certificate") }), fault.NoCertificate, nobody, ""},
		{"26 bytes signed", own.edited(t, func(v *protobundle.Bundle) {
			v.Content = &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
				MessageDigest: &protocommon.HashOutput{Algorithm: protocommon.HashAlgorithm_SHA2_256, Digest: own.subject.SHA256[:]}, Signature: []byte("x"),
			}}
		}), fault.NotAnAttestation, nobody, ""},
		{"27 two signatures", own.edited(t, func(v *protobundle.Bundle) {
			e := v.GetDsseEnvelope()
			e.Signatures = append(e.Signatures, proto.CloneOf(e.GetSignatures()[0]))
		}), fault.SignatureInvalid, nobody, ""},
		{"28 no signature", own.edited(t, func(v *protobundle.Bundle) { v.GetDsseEnvelope().Signatures = []*protodsse.Signature{} }), fault.SignatureInvalid, nobody, ""},
		{"29 payload type", own.edited(t, func(v *protobundle.Bundle) { v.GetDsseEnvelope().PayloadType = "text/plain" }), fault.LogInvalid, nobody, ""},
		{"30 payload", own.edited(t, func(v *protobundle.Bundle) { v.GetDsseEnvelope().Payload[20] ^= 1 }), fault.LogInvalid, nobody, ""},
		{"30 payload, Rekor v1", public.edited(t, func(v *protobundle.Bundle) { v.GetDsseEnvelope().Payload[20] ^= 1 }), fault.LogInvalid, nobody, ""},
		{"31 signature", own.edited(t, func(v *protobundle.Bundle) { v.GetDsseEnvelope().GetSignatures()[0].Sig[20] ^= 1 }), fault.LogInvalid, nobody, ""},
		{"31 signature, Rekor v1", public.edited(t, func(v *protobundle.Bundle) { v.GetDsseEnvelope().GetSignatures()[0].Sig[20] ^= 1 }), fault.LogInvalid, nobody, ""},
		{"32 certificate", own.edited(t, func(v *protobundle.Bundle) {
			raw := certificate(v.GetVerificationMaterial()).GetRawBytes()
			raw[len(raw)-10] ^= 1
		}), fault.LogInvalid, nobody, ""},
		{"33 certificate of another bundle", b.mixed(t, func(v, other *protobundle.Bundle) {
			certificate(v.GetVerificationMaterial()).RawBytes = certificate(other.GetVerificationMaterial()).GetRawBytes()
		}), fault.LogInvalid, nobody, ""},
		{"34 another instance", stranger, fault.LogUnknown, nobody, ""},
		{"36 another instance, without a log", stranger.edited(t, func(v *protobundle.Bundle) { v.GetVerificationMaterial().TlogEntries = nil }), fault.LogUnknown, nobody, ""},
		{"54 no promise of a certificate log", without, fault.SCTMissing, nobody, ""},
	}
}

// mixed is the own specimen with something of another bundle of the same signer.
func (b *specimens) mixed(t *testing.T, mix func(v, other *protobundle.Bundle)) specimen {
	t.Helper()
	return b.own.edited(t, func(v *protobundle.Bundle) { mix(v, &b.other) })
}

// entries are cases of the log's entry and of the times.
func (b *specimens) entries(t *testing.T) []attestationCase {
	t.Helper()
	own, public, dated := b.own, b.public, b.dated
	stamps := func(v *protobundle.Bundle) *protobundle.TimestampVerificationData {
		return v.GetVerificationMaterial().GetTimestampVerificationData()
	}
	again := func(n int, change func(*protorekor.TransparencyLogEntry)) func(*protobundle.Bundle) {
		return func(v *protobundle.Bundle) {
			m := v.GetVerificationMaterial()
			for range n {
				e := proto.CloneOf(m.GetTlogEntries()[0])
				change(e)
				m.TlogEntries = append([]*protorekor.TransparencyLogEntry{e}, m.TlogEntries...)
			}
		}
	}
	unknown := func(e *protorekor.TransparencyLogEntry) { e.LogId.KeyId[0] ^= 1 }
	same := func(*protorekor.TransparencyLogEntry) {}
	return []attestationCase{
		{"37 no entry", own.edited(t, func(v *protobundle.Bundle) { v.GetVerificationMaterial().TlogEntries = nil }), fault.LogUnknown, nobody, ""},
		{"38 unknown log", own.entry(t, unknown), fault.LogUnknown, nobody, ""},
		{"39 entry twice", own.edited(t, again(1, same)), fault.LogInvalid, nobody, ""},
		{"39 entry of an unknown log beside", own.edited(t, again(1, unknown)), fault.LogInvalid, nobody, ""},
		{"40 too many entries", own.edited(t, again(32, same)), fault.BundleMalformed, nobody, ""},
		{"41 entry of another bundle", b.mixed(t, func(v, other *protobundle.Bundle) {
			v.GetVerificationMaterial().TlogEntries = other.GetVerificationMaterial().GetTlogEntries()
		}), fault.LogInvalid, nobody, ""},
		{"42 no proof", own.entry(t, func(e *protorekor.TransparencyLogEntry) { e.InclusionProof = nil }), fault.BundleMalformed, nobody, ""},
		{"43 no checkpoint", own.entry(t, func(e *protorekor.TransparencyLogEntry) { e.InclusionProof.Checkpoint = nil }), fault.BundleMalformed, nobody, ""},
		{"44 proof too short", public.entry(t, func(e *protorekor.TransparencyLogEntry) {
			e.InclusionProof.Hashes = e.GetInclusionProof().GetHashes()[1:]
		}), fault.LogInvalid, nobody, ""},
		{"45 another checkpoint", own.entry(t, func(e *protorekor.TransparencyLogEntry) {
			c := e.GetInclusionProof().GetCheckpoint()
			c.Envelope = strings.Replace(c.GetEnvelope(), "\n", "\n1", 1)
		}), fault.LogInvalid, nobody, ""},
		{"46 negative index", own.entry(t, func(e *protorekor.TransparencyLogEntry) { e.LogIndex = -1 }), fault.BundleMalformed, nobody, ""},
		{"47 no promise and no timestamp", public.entry(t, func(e *protorekor.TransparencyLogEntry) { e.InclusionPromise = nil }), fault.TimeUnproven, nobody, ""},
		{"47 no promise beside a timestamp", dated.entry(t, func(e *protorekor.TransparencyLogEntry) { e.InclusionPromise = nil }), "", everybody, ""},
		{"48 another time", public.entry(t, func(e *protorekor.TransparencyLogEntry) { e.IntegratedTime++ }), fault.LogUnknown, nobody, ""},
		{"49 another root of the tree, Rekor v1", public.entry(t, func(e *protorekor.TransparencyLogEntry) { e.InclusionProof.RootHash[0] ^= 1 }), fault.LogInvalid, nobody, ""},
		{"50 no timestamp", own.edited(t, func(v *protobundle.Bundle) { v.GetVerificationMaterial().TimestampVerificationData = nil }), fault.TimeUnproven, nobody, ""},
		{"51 timestamp that is none", own.edited(t, func(v *protobundle.Bundle) { stamps(v).Rfc3161Timestamps[0].SignedTimestamp = []byte("time") }), fault.TimeUnproven, nobody, ""},
		{"52 a time that nothing proves", own.entry(t, func(e *protorekor.TransparencyLogEntry) { e.IntegratedTime = 1 }), fault.LogInvalid, everybody, "the clients do not look at a time without a promise"},
		{"58 kind of entry", public.entry(t, func(e *protorekor.TransparencyLogEntry) { e.KindVersion.Version = "0.0.9" }), "", nobody, "the clients read entries by a version that nothing signs; it is shown nowhere"},
		{"59 body, Rekor v2", own.entry(t, func(e *protorekor.TransparencyLogEntry) { e.CanonicalizedBody = append(e.GetCanonicalizedBody(), ' ') }), "", nobody, "we make the entry anew from what was signed, and read this one nowhere"},
		{"60 root of the tree, Rekor v2", own.entry(t, func(e *protorekor.TransparencyLogEntry) { e.InclusionProof.RootHash[0] ^= 1 }), "", nobody, "we take the root that the log has signed, and read this one nowhere"},
		{"61 timestamp that is none beside a promise", public.edited(t, func(v *protobundle.Bundle) {
			v.GetVerificationMaterial().TimestampVerificationData = &protobundle.TimestampVerificationData{Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: []byte("time")}}}
		}), "", nobody, "the clients want all timestamps to be right; one that is not adds no time to our verdict"},
	}
}

// statements are cases of what was signed.
func (b *specimens) statements(t *testing.T) []attestationCase {
	t.Helper()
	sum := hex.EncodeToString(b.own.subject.SHA256[:])
	predicate := `{"targetChannel":"` + ownChannel + `"}`
	elsewhere := func(target string) specimen { return b.stating(t, ownChannel, target) }
	return []attestationCase{
		{"64 another file's bytes", b.own.of(ownFile, sha256.Sum256([]byte("other"))), fault.WrongArtifact, nobody, ""},
		{"65 no subject", b.stating(t, `{"name":"`+ownFile+`","digest":{"sha256":"`+sum+`"}}`, ""), fault.WrongArtifact, nobody, ""},
		{"66 digest that is none", b.stating(t, sum, "tide"), fault.SignatureInvalid, nobody, ""},
		{"67 another file name", b.own.of("other-1.0-0.conda", b.own.subject.SHA256), fault.SubjectName, "sigstore", "sigstore does not look at names"},
		{"68 path in the name", b.stating(t, ownFile, "noarch/"+ownFile), fault.SubjectName, "sigstore", "sigstore does not look at names"},
		{"69 name in capitals", b.stating(t, ownFile, "Tide-1.0-0.conda"), fault.SubjectName, "sigstore", "sigstore does not look at names"},
		{"70 name of the other format", b.stating(t, ownFile, "tide-1.0-0.tar.bz2"), fault.SubjectName, "sigstore", "sigstore does not look at names"},
		{"71 two subjects", b.stating(t, `}],"predicateType"`, `},{"name":"b-1-0.conda","digest":{"sha256":"`+strings.Repeat("a", 64)+`"}}],"predicateType"`), fault.OneSubject, "sigstore", "sigstore takes a subject among others"},
		{"72 digest in capitals", b.stating(t, sum, strings.ToUpper(sum)), fault.SubjectDigest, "conda-sigstore", "conda-sigstore takes both cases, CEP 27 the small one"},
		{"73 another digest beside", b.stating(t, `"digest":{`, `"digest":{"sha512":"`+strings.Repeat("a", 128)+`",`), fault.SubjectDigest, "sigstore", "sigstore takes other digests beside"},
		{"74 old statement", b.stating(t, "Statement/v1", "Statement/v0.1"), fault.NotStatement, nobody, ""},
		{"75 another predicate", b.stating(t, attest.PredicateType, "https://slsa.dev/provenance/v1"), fault.NotStatement, "sigstore", "sigstore takes any predicate"},
		{"76 member twice", b.stating(t, `{"_type"`, `{"predicate":null,"_type"`), fault.StatementMalformed, "sigstore", "sigstore takes the last of two members"},
		{"77 member of another case", b.stating(t, `{"_type"`, `{"Predicate":null,"_type"`), fault.StatementMalformed, everybody, "readers that do not look at the case would find two predicates"},
		{"78 unknown member", b.stating(t, `{"_type"`, `{"extra":1,"_type"`), fault.StatementMalformed, everybody, "the clients pass over what they do not know"},
		{"79 not UTF-8", b.stating(t, `{"targetChannel"`, "{\"x\":\"\xff\",\"targetChannel\""), fault.StatementMalformed, nobody, ""},
		{"80 no predicate", b.stating(t, `,"predicate":`+predicate, ""), "", everybody, ""},
		{"81 predicate null", b.stating(t, predicate, "null"), "", everybody, ""},
		{"82 predicate a text", b.stating(t, predicate, `"x"`), fault.StatementMalformed, nobody, ""},
		{"83 predicate without target", b.stating(t, predicate, `{}`), fault.StatementMalformed, "sigstore", "sigstore does not look into predicates"},
		{"84 target a number", b.stating(t, `"`+ownChannel+`"`, "7"), fault.StatementMalformed, "sigstore", "sigstore does not look into predicates"},
		{"85 target with a slash", elsewhere(ownChannel + "/"), fault.TargetInvalid, "sigstore", "sigstore does not look into predicates"},
		{"86 target with a query", elsewhere(ownChannel + "?x=1"), fault.TargetInvalid, "sigstore", "sigstore does not look into predicates"},
		{"87 target with credentials", elsewhere("https://ann:secret@conda.example.com/forge"), fault.TargetInvalid, "sigstore", "sigstore does not look into predicates"},
		{"88 target a path", elsewhere("/forge"), fault.TargetInvalid, "sigstore", "sigstore does not look into predicates"},
		{"89 target too long", elsewhere(ownChannel + strings.Repeat("a", 3000)), fault.TargetInvalid, "sigstore", "sigstore does not look into predicates"},
		{"90 another channel", b.own.at("https://conda.example.com/other"), fault.TargetMismatch, "sigstore", "sigstore does not look into predicates"},
		{"91 another host", b.own.at("https://conda.example.org/forge"), fault.TargetMismatch, "sigstore", "sigstore does not look into predicates"},
		{"92 http for https", b.own.at("http://conda.example.com/forge"), fault.TargetMismatch, "sigstore", "sigstore does not look into predicates"},
		{"93 another port", b.own.at("https://conda.example.com:8443/forge"), fault.TargetMismatch, "sigstore", "sigstore does not look into predicates"},
		{"94 host in capitals", b.own.at("https://CONDA.example.com/forge"), "", everybody, ""},
		{"95 default port", b.own.at("https://conda.example.com:443/forge"), "", everybody, ""},
		{"96 path in capitals", b.own.at("https://conda.example.com/Forge"), fault.TargetMismatch, "sigstore", "sigstore does not look into predicates"},
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// compacted is a bundle as it is stored.
func compacted(t *testing.T, raw []byte) string {
	t.Helper()
	list, err := attest.ReadBundles(raw, 1)
	if err != nil {
		t.Fatal(err)
	}
	return string(list[0])
}

func indented(t *testing.T, bundle string) string {
	t.Helper()
	out, err := json.MarshalIndent(json.RawMessage(bundle), "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// subjectOf is the file that a bundle is for, where the file itself is not at hand.
func subjectOf(t *testing.T, raw []byte) attest.Subject {
	t.Helper()
	var b protobundle.Bundle
	if err := protojson.Unmarshal(raw, &b); err != nil {
		t.Fatal(err)
	}
	var st struct {
		Subject []struct {
			Name   string
			Digest map[string]string
		}
	}
	if err := json.Unmarshal(b.GetDsseEnvelope().GetPayload(), &st); err != nil || len(st.Subject) != 1 {
		t.Fatalf("%v: %s", err, b.GetDsseEnvelope().GetPayload())
	}
	sum, err := hex.DecodeString(st.Subject[0].Digest["sha256"])
	if err != nil {
		t.Fatal(err)
	}
	return attest.Subject{File: st.Subject[0].Name, SHA256: [32]byte(sum)}
}

// merged is a trusted root with one list of another.
func merged(t *testing.T, root, other []byte, list string) json.RawMessage {
	t.Helper()
	var a, b map[string]json.RawMessage
	for raw, into := range map[*[]byte]*map[string]json.RawMessage{&root: &a, &other: &b} {
		if err := json.Unmarshal(*raw, into); err != nil {
			t.Fatal(err)
		}
	}
	a[list] = b[list]
	out, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
