package main

import (
	"context"
	"fmt"

	"sluice/bench/generate"
)

// few is the size of the channel that large ones are held against.
const few = 1000

func uploadShards() row {
	return row{
		name: "upload-shards", what: "upload → visible in shards", beside: "the same into a channel of a thousand packages",
		records: 1_000_000, pairs: 7, measure: measureUploadShards,
		notes: []string{
			fmt.Sprintf("A run is the median of %d uploads, one after another. Visible is: the shard index and the name's shard are", uploadsPerRun),
			"fetched whole, after the upload. A popular name is drawn as uploads draw it, so that a large channel has",
			"thousands of records of it, all in the shard; a middling name has as many as most names.",
		},
	}
}

func measureUploadShards(ctx context.Context, b *bench) ([]Line, error) {
	large, err := b.publisher(ctx, b.records)
	if err != nil {
		return nil, err
	}
	defer large.stop()
	small, err := b.publisher(ctx, few)
	if err != nil {
		return nil, err
	}
	defer small.stop()
	var lines []Line
	for _, kind := range []struct {
		name string
		draw func(*publisher) func() generate.Package
	}{
		{"a middling name", func(p *publisher) func() generate.Package { return p.middling }},
		{"a popular name", func(p *publisher) func() generate.Package { return p.popular }},
	} {
		some, err := againstFew(ctx, b, large, small, func(p *publisher) (float64, float64, error) {
			return p.median(ctx, kind.draw(p), p.inShard)
		})
		if err != nil {
			return nil, err
		}
		for _, l := range some {
			l.Case = kind.name + ", " + l.Case
			lines = append(lines, l)
		}
	}
	return lines, nil
}

// againstFew compares publishing into a large channel with publishing into a small one.
func againstFew(ctx context.Context, b *bench, large, small *publisher, median func(*publisher) (answered, visible float64, err error)) ([]Line, error) {
	answers := map[*publisher][]float64{}
	side := func(p *publisher) func() (float64, error) {
		return func() (float64, error) {
			a, v, err := median(p)
			answers[p] = append(answers[p], a)
			return v, err
		}
	}
	for _, p := range []*publisher{large, small} { // the first uploads read what later ones find in memory
		if _, err := side(p)(); err != nil {
			return nil, err
		}
		answers[p] = nil
	}
	ours, theirs, err := alternate(b.pairs, side(large), side(small))
	if err != nil {
		return nil, err
	}
	visible, answered := compare(share, ours, theirs), compare(share, answers[large], answers[small])
	visible.Case, answered.Case = "visible", "answered"
	visible.Goal, answered.Goal = Goal{AtMost: 2}, Goal{AtMost: 2}
	lines := []Line{answered, visible}
	for i := range lines {
		lines[i].Unit, lines[i].Beside = "ms", thousands(few)+" packages"
	}
	return lines, ctx.Err()
}
