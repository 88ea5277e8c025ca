package trust

import (
	"fmt"
	"net"
	"net/url"
	"path"
	"strings"
	"time"

	"sluice/internal/trust/provider"
)

// An Issuer is an identity provider that this server's operator trusts to say which CI job is calling.
type Issuer struct {
	// Name is what the operator calls it: "github", "gitlab-work".
	Name string
	// URL is the issuer's address. Tokens must name it byte for byte.
	URL string
	// Provider knows what its claims mean.
	Provider provider.Provider
	// Algorithms are the JWS algorithms that its tokens may be signed with: never none, never a symmetric one.
	Algorithms []string
	// MaxLifetime is the longest time that a token of it may span from iat to exp.
	MaxLifetime time.Duration
	// JWKSURI is where its keys are, for issuers whose discovery does not say or names another host.
	// Empty: discovery decides.
	JWKSURI string
}

// NewIssuer takes an operator's word for an issuer: the provider's name ("github") and the address, empty for
// the public service. The address is https, or http on a loopback address, where tests and the demo live.
func NewIssuer(providerName, address string) (Issuer, error) {
	p, ok := provider.ByName(providerName)
	if !ok {
		return Issuer{}, fmt.Errorf("issuer provider %q is not known; known: %s", providerName, providerNames())
	}
	traits := p.Traits()
	if address == "" {
		address = traits.Issuer
	}
	if why := badIssuerURL(address); why != "" {
		return Issuer{}, fmt.Errorf("issuer %q %s", address, why)
	}
	return Issuer{Name: providerName, URL: address, Provider: p, Algorithms: traits.Algorithms, MaxLifetime: traits.MaxLifetime}, nil
}

// badIssuerURL says why an address cannot be an issuer's, or "". Tokens repeat the address byte for byte, so
// it must be written in the one plain way.
func badIssuerURL(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return "is no address such as https://token.example.com"
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery || strings.HasSuffix(address, "#"):
		return "must hold no user name, query or fragment"
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return "must begin with https:// (http:// is taken on loopback addresses only)"
	case u.Host != foldASCII(u.Host):
		return "must have its host in lower case"
	case u.Path != "" && (u.Path == "/" || path.Clean(u.Path) != u.Path):
		return "must be without a trailing slash and without empty or dotted parts"
	}
	return ""
}

// loopback reports whether only this machine answers at the host. Names count by themselves, without asking
// a resolver.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func providerNames() string {
	var names []string
	for _, p := range provider.All() {
		names = append(names, p.Traits().Name)
	}
	return strings.Join(names, ", ")
}
