package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"sluice/internal/remote"
)

// reach looks whether the server can be reached at all, and whom its certificate names.
func (x *examination) reach(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, x.URL+"/healthz", nil)
	if err != nil {
		x.tell(fail("name", shown(err.Error()), ""))
		return false
	}
	if proxy, err := http.ProxyFromEnvironment(req); err == nil && proxy != nil {
		x.tell(look("name", "requests go through the proxy "+shown(proxy.Host)+" that the environment names",
			"What follows is how things look through it; to go without, add "+x.address.Hostname()+" to NO_PROXY"))
	} else if !x.name(ctx) {
		return false
	}
	if x.address.Scheme == "http" {
		a := x.ask(ctx, question{path: "/healthz"})
		if a.err != nil {
			x.tell(unreachable(a.err))
			return false
		}
		x.tell(ok("connection", "something answers, by plain http on this machine"))
		return true
	}
	return x.encrypted(ctx, req) && x.unencrypted(ctx)
}

// name looks whether the host's name resolves.
func (x *examination) name(ctx context.Context) bool {
	host := x.address.Hostname()
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	f := resolved(host, addresses, err)
	x.tell(f)
	return f.Result != Fail
}

func resolved(host string, addresses []string, err error) Finding {
	if err != nil {
		return fail("name", host+" does not resolve: "+shown(err.Error()), "Check the spelling, and that the name is in the DNS that this machine asks")
	}
	return ok("name", "%s is %s", host, strings.Join(addresses[:min(len(addresses), 4)], ", "))
}

// encrypted connects without believing anybody, so that a certificate that is not good can be looked at. Nothing
// secret is sent this way; every other request believes good certificates alone.
func (x *examination) encrypted(ctx context.Context, req *http.Request) bool {
	transport := remote.Transport(nil)
	defer transport.CloseIdleConnections()
	transport.TLSClientConfig.InsecureSkipVerify = true
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	var seen *tls.ConnectionState
	client := &http.Client{Transport: transport, CheckRedirect: remote.NoRedirects}
	res, err := client.Do(req.WithContext(ctx))
	if err == nil {
		seen = res.TLS
		err = res.Body.Close()
	}
	if err != nil || seen == nil {
		x.tell(unreachable(plainError(err)))
		return false
	}
	x.tell(ok("connection", "something answers, by %s", tls.VersionName(seen.Version)))
	good := true
	for _, f := range certificates(seen.PeerCertificates, x.address.Hostname(), nil, x.Roots, x.Now()) {
		x.tell(f)
		good = good && f.Result != Fail
	}
	return good
}

// unreachable says why there is no connection.
func unreachable(err error) Finding {
	said := "no connection: "
	if err != nil {
		said += shown(err.Error())
	}
	timedOut := errors.Is(err, context.DeadlineExceeded)
	if n, ok := errors.AsType[net.Error](err); ok {
		timedOut = timedOut || n.Timeout()
	}
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fail("connection", said, "Start the proxy or the server there; nothing listens on this port")
	case timedOut:
		return fail("connection", said, "Open the port in the firewalls between this machine and the server")
	case noTLS, err != nil && strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		return fail("connection", said, "Put a proxy with TLS before the server: plain http answers on this port")
	default:
		return fail("connection", said, "Let the proxy speak TLS 1.2 or 1.3, and look into its log")
	}
}

// unencrypted looks what plain http gives. It is asked on the usual port alone: nobody says where else it would be.
func (x *examination) unencrypted(ctx context.Context) bool {
	if x.address.Port() != "" {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+x.address.Host+"/healthz", nil)
	if err != nil {
		return true
	}
	x.tell(plainHTTP(x.URL, send(x.http, req, x.Now)))
	return true
}

// plainHTTP judges the answer to plain http.
func plainHTTP(server string, a answer) Finding {
	const check = "plain http"
	if a.err != nil {
		return ok(check, "not answered, so that nobody sends a token in the clear")
	}
	to, err := url.Parse(a.header.Get("Location"))
	switch {
	case a.status/100 == 3 && err == nil && to.Scheme == "https":
		return ok(check, "leads to https")
	case a.status/100 == 3:
		return look(check, "a redirect to "+shown(a.header.Get("Location")), "Let plain http lead to "+server)
	case a.status/100 == 2:
		return look(check, "answered as https is: who writes http:// sends tokens in the clear", "Let the proxy answer plain http with a redirect to "+server)
	default:
		return ok(check, "refused (%d)", a.status)
	}
}
