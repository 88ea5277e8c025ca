package trust

import (
	"crypto/x509"
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
	// Audiences are what its tokens may be made for, besides those of the server.
	Audiences []string
	// MaxLifetime is the longest time that a token of it may span from iat to exp.
	MaxLifetime time.Duration
	// JWKSURI is where its keys are, for issuers whose discovery does not say. Empty: discovery decides.
	JWKSURI string
	// JWKSFile is a file that has its keys: nothing is fetched then. It is read again when it changes.
	JWKSFile string
	// Proxy is the way to its keys; nil: as the proxy variables say. It may hold a password.
	Proxy *url.URL
	// RootCAs are the certificate authorities that its host may be vouched for by; nil: the system's.
	RootCAs *x509.CertPool
	// keysElsewhere is an address that discovery may name although it is on another host.
	keysElsewhere string
}

// NewIssuer takes an operator's word for an issuer: its name, which is a provider's ("github") or begins with one
// and '-' ("gitlab-work"), and the address, empty for the public service. The address is https, or http on a
// loopback address, where tests and the demo live.
func NewIssuer(name, address string) (Issuer, error) {
	return IssuerSettings{Name: name, URL: address}.Issuer()
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
