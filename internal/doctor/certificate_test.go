package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/config"
	"sluice/internal/servertest"
)

// signed is a certificate with its key.
type signed struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

// issue makes a certificate for a name, signed by another; by itself when by is nil.
func issue(t *testing.T, name string, by *signed, from, to time.Time, change func(*x509.Certificate)) *signed {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: to,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	change(c)
	out := &signed{key: key}
	if by == nil {
		by = &signed{c, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by.Certificate, &key.PublicKey, by.key)
	if err != nil {
		t.Fatal(err)
	}
	if out.Certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return out
}

// authority is a private authority, an intermediate of it, and what it signs.
type authority struct {
	root, middle *signed
	pool         *x509.CertPool
	now          time.Time
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{now: time.Now(), pool: x509.NewCertPool()}
	from, to := a.now.AddDate(-2, 0, 0), a.now.AddDate(2, 0, 0)
	ca := func(c *x509.Certificate) { c.IsCA = true }
	a.root = issue(t, "Acme root", nil, from, to, ca)
	a.middle = issue(t, "Acme middle", a.root, from, to, ca)
	a.pool.AddCert(a.root.Certificate)
	return a
}

// leaf is a server's certificate for 127.0.0.1 and conda.example.com that ends after some days.
func (a *authority) leaf(t *testing.T, days int) *signed {
	t.Helper()
	return issue(t, "leaf", a.middle, a.now.AddDate(-1, 0, 0), a.now.AddDate(0, 0, days).Add(time.Hour), func(c *x509.Certificate) {
		c.DNSNames, c.IPAddresses = []string{"conda.example.com"}, []net.IP{net.IPv4(127, 0, 0, 1)}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	})
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	fit, near, ended := a.leaf(t, 60), a.leaf(t, 5), a.leaf(t, -5)
	none := x509.NewCertPool()
	for _, tt := range []struct {
		name        string
		chain       []*x509.Certificate
		host        string
		system, all *x509.CertPool
		now         time.Time
		want        []string
	}{
		{name: "good", chain: chain(fit, a.middle), system: a.pool},
		{name: "ends soon", chain: chain(near, a.middle), system: a.pool, want: []string{"look expiry: the certificate ends on "}},
		{name: "ended", chain: chain(ended, a.middle), system: a.pool, want: []string{"fail expiry: the certificate ended on "}},
		{name: "not begun", chain: chain(fit, a.middle), system: a.pool, now: a.now.AddDate(-1, 0, -1), want: []string{"fail expiry: the certificate begins on "}},
		{name: "another name", chain: chain(fit, a.middle), host: "conda.example.org", system: a.pool,
			want: []string{"fail certificate: it is for conda.example.com, 127.0.0.1, not for conda.example.org"}},
		{name: "private, named", chain: chain(fit, a.middle), system: none, all: a.pool,
			want: []string{"look certificate: signed by Acme middle, which this machine believes only because of --ca"}},
		{name: "private, with its root", chain: chain(fit, a.middle, a.root), system: none, want: []string{"fail certificate: signed by Acme root, which this machine does not believe"}},
		{name: "incomplete", chain: chain(fit), system: a.pool, all: a.pool,
			want: []string{"fail certificate: the chain ends with a certificate signed by Acme middle, which is not in it"}},
		{name: "no server's", chain: chain(a.middle), host: "Acme middle", system: a.pool, want: []string{"fail certificate: it is for no host, not for Acme middle"}},
		{name: "nothing", want: []string{"fail certificate: none came"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.host == "" {
				tt.host = "conda.example.com"
			}
			if tt.now.IsZero() {
				tt.now = a.now
			}
			expect(t, certificates(tt.chain, tt.host, tt.system, tt.all, tt.now), tt.want...)
		})
	}
}

func chain(of ...*signed) []*x509.Certificate {
	var out []*x509.Certificate
	for _, s := range of {
		out = append(out, s.Certificate)
	}
	return out
}

// Over TLS for real: a good chain is gone through to the end, one that is not ends it after the
// first request, which has no token.
func TestTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for _, tt := range []struct {
		name  string
		chain []*signed
		roots *x509.CertPool
		want  []string
		ends  bool
	}{
		{name: "a private authority, named", chain: []*signed{a.leaf(t, 60), a.middle}, roots: a.pool, want: []string{"look certificate: signed by Acme middle"}},
		{name: "a private authority", chain: []*signed{a.leaf(t, 60), a.middle}, ends: true, want: []string{"fail certificate: the chain ends with a certificate signed by Acme root"}},
		{name: "an incomplete chain", chain: []*signed{a.leaf(t, 60)}, roots: a.pool, ends: true, want: []string{"fail certificate: the chain ends with a certificate signed by Acme middle"}},
		{name: "an ended certificate", chain: []*signed{a.leaf(t, -5), a.middle}, roots: a.pool, ends: true,
			want: []string{"fail expiry: the certificate ended on", "look certificate: signed by Acme middle"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, asked := encryptedSite(t, tt.chain)
			found := s.examine(t, func(x *Target) { x.Roots, x.Token = tt.roots, s.ann })
			expect(t, found, tt.want...)
			if n := asked.Load(); tt.ends != (n == 1) {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// encryptedSite is a site behind a proxy with TLS; asked counts what was asked of it.
func encryptedSite(t *testing.T, with []*signed) (s *site, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	front := httptest.NewUnstartedServer(nil)
	address := "https://" + front.Listener.Addr().String()
	s = newSite(t, servertest.Options{Configure: func(c *config.Config) { c.URL = address }}, nil)
	to, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	s.address = address
	front.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		pass(to).ServeHTTP(w, r)
	})
	pair := tls.Certificate{PrivateKey: with[0].key}
	for _, c := range with {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	front.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	front.StartTLS()
	t.Cleanup(front.Close)
	return s, asked
}
