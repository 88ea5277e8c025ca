package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"sluice/internal/token"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mint(t)
	w.walk(t, []step{
		{name: "list", who: "zoe", method: "GET", path: "/tokens", status: 200,
			want: `{"tokens": [{"name": "zoe", "scopes": ["read", "upload", "manage"], "channel": null, "state": "live", "revoked_at": null, "expires_at": "2026-11-18T12:00:00Z"}]}`},
		{name: "list, signed in", who: "session", method: "GET", path: "/tokens", status: 200, want: `{"tokens": [{"name": "ann in vault", "channel": "vault"}, {}, {}, {"name": "ann"}]}`},
		{name: "list, nobody", method: "GET", path: "/tokens", status: 401, want: `{"code": "unauthenticated"}`},
		{name: "list, a reading token", who: "ann reads", method: "GET", path: "/tokens", status: 403, want: `{"code": "not_permitted"}`},
		{name: "list, a token for one channel", who: "ann in vault", method: "GET", path: "/tokens", status: 403, want: `{"code": "not_permitted"}`},
		{name: "list, a publish token", who: "run", method: "GET", path: "/tokens", status: 403, want: `{"code": "not_permitted"}`},

		{name: "make", who: "zoe", method: "POST", path: "/tokens", body: `{"name": "ci", "scopes": ["upload", "read"], "channel": "forge", "expires_in_days": 1}`, status: 201,
			want: `{"about": {"name": "ci", "scopes": ["read", "upload"], "channel": "forge", "state": "live", "expires_at": "2026-08-21T12:00:00Z", "last_used_at": null}}`},
		{name: "make the least", who: "zoe", method: "POST", path: "/tokens", body: `{"name": "least"}`, status: 201,
			want: `{"about": {"scopes": ["read"], "channel": null, "expires_at": "2026-11-18T12:00:00Z"}}`},
		{name: "make for a channel that is not there", who: "zoe", method: "POST", path: "/tokens", body: `{"name": "ci", "channel": "none"}`, status: 404, want: `{"code": "not_found"}`},
		{name: "make for a channel of others", who: "zoe", method: "POST", path: "/tokens", body: `{"name": "ci", "channel": "vault"}`, status: 403, want: `{"code": "not_permitted"}`},
		{name: "make with an unknown scope", who: "zoe", method: "POST", path: "/tokens", body: `{"name": "ci", "scopes": ["all"]}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "make for too long", who: "zoe", method: "POST", path: "/tokens", body: `{"name": "ci", "expires_in_days": 366}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "make without a name", who: "zoe", method: "POST", path: "/tokens", body: `{"name": " "}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "make with a reading token", who: "ann reads", method: "POST", path: "/tokens", body: `{"name": "more", "scopes": ["manage"]}`, status: 403, want: `{"code": "not_permitted"}`},
		{name: "make with an upload token", who: "ann uploads", method: "POST", path: "/tokens", body: `{"name": "more"}`, status: 403, want: `{"code": "not_permitted"}`},
		{name: "make with a publish token", who: "run", method: "POST", path: "/tokens", body: `{"name": "more"}`, status: 403, want: `{"code": "not_permitted"}`},
		{name: "make as nobody", method: "POST", path: "/tokens", body: `{"name": "more"}`, status: 401, want: `{"code": "unauthenticated"}`},

		{name: "revoke another's", who: "zoe", method: "DELETE", path: "/tokens/1", status: 404, want: `{"code": "not_found"}`},
		{name: "revoke with a reading token", who: "root reads", method: "DELETE", path: "/tokens/1", status: 403, want: `{"code": "not_permitted"}`},
		{name: "revoke as nobody", method: "DELETE", path: "/tokens/1", status: 401},
		{name: "revoke", who: "root", method: "DELETE", path: "/tokens/9", status: 204},
		{name: "the revoked one", who: "root reads", method: "GET", path: "/me", status: 401, want: `{"code": "revoked"}`},
		{name: "revoke again", who: "root", method: "DELETE", path: "/tokens/9", status: 204},
		{name: "it stays listed", who: "root", method: "GET", path: "/tokens", status: 200, want: `{"tokens": [{"id": 9, "state": "revoked", "revoked_at": "2026-08-20T12:00:00Z"}, {"state": "live"}]}`},
	})
}

// The bearer string works, is in the answer that made it, and nowhere else.
func TestNewTokenIsShownOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.take(t, step{who: "session", method: "POST", path: "/tokens", body: `{"name": "new", "scopes": ["manage"]}`, status: 201})
	var made struct {
		Token string
		About struct{ Begins string }
	}
	if err := json.Unmarshal(got.Body.Bytes(), &made); err != nil {
		t.Fatal(err)
	}
	if tok, err := token.Parse(made.Token); err != nil || tok.Kind() != token.API || !strings.HasPrefix(made.Token, made.About.Begins) {
		t.Fatalf("token %q, begins %q: %v", made.Token, made.About.Begins, err)
	}
	w.bearers["new"] = made.Token
	w.take(t, step{who: "new", method: "GET", path: "/me", status: 200, want: `{"name": "ann", "token": {"name": "new"}}`})
	for _, path := range []string{"/tokens", "/me"} {
		if again := w.send(step{who: "new", method: http.MethodGet, path: path}); strings.Contains(again.Body.String(), made.Token) {
			t.Errorf("%s shows the token again", path)
		}
	}
}
