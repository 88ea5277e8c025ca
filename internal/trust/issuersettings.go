package trust

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"sluice/internal/trust/provider"
)

// IssuerSettings is an issuer as an operator writes it. What is empty is as the provider has it.
type IssuerSettings struct {
	// Name and URL are those of NewIssuer.
	Name, URL string
	// Provider is the kind of CI service where the name does not say it; "generic" for one that Mapping describes.
	Provider string
	// Algorithms replace those of the provider.
	Algorithms []string
	// Audiences and JWKSURI are those of Issuer.
	Audiences []string
	JWKSURI   string
	// JWKSFile, CAFile are paths of files: a JWK set, and certificates in PEM form.
	JWKSFile, CAFile string
	// Proxy is the address of a proxy: http, https, socks5 or socks5h, perhaps with user name and password.
	Proxy string
	// MaxLifetime replaces the provider's: a minute to a day.
	MaxLifetime time.Duration
	// Mapping is what the claims of a generic issuer mean. Its name, algorithms and lifetime follow from the above.
	Mapping provider.Mapping
}

// generic is the provider of issuers that their operators describe.
const generic = "generic"

// maxMaxLifetime is the longest life that an operator can let tokens have.
const maxMaxLifetime = 24 * time.Hour

// Issuer checks the settings, reads the files that they name, and makes the issuer. The error joins all mistakes.
func (s IssuerSettings) Issuer() (Issuer, error) {
	is := Issuer{Name: s.Name, URL: s.URL, Audiences: s.Audiences, JWKSURI: s.JWKSURI, JWKSFile: s.JWKSFile}
	var errs []error
	note := func(err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("issuer %s: %w", s.Name, err))
		}
	}
	p, err := s.provider()
	if err != nil {
		note(err)
		return is, errors.Join(errs...)
	}
	t := p.Traits()
	is.Provider, is.URL = p, cmp.Or(s.URL, t.Issuer)
	if why := badIssuerURL(is.URL); why != "" {
		note(fmt.Errorf("%q %s", is.URL, why))
	}
	if is.URL == t.Issuer {
		is.keysElsewhere = t.JWKSURI
	}
	is.Algorithms, is.MaxLifetime = t.Algorithms, cmp.Or(s.MaxLifetime, t.MaxLifetime)
	if len(s.Algorithms) > 0 {
		is.Algorithms = s.Algorithms
	}
	for _, alg := range is.Algorithms {
		if families[alg] == "" {
			note(fmt.Errorf("algorithms: %q cannot be taken: an issuer signs with RS, PS or ES256 to 512, or EdDSA", alg))
		}
	}
	if is.MaxLifetime < time.Minute || is.MaxLifetime > maxMaxLifetime {
		note(fmt.Errorf("max_lifetime: %s is not between a minute and %s", is.MaxLifetime, maxMaxLifetime))
	}
	note(s.checkKeys())
	is.Proxy, err = s.proxy()
	note(err)
	is.RootCAs, err = s.rootCAs()
	note(err)
	return is, errors.Join(errs...)
}

// provider finds the kind of the service, and describes it where the operator does.
func (s IssuerSettings) provider() (provider.Provider, error) {
	kind := cmp.Or(s.Provider, s.kind())
	if kind == generic {
		m := s.Mapping
		m.Name, m.Algorithms, m.MaxLifetime = s.Name, s.Algorithms, s.MaxLifetime
		return provider.Generic(m)
	}
	p, ok := provider.ByName(kind)
	switch {
	case kind == "":
		return nil, fmt.Errorf("the name tells no CI service: it must be one of %s, or begin with one and '-', or the issuer needs provider", providerNames())
	case !ok:
		return nil, fmt.Errorf("provider %q is not known; known: %s", kind, providerNames())
	case s.Mapping.Claims != nil || s.Mapping.RunLink != "" || len(s.Mapping.Events) > 0 || s.Mapping.Hosted != "" || s.Mapping.Fold:
		return nil, fmt.Errorf("what its claims mean is known: claims, events, hosted_runner, fold and run_link are for the provider %s", generic)
	}
	return p, nil
}

// kind is the provider that the name begins with, or "".
func (s IssuerSettings) kind() string {
	for _, name := range append(names(provider.All()), generic) {
		if s.Name == name || strings.HasPrefix(s.Name, name+"-") {
			return name
		}
	}
	return ""
}

func (s IssuerSettings) checkKeys() error {
	switch {
	case s.JWKSURI != "" && s.JWKSFile != "":
		return errors.New("jwks_uri and jwks_file cannot stand beside one another")
	case s.JWKSFile != "" && (s.Proxy != "" || s.CAFile != ""):
		return errors.New("jwks_file: nothing is fetched, so proxy and ca_file have no use")
	case s.JWKSURI != "" && badKeysURL(s.JWKSURI) != "":
		return fmt.Errorf("jwks_uri: %q %s", s.JWKSURI, badKeysURL(s.JWKSURI))
	case s.JWKSFile != "":
		if _, err := readKeyFile(s.JWKSFile); err != nil {
			return fmt.Errorf("jwks_file: %w", err)
		}
	}
	return nil
}

// badKeysURL says why keys cannot be fetched from an address, or "". It may have a query, other than an issuer.
func badKeysURL(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || u.User != nil || u.Fragment != "":
		return "is no plain address of a key set"
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return "must begin with https:// (http:// is taken on loopback addresses only)"
	}
	return ""
}

// proxy reads the proxy's address. Its mistakes do not repeat it: there may be a password in it.
func (s IssuerSettings) proxy() (*url.URL, error) {
	if s.Proxy == "" {
		return nil, nil //nolint:nilnil // no proxy is no mistake
	}
	u, err := url.Parse(s.Proxy)
	if err != nil || u.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, errors.New("proxy: it must be an address such as http://proxy.acme.dev:3128, https:// or socks5://, perhaps with user:password@")
	}
	return u, nil
}

// rootCAs are the system's certificate authorities and those of the file.
func (s IssuerSettings) rootCAs() (*x509.CertPool, error) {
	if s.CAFile == "" {
		return nil, nil //nolint:nilnil // none is no mistake
	}
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a system without any
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file: %s has no certificate in PEM form", s.CAFile)
	}
	return pool, nil
}

func names(ps []provider.Provider) []string {
	var out []string
	for _, p := range ps {
		out = append(out, p.Traits().Name)
	}
	return out
}

func providerNames() string { return list(append(names(provider.All()), generic), "and") }
