package trust

import (
	"context"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/fault"
	"sluice/internal/standin"
)

func TestIssuerSettings(t *testing.T) {
	t.Parallel()
	keys := keyFileOf(t, sharedService())
	junk := filepath.Join(t.TempDir(), "junk")
	if err := os.WriteFile(junk, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		s    IssuerSettings
		want string // in the error; empty: taken
	}{
		{"a provider's name", IssuerSettings{Name: "github"}, ""},
		{"begins with it", IssuerSettings{Name: "github-work", URL: "https://ghes.acme.dev/_services/token"}, ""},
		{"provider beside another name", IssuerSettings{Name: "work", Provider: "github", URL: "https://ghes.acme.dev/_services/token"}, ""},
		{"only like it", IssuerSettings{Name: "githubwork"}, "the name tells no CI service"},
		{"unknown name", IssuerSettings{Name: "work"}, "the name tells no CI service"},
		{"unknown provider", IssuerSettings{Name: "github", Provider: "jenkins"}, `provider "jenkins" is not known`},
		{"http", IssuerSettings{Name: "github", URL: "http://ghes.acme.dev"}, "must begin with https://"},
		{"algorithms", IssuerSettings{Name: "github", Algorithms: []string{"ES256", "PS512", "EdDSA"}}, ""},
		{"symmetric", IssuerSettings{Name: "github", Algorithms: []string{"RS256", "HS256"}}, `"HS256" cannot be taken`},
		{"none", IssuerSettings{Name: "github", Algorithms: []string{"none"}}, `"none" cannot be taken`},
		{"life", IssuerSettings{Name: "github", MaxLifetime: time.Hour}, ""},
		{"long life", IssuerSettings{Name: "github", MaxLifetime: 25 * time.Hour}, "max_lifetime"},
		{"short life", IssuerSettings{Name: "github", MaxLifetime: time.Second}, "max_lifetime"},
		{"keys address", IssuerSettings{Name: "github", JWKSURI: "https://keys.acme.dev/k?v=1"}, ""},
		{"keys over http", IssuerSettings{Name: "github", JWKSURI: "http://keys.acme.dev/k"}, "jwks_uri"},
		{"keys with a user", IssuerSettings{Name: "github", JWKSURI: "https://u:p@keys.acme.dev/k"}, "jwks_uri"},
		{"key file", IssuerSettings{Name: "github", JWKSFile: keys}, ""},
		{"key file and address", IssuerSettings{Name: "github", JWKSFile: keys, JWKSURI: "https://keys.acme.dev/k"}, "cannot stand beside"},
		{"key file and proxy", IssuerSettings{Name: "github", JWKSFile: keys, Proxy: "http://proxy:3128"}, "have no use"},
		{"no key file", IssuerSettings{Name: "github", JWKSFile: junk + "2"}, "jwks_file"},
		{"no keys in it", IssuerSettings{Name: "github", JWKSFile: junk}, "has 0 keys"},
		{"proxy", IssuerSettings{Name: "github", Proxy: "http://u:hunter2@proxy.acme.dev:3128"}, ""},
		{"socks", IssuerSettings{Name: "github", Proxy: "socks5h://proxy.acme.dev:1080"}, ""},
		{"ftp proxy", IssuerSettings{Name: "github", Proxy: "ftp://u:hunter2@proxy.acme.dev"}, "proxy: it must be"},
		{"broken proxy", IssuerSettings{Name: "github", Proxy: "http://u:hunter2@pro xy"}, "proxy: it must be"},
		{"no authorities", IssuerSettings{Name: "github", CAFile: junk}, "no certificate in PEM form"},
		{"no file of authorities", IssuerSettings{Name: "github", CAFile: junk + "2"}, "ca_file"},
		{"generic", IssuerSettings{Name: "jenkins", Provider: "generic", URL: "https://jenkins.acme.dev", Mapping: jenkins()}, ""},
		{"generic by its name", IssuerSettings{Name: "generic-jenkins", URL: "https://jenkins.acme.dev", Mapping: jenkins()}, ""},
		{"generic without an address", IssuerSettings{Name: "jenkins", Provider: "generic", Mapping: jenkins()}, "is no address"},
		{"generic without claims", IssuerSettings{Name: "jenkins", Provider: "generic", URL: "https://jenkins.acme.dev"}, "claims.repository_id"},
		{"generic called like a service", IssuerSettings{Name: "google", Provider: "generic", URL: "https://x.acme.dev", Mapping: jenkins()}, "cannot be the name"},
		{"claims of a known service", IssuerSettings{Name: "github", Mapping: jenkins()}, "are for the provider generic"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			is, err := tt.s.Issuer()
			if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.s.Name)) {
				t.Fatalf("error %v, want %q in it", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a password is shown: %v", err)
			}
			if err == nil && (is.Provider == nil || is.URL == "" || len(is.Algorithms) == 0 || is.MaxLifetime == 0) {
				t.Errorf("%+v", is)
			}
		})
	}
	_, err := IssuerSettings{Name: "github", URL: "x", Algorithms: []string{"HS256"}, Proxy: "x", CAFile: junk}.Issuer()
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("not all mistakes at once: %v", err)
	}
}

// jwksOf asks a token service for its keys as they are now.
func jwksOf(t testing.TB, s *standin.Service) []byte {
	t.Helper()
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/.well-known/jwks", http.NoBody))
	if rec.Code != http.StatusOK {
		t.Fatalf("status %d", rec.Code)
	}
	return rec.Body.Bytes()
}

func keyFileOf(t testing.TB, s *standin.Service) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "jwks.json")
	writeKeys(t, name, jwksOf(t, s))
	return name
}

// writeKeys puts another file in the place of the old one, as `mv` does.
func writeKeys(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

// Keys from a file: nothing is fetched, a new file counts at once, a bad one leaves the old keys.
func TestKeyFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := keyFileOf(t, w.service)
	is, err := IssuerSettings{Name: "github", URL: w.service.URL(), JWKSFile: name}.Issuer()
	if err != nil {
		t.Fatal(err)
	}
	w.store.keys[is.URL], w.store.keysAt[is.URL] = []byte(`{"keys":[]}`), w.clock.now() // what was fetched before counts no more
	w.x = w.server(func(c *Config) { c.Issuers = []Issuer{is} })
	w.add()
	w.mustPass(w.sign(w.claims()))
	old, older := w.sign(w.claims()), w.sign(w.claims())

	if err := w.service.Rotate(); err != nil {
		t.Fatal(err)
	}
	w.service.Withdraw()
	w.mustRefuse(w.sign(w.claims()), fault.UnknownKey, "does not publish")
	writeKeys(t, name, []byte("not JSON, and not half of it\n"))
	w.mustPass(old)
	if h := w.x.Health()[0]; !h.Usable || !strings.Contains(h.LastError, name) || !strings.Contains(w.log.String(), "issuer keys not fetched") {
		t.Errorf("health %+v, log %s", h, w.log)
	}
	w.mustRefuse(w.sign(w.claims()), fault.IssuerUnavailable, "") // it may be a key of the file that cannot be read
	writeKeys(t, name, jwksOf(t, w.service))
	w.mustPass(w.sign(w.claims()))
	w.mustRefuse(older, fault.UnknownKey, "") // taken out of the file, and so of use
	if h := w.x.Health()[0]; !h.Usable || h.LastError != "" || h.Keys != 1 {
		t.Errorf("health %+v", h)
	}

	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(hardAge - time.Second)
	w.mustPass(w.sign(w.claims()))
	w.x.running.Wait()
	w.clock.advance(fetchEvery)
	w.mustRefuse(w.sign(w.claims()), fault.IssuerUnavailable, "")
	if n := w.net.requests(); n != 0 {
		t.Errorf("%d requests, though the keys are in a file", n)
	}
	if _, err := NewExchange(t.Context(), w.x.cfg); err == nil || !strings.Contains(err.Error(), "keys of "+is.URL) {
		t.Errorf("a start without the file: %v", err)
	}
}

// Run reads a changed file within a minute, also when nobody asks.
func TestRunReadsKeyFilesAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := keyFileOf(t, w.service)
	is, err := IssuerSettings{Name: "github", URL: w.service.URL(), JWKSFile: name}.Issuer()
	if err != nil {
		t.Fatal(err)
	}
	w.x = w.server(func(c *Config) { c.Issuers = []Issuer{is} })
	k := w.x.issuers[is.URL]
	if k.fileChanged() {
		t.Error("changed right after it was read")
	}
	if err := w.service.Rotate(); err != nil {
		t.Fatal(err)
	}
	writeKeys(t, name, jwksOf(t, w.service))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.x.Run(ctx) // one look before it ends
	if h := w.x.Health()[0]; h.Keys != 2 || k.fileChanged() {
		t.Errorf("health %+v", h)
	}
}

// site is a token service behind real TLS, vouched for by an authority that no system knows.
func site(t *testing.T, s func(address string) *standin.Service) (srv *httptest.Server, service *standin.Service, caFile string) {
	t.Helper()
	srv = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { service.ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	service = s(srv.URL)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(caFile, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return srv, service, caFile
}

func githubAt(t *testing.T) func(string) *standin.Service {
	return func(address string) *standin.Service {
		s, err := standin.New(address, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// A host that a private authority vouches for is believed where its operator says so, and nowhere else.
func TestPrivateAuthority(t *testing.T) {
	t.Parallel()
	srv, _, ca := site(t, githubAt(t))
	for _, tt := range []struct{ caFile, want string }{{ca, ""}, {"", "certificate"}} {
		is, err := IssuerSettings{Name: "github", URL: srv.URL, CAFile: tt.caFile}.Issuer()
		if err != nil {
			t.Fatal(err)
		}
		got, err := newFetcher(nil, is, time.Now).keysOf(t.Context(), is)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) || err == nil && len(got.keys) != 1 {
			t.Errorf("with the file %q: %d keys, %v", tt.caFile, len(got.keys), err)
		}
	}
	// One issuer's authority is none of another's, in one server.
	mine, err := IssuerSettings{Name: "github", URL: srv.URL, CAFile: ca}.Issuer()
	if err != nil {
		t.Fatal(err)
	}
	second, _, _ := site(t, githubAt(t))
	other, err := IssuerSettings{Name: "github-other", URL: second.URL}.Issuer()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.x = w.server(func(c *Config) { c.Issuers, c.Transport, c.Now = []Issuer{mine, other}, nil, time.Now })
	for _, k := range w.x.issuers {
		k.refresh(t.Context())
	}
	w.x.running.Wait()
	if h := w.x.Health(); !h[0].Usable || h[1].Usable || !strings.Contains(h[1].LastError, "certificate") {
		t.Errorf("health %+v", h)
	}
}

// proxyServer is a proxy that opens tunnels and passes plain requests on, for those who know the password.
type proxyServer struct{ tunnels, plain, refused atomic.Int32 }

func (p *proxyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Proxy-Authorization") != "Basic dTpodW50ZXIy" { // u:hunter2
		p.refused.Add(1)
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	if r.Method != http.MethodConnect {
		p.plain.Add(1)
		r.RequestURI = ""
		r.Header.Del("Proxy-Authorization")
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer res.Body.Close()
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body)
		return
	}
	p.tunnels.Add(1)
	far, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	near, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = far.Close()
		return
	}
	_, _ = near.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
	go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
	_, _ = io.Copy(near, far)
	_ = near.Close()
}

// Through a real proxy, with its password: as a tunnel to https, by name to http. A password that is wrong is told to
// nobody.
func TestProxy(t *testing.T) {
	t.Parallel()
	var p proxyServer
	srv := httptest.NewServer(&p)
	t.Cleanup(srv.Close)
	secure, _, ca := site(t, githubAt(t))
	var seen atomic.Int32
	var service *standin.Service
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "" {
			seen.Add(1)
		}
		service.ServeHTTP(w, r)
	}))
	t.Cleanup(plain.Close)
	service = githubAt(t)(plain.URL)
	at := strings.TrimPrefix(srv.URL, "http://")
	for _, tt := range []struct {
		name, url, ca, proxy string
		want                 string
	}{
		{"https", secure.URL, ca, "http://u:hunter2@" + at, ""},
		{"http", plain.URL, "", "http://u:hunter2@" + at, ""},
		{"wrong password", secure.URL, ca, "http://u:hunter3@" + at, "Proxy Authentication Required"},
		{"no proxy there", secure.URL, ca, "http://u:hunter3@127.0.0.1:1", "proxyconnect"},
	} {
		is, err := IssuerSettings{Name: "github", URL: tt.url, CAFile: tt.ca, Proxy: tt.proxy}.Issuer()
		if err != nil {
			t.Fatal(err)
		}
		got, err := newFetcher(nil, is, time.Now).keysOf(t.Context(), is)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) || err == nil && len(got.keys) != 1 {
			t.Errorf("%s: %d keys, %v", tt.name, len(got.keys), err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: a password is shown: %v", tt.name, err)
		}
	}
	if p.tunnels.Load() == 0 || p.plain.Load() != 2 || p.refused.Load() == 0 || seen.Load() != 0 {
		t.Errorf("%d tunnels, %d plain requests, %d refused, the password went on %d times", p.tunnels.Load(), p.plain.Load(), p.refused.Load(), seen.Load())
	}
}

// Row 38: plain http stays on this machine, whatever a resolver says of the name.
func TestPlainHTTPStaysHere(t *testing.T) {
	t.Parallel()
	is, err := NewIssuer("github", "http://localhost:9")
	if err != nil {
		t.Fatal(err)
	}
	dial := newTransport(is).DialContext
	for address, want := range map[string]string{"127.0.0.1:9": "refused", "192.0.2.1:80": "is not this machine", "169.254.169.254:80": "is not this machine"} {
		conn, err := dial(t.Context(), "tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
	u, err := url.Parse("https://proxy.example")
	if err != nil {
		t.Fatal(err)
	}
	if newTransport(Issuer{URL: "http://localhost:9", Proxy: u}).DialContext != nil || newTransport(Issuer{URL: "https://x.example"}).DialContext != nil {
		t.Error("proxies and https may be anywhere")
	}
}
