package main

import (
	"context"
	"time"
)

func start() row {
	return row{
		name: "start", what: "start of the server",
		records: 1_000_000, pairs: 7, measure: measureStart,
		notes: []string{"From the call of the program until it serves; then the first client reads repodata.json.zst whole."},
	}
}

func measureStart(ctx context.Context, b *bench) ([]Line, error) {
	h, err := b.filled(ctx, b.records)
	if err != nil {
		return nil, err
	}
	var ready, read []float64
	for range b.pairs {
		s, err := b.serve(ctx, h)
		if err != nil {
			return nil, err
		}
		defer s.kill()
		ready = append(ready, s.ready.Seconds())
		c := newClient(s.url, "", 1)
		begin := time.Now()
		if _, _, err := c.get(ctx, in("linux-64", repodataZst)); err != nil {
			return nil, err
		}
		read = append(read, time.Since(begin).Seconds())
		c.close()
		if err := s.stop(); err != nil {
			return nil, err
		}
	}
	return []Line{
		{Case: "serves", Unit: "s", Ours: sampleOf(ready), Goal: Goal{AtMost: 1}},
		{Case: "then the first repodata.json.zst", Unit: "s", Ours: sampleOf(read)},
	}, nil
}
