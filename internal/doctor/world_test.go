package doctor

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/cijob"
	"sluice/internal/conda/build"
	"sluice/internal/config"
	"sluice/internal/servertest"
	"sluice/internal/token"
)

// site is a whole server with a proxy before it, under whose address people know it: forge is public and has a
// package, vault is private. ann owns both.
type site struct {
	*servertest.Server
	address string
	ann     token.Token
}

// pass is a proxy as the manual wants it.
func pass(to *url.URL) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
		r.SetXForwarded()
	}}
}

// newSite starts a server behind what proxy makes for its own address; nil for nothing in between.
func newSite(t *testing.T, o servertest.Options, proxy func(to *url.URL) http.Handler) *site {
	t.Helper()
	front := httptest.NewUnstartedServer(nil)
	s := &site{address: "http://" + front.Listener.Addr().String()}
	configure := o.Configure
	o.Configure = func(c *config.Config) {
		if proxy != nil {
			c.URL = s.address
		}
		if configure != nil {
			configure(c)
		}
	}
	s.Server = servertest.New(t, o)
	if proxy == nil {
		proxy, s.address = func(to *url.URL) http.Handler { return pass(to) }, s.URL
	}
	to, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	front.Config.Handler = proxy(to)
	front.Start()
	t.Cleanup(front.Close)
	s.people(t)
	s.awaitKeys(t)
	return s
}

func (s *site) people(t *testing.T) {
	t.Helper()
	ann, err := s.Accounts.Create(t.Context(), audit.Actor{Kind: audit.Operator}, "ann", "", false, token.Token{})
	if err != nil {
		t.Fatal(err)
	}
	s.Channel(t, ann, "forge", channel.Public)
	s.Channel(t, ann, "vault", channel.Private)
	if s.ann, err = token.Parse(s.Token(t, ann, nil, account.Read)); err != nil {
		t.Fatal(err)
	}
	p := build.Package{Name: "tide", Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic", License: "MIT", Files: map[string][]byte{"share/x": []byte("x")}}
	body, err := p.Conda()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cijob.New(nil).Upload(t.Context(), s.URL, "forge", s.Token(t, ann, nil, account.Upload), p.Stem()+".conda", body); err != nil {
		t.Fatal(err)
	}
}

// awaitKeys waits until the server has asked its issuers, whatever came of it.
func (s *site) awaitKeys(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		_, _, body := s.Get(t, "/readyz", "")
		if strings.Contains(body, `"usable":true`) || strings.Contains(s.Log.String(), "issuer keys not fetched") {
			return
		}
	}
	t.Fatal("the server does not ask for keys")
}

// examine looks at the site as the command does, outside of any CI job, changed as the test likes.
func (s *site) examine(t *testing.T, change func(*Target)) []Finding {
	t.Helper()
	target := Target{
		URL: s.address, Channel: "forge", Agent: "sluice/test", Now: time.Now,
		Getenv: func(string) string { return "" }, Run: func(context.Context, string, ...string) ([]byte, error) { return nil, exec.ErrNotFound },
	}
	if change != nil {
		change(&target)
	}
	var found []Finding
	if err := Examine(t.Context(), target, func(f Finding) { found = append(found, f) }); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(found)
	if err != nil {
		t.Fatal(err)
	}
	if secrets := string(text); token.Scrub(secrets) != secrets || strings.Contains(secrets, s.ann.Reveal()) {
		t.Errorf("a secret is told: %s", secrets)
	}
	return found
}

// wrong are the findings that are not OK, "result check: what was said", for a test to compare.
func wrong(found []Finding) []string {
	var out []string
	for _, f := range found {
		if f.Result != OK {
			out = append(out, string(f.Result)+" "+f.Check+": "+f.Said)
		}
	}
	return out
}

// expect holds the findings that are not OK against their beginnings, one for one. Each says what to do; of a refusal of
// the server, its sentence does.
func expect(t *testing.T, found []Finding, want ...string) {
	t.Helper()
	for _, f := range found {
		if (f.Do == "") != (f.Result == OK) && !strings.Contains(f.Said, "the server answers 4") {
			t.Errorf("%s %s: what to do is %q", f.Result, f.Check, f.Do)
		}
	}
	got := wrong(found)
	if len(got) != len(want) || slices.ContainsFunc(want, func(w string) bool {
		return !strings.HasPrefix(got[slices.Index(want, w)], w)
	}) {
		t.Errorf("findings (+) and those wanted (-):\n%s", cmp.Diff(want, got))
	}
}
