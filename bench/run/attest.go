package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"sluice/internal/attest"
)

func attestation() row {
	return row{
		name: "attest", what: "check of an attestation", beside: "sigstore-go alone",
		pairs: 9, measure: measureAttest,
		notes: []string{"Two bundles that others serve, of sigstore's public instance, checked in one process. The library alone reads a bundle and verifies it; ours also holds the statement to CEP 27 and reads the signer."},
	}
}

// checksAtOnce is how many checks make one figure.
const checksAtOnce = 100

// attested is a real bundle, in internal/attest/testdata.
type attested struct {
	what, bundle, file, sha256 string
}

func measureAttest(_ context.Context, b *bench) (lines []Line, err error) {
	for _, a := range []attested{
		{"promise of the log", "signed-package-2.1.0-hb0f4dca_0.sigstore.json", "signed-package-2.1.0-hb0f4dca_0.conda", "54303491a8418fbed24344b513546182c29b43bf282ceb433af65e2299f9271f"},
		{"promise and timestamp", "actionlint-1.7.12-h60d57d3_0.conda.sigs", "actionlint-1.7.12-h60d57d3_0.conda", "e3e0f35dec5b09b18baac8729d14115903b5adfd25065f8bbb90a2b3be5401e4"},
	} {
		line, err := a.measure(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.file, err)
		}
		lines = append(lines, line)
	}
	return lines, nil
}

func (a attested) measure(b *bench) (Line, error) {
	text, err := os.ReadFile(filepath.Join(b.root, "internal", "attest", "testdata", a.bundle))
	if err != nil {
		return Line{}, err
	}
	list, err := attest.ReadBundles(text, 1)
	if err != nil {
		return Line{}, err
	}
	sum, err := hex.DecodeString(a.sha256)
	if err != nil {
		return Line{}, err
	}
	profile, err := attest.PublicGoodProfile()
	if err != nil {
		return Line{}, err
	}
	checker, subject := attest.NewChecker(profile), attest.Subject{File: a.file, SHA256: [32]byte(sum)}
	verifier, err := library()
	if err != nil {
		return Line{}, err
	}
	ours, theirs, err := alternate(b.pairs, func() (float64, error) {
		return each(func() error {
			_, err := checker.Check(list[0], subject)
			return err
		})
	}, func() (float64, error) {
		return each(func() error {
			var read bundle.Bundle
			if err := read.UnmarshalJSON(list[0]); err != nil {
				return err
			}
			_, err := verifier.Verify(&read, verify.NewPolicy(verify.WithArtifactDigest("sha256", sum), verify.WithoutIdentitiesUnsafe()))
			return err
		})
	})
	if err != nil {
		return Line{}, err
	}
	line := compare(share, ours, theirs)
	line.Case, line.Unit, line.Beside, line.Goal = a.what, "ms", "sigstore-go", Goal{AtMost: 1.5}
	return line, nil
}

// library is sigstore-go with what the public instance is asked for.
func library() (*verify.Verifier, error) {
	material, err := root.NewTrustedRootFromJSON(attest.PublicGoodRoot())
	if err != nil {
		return nil, err
	}
	return verify.NewVerifier(material, verify.WithSignedCertificateTimestamps(1), verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1))
}

// each is how many milliseconds one of many calls takes.
func each(call func() error) (float64, error) {
	begin := time.Now()
	for range checksAtOnce {
		if err := call(); err != nil {
			return 0, err
		}
	}
	return time.Since(begin).Seconds() * 1000 / checksAtOnce, nil
}
