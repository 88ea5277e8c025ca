package web_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda/build"
	"sluice/internal/server/caller"
	"sluice/internal/servertest"
	"sluice/internal/token"
)

// reader is somebody at a browser.
type reader struct {
	s       *servertest.Server
	session string
	// header is sent with every request.
	header http.Header
}

// nobody is a reader who has not signed in.
func nobody(s *servertest.Server) reader { return reader{s: s} }

// person makes an account without a password and signs it in.
func person(t *testing.T, s *servertest.Server, name string, admin bool) (account.User, reader) {
	t.Helper()
	u, err := s.Accounts.Create(t.Context(), audit.Actor{Kind: audit.Operator}, name, "", admin, token.Token{})
	if err != nil {
		t.Fatal(err)
	}
	session, err := s.Accounts.OpenSession(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	return u, reader{s: s, session: session.Reveal()}
}

// member makes a signed-in account with a role in the channel.
func member(t *testing.T, s *servertest.Server, ch channel.Channel, name string, r channel.Role) reader {
	t.Helper()
	_, who := person(t, s, name, false)
	if err := s.DB.SetMember(t.Context(), ch.ID, name, r, audit.Event{Kind: audit.MemberSet}); err != nil {
		t.Fatal(err)
	}
	return who
}

// answer is what came back.
type answer struct {
	status int
	http.Header
	body string
}

func (r reader) do(t *testing.T, method, path string, body io.Reader, with http.Header) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.s.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []http.Header{r.header, with} {
		maps.Copy(req.Header, h)
	}
	if r.session != "" {
		req.AddCookie(&http.Cookie{Name: caller.CookieName(false), Value: r.session})
	}
	status, header, text := servertest.Do(t, req)
	return answer{status, header, text}
}

func (r reader) get(t *testing.T, path string) answer {
	t.Helper()
	return r.do(t, http.MethodGet, path, nil, nil)
}

// post sends a form as a page of this server does.
func (r reader) post(t *testing.T, path string, pairs ...string) answer {
	t.Helper()
	return r.postFrom(t, path, "same-origin", pairs...)
}

// postFrom sends a form as a page at the given distance does.
func (r reader) postFrom(t *testing.T, path, site string, pairs ...string) answer {
	t.Helper()
	fields := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		fields.Set(pairs[i], pairs[i+1])
	}
	return r.do(t, http.MethodPost, path, strings.NewReader(fields.Encode()), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {site},
	})
}

// is fails unless the answer has the status.
func (a answer) is(t *testing.T, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d:\n%s", a.status, status, a.text(t))
	}
	return a
}

// goes fails unless the answer leads to the path.
func (a answer) goes(t *testing.T, path string) answer {
	t.Helper()
	if a.status != http.StatusSeeOther || a.Get("Location") != path {
		t.Fatalf("status %d to %q, want 303 to %q:\n%s", a.status, a.Get("Location"), path, a.text(t))
	}
	return a
}

func (a answer) says(t *testing.T, parts ...string) answer {
	t.Helper()
	text := a.text(t)
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("the page does not say %q:\n%s", p, text)
		}
	}
	return a
}

func (a answer) saysNot(t *testing.T, parts ...string) answer {
	t.Helper()
	text := a.text(t)
	for _, p := range parts {
		if strings.Contains(text, p) || strings.Contains(a.body, p) {
			t.Errorf("the page says %q:\n%s", p, text)
		}
	}
	return a
}

// nodes are the elements of the page.
func (a answer) nodes(t *testing.T) []*html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	var out []*html.Node
	for n := range root.Descendants() {
		out = append(out, n)
	}
	return out
}

// text is what a person reads, with single blanks, and the values of fields.
func (a answer) text(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, n := range a.nodes(t) {
		switch {
		case n.Type == html.TextNode:
			b.WriteString(n.Data)
		case n.Type == html.ElementNode && (n.Data == "input" || n.Data == "p" || n.Data == "td" || n.Data == "li" || n.Data == "h1" || n.Data == "h2"):
			b.WriteString(" " + attr(n, "value") + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// links are where the page leads.
func (a answer) links(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, n := range a.nodes(t) {
		if n.Data == "a" {
			out = append(out, attr(n, "href"))
		}
	}
	return out
}

// has reports whether the page has a form that is sent to the path.
func (a answer) hasForm(t *testing.T, path string) bool {
	t.Helper()
	for _, n := range a.nodes(t) {
		if n.Data == "form" && strings.EqualFold(attr(n, "method"), "post") && strings.TrimSuffix(attr(n, "action"), "#add") == path {
			return true
		}
	}
	return false
}

// upload puts a package into a channel with a bearer token.
func upload(t *testing.T, s *servertest.Server, ch, bearer string, p build.Package) {
	t.Helper()
	body, err := p.Conda()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	sum := sha256.Sum256(body)
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="file"; filename="p.conda"`},
		"X-File-Name":         {p.Stem() + ".conda"}, "X-File-Sha256": {hex.EncodeToString(sum[:])},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/v1/upload/"+ch, &b)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("Authorization", "Bearer "+bearer)
	if status, _, answer := servertest.Do(t, req); status/100 != 2 {
		t.Fatalf("upload: %d %s", status, answer)
	}
}

// pkg is a small noarch package.
func pkg(name, version string, depends ...string) build.Package {
	return build.Package{
		Name: name, Version: version, Build: "0", Subdir: "noarch", Noarch: "generic", Depends: depends, License: "BSD-3-Clause",
		About: build.About{Summary: "About " + name, Home: "https://example.org/" + name},
	}
}
