package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"sluice/bench/generate"
)

// publisher uploads one new package after another to a server and looks when it is there.
type publisher struct {
	server  *server
	client  *client
	channel *generate.Channel
	filer   *generate.Filer
	count   int
}

// publisher starts a server with so many packages, and somebody who publishes there.
func (b *bench) publisher(ctx context.Context, records int) (*publisher, error) {
	c, err := channelOf(records)
	if err != nil {
		return nil, err
	}
	h, err := b.filled(ctx, records)
	if err != nil {
		return nil, err
	}
	s, err := b.serve(ctx, h)
	if err != nil {
		return nil, err
	}
	return &publisher{server: s, client: newClient(s.url, h.token, 1), channel: c, filer: generate.NewFiler()}, nil
}

func (p *publisher) stop() {
	p.client.close()
	p.server.kill()
}

// popular is a new package of a name drawn as uploads draw it: one with many records, mostly.
func (p *publisher) popular() generate.Package {
	p.count++
	return p.channel.Extra(p.count)
}

// middling is a new package of a name that has as many records as most.
func (p *publisher) middling() generate.Package {
	p.count++
	return p.channel.ExtraOf(p.channel.Names()/2+p.count%10, p.count)
}

// shown is how long an upload took to be answered, and, counted from its begin, to be in the client's hands.
type shown struct{ answered, visible time.Duration }

// inRepodata uploads, then fetches repodata.json.zst whole.
func (p *publisher) inRepodata(ctx context.Context, pkg generate.Package) (shown, error) {
	answered, err := p.upload(ctx, pkg)
	if err != nil {
		return shown{}, err
	}
	begin := time.Now()
	b, _, err := p.client.get(ctx, in(pkg.Record.Subdir.String(), repodataZst))
	fetched := time.Since(begin)
	if err != nil {
		return shown{}, err
	}
	return shown{answered, answered + fetched}, p.contains(b, pkg)
}

// inShard uploads, then fetches the shard index and the package's shard. What the client computes between the
// two is not counted.
func (p *publisher) inShard(ctx context.Context, pkg generate.Package) (shown, error) {
	answered, err := p.upload(ctx, pkg)
	if err != nil {
		return shown{}, err
	}
	begin, subdir := time.Now(), pkg.Record.Subdir.String()
	index, _, err := p.client.get(ctx, in(subdir, shardIndex))
	fetched := time.Since(begin)
	if err != nil {
		return shown{}, err
	}
	shards, err := shardPaths(subdir, index)
	if err != nil {
		return shown{}, err
	}
	begin = time.Now()
	b, _, err := p.client.get(ctx, shards[pkg.Record.Name])
	fetched += time.Since(begin)
	if err != nil {
		return shown{}, err
	}
	return shown{answered, answered + fetched}, p.contains(b, pkg)
}

func (p *publisher) upload(ctx context.Context, pkg generate.Package) (time.Duration, error) {
	body, err := p.filer.File(pkg)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	err = p.client.upload(ctx, pkg.File.String(), body)
	return time.Since(begin), err
}

// contains checks that the package is listed in a compressed file.
func (p *publisher) contains(file []byte, pkg generate.Package) error {
	raw, err := inflate(file)
	if err == nil && !bytes.Contains(raw, []byte(pkg.File.String())) {
		err = fmt.Errorf("%s was uploaded and is not listed", pkg.File)
	}
	return err
}

// uploadsPerRun is how many uploads make one run; their median counts.
const uploadsPerRun = 10

// median publishes some packages and returns the medians of both times, in milliseconds.
func (p *publisher) median(ctx context.Context, draw func() generate.Package, publish func(context.Context, generate.Package) (shown, error)) (answered, visible float64, err error) {
	var as, vs []float64
	for range uploadsPerRun {
		s, err := publish(ctx, draw())
		if err != nil {
			return 0, 0, err
		}
		as, vs = append(as, milliseconds(s.answered)), append(vs, milliseconds(s.visible))
	}
	return sampleOf(as).Median, sampleOf(vs).Median, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
