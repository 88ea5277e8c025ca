package trust

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/go-jose/go-jose/v4/json"
)

const (
	// fetchTimeout bounds discovery and keys together; every waiter waits at most this long.
	fetchTimeout = 5 * time.Second
	// maxDocument bounds each of the two documents, in bytes.
	maxDocument = 512 << 10
)

// fetcher gets documents of issuers over HTTP.
type fetcher struct {
	client *http.Client
	now    func() time.Time
}

// newFetcher makes a client that follows no redirects, keeps no cookies and talks TLS 1.2 or better. Without a
// transport it makes one that goes the issuer's own way.
func newFetcher(rt http.RoundTripper, is Issuer, now func() time.Time) fetcher {
	if rt == nil {
		rt = newTransport(is)
	}
	return fetcher{now: now, client: &http.Client{
		Transport:     rt,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// newTransport goes the way that the issuer's operator says.
func newTransport(is Issuer) *http.Transport {
	t := &http.Transport{
		Proxy:              http.ProxyFromEnvironment,
		TLSClientConfig:    &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: is.RootCAs},
		ForceAttemptHTTP2:  true,
		DisableCompression: true, // what is counted is what is held
		IdleConnTimeout:    time.Minute,
	}
	if is.Proxy != nil {
		t.Proxy = http.ProxyURL(is.Proxy)
	} else if strings.HasPrefix(cmp.Or(is.JWKSURI, is.URL), "http://") {
		t.Proxy, t.DialContext = nil, (&net.Dialer{Control: loopbackOnly}).DialContext
	}
	return t
}

// loopbackOnly refuses to connect to other machines. Plain http is for this one, and what name says so is asked of a
// resolver: the address that it gives must hold, too.
func loopbackOnly(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("%s is not this machine, and http is for it alone", host)
	}
	return nil
}

// fetched is a key set as an issuer served it.
type fetched struct {
	jwks []byte
	keys []publicKey
	// skipped are the keys that cannot be used, and why.
	skipped []error
	// skew is the issuer's clock minus ours, as its Date header has it; hasSkew says that there was one.
	skew    time.Duration
	hasSkew bool
	// file is the state of the file that was read, when it was one.
	file keyFile
}

// keysOf gets the issuer's keys: by discovery (OpenID Connect Discovery 1.0 §4), or from where the operator says.
func (f fetcher) keysOf(ctx context.Context, is Issuer) (fetched, error) {
	if is.JWKSFile != "" {
		return readKeyFile(is.JWKSFile)
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	var out fetched
	uri := is.JWKSURI
	if uri == "" {
		doc, err := f.get(ctx, is.URL+"/.well-known/openid-configuration", &out)
		if err != nil {
			return out, err
		}
		if uri, err = jwksURI(is, doc); err != nil {
			return out, err
		}
	}
	var err error
	if out.jwks, err = f.get(ctx, uri, &out); err != nil {
		return out, err
	}
	out.keys, out.skipped, err = parseKeys(out.jwks)
	return out, err
}

// jwksURI reads a discovery document and holds it to the issuer: it must name the issuer, and keep the keys on
// the issuer's own host and scheme, or at the one other address that is known of a service: else whoever wrote the
// document could send us anywhere.
func jwksURI(is Issuer, doc []byte) (string, error) {
	var d struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(doc, &d); err != nil {
		return "", fmt.Errorf("discovery document is not JSON of the right form: %w", err)
	}
	if d.Issuer != is.URL {
		return "", fmt.Errorf("discovery document names the issuer %q, want %q", shown(d.Issuer), is.URL)
	}
	if d.JWKSURI != "" && d.JWKSURI == is.keysElsewhere {
		return d.JWKSURI, nil
	}
	base, err := url.Parse(is.URL)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(d.JWKSURI)
	if err != nil || u.Scheme != base.Scheme || u.Host != base.Host || u.User != nil {
		return "", fmt.Errorf("jwks_uri %q is not on the issuer's host %s", shown(d.JWKSURI), base.Host)
	}
	return d.JWKSURI, nil
}

// get reads one document and notes the server's clock.
func (f fetcher) get(ctx context.Context, uri string, out *fetched) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "Sluice")
	began := f.now()
	res, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		middle := began.Add(f.now().Sub(began) / 2)
		out.skew, out.hasSkew = date.Sub(middle), true
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: status %d, want 200", uri, res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", uri, err)
	}
	if len(body) > maxDocument {
		return nil, fmt.Errorf("GET %s: more than %d bytes", uri, maxDocument)
	}
	return body, nil
}
