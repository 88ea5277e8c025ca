package check

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/index"
)

// plan gathers what is to be made anew, each once.
type plan struct {
	artifacts map[int64]truth
	places    map[index.Place]*placePlan
	counted   map[int64]bool
	packages  map[string]bool
	blocks    []int64
	keep      []int64
	// records are artifacts whose records are made anew, by label and subdir: their places are only named.
	records map[[2]string]map[int64]bool
	// lost are artifacts of which a place has no record.
	lost map[index.Place][]Relisting
	// retold are names by label and subdir.
	retold map[[2]string][]string
	// damaged are artifacts whose bytes are not what they were, and which readers are told of.
	damaged map[int64]Difference
}

// truth is what a package says of itself.
type truth struct {
	sum [32]byte
	own Own
}

type placePlan struct {
	series map[index.Series]bool
	names  map[string]bool
	// forget are digests of superseded shards.
	forget [][]byte
}

func (p *plan) add(d Difference) {
	switch d.Kind {
	case Metadata:
		put(&p.artifacts, d.artifactID, truth{d.sum, *d.truth})
		if f, err := conda.ParseFilename(d.Name); err == nil {
			p.retell(d, f.Name())
		}
	case Record, Shown:
		at := [2]string{d.Label, d.Subdir}
		if p.records[at] == nil {
			put(&p.records, at, map[int64]bool{})
		}
		p.records[at][d.artifactID] = true
	case Lost:
		put(&p.lost, d.place, append(p.lost[d.place], Relisting{d.artifactID, d.listedAt}))
		put(&p.counted, d.artifactID, true)
	case Listed:
		put(&p.counted, d.artifactID, true)
	case Generation:
		p.of(d)
	case Pieces, Block, Members, Totals:
		p.of(d).series[index.Series(d.Series)] = true
	case ShardOld:
		p.of(d).forget = append(p.of(d).forget, d.sum[:])
	case Shard, ShardSum, ChannelData:
		p.of(d).names[d.Name] = true
	case Package:
		put(&p.packages, d.Name, true)
	case BlockStray:
		p.blocks = append(p.blocks, d.number)
	case BlockDropped:
		p.keep = append(p.keep, d.number)
	case BlobMissing, BlobChanged:
		put(&p.damaged, d.artifactID, d)
	case BlobStray, Unreadable, Patch, Attested:
	}
}

// retell has everything made anew that was told of a package by what was wrong: its line, and what channeldata.json says.
func (p *plan) retell(d Difference, name string) {
	put(&p.packages, name, true)
	for _, l := range d.labels {
		at := [2]string{l, d.Subdir}
		put(&p.retold, at, append(p.retold[at], name))
	}
}

func put[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[k] = v
}

func (p *plan) of(d Difference) *placePlan {
	if p.places[d.place] == nil {
		put(&p.places, d.place, &placePlan{series: map[index.Series]bool{}, names: map[string]bool{}})
	}
	return p.places[d.place]
}

// Repair makes anew what a check found to differ, as far as it can be: first what the database keeps of packages, then
// each place, then what belongs to none. A place is one new generation, or several where more is to be done than uploads
// should wait for. Artifacts whose bytes are gone stay as they are. A repair that is cut leaves what it has not come to as
// it was.
func (c *Checker) Repair(ctx context.Context, by audit.Actor, found *Result) error {
	p := &found.plan
	for _, id := range slices.Sorted(maps.Keys(p.artifacts)) {
		if err := c.store.MendArtifact(ctx, id, p.artifacts[id].sum, p.artifacts[id].own); err != nil {
			return fmt.Errorf("repair artifact %d: %w", id, err)
		}
	}
	mends, err := p.mends(found.Channel.ID)
	if err != nil {
		return err
	}
	event := audit.Event{
		Kind: audit.IndexRepaired, Actor: by, ChannelID: found.Channel.ID, Channel: found.Channel.Name.String(), RequestID: audit.Request(ctx),
	}
	for _, m := range mends {
		if err := c.mend(ctx, found.Channel, m, event); err != nil {
			return err
		}
	}
	rest := MendChannel{
		Artifacts: slices.Sorted(maps.Keys(p.counted)), Packages: slices.Sorted(maps.Keys(p.packages)), Blocks: p.blocks, Keep: p.keep,
	}
	event.Subject, event.Sentence = event.Channel, "made what lists show of "+event.Channel+" anew where it differed from its artifacts"
	for _, m := range rest.steps() {
		e := event
		e.Facts = map[string]string{"artifacts": fmt.Sprint(len(m.Artifacts)), "packages": fmt.Sprint(len(m.Packages))}
		if err := c.store.MendChannel(ctx, found.Channel, m, e); err != nil {
			return fmt.Errorf("repair what lists show: %w", err)
		}
	}
	return nil
}

// mend repairs a place.
func (c *Checker) mend(ctx context.Context, ch channel.Channel, all Mend, event audit.Event) error {
	for _, m := range all.steps() {
		e := event
		e.Subject = m.Place.Label.String() + "/" + m.Place.Subdir.String()
		e.Sentence = "made the index of " + e.Subject + " anew where it differed from its artifacts"
		e.Facts = map[string]string{"records": fmt.Sprint(len(m.Artifacts) + len(m.Lost)), "series": fmt.Sprint(len(m.Series)), "names": fmt.Sprint(len(m.Names))}
		if err := c.store.MendPlace(ctx, ch, m, e); err != nil {
			return fmt.Errorf("repair %s: %w", e.Subject, err)
		}
	}
	return nil
}

func parsePlace(channelID int64, label, subdir string) (p index.Place, err error) {
	p.ChannelID = channelID
	if p.Label, err = conda.ParseLabel(label); err != nil {
		return p, err
	}
	p.Subdir, err = conda.ParseSubdir(subdir)
	return p, err
}

// mends is what is to be done in each place, in the order in which places are locked.
func (p *plan) mends(channelID int64) ([]Mend, error) {
	at := map[index.Place]*Mend{}
	in := func(place index.Place) *Mend {
		if at[place] == nil {
			at[place] = &Mend{Place: place}
		}
		return at[place]
	}
	for where, ids := range p.records {
		place, err := parsePlace(channelID, where[0], where[1])
		if err != nil {
			return nil, err
		}
		in(place).Artifacts = slices.Sorted(maps.Keys(ids))
	}
	for where, names := range p.retold {
		place, err := parsePlace(channelID, where[0], where[1])
		if err != nil {
			return nil, err
		}
		in(place).Names = names
	}
	for place, again := range p.lost {
		in(place).Lost = again
	}
	for place, what := range p.places {
		m := in(place)
		m.Series, m.Names = slices.Sorted(maps.Keys(what.series)), slices.AppendSeq(m.Names, maps.Keys(what.names))
		m.Forget = what.forget
	}
	var out []Mend
	for _, m := range at {
		slices.Sort(m.Names)
		m.Names = slices.Compact(m.Names)
		out = append(out, *m)
	}
	slices.SortFunc(out, func(a, b Mend) int {
		return cmp.Or(cmp.Compare(a.Place.Subdir.String(), b.Place.Subdir.String()), cmp.Compare(a.Place.Label.String(), b.Place.Label.String()))
	})
	return out, nil
}
