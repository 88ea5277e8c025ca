package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"sluice/internal/attest/attesttest"
	"sluice/internal/conda/build"
)

// Attested packages lie in one subdir, each with so many random bytes in it.
const (
	attestedSubdir = "noarch"
	attestedBytes  = 64 << 10
)

// attestedChannel is a home whose channel has attested packages, and the same packages and bundles in a folder.
type attestedChannel struct {
	home

	// folder has for each package its FILE and FILE.sigstore.json.
	folder string
	files  []string
}

// attested uploads so many packages, each with an attestation of an instance of sigstore made for them.
func (b *bench) attested(ctx context.Context, n int) (a attestedChannel, err error) {
	dir, err := os.MkdirTemp(b.scratch, "attested-")
	if err != nil {
		return attestedChannel{}, err
	}
	a.folder = filepath.Join(dir, "packages")
	if err := os.Mkdir(a.folder, 0o755); err != nil {
		return attestedChannel{}, err
	}
	root := filepath.Join(dir, "root.json")
	if a.files, err = signPackages(ctx, n, a.folder, root); err != nil {
		return attestedChannel{}, err
	}
	if a.home, err = b.empty(ctx, home{data: filepath.Join(dir, "data"), root: root}); err != nil {
		return attestedChannel{}, err
	}
	s, err := b.serve(ctx, a.home)
	if err != nil {
		return attestedChannel{}, err
	}
	defer s.kill()
	if err := s.uploadAll(ctx, burstClients, n, func(i int) (string, []byte, error) {
		body, err := os.ReadFile(filepath.Join(a.folder, a.files[i]))
		return a.files[i], body, err
	}); err != nil {
		return attestedChannel{}, err
	}
	if err := a.attest(ctx, s); err != nil {
		return attestedChannel{}, err
	}
	return a, s.stop()
}

// attest adds its bundle to each package.
func (a attestedChannel) attest(ctx context.Context, s *server) error {
	c := newClient(s.url, a.token, 1)
	defer c.close()
	if err := c.trustAnybody(ctx); err != nil { // the token is that of no CI run
		return err
	}
	for _, file := range a.files {
		bundle, err := os.ReadFile(bundleOf(a.folder, file))
		if err != nil {
			return err
		}
		if err := c.attest(ctx, attestedSubdir, file, bundle); err != nil {
			return err
		}
	}
	return nil
}

// bundleOf is the file with a package's bundle.
func bundleOf(folder, file string) string { return filepath.Join(folder, file+".sigstore.json") }

// signPackages writes so many packages and their bundles into a folder, and the trusted root that they need into a
// file. It returns the names of the packages.
func signPackages(ctx context.Context, n int, folder, root string) (files []string, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() { // an instance that fails ends its goroutine
		defer close(done)
		i := attesttest.New(failure(cancel))
		if err = os.WriteFile(root, i.Root, 0o600); err != nil {
			return
		}
		random := rand.NewChaCha8([32]byte{})
		for k := range n {
			var file string
			if file, err = signPackage(i, k, random, folder); err != nil || ctx.Err() != nil {
				return
			}
			files = append(files, file)
		}
	}()
	<-done
	if err == nil {
		err = context.Cause(ctx)
	}
	cancel(nil)
	return files, err
}

func signPackage(i *attesttest.Instance, n int, random *rand.ChaCha8, folder string) (string, error) {
	payload := make([]byte, attestedBytes)
	_, _ = random.Read(payload) // it never fails
	p := build.Package{Name: fmt.Sprintf("tide-%05d", n), Version: "1.0", Build: "0", Subdir: attestedSubdir, Noarch: "generic", Files: map[string][]byte{"share/x": payload}}
	body, err := p.Conda()
	if err != nil {
		return "", err
	}
	file, job := p.Stem()+".conda", attesttest.Job()
	bundle := i.Sign(attesttest.Signing{
		PayloadType: "application/vnd.in-toto+json", Statement: attesttest.Statement(file, sha256.Sum256(body), "https://conda.example.com/"+channelName),
		URIs: []string{job[9]}, Extensions: job, At: time.Now(),
	})
	if err := os.WriteFile(filepath.Join(folder, file), body, 0o600); err != nil {
		return "", err
	}
	return file, os.WriteFile(bundleOf(folder, file), bundle, 0o600)
}

// failure takes the failure of an instance of sigstore.
type failure context.CancelCauseFunc

// Helper is for tests.
func (failure) Helper() {}

// Fatal ends the goroutine.
func (f failure) Fatal(args ...any) {
	f(fmt.Errorf("sigstore: %s", fmt.Sprint(args...)))
	runtime.Goexit()
}
