package doctor

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

// soon is how near the end of a certificate is worth a look.
const soon = 14 * 24 * time.Hour

// certificates judges the chain that a server sends, its own certificate first. system are the authorities that
// every client believes, nil for those of this machine; all are these and the ones of --ca, nil for none.
func certificates(chain []*x509.Certificate, host string, system, all *x509.CertPool, now time.Time) []Finding {
	const check = "certificate"
	if len(chain) == 0 {
		return []Finding{fail(check, "none came", "Give the proxy a certificate")}
	}
	leaf := chain[0]
	found := []Finding{lifetime(leaf, now)}
	if err := leaf.VerifyHostname(host); err != nil {
		found = append(found, fail(check, "it is for "+names(leaf)+", not for "+host, "Get a certificate that names "+host))
	}
	// Whether it is in time was judged above; here it shall not hide who signed it.
	at := now
	if now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
		at = leaf.NotAfter.Add(-time.Second)
	}
	err := verify(chain, system, at)
	switch {
	case err == nil:
		return append(found, ok(check, "for %s, signed by %s, the chain is complete", names(leaf), signer(leaf)))
	case all != nil && verify(chain, all, at) == nil:
		return append(found, look(check, "signed by "+signer(leaf)+", which this machine believes only because of --ca",
			"Every client needs that authority, too: install it on each machine that reads or publishes"))
	default:
		return append(found, untrusted(chain, err))
	}
}

func verify(chain []*x509.Certificate, roots *x509.CertPool, at time.Time) error {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: at})
	return err
}

// lifetime judges the time of a certificate.
func lifetime(leaf *x509.Certificate, now time.Time) Finding {
	const check, renew = "expiry", "Renew the certificate, and have the proxy load the new one"
	end := leaf.NotAfter.UTC().Format("2006-01-02")
	days := int(leaf.NotAfter.Sub(now) / (24 * time.Hour))
	switch {
	case now.Before(leaf.NotBefore):
		return fail(check, "the certificate begins on "+leaf.NotBefore.UTC().Format("2006-01-02 15:04"), "Check the clock of this machine, or use the certificate that is good now")
	case now.After(leaf.NotAfter):
		return fail(check, "the certificate ended on "+end, renew)
	case leaf.NotAfter.Sub(now) < soon:
		return look(check, fmt.Sprintf("the certificate ends on %s, in %d days", end, days), renew)
	default:
		return ok(check, "the certificate ends on %s, in %d days", end, days)
	}
}

// untrusted says why nobody vouches for a chain.
func untrusted(chain []*x509.Certificate, err error) Finding {
	const check = "certificate"
	last := chain[len(chain)-1]
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	switch {
	case !unknown:
		return fail(check, "it is not good: "+shown(err.Error()), "Get a certificate that clients take")
	case last.Issuer.String() == last.Subject.String():
		return fail(check, "signed by "+signer(last)+", which this machine does not believe", "Name that authority's certificate with --ca FILE, and give it to every client; or get one of a public authority")
	default:
		return fail(check, fmt.Sprintf("the chain ends with a certificate signed by %s, which is not in it and not among this machine's authorities", signer(last)),
			"Have the proxy send the whole chain (often fullchain.pem). If it is a private authority, name it with --ca FILE")
	}
}

func signer(c *x509.Certificate) string { return shown(cmp.Or(c.Issuer.CommonName, c.Issuer.String())) }

// names are the hosts that a certificate is for.
func names(c *x509.Certificate) string {
	all := c.DNSNames
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	return cmp.Or(shown(strings.Join(all, ", ")), "no host")
}
