package web

import (
	"context"

	"sluice/internal/trust"
)

// Trier says what would become of an identity token, and mints nothing.
type Trier interface {
	// Try is trust.Exchange.Try.
	Try(ctx context.Context, pasted, issuer string, publishers []trust.Publisher) (trust.Trial, error)
}
