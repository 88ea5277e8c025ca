package trust

import (
	"cmp"
	"context"
	"slices"

	"sluice/internal/fault"
	"sluice/internal/trust/provider"
)

// comparison is one publisher held against a run.
type comparison struct {
	Publisher
	provider.Verdict
}

// match finds what the run may do: one grant for each publisher that it satisfies, in whatever channels. When
// there is none it explains.
func (x *Exchange) match(ctx context.Context, a *attempt) ([]Grant, error) {
	cs, err := x.compare(ctx, a)
	if err != nil {
		return nil, err
	}
	a.near = near(cs)
	var grants []Grant
	for _, c := range cs {
		if c.Granted {
			grants = append(grants, Grant{PublisherID: c.ID, PublisherVersion: c.Version,
				ChannelID: c.ChannelID, Channel: c.Channel, Packages: c.Packages})
		}
	}
	if len(grants) == 0 {
		return nil, x.explain(a.run, cs)
	}
	return grants, nil
}

// compare holds the run against every publisher that may mean its repository, the nearest first.
func (x *Exchange) compare(ctx context.Context, a *attempt) ([]comparison, error) {
	found, err := x.cfg.Store.Candidates(ctx, a.run.Issuer, RepositoryKey(a.run.Repository), a.run.RepositoryID)
	if err != nil {
		return nil, err
	}
	return compareAll(a.issuer.Provider, found, a.run), nil
}

// compareAll leaves out publishers that have nothing to do with the run, and those of other issuers, for names
// and ids mean something within one issuer only.
func compareAll(p provider.Provider, found []Publisher, run Provenance) []comparison {
	var cs []comparison
	for _, pub := range found {
		if pub.Provider != run.Provider || pub.Issuer != run.Issuer {
			continue
		}
		if v := p.Match(pub.Rule, run); v.Code != fault.NoPublisher {
			cs = append(cs, comparison{pub, v})
		}
	}
	slices.SortStableFunc(cs, func(a, b comparison) int {
		return cmp.Or(cmp.Compare(a.distance(), b.distance()), cmp.Compare(a.breadth(), b.breadth()), cmp.Compare(a.ID, b.ID))
	})
	return cs
}

// distance orders publishers by how much would have to change for the run to pass.
func (c comparison) distance() int {
	switch {
	case c.Proven:
		return len(c.Differences)
	case c.Code == fault.OwnerChanged:
		return 1000
	}
	return 2000
}

// breadth puts the publisher that names an environment before the one that takes any: it is the one that an
// artifact's provenance should name.
func (c comparison) breadth() int {
	if c.Environment != "" {
		return 0
	}
	return 1
}

func near(cs []comparison) []Near {
	out := make([]Near, len(cs))
	for i, c := range cs {
		out[i] = Near{PublisherID: c.ID, ChannelID: c.ChannelID, Proven: c.Proven}
	}
	return out
}
