package trust

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/trust/provider"
)

// comparison is one publisher held against a run.
type comparison struct {
	Publisher
	provider.Verdict
	// names are the packages that the run may publish by it.
	names []conda.Pattern
	// end is why the publisher lets nobody do anything, though the run fits; nil while it lives.
	end *fault.Error
}

// granted reports whether the publisher lets the run in.
func (c comparison) granted() bool { return c.Granted() && c.end == nil }

// match finds what the run may do: one grant for each publisher that it satisfies, in whatever channels. When
// there is none it explains.
func (x *Exchange) match(ctx context.Context, a *attempt) ([]Grant, error) {
	cs, err := x.compare(ctx, a)
	if err != nil {
		return nil, err
	}
	a.near = near(cs)
	var grants []Grant
	for _, c := range x.bounded(ctx, a, cs) {
		if c.granted() {
			grants = append(grants, Grant{PublisherID: c.ID, PublisherVersion: c.Version, ChannelID: c.ChannelID, Channel: c.Channel,
				Packages: c.names, Right: c.Right, Subdirs: c.Subdirs, NewNames: c.NewNames, PerRun: c.PerRun, Demand: c.Demand})
		}
	}
	if len(grants) == 0 {
		return nil, x.explain(a.run, cs)
	}
	return grants, nil
}

// Bounds of what one exchange touches. Everybody who may make channels can name any repository in them, so a
// stranger's publishers must neither make a repository's exchanges dear nor push its own publishers out: where there are
// too many, the oldest count.
const (
	// MaxCandidates is how many publishers Store.Candidates returns at most, by ascending ID.
	MaxCandidates = 1000
	maxGrants     = 200
	maxNear       = maxGrants
)

// bounded leaves out the youngest of too many publishers that let the run in.
func (x *Exchange) bounded(ctx context.Context, a *attempt, cs []comparison) []comparison {
	var ids []int64
	for _, c := range cs {
		if c.granted() {
			ids = append(ids, c.ID)
		}
	}
	if len(ids) <= maxGrants {
		return cs
	}
	slices.Sort(ids)
	x.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "more publishers than a token can hold", append(a.attrs(), slog.Int("publishers", len(ids)), slog.Int("held", maxGrants))...)
	return slices.DeleteFunc(slices.Clone(cs), func(c comparison) bool { return c.ID > ids[maxGrants-1] })
}

// compare holds the run against every publisher that may mean its repository, the nearest first.
func (x *Exchange) compare(ctx context.Context, a *attempt) ([]comparison, error) {
	run := a.run
	found, err := x.cfg.Store.Candidates(ctx, Candidate{
		Issuer: run.Issuer, RepositoryKey: RepositoryKey(run.Repository), RepositoryID: run.RepositoryID,
		OwnerKey: RepositoryKey(run.Owner), OwnerID: run.OwnerID,
	})
	if err != nil {
		return nil, err
	}
	return x.compareAll(a.issuer.Provider, found, run, a.at), nil
}

// compareAll leaves out publishers that have nothing to do with the run, and those of other issuers, for names
// and ids mean something within one issuer only.
func (x *Exchange) compareAll(p provider.Provider, found []Publisher, run Provenance, now time.Time) []comparison {
	var cs []comparison
	for _, pub := range found {
		if pub.Provider != run.Provider || pub.Issuer != run.Issuer {
			continue
		}
		if c := x.compareOne(p, pub, run, now); c.Code != fault.NoPublisher {
			cs = append(cs, c)
		}
	}
	slices.SortStableFunc(cs, func(a, b comparison) int {
		return cmp.Or(cmp.Compare(a.distance(), b.distance()), cmp.Compare(a.breadth(), b.breadth()), cmp.Compare(a.ID, b.ID))
	})
	return cs
}

func (x *Exchange) compareOne(p provider.Provider, pub Publisher, run Provenance, now time.Time) comparison {
	c := comparison{Publisher: pub, Verdict: provider.Match(p, pub.Rule, run)}
	if !c.Proven {
		return c
	}
	var ok bool
	if c.names, ok = pub.namesFor(run.Name()); !ok {
		c.Points = append(c.Points, provider.Point{Field: "packages", Code: fault.PackageNotAllowed, Claim: "repository", Got: run.Name(),
			Want: "a name that a package can have", Hint: "No package can be named after this repository"})
	}
	if code, why := pub.End(now); code != "" {
		c.end = refuse(code, "Publisher is off", "the run fits publisher "+strconv.FormatInt(pub.ID, 10)+" of channel "+pub.Channel.String()+", which "+why,
			"An owner of the channel switches it on again at "+x.address(pub))
	}
	return c
}

// distance orders publishers by how much would have to change for the run to pass.
func (c comparison) distance() int {
	switch {
	case c.Proven && c.end != nil:
		return 500 + len(c.Differences())
	case c.Proven:
		return len(c.Differences())
	case c.Code == fault.OwnerChanged:
		return 1000
	}
	return 2000
}

// breadth puts the narrowest publisher first: it is the one that an artifact's provenance should name.
func (c comparison) breadth() int {
	n := 0
	for i, wide := range []bool{len(c.Refs) == 0 && !c.ProtectedRef, c.Environment == "", c.AnyRepository} {
		if wide {
			n += 1 << i
		}
	}
	return n
}

func near(cs []comparison) []Near {
	cs = cs[:min(len(cs), maxNear)]
	out := make([]Near, len(cs))
	for i, c := range cs {
		out[i] = Near{PublisherID: c.ID, ChannelID: c.ChannelID, Proven: c.Proven, Points: c.Points}
	}
	return out
}
