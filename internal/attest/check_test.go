package attest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"

	"sluice/internal/attest"
	"sluice/internal/attest/attesttest"
	"sluice/internal/attest/fulcio"
	"sluice/internal/fault"
)

const real = "signed-package-2.1.0-hb0f4dca_0"

// realBundle is a bundle of the public instance, and the file that it is for.
func realBundle(t testing.TB) ([]byte, attest.Subject) {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + real + ".sigstore.json")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile("testdata/" + real + ".conda")
	if err != nil {
		t.Fatal(err)
	}
	list, err := attest.ReadBundles(raw, attest.MaxBundles)
	if err != nil {
		t.Fatal(err)
	}
	return list[0], attest.Subject{File: real + ".conda", SHA256: sha256.Sum256(file)}
}

// realSidecar is the bundle in a file of attestations that another server serves, and the file that it is for, of which only
// the digest is at hand.
func realSidecar(t testing.TB) ([]byte, attest.Subject) {
	t.Helper()
	const file = "actionlint-1.7.12-h60d57d3_0.conda"
	raw, err := os.ReadFile("testdata/" + file + ".sigs")
	if err != nil {
		t.Fatal(err)
	}
	list, err := attest.ReadBundles(raw, attest.MaxBundles)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d bundles, %v", len(list), err)
	}
	sum, err := hex.DecodeString("e3e0f35dec5b09b18baac8729d14115903b5adfd25065f8bbb90a2b3be5401e4")
	if err != nil {
		t.Fatal(err)
	}
	return list[0], attest.Subject{File: file, SHA256: [32]byte(sum)}
}

func publicGood(t testing.TB) *attest.Checker {
	t.Helper()
	p, err := attest.PublicGoodProfile()
	if err != nil {
		t.Fatal(err)
	}
	return attest.NewChecker(p)
}

// A bundle of Rekor v2, years after it was made: the timestamp says when, and the certificate has ended since.
func TestBundleOfRekorV2(t *testing.T) {
	t.Parallel()
	const file = "tide-1.0-0.conda"
	raw, err := os.ReadFile("testdata/" + file + ".rekor2.sigstore.json")
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := os.ReadFile("testdata/" + file + ".rekor2.root.json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := attest.NewProfile("own", trusted)
	if err != nil {
		t.Fatal(err)
	}
	subject := attest.Subject{File: file, SHA256: sha256.Sum256(nil)}
	v, err := attest.NewChecker(p).Check(raw, subject)
	if err != nil {
		t.Fatal(err)
	}
	if v.Log.Index != "1" || len(v.Times) != 1 || v.Signer.Environment != "release" {
		t.Errorf("verdict %+v", v)
	}
	if _, err := publicGood(t).Check(raw, subject); fault.CodeOf(err) == "" {
		t.Errorf("by the keys of another instance: %v", err)
	}
}

func TestRealBundle(t *testing.T) {
	t.Parallel()
	raw, subject := realBundle(t)
	v, err := publicGood(t).Check(raw, subject)
	if err != nil {
		t.Fatal(err)
	}
	if v.Target.URL != "https://prefix.dev/sigstore-example" || v.Signer.Issuer != "https://token.actions.githubusercontent.com" || v.Signer.Repository == "" ||
		v.Signer.Run == "" || v.Signer.RepositoryID == "" || v.Log.Index == "" || v.SignedAt().Year() != 2025 || v.Profile != "sigstore" {
		t.Errorf("verdict %+v", v)
	}
	for name, wrong := range map[string]attest.Subject{"wrong_artifact": {File: subject.File, SHA256: sha256.Sum256(nil)}, "subject_name": {File: "other-2.1.0-hb0f4dca_0.conda", SHA256: subject.SHA256}} {
		if _, err := publicGood(t).Check(raw, wrong); fault.CodeOf(err) != fault.Code(name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What another instance vouches for is nothing here.
	other, err := attest.NewProfile("other", attesttest.New(t).Root)
	check(t, err)
	if _, err := attest.NewChecker(other).Check(raw, subject); fault.CodeOf(err) != fault.LogUnknown {
		t.Errorf("by another instance: %v", err)
	}
	if _, err := attest.NewChecker().Check(raw, subject); fault.CodeOf(err) != fault.CertificateUntrusted {
		t.Errorf("by no instance: %v", err)
	}
}

// What the clients upload to prefix.dev has a timestamp beside the log's promise: both times count.
func TestRealSidecar(t *testing.T) {
	t.Parallel()
	raw, subject := realSidecar(t)
	v, err := publicGood(t).Check(raw, subject)
	if err != nil {
		t.Fatal(err)
	}
	if v.Target.URL != "https://prefix.dev/github-releases" || v.Signer.Issuer != "https://token.actions.githubusercontent.com" || v.Signer.Repository == "" || len(v.Times) != 2 || v.Log.Index == "" {
		t.Errorf("verdict %+v", v)
	}
	subject.SHA256[0] ^= 1
	if _, err := publicGood(t).Check(raw, subject); fault.CodeOf(err) != fault.WrongArtifact {
		t.Errorf("for another file: %v", err)
	}
}

// Any byte of the signed parts that is changed is noticed.
func TestRealBundleChanged(t *testing.T) {
	t.Parallel()
	raw, subject := realBundle(t)
	c := publicGood(t)
	whole := string(raw)
	for _, tt := range []struct {
		name, old, new string
		codes          []fault.Code
	}{
		{"truncated", whole[len(whole)/2:], "", []fault.Code{fault.BundleMalformed}},
		{"another payload", `"payload":"eyJ`, `"payload":"eyK`, []fault.Code{fault.LogInvalid, fault.SignatureInvalid}},
		{"another payload type", `application/vnd.in-toto+json`, `text/plain`, []fault.Code{fault.LogInvalid, fault.SignatureInvalid}},
		{"version 0.1", `bundle.v0.3+json`, `bundle+json;version=0.1`, []fault.Code{fault.BundleVersion}},
		{"unknown field", `{"mediaType"`, `{"extra":1,"mediaType"`, []fault.Code{fault.BundleMalformed}},
		{"member of another name", `"tlogEntries"`, `"tlog_entries"`, []fault.Code{fault.BundleMalformed}},
		{"number in place of a text", `"logIndex":"456119071"`, `"logIndex":456119071`, []fault.Code{fault.BundleMalformed}},
		{"base64 without padding", `="`, `"`, []fault.Code{fault.BundleMalformed}},
		{"base64 of another alphabet", `A1biiPTVPB+o`, `A1biiPTVPB-o`, []fault.Code{fault.BundleMalformed}},
		{"trailing object", whole, whole + "{}", []fault.Code{fault.BundleMalformed}},
		{"no log entry", `"tlogEntries":[`, `"tlogEntries":[],"x":[`, []fault.Code{fault.BundleMalformed}},
		{"another time", `"integratedTime":"1`, `"integratedTime":"2`, []fault.Code{fault.LogUnknown, fault.LogInvalid, fault.TimeUnproven}},
	} {
		if !strings.Contains(whole, tt.old) {
			t.Fatalf("%s: the bundle has no %.40q", tt.name, tt.old)
		}
		_, err := c.Check([]byte(strings.Replace(whole, tt.old, tt.new, 1)), subject)
		f, ok := err.(*fault.Error) //nolint:errorlint // a refusal as it is
		found := false
		for _, code := range tt.codes {
			found = found || ok && f.Code == code
		}
		if !found {
			t.Errorf("%s: %v, want one of %v", tt.name, err, tt.codes)
		}
	}
}

// What the library takes and CEP 27 does not.
func TestStatementAndSigner(t *testing.T) {
	t.Parallel()
	i := attesttest.New(t)
	p, err := attest.NewProfile("test", i.Root)
	check(t, err)
	c := attest.NewChecker(p)
	subject := attest.Subject{File: "tidelib-2.4.1-h5a0c_0.conda", SHA256: sha256.Sum256([]byte("package"))}
	const target = "https://conda.example.com/harbour"
	good := attesttest.Statement(subject.File, subject.SHA256, target)
	change := func(old, replacement string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the statement has no %s", old)
		}
		return strings.Replace(good, old, replacement, 1)
	}
	with := func(number int, text string) map[int]string {
		m := attesttest.Job()
		m[number] = text
		return m
	}
	identity := []string{attesttest.Job()[9]}
	for _, tt := range []struct {
		name string
		s    attesttest.Signing
		code fault.Code
	}{
		{"good", attesttest.Signing{}, ""},
		{"spread out", attesttest.Signing{Statement: strings.ReplaceAll(good, ",", " ,\n ")}, ""},
		{"predicate null", attesttest.Signing{Statement: change(`{"targetChannel":"`+target+`"}`, "null")}, ""},
		{"predicate absent", attesttest.Signing{Statement: change(`,"predicate":{"targetChannel":"`+target+`"}`, "")}, ""},
		{"other members of the predicate", attesttest.Signing{Statement: change(`{"targetChannel"`, `{"note":[1,{}],"targetChannel"`)}, ""},
		{"predicate a text", attesttest.Signing{Statement: change(`{"targetChannel":"`+target+`"}`, `"x"`)}, fault.StatementMalformed},
		{"predicate without target", attesttest.Signing{Statement: change(`{"targetChannel":"`+target+`"}`, `{}`)}, fault.StatementMalformed},
		{"target a number", attesttest.Signing{Statement: change(`"`+target+`"`, `7`)}, fault.StatementMalformed},
		{"target with a slash", attesttest.Signing{Statement: change(target, target+"/")}, fault.TargetInvalid},
		{"target with a query", attesttest.Signing{Statement: change(target, target+"?x=1")}, fault.TargetInvalid},
		{"target with an empty fragment", attesttest.Signing{Statement: change(target, target+"#")}, fault.TargetInvalid},
		{"target with credentials", attesttest.Signing{Statement: change(target, "https://user:secret@conda.example.com/harbour")}, fault.TargetInvalid},
		{"target is a path", attesttest.Signing{Statement: change(target, "/harbour")}, fault.TargetInvalid},
		{"target too long", attesttest.Signing{Statement: change(target, target+strings.Repeat("a", 3000))}, fault.TargetInvalid},
		{"two subjects", attesttest.Signing{Statement: change(`}],"predicateType"`, `},{"name":"b","digest":{"sha256":"`+strings.Repeat("a", 64)+`"}}],"predicateType"`)}, fault.OneSubject},
		{"name with a path", attesttest.Signing{Statement: change(subject.File, "noarch/"+subject.File)}, fault.SubjectName},
		{"name in capitals", attesttest.Signing{Statement: change(subject.File, "Tidelib-2.4.1-h5a0c_0.conda")}, fault.SubjectName},
		{"name of the other format", attesttest.Signing{Statement: change(".conda\"", ".tar.bz2\"")}, fault.SubjectName},
		{"digest in capitals", attesttest.Signing{Statement: change(hexSum(subject), strings.ToUpper(hexSum(subject)))}, fault.SubjectDigest},
		{"another digest beside", attesttest.Signing{Statement: change(`"digest":{`, `"digest":{"sha512":"aa",`)}, fault.SubjectDigest},
		{"old statement", attesttest.Signing{Statement: change("Statement/v1", "Statement/v0.1")}, fault.NotStatement},
		{"another predicate", attesttest.Signing{Statement: change("https://schemas.conda.org/attestations-publish-1.schema.json", "https://slsa.dev/provenance/v1")}, fault.NotStatement},
		{"member twice", attesttest.Signing{Statement: change(`{"_type"`, `{"predicate":null,"_type"`)}, fault.StatementMalformed},
		{"member of another case", attesttest.Signing{Statement: change(`{"_type"`, `{"Predicate":null,"_type"`)}, fault.StatementMalformed},
		{"predicate deep in itself", attesttest.Signing{Statement: change(`{"targetChannel"`, `{"x":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+`,"targetChannel"`)}, fault.StatementMalformed},
		{"a person", attesttest.Signing{URIs: []string{}, Emails: []string{"ada@example.com"}}, fault.NotACISigner},
		{"a job and a person", attesttest.Signing{Emails: []string{"ada@example.com"}}, fault.NotACISigner},
		{"two jobs", attesttest.Signing{URIs: []string{attesttest.Job()[9], "https://github.com/acme/other"}}, fault.NotACISigner},
		{"nobody in particular", attesttest.Signing{URIs: []string{"https://github.com/<nil>"}}, fault.NotACISigner},
		{"two issuers", attesttest.Signing{Extensions: with(1, "https://other.example.com")}, fault.CertificateUntrusted},
		{"no issuer", attesttest.Signing{Extensions: with(8, "<nil>")}, fault.CertificateUntrusted},
		{"signed after the certificate's end", attesttest.Signing{At: time.Now().Add(-30 * time.Minute)}, fault.CertificateUntrusted},
		{"two signatures", attesttest.Signing{Change: func(b *protobundle.Bundle) {
			e := b.GetDsseEnvelope()
			e.Signatures = append(e.Signatures, &protodsse.Signature{Sig: e.GetSignatures()[0].GetSig()})
		}}, fault.SignatureInvalid},
		{"no log entry", attesttest.Signing{Change: func(b *protobundle.Bundle) { b.VerificationMaterial.TlogEntries = nil }}, fault.LogUnknown},
		{"no proof", attesttest.Signing{Change: func(b *protobundle.Bundle) { b.VerificationMaterial.TlogEntries[0].InclusionProof = nil }}, fault.BundleMalformed},
		{"another signature", attesttest.Signing{Change: func(b *protobundle.Bundle) { b.GetDsseEnvelope().Signatures[0].Sig[10] ^= 1 }}, fault.LogInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := attesttest.Signing{PayloadType: "application/vnd.in-toto+json", Statement: good, URIs: identity, Extensions: attesttest.Job(), At: time.Now()}
			if tt.s.Statement != "" {
				s.Statement = tt.s.Statement
			}
			if tt.s.URIs != nil {
				s.URIs = tt.s.URIs
			}
			if tt.s.Extensions != nil {
				s.Extensions = tt.s.Extensions
			}
			if !tt.s.At.IsZero() {
				s.At = tt.s.At
			}
			s.Emails, s.Change = tt.s.Emails, tt.s.Change
			v, err := c.Check(i.Sign(s), subject)
			if tt.code != "" {
				if fault.CodeOf(err) != tt.code {
					t.Errorf("%v, want %s", err, tt.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := attesttest.Job()
			if v.Signer.Identity != want[9] || v.Signer.Issuer != want[8] || v.Signer.Run != want[21] || v.Signer.Environment != "release" || v.Signer.Subject != want[24] {
				t.Errorf("signer %+v", v.Signer)
			}
		})
	}
}

// Attributes that a service had no value for are absent.
func TestNilIsAbsent(t *testing.T) {
	t.Parallel()
	i := attesttest.New(t)
	p, err := attest.NewProfile("test", i.Root)
	check(t, err)
	subject := attest.Subject{File: "a-1-0.conda", SHA256: sha256.Sum256(nil)}
	extensions := maps.Clone(attesttest.Job())
	extensions[23], extensions[12] = "<nil>", "https://github.com/<nil>"
	v, err := attest.NewChecker(p).Check(i.Sign(attesttest.Signing{
		PayloadType: "application/vnd.in-toto+json", Statement: attesttest.Statement(subject.File, subject.SHA256, "https://conda.example.com/a"), URIs: []string{attesttest.Job()[9]}, Extensions: extensions, At: time.Now(),
	}), subject)
	if err != nil || v.Signer.Environment != "" || v.Signer.Repository != "" {
		t.Errorf("signer %+v, %v", v.Signer, err)
	}
}

func TestTarget(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		target, channel string
		is              bool
	}{
		{"https://conda.example.com/harbour", "https://conda.example.com/harbour", true},
		{"https://conda.example.com/harbour", "https://conda.example.com/harbour/", true},
		{"https://CONDA.example.com:443/harbour", "https://conda.example.com/harbour", true},
		{"https://conda.example.com/Harbour", "https://conda.example.com/harbour", false},
		{"https://conda.example.com/harbour2", "https://conda.example.com/harbour", false},
		{"http://conda.example.com/harbour", "https://conda.example.com/harbour", false},
		{"https://conda.example.com:8443/harbour", "https://conda.example.com/harbour", false},
		{"https://conda.example.org/harbour", "https://conda.example.com/harbour", false},
		{"https://conda.example.com/h%61rbour", "https://conda.example.com/harbour", false},
		{"", "https://conda.example.com/harbour", false},
		{"https://conda.example.com", "https://conda.example.com/", true},
		{"https://conda.example.com/harbour", "harbour", false},
	} {
		if got := (attest.Target{URL: tt.target}).Is(tt.channel); got != tt.is {
			t.Errorf("%q is %q: %v", tt.target, tt.channel, got)
		}
	}
}

func TestWanted(t *testing.T) {
	t.Parallel()
	s := fulcio.Signer{Identity: "https://a.example/x", Issuer: "https://i.example", Repository: "https://a.example"}
	if err := (attest.Wanted{Issuer: s.Issuer, Identity: s.Identity, Repository: s.Repository}).Match(s); err != nil {
		t.Error(err)
	}
	err := attest.Wanted{Issuer: s.Issuer + "/", Identity: "https://a.example/X"}.Match(s)
	if f, ok := err.(*fault.Error); !ok || f.Code != fault.SignerMismatch || len(f.Differences) != 2 { //nolint:errorlint // a refusal as it is
		t.Errorf("mismatch: %v", err)
	}
}

func TestReadBundles(t *testing.T) {
	t.Parallel()
	const one = `{"a": [1, "x y"]}`
	for _, tt := range []struct {
		name, part string
		n          int
		code       fault.Code
	}{
		{"an object", "\n " + one, 1, ""},
		{"an array of one", "[" + one + "]", 1, ""},
		{"an array of eight", "[" + strings.Repeat(one+",", 7) + one + "]", 8, ""},
		{"an array of nine", "[" + strings.Repeat(one+",", 8) + one + "]", 0, fault.TooManyBundles},
		{"an empty array", "[]", 0, fault.BundleMalformed},
		{"nothing", "", 0, fault.BundleMalformed},
		{"null", "null", 0, fault.BundleMalformed},
		{"an array of texts", `["x"]`, 0, fault.BundleMalformed},
		{"truncated", one[:5], 0, fault.BundleMalformed},
		{"trailing", one + "{}", 0, fault.BundleMalformed},
		{"a byte order mark", "\ufeff" + one, 0, fault.BundleMalformed},
		{"not UTF-8", "{\"a\":\"\xff\"}", 0, fault.BundleMalformed},
		{"nested", strings.Repeat("[", 100_000), 0, fault.BundleMalformed},
		{"too large", `{"a":"` + strings.Repeat("x", attest.MaxBundle) + `"}`, 0, fault.TooLarge},
		{"far too large", strings.Repeat(" ", attest.MaxPart+1), 0, fault.TooLarge},
	} {
		list, err := attest.ReadBundles([]byte(tt.part), attest.MaxBundles)
		if len(list) != tt.n || tt.code == "" && err != nil || tt.code != "" && fault.CodeOf(err) != tt.code {
			t.Errorf("%s: %d bundles, %v", tt.name, len(list), err)
		}
		for _, b := range list {
			if string(b) != `{"a":[1,"x y"]}` {
				t.Errorf("%s: %s", tt.name, b)
			}
		}
	}
}

func hexSum(s attest.Subject) string { return (attest.Key{Certificate: s.SHA256}).String()[:64] }

// FuzzCheck: whatever comes is refused by a refusal, or is the signature of the real bundle that is for the file.
func FuzzCheck(f *testing.F) {
	c := publicGood(f)
	seeds := map[attest.Subject]attest.Key{}
	for _, real := range []func(testing.TB) ([]byte, attest.Subject){realBundle, realSidecar} {
		raw, subject := real(f)
		v, err := c.Check(raw, subject)
		if err != nil {
			f.Fatal(err)
		}
		seeds[subject] = v.Key
		f.Add(raw)
		f.Add(bytes.Replace(raw, []byte(`"tlogEntries"`), []byte(`"x"`), 1))
	}
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := attest.ReadBundles(b, attest.MaxBundles)
		if err != nil && fault.CodeOf(err) == fault.Internal {
			t.Fatal(err)
		}
		for _, one := range list {
			if !json.Valid(one) {
				t.Fatalf("%q is not JSON", one)
			}
			for subject, key := range seeds {
				v, err := c.Check(one, subject)
				if err == nil && v.Key != key {
					t.Fatalf("%q passes as another signature", one)
				} else if err != nil && fault.CodeOf(err) == fault.Internal {
					t.Fatal(err)
				}
			}
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	raw, subject := realBundle(b)
	c := publicGood(b)
	for b.Loop() {
		if _, err := c.Check(raw, subject); err != nil {
			b.Fatal(err)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
