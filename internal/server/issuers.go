package server

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"sluice/internal/config"
	"sluice/internal/trust"
	"sluice/internal/trust/provider"
)

// issuersOf makes the configured issuers, in the order in which forms offer them: by service, as provider.All has them,
// those that operators describe last, then by name. The error joins all mistakes.
func issuersOf(cfg config.Config) ([]trust.Issuer, error) {
	var out []trust.Issuer
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(cfg.Issuers)) {
		i := cfg.Issuers[name]
		is, err := trust.IssuerSettings{
			Name: name, URL: i.URL, Provider: i.Provider, Algorithms: i.Algorithms, Audiences: i.Audiences, JWKSURI: i.JWKSURI, JWKSFile: i.JWKSFile,
			CAFile: i.CAFile, Proxy: i.Proxy.Reveal(), MaxLifetime: i.MaxLifetime,
			Mapping: provider.Mapping{Claims: i.Claims, Events: i.Events, Hosted: i.HostedRunner, Fold: i.Fold, RunLink: i.RunLink, NeedsJTI: i.NeedsJTI},
		}.Issuer()
		errs = append(errs, err)
		out = append(out, is)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	slices.SortStableFunc(out, func(a, b trust.Issuer) int { return cmp.Compare(place(a), place(b)) })
	return out, nil
}

// place is where forms offer an issuer's service.
func place(is trust.Issuer) int {
	all := provider.All()
	i := slices.IndexFunc(all, func(p provider.Provider) bool { return p.Traits().Name == is.Provider.Traits().Name })
	if i < 0 {
		return len(all)
	}
	return i
}
