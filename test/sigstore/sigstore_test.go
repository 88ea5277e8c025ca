package sigstore_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"sluice/internal/attest"
	"sluice/internal/attest/attesttest"
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
	raw := i.Sign(t, token, "application/vnd.in-toto+json", attesttest.Statement(subject.File, subject.SHA256, "https://conda.example.com/forge"))
	profile, err := attest.NewProfile("own", i.Root)
	if err != nil {
		t.Fatal(err)
	}
	v, err := attest.NewChecker(profile).Check(raw, subject)
	if err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	if v.Signer.Issuer != ci.URL() || v.Signer.Environment != "release" || v.Log.Index == "" || len(v.Times) != 1 {
		t.Errorf("verdict %+v", v)
	}
}
