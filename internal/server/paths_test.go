package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sluice/internal/server/oauth"
	"sluice/internal/server/upload"
	"sluice/internal/servertest"
)

// answer is what matters of an answer.
type answer struct {
	StatusCode int
	Header     http.Header
}

// ask sends a request line as it is, which net/http's client would clean first.
func ask(t *testing.T, w *world, method, target, body string) answer {
	t.Helper()
	u, err := url.Parse(w.URL)
	if err != nil {
		t.Fatal(err)
	}
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, err = fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", method, target, u.Host, w.annUploads, len(body), body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	_ = res.Body.Close() // it was read to its end
	return answer{res.StatusCode, res.Header}
}

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"}

// The clients' paths answer a wrong method as a path that is not there: after a 405 a client sends its file again.
func TestWrongMethodsAreNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	right := map[string][]string{
		upload.MintPath: {"POST"}, upload.AudiencePath: {"GET", "HEAD"}, oauth.TokenPath: {"POST", "DELETE"}, oauth.RevokePath: {"POST"},
		oauth.MetadataPath: {"GET", "HEAD"}, upload.UploadPath + "forge": {"POST"}, upload.UploadPath: {"POST"},
		"/forge/noarch/repodata.json": {"GET", "HEAD"}, "/forge/noarch/tide-1.0-0.conda": {"GET", "HEAD"}, "/forge/label/main/noarch/repodata.json.zst": {"GET", "HEAD"},
		"/t/" + w.annReads + "/hidden/noarch/repodata.json": {"GET", "HEAD"}, "/forge": {"GET", "HEAD"}, "/forge/notices.json": {"GET", "HEAD"},
	}
	for path, allowed := range right {
		for _, m := range methods {
			got := ask(t, w, m, path, "").StatusCode
			isRight := strings.Contains(strings.Join(allowed, " ")+" ", m+" ")
			if !isRight && got != http.StatusNotFound || isRight && got == http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", m, path, got)
			}
		}
	}
}

// Whatever somebody sends as a path: never a redirect, which would lead a client's upload astray, and never
// a failure of ours.
func TestHostilePathsAreNeverRedirected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	var targets []string
	for _, base := range []string{"/api/oidc/mint_token", "/api/oidc/token", "/api/oidc/revoke", "/.well-known/oauth-authorization-server", "/api/v1/upload/forge", "/api/v1/channels", "/forge/noarch/repodata.json", "/channels/forge", "/t/x/forge/noarch", "/static/x", "/"} {
		targets = append(targets,
			"/"+base, base+"/", base+"//", base+"/.", base+"/..", base+"/../x", base+"/%2e%2e", base+"/%2e%2e%2fx", base+"%2f", base+"%00", base+"%0d%0aX:%20y",
			base+"%5c..%5cx", base+"/..;/x", base+"?a=%zz", base+"/%ff", base+"%20", strings.ToUpper(base), "/."+base, "/x/.."+base, "/%2e%2e"+base, "//evil.example"+base)
	}
	targets = append(targets, "http://evil.example/forge", "//evil.example", "///", "/%2f%2fevil.example", "/\\evil.example", "*", "/"+strings.Repeat("a/", 2000),
		"/forge/label/../../noarch/repodata.json", "/forge/label//noarch/repodata.json", "/forge/noarch/shards/../repodata.json", "/t", "/t/", "/t//forge", "/t/x", "/t/x/")
	for _, target := range targets {
		for _, m := range []string{"GET", "HEAD", "POST", "DELETE", "OPTIONS"} {
			if target == "*" && m != "OPTIONS" {
				continue
			}
			res := ask(t, w, m, target, "")
			if res.StatusCode/100 == 5 || res.StatusCode == http.StatusMethodNotAllowed && !takes405(target) {
				t.Errorf("%s %s: %d", m, target, res.StatusCode)
			}
			if to := res.Header.Get("Location"); to != "" && (m != "GET" && m != "HEAD" || strings.HasPrefix(to, "//") || strings.Contains(to, "evil")) {
				t.Errorf("%s %s: leads to %q", m, target, to)
			}
		}
	}
	if strings.Contains(w.Log.String(), "level=ERROR") {
		t.Errorf("the log has errors")
	}
}

// takes405 says that no client sends files to the target: the JSON API and the pages may name the methods they take.
func takes405(target string) bool {
	path, _, _ := strings.Cut(target, "?")
	return strings.HasPrefix(path, "/api/v1/") || strings.HasPrefix(path, "/channels/") || strings.HasPrefix(path, "/static/") || path == "/"
}

// Uploads and mints, spelled in any other way than the right one, are not found and not taken.
func TestUploadsAreNeverRedirected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	before := w.state(t)
	_, good := packageOf(t, "tide", nil)
	for _, target := range []string{
		"//api/v1/upload/forge", "/api//v1/upload/forge", "/api/v1//upload/forge", "/api/v1/upload//forge", "/api/v1/./upload/forge", "/x/../api/v1/upload/forge",
		"/api/v1/upload/forge/", "/api/v1/upload/forge/x", "/api/v1/upload/../upload/forge", "/api/v1/upload/%2e%2e/upload/forge", "/api/v1/upload%2fforge",
		"/api/v1/upload", "/api/v1/upload/", "/API/v1/upload/forge", "/api/oidc//mint_token", "/api/oidc/mint_token/",
	} {
		if got := ask(t, w, "POST", target, string(good)).StatusCode; got != http.StatusNotFound {
			t.Errorf("POST %s: %d", target, got)
		}
	}
	if after := w.state(t); after != before {
		t.Errorf("something was stored:\n%s", after)
	}
}

// Empty or strange channels answer 200 with an empty index for what can be a subdir, and 404 for the rest.
func TestEveryKnownSubdirAnswers(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		for _, subdir := range []string{"noarch", "linux-64", "osx-arm64", "win-64", "linux-riscv64", "zos-z"} {
			x, err := servertest.ReadIndex(t.Context(), w.URL+"/forge/"+subdir, "")
			if err != nil || len(x.Records) != 0 || x.Shards != 0 {
				t.Errorf("%s: %+v %v", subdir, x, err)
			}
		}
		for _, path := range []string{"/forge/NOARCH/repodata.json", "/forge/noarch", "/forge/noarch/", "/forge/noarch/repodata", "/forge/noarch/repodata.json.bz2", "/forge/noarch/tide-1.0-0.conda"} {
			if status, _, said := w.Get(t, path, ""); status != http.StatusNotFound || said == "" {
				t.Errorf("%s: %d %q", path, status, said)
			}
		}
	})
}
