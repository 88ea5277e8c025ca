package main

import (
	"context"
	"maps"
	"slices"
)

func serveMemory() row {
	return row{
		name: "serve-memory", what: "serving from memory: index files and shards", beside: "nginx on the same files",
		records: 100_000, pairs: 7, measure: measureServeMemory,
		notes: []string{
			"16 connections that are kept, 2 for files from 1 MB up. Shards are those of many names; the size is that of the first one.",
			"Sluice unpacks repodata.json while it is sent, for it keeps only what is compressed.",
		},
	}
}

// someShards is how many shards are asked for in turn.
const someShards = 200

func measureServeMemory(ctx context.Context, b *bench) ([]Line, error) {
	x, err := b.bothSides(ctx)
	if err != nil {
		return nil, err
	}
	defer x.stop()
	const subdir, small = "linux-64", 0.7
	repodata := []string{in(subdir, repodataZst)}
	var lines []Line
	for _, q := range []question{
		{name: "shards", paths: x.anyShards(subdir), small: small},
		{name: "the shard index", paths: []string{in(subdir, shardIndex)}, small: small},
		{name: "run_exports.json.zst", paths: []string{in(subdir, runExports)}, small: small},
		{name: "repodata.json.zst", paths: repodata, small: small},
		{name: "repodata.json", paths: []string{in(subdir, repodataJSON)}, small: small},
		{name: "repodata.json.zst unchanged", paths: repodata, small: small, unchanged: true},
	} {
		l, err := b.ask(ctx, x.server.url, x.nginx.URL, q)
		if err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// anyShards are the shards that come first by their hashes, which is any.
func (x *sides) anyShards(subdir string) []string {
	paths := slices.Sorted(maps.Values(x.shards[subdir]))
	return paths[:min(someShards, len(paths))]
}
