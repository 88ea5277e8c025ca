package doctor

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/tuf"

	"sluice/internal/config"
	"sluice/internal/servertest"
)

// changed is a proxy that answers some requests by itself.
func changed(proxy http.Handler, when func(*http.Request) bool, answer http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if when(r) {
			_, _ = io.Copy(io.Discard, r.Body)
			answer(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	})
}

func posts(r *http.Request) bool { return r.Method == http.MethodPost }
func always(*http.Request) bool  { return true }

// without is a proxy that drops a header of requests.
func without(name string) func(*url.URL) http.Handler {
	return func(to *url.URL) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del(name)
			pass(to).ServeHTTP(w, r)
		})
	}
}

// compressing is a proxy that compresses every answer it passes on.
func compressing(to *url.URL) http.Handler {
	p := pass(to)
	p.ModifyResponse = func(res *http.Response) error {
		if res.Request.Method == http.MethodHead || res.StatusCode != http.StatusOK {
			return nil
		}
		plain := res.Body
		in, out := io.Pipe()
		res.Body = in
		go func() {
			z := gzip.NewWriter(out)
			_, err := io.Copy(z, plain)
			out.CloseWithError(errors.Join(err, z.Close(), plain.Close()))
		}()
		res.Header.Del("Content-Length")
		res.ContentLength = -1
		res.Header.Set("Content-Encoding", "gzip")
		if etag := res.Header.Get("Etag"); etag != "" {
			res.Header.Set("Etag", "W/"+etag)
		}
		return nil
	}
	return p
}

// limited is a proxy that takes bodies of 1 MiB and no more.
func limited(to *url.URL) http.Handler {
	p := pass(to)
	p.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, err.Error())
	}
	return changed(p, func(r *http.Request) bool { return r.ContentLength > 1<<20 }, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	})
}

func otherHost(to *url.URL) http.Handler {
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
}

func redirects(when func(*http.Request) bool, status int) func(*url.URL) http.Handler {
	return func(to *url.URL) http.Handler {
		return changed(pass(to), when, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://conda.example.com"+r.URL.Path, status)
		})
	}
}

func says(when func(*http.Request) bool, status int, kind string) func(*url.URL) http.Handler {
	return func(to *url.URL) http.Handler {
		return changed(pass(to), when, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Www-Authenticate", `Basic realm="intranet"`)
			w.WriteHeader(status)
		})
	}
}

// Each way in which something before a server goes wrong is told as what it is, and as nothing else.
func TestProxies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		proxy func(*url.URL) http.Handler
		want  []string
	}{
		{name: "none", proxy: nil},
		{name: "as the manual wants it", proxy: func(to *url.URL) http.Handler { return pass(to) }},
		{name: "another Host", proxy: otherHost, want: []string{"look proxy: the Host header arrives as 127.0.0.1:"}},
		{name: "redirects all", proxy: redirects(always, 308), want: []string{"fail server: GET /api/v1/server: a redirect (308) to https://conda.example.com/api/v1/server"}},
		{name: "redirects what is posted", proxy: redirects(posts, 301), want: []string{
			"fail exchange: POST /api/oidc/mint_token: a redirect (301) to https://conda.example.com/api/oidc/mint_token",
			"fail upload: POST /api/v1/upload/doctor of 8 MiB: a redirect (301)"}},
		{name: "takes no large body", proxy: limited, want: []string{"fail upload: POST /api/v1/upload/doctor of 8 MiB: a proxy takes no body of this size: 413"}},
		{name: "asks for a login", proxy: says(posts, 401, "text/html"), want: []string{
			"fail exchange: POST /api/oidc/mint_token: something before the server asks for a login of its own",
			"fail upload: POST /api/v1/upload/doctor of 8 MiB: something before the server asks for a login"}},
		{name: "passes no POST", proxy: says(posts, 405, "text/plain"), want: []string{
			"fail exchange: POST /api/oidc/mint_token: a proxy does not pass this method", "fail upload: POST /api/v1/upload/doctor of 8 MiB: a proxy does not pass"}},
		{name: "another program", proxy: says(always, 200, "text/html"), want: []string{"fail server: GET /api/v1/server: the answer is none of Sluice's: 200 OK (text/html)"}},
		{name: "reaches nobody", proxy: says(always, 502, "text/html"), want: []string{"fail server: GET /api/v1/server: a proxy does not reach the server: 502"}},
		{name: "compresses", proxy: compressing, want: []string{
			"fail shard index: it comes compressed a second time (Content-Encoding gzip)", "fail shard index: its validator is weak: W/",
			"fail repodata.json.zst: it comes compressed a second time", "fail repodata.json.zst: its validator is weak",
			"look repodata.json: a proxy compresses it", "fail repodata.json: its validator is weak"}},
		{name: "passes no HEAD", proxy: says(func(r *http.Request) bool { return r.Method == http.MethodHead }, 405, "text/plain"), want: []string{
			"fail shard index: HEAD is answered otherwise than GET: 405", "fail repodata.json.zst: HEAD", "fail repodata.json: HEAD"}},
		{name: "drops validators", proxy: without("If-None-Match"), want: []string{
			"fail shard index: with its validator (If-None-Match) it comes whole again: 200 OK", "fail repodata.json.zst: with", "fail repodata.json: with"}},
		{name: "drops ranges", proxy: without("Range"), want: []string{"look package: a range of tide-1.0-0.conda is answered with the whole file"}},
		{name: "hides /t/", proxy: says(func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/t/") }, 404, "text/html"), want: []string{
			"fail /t/ path: the answer is none of Sluice's: 404"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			expect(t, newSite(t, servertest.Options{}, tt.proxy).examine(t, nil), tt.want...)
		})
	}
}

func TestPrivateChannel(t *testing.T) {
	t.Parallel()
	whole, deaf := newSite(t, servertest.Options{}, nil), newSite(t, servertest.Options{}, without("Authorization"))
	vault := func(x *Target) { x.Channel, x.Token = "vault", whole.ann }
	for _, tt := range []struct {
		name   string
		site   *site
		change func(*Target)
		want   []string
	}{
		{name: "with a token", site: whole, change: vault},
		{name: "without one", site: whole, change: func(x *Target) { x.Channel = "vault" }, want: []string{"look channel: vault is private"}},
		{name: "with a token of another server", site: deaf, change: vault, want: []string{
			"fail token: the server answers 401: ", "fail channel: with the token as Bearer: the server answers 401"}},
		{name: "no such channel", site: whole, change: func(x *Target) { x.Channel = "none" }, want: []string{"fail channel: the server answers 404: There is no channel none here"}},
	} {
		t.Run(tt.name, func(t *testing.T) { expect(t, tt.site.examine(t, tt.change), tt.want...) })
	}
}

func TestServers(t *testing.T) {
	t.Parallel()
	ahead := func() time.Time { return time.Now().Add(10 * time.Minute) }
	begin := filepath.Join(t.TempDir(), "root.json")
	if err := os.WriteFile(begin, tuf.DefaultRoot(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		o      servertest.Options
		change func(*Target)
		want   []string
	}{
		{name: "another address", o: servertest.Options{Configure: func(c *config.Config) { c.URL = "https://conda.example.com" }}, want: []string{
			"fail address: the server calls itself https://conda.example.com, not http://127.0.0.1:",
			"fail audience: clients will ask for 127.0.0.1, the server takes conda.example.com"}},
		{name: "an issuer that is away", o: servertest.Options{Configure: func(c *config.Config) { c.Issuers = map[string]config.Issuer{"github": {URL: "http://127.0.0.1:1"}} }},
			want: []string{"fail issuer github: the server has no keys of http://127.0.0.1:1"}},
		{name: "keys of sigstore that cannot be had", o: servertest.Options{Configure: func(c *config.Config) {
			c.SigstoreTUF, c.SigstoreTUFRoot = "http://127.0.0.1:1", begin
		}}, want: []string{"fail sigstore 127.0.0.1: the server has no keys of it"}},
		{name: "a clock that is wrong", o: servertest.Options{Now: ahead},
			want: []string{"fail clock: the server's is 10m0s ahead of this machine's", "fail issuer github: the clock of http://127.0.0.1:"}},
		{name: "a clock here that is wrong", change: func(x *Target) { x.Now = ahead }, want: []string{"look clock: this machine's is 10m0s ahead of the server's, which agrees with the issuers'"}},
		{name: "a small limit of its own", o: servertest.Options{Configure: func(c *config.Config) { c.UploadMax = 1 << 20 }},
			want: []string{"look upload: the server itself takes no body of 8 MiB"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			expect(t, newSite(t, tt.o, nil).examine(t, tt.change), tt.want...)
		})
	}
}

func TestExamineRefuses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "conda.example.com", "http://conda.example.com", "https://conda.example.com/forge"} {
		if err := Examine(t.Context(), Target{URL: address}, func(f Finding) { t.Errorf("%q: %v", address, f) }); err == nil {
			t.Errorf("%q is taken", address)
		}
	}
}
