package main

import (
	"context"
	"os"
	"path/filepath"

	"sluice/bench/generate"
	"sluice/bench/peer"
)

func uploadRepodata() row {
	return row{
		name: "upload-repodata", what: "upload → visible in repodata.json.zst",
		beside:  "the same into a channel of a thousand packages, and indexers that take up one more file",
		records: 100_000, pairs: 7, measure: measureUploadRepodata,
		notes: []string{
			"As above; visible is: repodata.json.zst is fetched whole after the upload. The indexers run over a folder that",
			"they have indexed before, to which one package was added; the start of Python counts. They are",
			"run in 3 pairs, for each takes long.",
		},
	}
}

// slowPairs is how often what takes minutes is run.
const slowPairs = 3

func measureUploadRepodata(ctx context.Context, b *bench) ([]Line, error) {
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
	lines, err := againstFew(ctx, b, large, small, func(p *publisher) (float64, float64, error) {
		return p.median(ctx, p.popular, p.inRepodata)
	})
	if err != nil {
		return nil, err
	}
	for _, indexer := range []string{peer.Rattler, peer.CondaIndex} {
		l, err := b.besideIndexer(ctx, large, indexer)
		if err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// besideIndexer compares an upload with one more file in an indexer's folder.
func (b *bench) besideIndexer(ctx context.Context, p *publisher, indexer string) (Line, error) {
	dir, err := b.unindexed(ctx)
	if err != nil {
		return Line{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary folder less is no failure
	python := peer.Python{Root: b.root}
	if _, err := python.Index(ctx, indexer, dir); err != nil {
		return Line{}, err
	}
	added := 0
	ours, theirs, err := alternate(min(b.pairs, slowPairs), func() (float64, error) {
		_, visible, err := p.median(ctx, p.popular, p.inRepodata)
		return visible, err
	}, func() (float64, error) {
		pkg := p.channel.Extra(added)
		added++
		if err := generate.WriteFolder(ctx, dir, func(yield func(generate.Package) bool) { yield(pkg) }); err != nil {
			return 0, err
		}
		u, err := python.Index(ctx, indexer, dir)
		if err != nil {
			return 0, err
		}
		file, err := os.ReadFile(filepath.Join(dir, pkg.Record.Subdir.String(), repodataZst))
		if err != nil {
			return 0, err
		}
		return milliseconds(u.Wall), p.contains(file, pkg)
	})
	if err != nil {
		return Line{}, err
	}
	l := compare(faster, ours, theirs)
	l.Case, l.Unit, l.Beside, l.Goal = "visible", "ms", indexer+", one more file", Goal{AtLeast: 100}
	return l, nil
}
