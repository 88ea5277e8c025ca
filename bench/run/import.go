package main

import (
	"context"

	"sluice/bench/peer"
)

func importing() row {
	return row{
		name: "import", what: "import of a whole channel", beside: "conda-index filling its cache",
		records: 1_000_000, pairs: 1, measure: measureImport,
		notes: []string{"One pair, for it takes long."},
	}
}

// mostMinutes is what "minutes" means in the goal of an import, in seconds.
const mostMinutes = 30 * 60

func measureImport(ctx context.Context, b *bench) ([]Line, error) {
	lines, err := b.fillBeside(ctx, peer.CondaIndexCache)
	if err != nil {
		return nil, err
	}
	alone := Line{Case: "time", Unit: "s", Ours: lines[0].Ours, Goal: Goal{AtMost: mostMinutes}}
	return append([]Line{alone}, lines...), nil
}
