package api

import "testing"

func TestChannels(t *testing.T) {
	t.Parallel()
	newWorld(t).walk(t, []step{
		{name: "nobody sees the public ones", method: "GET", path: "/channels", status: 200,
			want: `{"channels": [{"name": "forge", "url": "https://conda.example.org/forge", "visibility": "public", "description": "Tools", "created_by": null, "totals": null}]}`},
		{name: "a bad token does not hide them", who: "unknown", method: "GET", path: "/channels", status: 200, want: `{"channels": [{"name": "forge"}]}`},
		{name: "a reader sees its private one", who: "rob", method: "GET", path: "/channels", status: 200, want: `{"channels": [{}, {"name": "vault", "visibility": "private"}]}`},
		{name: "a stranger does not", who: "zoe", method: "GET", path: "/channels", status: 200, want: `{"channels": [{"name": "forge"}]}`},
		{name: "an upload token of its owner does not", who: "ann uploads", method: "GET", path: "/channels", status: 200, want: `{"channels": [{"name": "forge"}]}`},
		{name: "an administrator sees all", who: "root", method: "GET", path: "/channels", status: 200, want: `{"channels": [{}, {"name": "vault"}]}`},
		{name: "a session sees its own", who: "session", method: "GET", path: "/channels", status: 200, want: `{"channels": [{}, {"name": "vault"}]}`},

		{name: "show to nobody", method: "GET", path: "/channels/forge", status: 200, want: `{"name": "forge", "role": null, "created_by": null, "totals": {"packages": 0, "last_published_at": null}}`},
		{name: "show to the owner", who: "ann", method: "GET", path: "/channels/forge", status: 200, want: `{"role": "owner", "created_by": "ann"}`},
		{name: "show private to nobody", method: "GET", path: "/channels/vault", status: 401, want: `{"code": "unauthenticated"}`},
		{name: "show private to a bad token", who: "unknown", method: "GET", path: "/channels/vault", status: 401, want: `{"code": "invalid_token"}`},
		{name: "show private to a stranger", who: "zoe", method: "GET", path: "/channels/vault", status: 403, want: `{"code": "not_permitted"}`},
		{name: "show private to a reader", who: "rob", method: "GET", path: "/channels/vault", status: 200, want: `{"role": "reader"}`},
		{name: "show private without the scope", who: "ann uploads", method: "GET", path: "/channels/vault", status: 403, want: `{"code": "not_permitted"}`},
		{name: "no such channel", method: "GET", path: "/channels/none", status: 404, want: `{"code": "not_found"}`},
		{name: "a name that cannot be", method: "GET", path: "/channels/a%2Fb", status: 404, want: `{"code": "not_found"}`},

		{name: "make", who: "zoe", method: "POST", path: "/channels", body: `{"name": "mine", "description": "My own"}`, status: 201,
			want: `{"name": "mine", "visibility": "public", "role": "owner", "created_by": "zoe"}`},
		{name: "make private, signed in", who: "session", method: "POST", path: "/channels", body: `{"name": "ours", "visibility": "private"}`, status: 201, want: `{"visibility": "private"}`},
		{name: "make as nobody", method: "POST", path: "/channels", body: `{"name": "his"}`, status: 401, want: `{"code": "unauthenticated"}`},
		{name: "make with a reading token", who: "ann reads", method: "POST", path: "/channels", body: `{"name": "his"}`, status: 403, want: `{"code": "not_permitted"}`},
		{name: "make with a token for another channel", who: "ann in vault", method: "POST", path: "/channels", body: `{"name": "his"}`, status: 403, want: `{"code": "not_permitted"}`},
		{name: "make a name that is taken", who: "zoe", method: "POST", path: "/channels", body: `{"name": "forge"}`, status: 409, want: `{"code": "conflict"}`},
		{name: "make a reserved name", who: "zoe", method: "POST", path: "/channels", body: `{"name": "conda"}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "make with an unknown visibility", who: "zoe", method: "POST", path: "/channels", body: `{"name": "his", "visibility": "secret"}`, status: 422,
			want: `{"code": "invalid_field", "differences": [{"claim": "visibility", "got": "secret"}]}`},
	})
}

func TestCreatedChannelSaysWhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.take(t, step{who: "zoe", method: "POST", path: "/channels", body: `{"name": "mine"}`, status: 201})
	if l := got.Header().Get("Location"); l != "/api/v1/channels/mine" {
		t.Errorf("Location = %q", l)
	}
}

func TestChannelsAndPublishTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mint(t)
	w.walk(t, []step{
		{name: "reads a public one", who: "run", method: "GET", path: "/channels/forge", status: 200, want: `{"role": null}`},
		{name: "learns nothing of a private one", who: "run", method: "GET", path: "/channels/vault", status: 404, want: `{"code": "not_found"}`},
		{name: "makes none", who: "run", method: "POST", path: "/channels", body: `{"name": "his"}`, status: 403, want: `{"code": "not_permitted"}`},
	})
}

func TestChangeChannel(t *testing.T) {
	t.Parallel()
	newWorld(t).walk(t, []step{
		{name: "keys of a channel that takes them", who: "ann", method: "GET", path: "/channels/forge/upload-keys", status: 200,
			want: `{"publisher_only": false, "upload_keys": [{"account": "ann", "name": "ann uploads"}, {"account": "mia"}, {"account": "ann", "name": "ann"}, {"account": "root"}]}`},
		{name: "keys, for a maintainer", who: "mia", method: "GET", path: "/channels/forge/upload-keys", status: 403, want: `{"code": "not_permitted"}`},
		{name: "keys, for nobody", method: "GET", path: "/channels/forge/upload-keys", status: 401, want: `{"code": "unauthenticated"}`},
		{name: "publishers only", who: "ann", method: "PATCH", path: "/channels/forge", body: `{"publisher_only": true}`, status: 200,
			want: `{"publisher_only": true, "visibility": "public", "description": "Tools"}`},
		{name: "the keys that are left over", who: "ann", method: "GET", path: "/channels/forge/upload-keys", status: 200, want: `{"publisher_only": true, "upload_keys": [{}, {}, {}, {}]}`},
		{name: "the rest", who: "session", method: "PATCH", path: "/channels/forge", body: `{"visibility": "private", "description": " New "}`, status: 200,
			want: `{"publisher_only": true, "visibility": "private", "description": "New"}`},
		{name: "nothing", who: "ann", method: "PATCH", path: "/channels/forge", body: `{}`, status: 200, want: `{"publisher_only": true, "description": "New"}`},
		{name: "by a maintainer", who: "mia", method: "PATCH", path: "/channels/forge", body: `{"publisher_only": false}`, status: 403, want: `{"code": "not_permitted"}`},
		{name: "by a token without the scope", who: "ann uploads", method: "PATCH", path: "/channels/forge", body: `{"publisher_only": false}`, status: 403, want: `{"code": "not_permitted"}`},
		{name: "an unknown visibility", who: "ann", method: "PATCH", path: "/channels/forge", body: `{"visibility": "secret"}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "an unknown member", who: "ann", method: "PATCH", path: "/channels/forge", body: `{"name": "other"}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "said in the log", who: "ann", method: "GET", path: "/channels/forge/audit?kind=channel.changed", status: 200,
			want: `{"events": [{"sentence": "changed channel forge: made it private, described it anew"}, {"sentence": "changed channel forge: it takes uploads from trusted publishers only"}]}`},
	})
}
