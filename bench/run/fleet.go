package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"sync"
	"time"
)

// A fleet is fleetClients, each of which has fleetConnections and fetches lockedPackages.
const (
	fleetClients     = 24
	fleetConnections = 8
	lockedPackages   = 1000
)

func fleet() row {
	return row{
		name: "fleet", what: fmt.Sprintf("a fleet of %d clients: what a solve fetches, then the %d packages of a lock file", fleetClients, lockedPackages),
		beside: "nginx on the same files", records: 100_000, pairs: 7, measure: measureFleet,
		notes: []string{
			fmt.Sprintf("The clients are %d goroutines with %d connections each, on the same cores: real solvers would leave the servers", fleetClients, fleetConnections),
			"nothing to compute on. They fetch what rattler fetches for a cold solve: the shard index, then the shards of all names",
			"that any record of a needed name depends on.",
		},
	}
}

func measureFleet(ctx context.Context, b *bench) ([]Line, error) {
	x, err := b.bothSides(ctx)
	if err != nil {
		return nil, err
	}
	defer x.stop()
	plan, err := b.plan(ctx, x)
	if err != nil {
		return nil, err
	}
	var slowOurs, slowTheirs []float64
	side := func(server string, slow *[]float64) func() (float64, error) {
		return func() (float64, error) {
			rate, p99, err := plan.run(ctx, server)
			*slow = append(*slow, p99)
			return rate, err
		}
	}
	ours, theirs, err := alternate(b.pairs, side(x.server.url, &slowOurs), side(x.nginx.URL, &slowTheirs))
	if err != nil {
		return nil, err
	}
	rate, slow := compare(share, ours, theirs), compare(share, slowOurs, slowTheirs)
	rate.Case, rate.Unit, rate.Beside, rate.Goal = fmt.Sprintf("%d shards and %d packages", len(plan.shards), len(plan.packages)), "requests/s", "nginx", Goal{AtLeast: 0.7}
	slow.Case, slow.Unit, slow.Beside = "latency, 99 of 100 are faster", "ms", "nginx"
	return []Line{rate, slow}, nil
}

// plan is what every client of the fleet fetches.
type plan struct{ indexes, shards, packages []string }

func (b *bench) plan(ctx context.Context, x *sides) (plan, error) {
	c, err := channelOf(b.records)
	if err != nil {
		return plan{}, err
	}
	p := plan{indexes: []string{in("linux-64", shardIndex), in("noarch", shardIndex)}}
	get := newClient(x.server.url, "", 1)
	defer get.close()
	if p.shards, err = x.closure(ctx, get, c.Name(c.Names()/2)); err != nil {
		return plan{}, err
	}
	step, i := max(b.records/lockedPackages, 1), 0
	for pkg := range c.Packages() {
		if i%step == 0 && len(p.packages) < lockedPackages {
			p.packages = append(p.packages, in(pkg.Record.Subdir.String(), pkg.File.String()))
		}
		i++
	}
	return p, nil
}

// dependency finds the names in a shard that its records depend on: strings that begin with a name. Any other
// string that happens to be the name of a package of the channel only makes the closure larger.
var dependency = regexp.MustCompile(`[a-z0-9_][a-z0-9._-]+`)

// closure is the paths of the shards of a name and all that it may need.
func (x *sides) closure(ctx context.Context, c *client, name string) (paths []string, err error) {
	seen, todo := map[string]bool{name: true}, []string{name}
	for len(todo) > 0 {
		name, todo = todo[0], todo[1:]
		for _, subdir := range subdirs() {
			path, ok := x.shards[subdir][name]
			if !ok {
				continue
			}
			paths = append(paths, path)
			b, _, err := c.get(ctx, path)
			if err != nil {
				return nil, err
			}
			raw, err := inflate(b)
			if err != nil {
				return nil, err
			}
			for _, word := range dependency.FindAllString(string(raw), -1) {
				if !seen[word] && x.known(word) {
					seen[word] = true
					todo = append(todo, word)
				}
			}
		}
	}
	return paths, nil
}

func (x *sides) known(name string) bool {
	for _, shards := range x.shards {
		if shards[name] != "" {
			return true
		}
	}
	return false
}

// run lets the fleet loose on a server. It returns the requests in a second and the latency that one request in a
// hundred exceeds, in milliseconds.
func (p plan) run(ctx context.Context, server string) (rate, p99 float64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	latencies := make([][]time.Duration, fleetClients)
	var wg sync.WaitGroup
	begin := time.Now()
	for i := range fleetClients {
		wg.Go(func() {
			var err error
			if latencies[i], err = p.client(ctx, server, i); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	all := slices.Concat(latencies...)
	slices.Sort(all)
	if err := context.Cause(ctx); err != nil {
		return 0, 0, err
	}
	return float64(len(all)) / took.Seconds(), milliseconds(all[len(all)*99/100]), nil
}

// client is one of the fleet: it fetches the indexes, then the shards, then the packages, in an order of its own.
func (p plan) client(ctx context.Context, server string, number int) (latencies []time.Duration, err error) {
	c := newClient(server, "", fleetConnections)
	defer c.close()
	order := rand.New(rand.NewPCG(seed, uint64(number)))
	for _, paths := range [][]string{p.indexes, p.shards, p.packages} {
		paths = slices.Clone(paths)
		order.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
		took, err := c.getAll(ctx, paths)
		if err != nil {
			return nil, err
		}
		latencies = append(latencies, took...)
	}
	return latencies, nil
}

// getAll fetches all paths on all connections and returns how long each took.
func (c *client) getAll(ctx context.Context, paths []string) ([]time.Duration, error) {
	took := make([]time.Duration, len(paths))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan int)
	var wg sync.WaitGroup
	for range fleetConnections {
		wg.Go(func() {
			for i := range todo {
				begin := time.Now()
				_, _, err := c.get(ctx, paths[i])
				if took[i] = time.Since(begin); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range paths {
		todo <- i
	}
	close(todo)
	wg.Wait()
	return took, context.Cause(ctx)
}
