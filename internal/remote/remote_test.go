package remote

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/fault"
	"sluice/internal/token"
)

// said is one request as a server saw it.
type said struct{ Method, Path, Authorization, Type, Body string }

// answering is a server that answers everything alike, and what it was asked last.
func answering(t *testing.T, h http.HandlerFunc) (*httptest.Server, *said) {
	t.Helper()
	last := &said{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		*last = said{r.Method, r.URL.EscapedPath(), r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(b)}
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s, last
}

func answer(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func client(t *testing.T, server string, tok token.Token) *Client {
	t.Helper()
	c, err := New(Options{Server: server, Token: tok, Agent: "sluice/test"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMethods(t *testing.T) {
	t.Parallel()
	type name struct {
		Name string `json:"name"`
	}
	tok := token.New(token.API)
	s, last := answering(t, answer(200, "application/json", `{"name": "forge"}`))
	c := client(t, s.URL+"/", tok)
	auth := "Bearer " + tok.Reveal()
	for _, tt := range []struct {
		do   func(out *name) error
		want said
	}{
		{func(out *name) error { return c.Get(t.Context(), Path("channels", "a/../b"), out) }, said{"GET", "/api/v1/channels/a%2F..%2Fb", auth, "", ""}},
		{func(out *name) error { return c.Post(t.Context(), "/x", name{"n"}, out) }, said{"POST", "/api/v1/x", auth, "application/json", `{"name":"n"}`}},
		{func(out *name) error { return c.Put(t.Context(), "/x", name{"n"}, out) }, said{"PUT", "/api/v1/x", auth, "application/json", `{"name":"n"}`}},
		{func(out *name) error { return c.Patch(t.Context(), "/x", name{"n"}, out) }, said{"PATCH", "/api/v1/x", auth, "application/json", `{"name":"n"}`}},
		{func(out *name) error { out.Name = "forge"; return c.Delete(t.Context(), "/x") }, said{"DELETE", "/api/v1/x", auth, "", ""}},
	} {
		var out name
		if err := tt.do(&out); err != nil || out.Name != "forge" {
			t.Errorf("%s = %v, %v", tt.want.Method, out, err)
		}
		if d := cmp.Diff(tt.want, *last); d != "" {
			t.Error(d)
		}
	}
	if err := client(t, s.URL, token.Token{}).Get(t.Context(), "/x", nil); err != nil || last.Authorization != "" {
		t.Errorf("without a token: %v, %q", err, last.Authorization)
	}
	var raw json.RawMessage
	if err := c.Get(t.Context(), "/x", &raw); err != nil || string(raw) != `{"name": "forge"}` {
		t.Errorf("as it came: %s, %v", raw, err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	problem := `{"status": 403, "code": "not_permitted", "detail": "You may not.\u001b[2J", "request_id": "ABCD", "differences": [{"claim": "name", "got": "a", "want": "b"}]}`
	for _, tt := range []struct {
		name, kind, body, says string
		status                 int
		code                   fault.Code
	}{
		{name: "a refusal", status: 403, kind: "application/problem+json", body: problem, code: fault.NotPermitted, says: "You may not.<U+001B>[2J (403 not_permitted, request ABCD)"},
		{name: "a page of a proxy", status: 502, kind: "text/html; charset=utf-8", body: "<h1>", says: "none of Sluice's (502 Bad Gateway, text/html)"},
		{name: "a problem of somebody else", status: 400, kind: "application/problem+json", body: `{"title": "no"}`, says: "none of Sluice's (400"},
		{name: "a problem that is none", status: 400, kind: "application/problem+json", body: `{`, says: "none of Sluice's (400"},
		{name: "a good page", status: 200, kind: "text/html", body: "{}", says: "none of Sluice's (200 OK, text/html)"},
		{name: "broken JSON", status: 200, kind: "application/json", body: "{", says: "cannot be read"},
		{name: "too much", status: 200, kind: "application/json", body: strings.Repeat(" ", maxAnswer) + "{}", says: "larger than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := answering(t, answer(tt.status, tt.kind, tt.body))
			err := client(t, s.URL, token.Token{}).Get(t.Context(), "/x", &struct{}{})
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("= %v, want %q", err, tt.says)
			}
			r, ok := errors.AsType[*RefusedError](err)
			if ok != (tt.code != "") || ok && (r.Code != tt.code || len(r.Differences) != 1) {
				t.Errorf("= %+v, want %s", r, tt.code)
			}
		})
	}
}

// A redirect would take the token to wherever it leads.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere, seen := answering(t, answer(200, "application/json", "{}"))
	s, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+"/api/v1/x", http.StatusTemporaryRedirect)
	})
	err := client(t, s.URL, token.New(token.API)).Post(t.Context(), "/x", struct{}{}, nil)
	if err == nil || !strings.Contains(err.Error(), "redirect to "+elsewhere.URL) || seen.Method != "" {
		t.Errorf("= %v, the other one saw %+v", err, seen)
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	s, _ := answering(t, answer(200, "application/json", "{}"))
	s.Close()
	err := client(t, s.URL, token.New(token.API)).Get(t.Context(), "/x", nil)
	if err == nil || !strings.Contains(err.Error(), s.URL+" gives no answer: ") || !strings.Contains(err.Error(), "sluice doctor --url "+s.URL) {
		t.Errorf("= %v", err)
	}
}

// A certificate that nobody vouches for ends the call before the token is sent.
func TestStrangeCertificate(t *testing.T) {
	t.Parallel()
	asked := false
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer s.Close()
	err := client(t, s.URL, token.New(token.API)).Get(t.Context(), "/x", nil)
	if err == nil || asked || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("= %v, asked %v", err, asked)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ server, says string }{
		{"", "must begin with https://"},
		{"conda.example.com", "must begin with https://"},
		{"http://conda.example.com", "plain http"},
		{"https://ann:secret@conda.example.com", "user name"},
		{"https://conda.example.com/forge", "has a path"},
		{"https://conda.example.com?x=1", "must end after host and port"},
	} {
		if _, err := New(Options{Server: tt.server}); err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want %q", tt.server, err, tt.says)
		}
	}
	if c := client(t, "https://Conda.Example.com:443/", token.Token{}); c.Server() != "https://conda.example.com" {
		t.Errorf("server = %q", c.Server())
	}
}
