package trust

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Config is what an Exchange is made of. Fields without a default are required.
type Config struct {
	// URL is this server's public address, without a trailing slash. Refusals name it.
	URL string
	// Audiences are what identity tokens may be made for. The first is this server's own, the host of URL.
	Audiences []string
	// Issuers are the identity providers whose tokens are taken.
	Issuers []Issuer
	// Life is how long a publish token lives: 5 to 60 minutes, default 30. A whole upload run lives on one.
	Life time.Duration
	// Leeway is how far clocks may differ: 0 to 120 s, default 60 s; below 0 means none.
	Leeway time.Duration
	// Store and Refusals keep what happens.
	Store    Store
	Refusals Refusals
	Log      *slog.Logger
	// Now is the clock.
	Now func() time.Time
	// Transport carries requests to all issuers; nil means one for each, by its proxy and authorities or else by the
	// proxy variables and the system's.
	Transport http.RoundTripper
}

// check returns all that is wrong with the configuration.
func (c *Config) check() error {
	var errs []error
	bad := func(when bool, format string, args ...any) {
		if when {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(c.URL == "" || strings.HasSuffix(c.URL, "/"), "public URL %q must be set, without a trailing slash", c.URL)
	bad(len(c.Audiences) == 0 || slices.Contains(c.Audiences, ""), "audiences must be set and not be empty")
	bad(c.Life < 5*time.Minute || c.Life > time.Hour, "publish tokens must live 5 to 60 minutes, not %s", c.Life)
	bad(c.Leeway > 2*time.Minute, "leeway must be at most 120 s, not %s", c.Leeway)
	seen := map[string]bool{}
	for _, is := range c.Issuers {
		bad(is.Provider == nil || is.MaxLifetime <= 0, "issuer %q was not made by NewIssuer", is.URL)
		bad(badIssuerURL(is.URL) != "", "issuer %q %s", is.URL, badIssuerURL(is.URL))
		bad(is.JWKSURI != "" && badKeysURL(is.JWKSURI) != "", "keys address %q %s", is.JWKSURI, badKeysURL(is.JWKSURI))
		bad(slices.Contains(is.Audiences, ""), "audiences of issuer %q must not be empty", is.URL)
		bad(seen[is.URL], "issuer %q is there twice", is.URL)
		seen[is.URL] = true
		bad(len(is.Algorithms) == 0, "issuer %q has no algorithms", is.URL)
		for _, alg := range is.Algorithms {
			bad(families[alg] == "", "issuer %q: algorithm %q cannot be taken", is.URL, alg)
		}
	}
	return errors.Join(errs...)
}
