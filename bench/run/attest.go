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

	"sluice/bench/peer"
	"sluice/internal/attest"
)

func attestation() row {
	return row{
		name: "attest", what: "check of an attestation", beside: "sigstore-go alone, and sigstore for Python",
		pairs: 9, measure: measureAttest,
		notes: []string{
			"The first two bundles are of sigstore's public instance, the third is of an instance with the servers that follow it. Each is checked in one process; the start of Python does not count.",
			"The libraries alone read a bundle and verify it; ours also holds the statement to CEP 27 and reads the signer.",
		},
	}
}

// checksAtOnce is how many checks make one figure.
const checksAtOnce = 100

// attested is a bundle in internal/attest/testdata, of the public instance where it names no root.
type attested struct {
	what, bundle, root, file, sha256 string
}

func measureAttest(ctx context.Context, b *bench) (lines []Line, err error) {
	for _, a := range []attested{
		{"promise of the log", "signed-package-2.1.0-hb0f4dca_0.sigstore.json", "", "signed-package-2.1.0-hb0f4dca_0.conda", "54303491a8418fbed24344b513546182c29b43bf282ceb433af65e2299f9271f"},
		{"promise and timestamp", "actionlint-1.7.12-h60d57d3_0.conda.sigs", "", "actionlint-1.7.12-h60d57d3_0.conda", "e3e0f35dec5b09b18baac8729d14115903b5adfd25065f8bbb90a2b3be5401e4"},
		{"timestamp and proof of Rekor v2", "tide-1.0-0.conda.rekor2.sigstore.json", "tide-1.0-0.conda.rekor2.root.json", "tide-1.0-0.conda", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	} {
		some, err := a.measure(ctx, b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.file, err)
		}
		lines = append(lines, some...)
	}
	return lines, nil
}

// measure checks the bundle beside both libraries.
func (a attested) measure(ctx context.Context, b *bench) ([]Line, error) {
	r, err := a.read(b)
	if err != nil {
		return nil, err
	}
	profile, err := attest.NewProfile("measured", r.root)
	if err != nil {
		return nil, err
	}
	checker, subject := attest.NewChecker(profile), attest.Subject{File: a.file, SHA256: r.sum}
	ours := func() (float64, error) {
		return each(func() error {
			_, err := checker.Check(r.bundle, subject)
			return err
		})
	}
	library, err := libraryFor(r.root)
	if err != nil {
		return nil, err
	}
	inGo, err := a.beside(b, share, "sigstore-go", ours, func() (float64, error) {
		return each(func() error { return verifyBundle(library, r.bundle, r.sum) })
	})
	if err != nil {
		return nil, err
	}
	inGo.Goal = Goal{AtMost: 1.5}
	rootFile, bundleFile, err := r.files(b)
	if err != nil {
		return nil, err
	}
	inPython, err := a.beside(b, faster, "sigstore for Python", ours, func() (float64, error) {
		return peer.Python{Root: b.root}.VerifyBundle(ctx, rootFile, bundleFile, r.sum, checksAtOnce)
	})
	return []Line{inGo, inPython}, err
}

func (a attested) beside(b *bench, of Of, other string, ours, theirs func() (float64, error)) (Line, error) {
	times, peers, err := alternate(b.pairs, ours, theirs)
	if err != nil {
		return Line{}, err
	}
	line := compare(of, times, peers)
	line.Case, line.Unit, line.Beside = a.what, "ms", other
	return line, nil
}

// material is what a check is made of.
type material struct {
	bundle, root []byte
	sum          [32]byte
}

func (a attested) read(b *bench) (m material, err error) {
	dir := filepath.Join(b.root, "internal", "attest", "testdata")
	text, err := os.ReadFile(filepath.Join(dir, a.bundle))
	if err != nil {
		return material{}, err
	}
	list, err := attest.ReadBundles(text, 1)
	if err != nil {
		return material{}, err
	}
	m.bundle, m.root = list[0], attest.PublicGoodRoot()
	if a.root != "" {
		if m.root, err = os.ReadFile(filepath.Join(dir, a.root)); err != nil {
			return material{}, err
		}
	}
	sum, err := hex.DecodeString(a.sha256)
	m.sum = [32]byte(sum)
	return m, err
}

// files are the root and the bundle as files.
func (m material) files(b *bench) (root, bundle string, err error) {
	dir, err := os.MkdirTemp(b.scratch, "attest-")
	if err != nil {
		return "", "", err
	}
	root, bundle = filepath.Join(dir, "root.json"), filepath.Join(dir, "bundle.json")
	if err := os.WriteFile(root, m.root, 0o600); err != nil {
		return "", "", err
	}
	return root, bundle, os.WriteFile(bundle, m.bundle, 0o600)
}

// libraryFor is sigstore-go, which asks for whatever the instance has.
func libraryFor(trustedRoot []byte) (*verify.Verifier, error) {
	material, err := root.NewTrustedRootFromJSON(trustedRoot)
	if err != nil {
		return nil, err
	}
	asked := []verify.VerifierOption{verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1)}
	if len(material.CTLogs()) > 0 {
		asked = append(asked, verify.WithSignedCertificateTimestamps(1))
	}
	return verify.NewVerifier(material, asked...)
}

// verifyBundle is what the library does with a bundle, whoever signed it.
func verifyBundle(library *verify.Verifier, text []byte, sum [32]byte) error {
	var read bundle.Bundle
	if err := read.UnmarshalJSON(text); err != nil {
		return err
	}
	_, err := library.Verify(&read, verify.NewPolicy(verify.WithArtifactDigest("sha256", sum[:]), verify.WithoutIdentitiesUnsafe()))
	return err
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
