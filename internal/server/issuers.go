package server

import (
	"errors"
	"maps"
	"slices"

	"sluice/internal/config"
	"sluice/internal/trust"
	"sluice/internal/trust/provider"
)

// issuersOf makes the configured issuers, in the order in which forms offer them. The error joins all mistakes.
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
	return out, errors.Join(errs...)
}
