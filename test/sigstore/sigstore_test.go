package sigstore_test

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"sluice/internal/attest"
	"sluice/internal/attest/attesttest"
	"sluice/internal/fault"
	"sluice/internal/standin"
	"sluice/test/sigstore"
)

// What the servers make is what a checker takes that trusts them: an entry in both logs and a timestamp.
func TestInstance(t *testing.T) {
	ci, err := standin.Listen("127.0.0.1:0", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ci.Close() })
	i := sigstore.Start(t, ci.URL())
	job := ci.Start(standin.Run{Environment: "release"})
	token, err := job.Token(sigstore.Audience)
	if err != nil {
		t.Fatal(err)
	}
	subject := attest.Subject{File: "tide-1.0-0.conda", SHA256: sha256.Sum256(nil)}
	statement := attesttest.Statement(subject.File, subject.SHA256, "https://conda.example.com/forge")
	profile, err := attest.NewProfile("own", i.Root)
	if err != nil {
		t.Fatal(err)
	}
	checker := attest.NewChecker(profile)
	keep(t, "trusted_root.json", i.Root)
	for _, index := range []string{"0", "1"} {
		raw := []byte(i.Sign(t, token, "application/vnd.in-toto+json", statement)[0])
		v, err := checker.Check(raw, subject)
		if err != nil {
			t.Fatalf("%v\n%s", err, raw)
		}
		keep(t, index+".sigstore.json", raw)
		if v.Signer.Issuer != ci.URL() || v.Signer.Environment != "release" || v.Log.Index != index || v.Log.LogID == "" || len(v.Times) != 1 {
			t.Errorf("verdict %+v", v)
		}
		// The index outside of the proof is the one that is proven, and the one that is told.
		if _, err := checker.Check(changed(t, raw, func(e *protorekor.TransparencyLogEntry) { e.LogIndex += 2 }), subject); fault.CodeOf(err) != fault.LogInvalid {
			t.Errorf("another index: %v", err)
		}
		v, err = checker.Check(changed(t, raw, func(e *protorekor.TransparencyLogEntry) { e.InclusionProof.LogIndex = 4242 }), subject)
		if err != nil || v.Log.Index != index {
			t.Errorf("another index in the proof: %+v, %v", v.Log, err)
		}
	}
}

// keep keeps a file for whoever asks for artifacts: so the bundle in internal/attest/testdata was made.
func keep(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(t.ArtifactDir(), name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// changed is a bundle with another log entry.
func changed(t *testing.T, raw []byte, change func(*protorekor.TransparencyLogEntry)) []byte {
	t.Helper()
	var b protobundle.Bundle
	if err := protojson.Unmarshal(raw, &b); err != nil {
		t.Fatal(err)
	}
	change(b.GetVerificationMaterial().GetTlogEntries()[0])
	out, err := protojson.Marshal(&b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
