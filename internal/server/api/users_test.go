package api

import (
	"strings"
	"testing"
)

func TestUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mint(t)
	w.walk(t, []step{
		{name: "list", who: "root", method: "GET", path: "/users", status: 200,
			want: `{"users": [{"name": "ann", "admin": false, "disabled_at": null}, {"name": "mia"}, {"name": "rob"}, {"name": "root", "admin": true}, {"name": "zoe"}]}`},
		{name: "list, another", who: "ann", method: "GET", path: "/users", status: 403, want: `{"code": "not_permitted"}`},
		{name: "list without the scope", who: "root reads", method: "GET", path: "/users", status: 403, want: `{"code": "not_permitted"}`},
		{name: "list, nobody", method: "GET", path: "/users", status: 401, want: `{"code": "unauthenticated"}`},
		{name: "list, a publish token", who: "run", method: "GET", path: "/users", status: 403},
		{name: "make", who: "root", method: "POST", path: "/users", body: `{"name": "kim", "password": "long enough"}`, status: 201, want: `{"name": "kim", "admin": false}`},
		{name: "make an administrator", who: "root", method: "POST", path: "/users", body: `{"name": "boss", "admin": true}`, status: 201, want: `{"admin": true}`},
		{name: "make again", who: "root", method: "POST", path: "/users", body: `{"name": "kim"}`, status: 409, want: `{"code": "conflict"}`},
		{name: "make a bad name", who: "root", method: "POST", path: "/users", body: `{"name": "Kim"}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "make, another", who: "ann", method: "POST", path: "/users", body: `{"name": "friend", "admin": true}`, status: 403, want: `{"code": "not_permitted"}`},
		{name: "make, nobody", method: "POST", path: "/users", body: `{"name": "friend"}`, status: 401, want: `{"code": "unauthenticated"}`},
	})
}

// A refusal shows back what was sent, but no password.
func TestPasswordIsNotShownBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, body := range []string{`{"name": "kim", "password": "short-pw"}`, `{"name": "Kim", "password": "short-pw"}`, `{"password": "short-pw"}`, `{"name": "kim", "password": "short-pw"`} {
		got := w.send(step{who: "root", method: "POST", path: "/users", body: body})
		if got.Code != 422 && got.Code != 400 || strings.Contains(got.Body.String(), "short-pw") {
			t.Errorf("%s = %d %s", body, got.Code, got.Body)
		}
	}
}

func TestMe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mint(t)
	w.walk(t, []step{
		{name: "nobody", method: "GET", path: "/me", status: 401, want: `{"code": "unauthenticated"}`},
		{name: "a bad token", who: "unknown", method: "GET", path: "/me", status: 401, want: `{"code": "invalid_token"}`},
		{name: "an administrator", who: "root", method: "GET", path: "/me", status: 200, want: `{"kind": "user", "name": "root", "admin": true, "token": {"name": "root"}, "publish_token": null}`},
		{name: "the least token", who: "ann reads", method: "GET", path: "/me", status: 200, want: `{"name": "ann", "token": {"scopes": ["read"]}}`},
		{name: "a token for a channel", who: "ann in vault", method: "GET", path: "/me", status: 200, want: `{"token": {"channel": "vault"}}`},
		{name: "a session", who: "session", method: "GET", path: "/me", status: 200, want: `{"name": "ann", "admin": false, "token": null}`},
		{name: "a run", who: "run", method: "GET", path: "/me", status: 200,
			want: `{"kind": "publisher", "name": "acme/forge", "token": null, "publish_token": {"channels": ["forge"], "expires_at": "2026-08-20T12:30:00Z", "provenance": {"run": {"number": "1234"}}}}`},
	})
}
