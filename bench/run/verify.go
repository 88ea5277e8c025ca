package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/sigstore/sigstore-go/pkg/verify"
)

func verifying() row {
	return row{
		name: "verify", what: "a look at every file of a channel, with its attestations", beside: "sigstore-go alone over the same files",
		records: 10_000, pairs: slowPairs, measure: measureVerify,
		notes: []string{
			"`sluice verify` over packages of 64 kB with an attestation each. The library alone hashes the packages, which lie in a folder, and verifies their bundles, on all cores.",
			"Ours also reads what is in the packages, and holds it, the records of the index, and what the channel demands against one another; and it is a process that starts.",
		},
	}
}

func measureVerify(ctx context.Context, b *bench) ([]Line, error) {
	a, err := b.attested(ctx, b.records)
	if err != nil {
		return nil, err
	}
	root, err := os.ReadFile(a.root)
	if err != nil {
		return nil, err
	}
	library, err := libraryFor(root)
	if err != nil {
		return nil, err
	}
	var ours usages
	times, peers, err := alternate(b.pairs, func() (float64, error) {
		_, u, err := b.sluice(ctx, a.home, "verify", channelName)
		return ours.add(u), err
	}, func() (float64, error) { return a.verifyAlone(library) })
	if err != nil {
		return nil, err
	}
	line := compare(share, times, peers)
	line.Case, line.Unit, line.Beside = "time", "s", "sigstore-go"
	cores := make([]float64, len(times))
	for i := range times {
		cores[i] = ours.cpu[i] / times[i]
	}
	return []Line{
		line,
		{Case: "cores in use", Unit: "cores", Ours: sampleOf(cores)},
		{Case: "most memory", Unit: "MiB", Ours: sampleOf(ours.memory)},
	}, nil
}

// verifyAlone hashes every package and verifies its bundle, and returns how many seconds that took.
func (a attestedChannel) verifyAlone(library *verify.Verifier) (float64, error) {
	begin, todo := time.Now(), make(chan string)
	failures := make([]error, runtime.GOMAXPROCS(0))
	var all sync.WaitGroup
	for w := range failures {
		all.Go(func() {
			for file := range todo {
				if err := verifyFile(library, a.folder, file); err != nil {
					failures[w] = fmt.Errorf("%s: %w", file, err)
				}
			}
		})
	}
	for _, file := range a.files {
		todo <- file
	}
	close(todo)
	all.Wait()
	return time.Since(begin).Seconds(), errors.Join(failures...)
}

func verifyFile(library *verify.Verifier, folder, file string) error {
	body, err := os.ReadFile(filepath.Join(folder, file))
	if err != nil {
		return err
	}
	text, err := os.ReadFile(bundleOf(folder, file))
	if err != nil {
		return err
	}
	return verifyBundle(library, text, sha256.Sum256(body))
}
