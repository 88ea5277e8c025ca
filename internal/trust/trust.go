// Package trust decides which CI run may publish without a stored key: it verifies the identity token that a
// job got from its CI service, finds the channel owners' rules that the run satisfies, and mints one
// short-lived publish token for exactly those.
//
// It must not know of HTTP requests, SQL, people's accounts or packages. What single CI services call things
// stands in trust/provider.
package trust

import "sluice/internal/trust/provider"

// Provenance is what an identity token said of the run; see provider.Provenance.
type Provenance = provider.Provenance

// Rule says which runs a trusted publisher means; see provider.Rule.
type Rule = provider.Rule

// Conditions narrow a Rule; see provider.Conditions.
type Conditions = provider.Conditions
