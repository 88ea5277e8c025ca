package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"sluice/bench/peer"
)

func solve() row {
	return row{
		name: "solve", what: "a solve by the real client", beside: "the same channel as static files behind nginx",
		records: 100_000, pairs: 7, measure: measureSolve,
		notes: []string{
			"py-rattler solves for four names from shards: cold with nothing cached, then warm, in a new gateway, with what",
			"the first solve left on the disk. The start of Python is not counted. nginx gives the cache lifetimes that Sluice gives.",
		},
	}
}

func measureSolve(ctx context.Context, b *bench) ([]Line, error) {
	c, err := channelOf(b.records)
	if err != nil {
		return nil, err
	}
	var specs []string
	for i := range 4 {
		specs = append(specs, c.Name(c.Names()*(i+1)/5))
	}
	x, err := b.bothSides(ctx)
	if err != nil {
		return nil, err
	}
	defer x.stop()
	var warmOurs, warmTheirs []float64
	records := map[int]bool{}
	side := func(server string, warm *[]float64) func() (float64, error) {
		return func() (float64, error) {
			s, err := peer.Python{Root: b.root}.Solve(ctx, server+"/"+channelName, specs)
			*warm = append(*warm, s.Warm*1000)
			records[s.Records] = true
			return s.Cold * 1000, err
		}
	}
	ours, theirs, err := alternate(b.pairs, side(x.server.url, &warmOurs), side(x.nginx.URL, &warmTheirs))
	if err != nil {
		return nil, err
	}
	if len(records) != 1 {
		return nil, fmt.Errorf("the solves differ: %v packages", slices.Sorted(maps.Keys(records)))
	}
	cold, warm := compare(share, ours, theirs), compare(share, warmOurs, warmTheirs)
	cold.Case, warm.Case = "cold", "warm"
	lines := []Line{cold, warm}
	for i := range lines {
		lines[i].Unit, lines[i].Beside, lines[i].Goal = "ms", "nginx", Goal{AtMost: 1.1}
	}
	for n := range records {
		lines = append(lines, Line{Case: "packages in the environment", Ours: sampleOf([]float64{float64(n)})})
	}
	return lines, nil
}
