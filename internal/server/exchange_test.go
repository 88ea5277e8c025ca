package server_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"sluice/internal/audit"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
)

// Names of RFC 8693, written out: the test is the other side of the wire.
const (
	tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	idTokenType   = "urn:ietf:params:oauth:token-type:id_token"
)

// identity is a fresh identity token of a run.
func (w *world) identity(t testing.TB, run standin.Run) string {
	t.Helper()
	id, err := w.Job(run).IdentityToken(t.Context(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// formOf sends parameters as a form: name, value, name, value, in that order.
func (w *world) formOf(t testing.TB, path string, pairs ...string) *http.Request {
	t.Helper()
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		b.WriteString("&" + url.QueryEscape(pairs[i]) + "=" + url.QueryEscape(pairs[i+1]))
	}
	return kind(w.request(t, http.MethodPost, path, strings.NewReader(strings.TrimPrefix(b.String(), "&"))), "application/x-www-form-urlencoded")
}

// issued is an answer of the exchange, good or not.
type issued struct {
	AccessToken string `json:"access_token"`
	IssuedType  string `json:"issued_token_type"`
	Type        string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	Scope       string `json:"scope"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Code        string `json:"code"`
	RequestID   string `json:"request_id"`
}

func (w *world) exchange(t testing.TB, req *http.Request) (int, http.Header, issued) {
	t.Helper()
	status, h, body := servertest.Do(t, req)
	var got issued
	if err := json.Unmarshal([]byte(body), &got); err != nil || h.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %s %q: %v", status, h.Get("Content-Type"), body, err)
	}
	if h.Get("Cache-Control") != "no-store" || h.Get("Pragma") != "no-cache" {
		t.Errorf("a cache may keep %+v: %v", got, h)
	}
	return status, h, got
}

// metadata is what a client reads to find the exchange, by the rules of RFC 8414 that it goes by: the issuer is the
// address that it asked, and the grant is listed.
func (w *world) metadata(t testing.TB) map[string]any {
	t.Helper()
	status, h, body := w.Get(t, "/.well-known/oauth-authorization-server", "")
	var m map[string]any
	if err := json.Unmarshal([]byte(body), &m); status != 200 || err != nil || h.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v %q: %v", status, h, body, err)
	}
	grants, _ := m["grant_types_supported"].([]any)
	if m["issuer"] != w.URL || !slices.Contains(grants, any(tokenExchange)) {
		t.Errorf("metadata %v", m)
	}
	return m
}

// A client that knows nothing but the server's address logs in as rattler's workload identity does, and uploads.
func TestTokenExchange(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		m := w.metadata(t)
		for name, want := range map[string]any{"token_endpoint_auth_methods_supported": []any{"none"}, "response_types_supported": []any{}, "scopes_supported": []any{"read", "upload"}} {
			if got, _ := json.Marshal(m[name]); string(got) != string(mustJSON(t, want)) {
				t.Errorf("%s is %s", name, got)
			}
		}
		endpoint, ok := strings.CutPrefix(m["token_endpoint"].(string), w.URL)
		if !ok || !strings.HasPrefix(m["revocation_endpoint"].(string), w.URL) {
			t.Fatalf("endpoints elsewhere: %v", m)
		}
		status, _, got := w.exchange(t, w.formOf(t, endpoint, "grant_type", tokenExchange, "subject_token_type", idTokenType, "subject_token", w.identity(t, standin.Run{})))
		want := issued{AccessToken: got.AccessToken, IssuedType: "urn:ietf:params:oauth:token-type:access_token", Type: "Bearer", ExpiresIn: 1800, Scope: "read upload"}
		if status != 200 || got != want || !strings.HasPrefix(got.AccessToken, "sluice-pub-") {
			t.Fatalf("%d %+v", status, got)
		}
		name, good := packageOf(t, "tide", nil)
		w.publish(t, got.AccessToken, name, good)

		all := w.formOf(t, endpoint, "scope", "upload read", "audience", "127.0.0.1", "audience", w.URL, "resource", w.URL, "resource", w.URL+"/", "client_id", "rattler", "actor_token", "",
			"requested_token_type", want.IssuedType, "grant_type", tokenExchange, "unknown", "x", "subject_token_type", "urn:ietf:params:oauth:token-type:jwt", "subject_token", w.identity(t, standin.Run{}))
		all.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
		all.Header.Set("Authorization", "Bearer stored-for-this-host") // clients send it to every path
		if status, _, got := w.exchange(t, all); status != 200 {
			t.Errorf("with all that may be asked for: %d %+v", status, got)
		}
		w.Publisher(t, w.hidden, trust.PublisherSpec{Workflow: "test.yml", Right: "read"})
		reads := w.formOf(t, endpoint, "scope", "upload", "grant_type", tokenExchange, "subject_token_type", idTokenType, "subject_token", w.identity(t, standin.Run{Workflow: "test.yml"}))
		if status, _, got := w.exchange(t, reads); status != 200 || got.Scope != "read" {
			t.Errorf("a run that may only read: %d %+v", status, got)
		}
	})
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What cannot be given is refused by the names of the RFCs, and uses nothing up.
func TestTokenExchangeRefuses(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		id := w.identity(t, standin.Run{})
		base := []string{"grant_type", tokenExchange, "subject_token_type", idTokenType, "subject_token", id}
		with := func(more ...string) *http.Request {
			return w.formOf(t, "/api/oidc/token", append(slices.Clone(base), more...)...)
		}
		without := func(name string) *http.Request {
			at := slices.Index(base, name)
			return w.formOf(t, "/api/oidc/token", slices.Delete(slices.Clone(base), at, at+2)...)
		}
		set := func(name, value string) *http.Request {
			changed := slices.Clone(base)
			changed[slices.Index(base, name)+1] = value
			return w.formOf(t, "/api/oidc/token", changed...)
		}
		asJSON := with()
		asJSON.Header.Set("Content-Type", "application/json")
		inQuery := w.formOf(t, "/api/oidc/token")
		inQuery.URL.RawQuery = url.Values{"grant_type": {tokenExchange}, "subject_token_type": {idTokenType}, "subject_token": {id}}.Encode()
		broken := kind(w.request(t, http.MethodPost, "/api/oidc/token", strings.NewReader("grant_type=%zz")), "application/x-www-form-urlencoded")
		for _, tt := range []struct {
			name  string
			req   *http.Request
			error string
			says  string
		}{
			{"no grant", without("grant_type"), "invalid_request", "lacks grant_type"},
			{"an empty grant", set("grant_type", ""), "invalid_request", "lacks grant_type"},
			{"another grant", set("grant_type", "client_credentials"), "unsupported_grant_type", "grant_type=" + tokenExchange},
			{"no type", without("subject_token_type"), "invalid_request", "lacks subject_token_type"},
			{"another type", set("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"), "invalid_request", "subject_token_type=" + idTokenType},
			{"no token", without("subject_token"), "invalid_request", "lacks subject_token"},
			{"the token twice", with("subject_token", id), "invalid_request", "a parameter twice"},
			{"a name twice", with("x", "1", "x", "2"), "invalid_request", "a parameter twice"},
			{"an actor", with("actor_token", id, "actor_token_type", idTokenType), "invalid_request", "leave out actor_token"},
			{"a refresh token", with("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"), "invalid_request", "leave out requested_token_type"},
			{"another scope", with("scope", "openid"), "invalid_scope", "leave out scope"},
			{"one scope too many", with("scope", "upload manage"), "invalid_scope", "leave out scope"},
			{"another audience", with("audience", "prefix.dev"), "invalid_target", "audience 127.0.0.1"},
			{"one audience too many", with("audience", "127.0.0.1", "audience", "prefix.dev"), "invalid_target", "leave out audience"},
			{"one channel", with("resource", w.URL+"/forge"), "invalid_target", "leave out resource"},
			{"a client", with("client_id", "x", "client_secret", "y"), "invalid_client", "without client_secret"},
			{"as JSON", asJSON, "invalid_request", "application/x-www-form-urlencoded"},
			{"in the address", inQuery, "invalid_request", "lacks grant_type"},
			{"a broken form", broken, "invalid_request", "percent-encoded"},
			{"too large", with("x", strings.Repeat("x", 64<<10)), "invalid_request", "64 KiB"},
		} {
			status, _, got := w.exchange(t, tt.req)
			if status != http.StatusBadRequest || got.Error != tt.error || !strings.Contains(got.Description, tt.says) || got.AccessToken != "" || got.RequestID == "" {
				t.Errorf("%s: %d %+v, want 400 %s with %q", tt.name, status, got, tt.error, tt.says)
			}
			if strings.ContainsFunc(got.Description, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }) {
				t.Errorf("%s: RFC 6749 does not allow %q", tt.name, got.Description)
			}
		}
		if status, _, got := w.exchange(t, with()); status != 200 {
			t.Errorf("then the same token without all that: %d %+v", status, got)
		}
	})
}

// A token that is refused here is refused as at the mint: the same sentence, the same event, the same limits.
func TestTokenExchangeIsTheMint(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		send := func(id string) (int, issued) {
			status, _, got := w.exchange(t, w.formOf(t, "/api/oidc/token", "grant_type", tokenExchange, "subject_token_type", idTokenType, "subject_token", id))
			return status, got
		}
		used := w.identity(t, standin.Run{})
		if status, got := send(used); status != 200 {
			t.Fatalf("%d %+v", status, got)
		}
		for _, tt := range []struct{ id, code, says string }{
			{used, "token_reused", "Token was used before [token_reused]"},
			{w.identity(t, standin.Run{Workflow: "déploy.yml"}), "workflow_mismatch", "d?ploy.yml"},
			{w.identity(t, standin.Run{Owner: "evil", Repository: "forge"}), "no_publisher", "No publisher names this repository"},
			{typo(used[:len(used)-1]) + "A", "bad_signature", ""},
			{"x", "malformed_token", "Token cannot be read"},
			{w.ci, "malformed_token", "this is a publish token of Sluice"},
		} {
			status, got := send(tt.id)
			if status != http.StatusBadRequest || got.Error != "invalid_request" || got.Code != tt.code || !strings.Contains(got.Description, tt.says) {
				t.Errorf("%d %+v, want 400 invalid_request %s with %q", status, got, tt.code, tt.says)
			}
		}
		var codes []string
		for _, e := range w.events(t, audit.MintRefused) {
			codes = append(codes, e.Code)
		}
		if want := []string{"no_publisher", "workflow_mismatch", "token_reused"}; !slices.Equal(codes, want) {
			t.Errorf("refusals in the audit log: %q, want %q", codes, want)
		}
	})
}

// events are the events of a kind, newest first.
func (w *world) events(t testing.TB, kinds ...audit.Kind) []audit.Event {
	t.Helper()
	events, err := w.DB.Events(t.Context(), audit.Query{Kinds: kinds, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// Row 79: after a flood the mint answers 429 and writes nothing more, in each of its forms; uploads go on.
func TestMintFlood(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		bad := w.identity(t, standin.Run{Workflow: "other.yml"})
		mint := func(id string) *http.Request {
			return w.request(t, http.MethodPost, "/api/oidc/mint_token", strings.NewReader(`{"token":"`+id+`"}`))
		}
		for range 100 {
			if status, said := w.do(t, mint(bad)); status != http.StatusForbidden || !strings.Contains(said, "workflow_mismatch") {
				t.Fatalf("%d %s", status, said)
			}
		}
		status, h, said := servertest.Do(t, mint(bad))
		if status != http.StatusTooManyRequests || h.Get("Retry-After") != "30" || !strings.Contains(said, "[rate_limited]") || len(said) > 512 {
			t.Errorf("%d %v %s", status, h, said)
		}
		status, h, got := w.exchange(t, w.formOf(t, "/api/oidc/token", "grant_type", tokenExchange, "subject_token_type", idTokenType, "subject_token", bad))
		if status != http.StatusTooManyRequests || h.Get("Retry-After") != "30" || got.Error != "temporarily_unavailable" || got.Code != "rate_limited" {
			t.Errorf("%d %v %+v", status, h, got)
		}
		if n := len(w.events(t, audit.MintRefused)); n != 100 {
			t.Errorf("%d refusals are in the audit log, want 100", n)
		}
		name, good := packageOf(t, "tide", nil)
		w.publish(t, w.PublishToken(t), name, good) // the same repository, by the right workflow
	})
}
