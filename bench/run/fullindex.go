package main

import (
	"context"
	"os"

	"sluice/bench/peer"
)

func fullIndex() row {
	return row{
		name: "full-index", what: "full index from scratch", beside: "indexers over the same packages",
		records: 100_000, pairs: slowPairs, measure: measureFullIndex,
		notes: []string{
			"Sluice imports the packages into an empty channel: it checks them and keeps them durably, which no indexer does.",
			"The start of Python counts.",
		},
	}
}

func measureFullIndex(ctx context.Context, b *bench) (lines []Line, err error) {
	for _, indexer := range []string{peer.Rattler, peer.CondaIndex} {
		some, err := b.fillBeside(ctx, indexer)
		if err != nil {
			return nil, err
		}
		some[0].Goal = Goal{AtLeast: 1}
		lines = append(lines, some...)
	}
	return lines, nil
}

// fillBeside fills an empty channel, beside an indexer over a folder with no index: lines of time, CPU and memory.
func (b *bench) fillBeside(ctx context.Context, indexer string) ([]Line, error) {
	var ours, theirs usages
	times, peers, err := alternate(b.pairs, func() (float64, error) {
		u, err := b.fillEmpty(ctx)
		return ours.add(u), err
	}, func() (float64, error) {
		u, err := b.indexFresh(ctx, indexer)
		return theirs.add(u), err
	})
	if err != nil {
		return nil, err
	}
	lines := []Line{compare(faster, times, peers), compare(share, ours.cpu, theirs.cpu), compare(share, ours.memory, theirs.memory)}
	for i, c := range []struct{ name, unit string }{{"time", "s"}, {"processor time", "s"}, {"most memory", "MiB"}} {
		lines[i].Case, lines[i].Unit, lines[i].Beside = c.name, c.unit, indexer
	}
	return lines, nil
}

// usages gathers what runs took.
type usages struct{ cpu, memory []float64 }

// add notes what a run took and returns its time in seconds.
func (u *usages) add(one peer.Usage) float64 {
	u.cpu = append(u.cpu, one.CPU.Seconds())
	u.memory = append(u.memory, float64(one.PeakRSS)/(1<<20))
	return one.Wall.Seconds()
}

// fillEmpty fills a new home and removes it.
func (b *bench) fillEmpty(ctx context.Context) (peer.Usage, error) {
	from, err := b.packages(ctx, b.records)
	if err != nil {
		return peer.Usage{}, err
	}
	data, err := os.MkdirTemp(b.scratch, "data-")
	if err != nil {
		return peer.Usage{}, err
	}
	defer func() { _ = os.RemoveAll(data) }() // a temporary folder less is no failure
	h, err := b.empty(ctx, home{data: data})
	if err != nil {
		return peer.Usage{}, err
	}
	return b.fill(ctx, from, h)
}

// indexFresh runs an indexer over a folder that has no index.
func (b *bench) indexFresh(ctx context.Context, indexer string) (peer.Usage, error) {
	dir, err := b.unindexed(ctx)
	if err != nil {
		return peer.Usage{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary folder less is no failure
	return peer.Python{Root: b.root}.Index(ctx, indexer, dir)
}
