package main

import (
	"context"
	"fmt"

	"sluice/bench/peer"
)

func importing() row {
	return row{
		name: "import", what: "import of a whole channel", beside: "conda-index filling its cache",
		records: 1_000_000, pairs: 1, measure: measureImport,
		notes: []string{
			"conda-index gets a tenth of the packages, for all of them would take it three quarters of an hour and more. That does it no harm: its rate does not rise with their number.",
			"One run of each, for it takes long.",
		},
	}
}

// mostMinutes is what "minutes" means in the goal of an import, in seconds; flatMiB what "flat memory" means.
const (
	mostMinutes = 30 * 60
	flatMiB     = 600
)

// peerShare is the part of our packages that the peer gets.
const peerShare = 10

func measureImport(ctx context.Context, b *bench) ([]Line, error) {
	small := *b
	small.records = b.records / peerShare
	var ours usages
	times, peers, err := alternate(b.pairs, func() (float64, error) {
		u, err := b.fillEmpty(ctx)
		return ours.add(u), err
	}, func() (float64, error) {
		u, err := small.indexFresh(ctx, peer.CondaIndexCache)
		return u.Wall.Seconds(), err
	})
	if err != nil {
		return nil, err
	}
	rate := compare(share, perSecond(b.records, times), perSecond(small.records, peers))
	rate.Case, rate.Unit, rate.Beside = "rate", "packages/s", fmt.Sprintf("%s, %d packages", peer.CondaIndexCache, small.records)
	return []Line{
		{Case: "time", Unit: "s", Ours: sampleOf(times), Goal: Goal{AtMost: mostMinutes}},
		{Case: "most memory", Unit: "MiB", Ours: sampleOf(ours.memory), Goal: Goal{AtMost: flatMiB}},
		rate,
	}, nil
}

// perSecond is how many of n things were done in each second.
func perSecond(n int, seconds []float64) []float64 {
	rates := make([]float64, len(seconds))
	for i, s := range seconds {
		rates[i] = float64(n) / s
	}
	return rates
}
