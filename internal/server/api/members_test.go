package api

import "testing"

func TestMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.walk(t, []step{
		{name: "list", who: "ann", method: "GET", path: "/channels/vault/members", status: 200,
			want: `{"members": [{"name": "ann", "role": "owner"}, {"name": "mia", "role": "maintainer"}, {"name": "rob", "role": "reader"}]}`},
		{name: "list, an administrator", who: "root", method: "GET", path: "/channels/vault/members", status: 200},
		{name: "list, nobody", method: "GET", path: "/channels/forge/members", status: 401, want: `{"code": "unauthenticated"}`},
		{name: "list, nobody, private", method: "GET", path: "/channels/vault/members", status: 404, want: `{"code": "not_found"}`},
		{name: "list, a maintainer", who: "mia", method: "GET", path: "/channels/vault/members", status: 403, want: `{"code": "not_permitted"}`},
		{name: "list without the scope", who: "ann reads", method: "GET", path: "/channels/vault/members", status: 403, want: `{"code": "not_permitted"}`},
		{name: "list by a token for another channel", who: "ann in vault", method: "GET", path: "/channels/forge/members", status: 403, want: `{"code": "not_permitted"}`},
		{name: "list by a token for this channel", who: "ann in vault", method: "GET", path: "/channels/vault/members", status: 200},
		{name: "show", who: "ann", method: "GET", path: "/channels/vault/members/rob", status: 200, want: `{"name": "rob", "role": "reader"}`},
		{name: "show a stranger", who: "ann", method: "GET", path: "/channels/vault/members/zoe", status: 404, want: `{"code": "not_found"}`},
		{name: "show, refused", who: "rob", method: "GET", path: "/channels/vault/members/rob", status: 403},

		{name: "add", who: "ann", method: "PUT", path: "/channels/forge/members/zoe", body: `{"role": "reader"}`, status: 200, want: `{"name": "zoe", "role": "reader"}`},
		{name: "promote", who: "ann", method: "PUT", path: "/channels/forge/members/zoe", body: `{"role": "maintainer"}`, status: 200, want: `{"role": "maintainer"}`},
		{name: "it holds", who: "ann", method: "GET", path: "/channels/forge/members/zoe", status: 200, want: `{"role": "maintainer"}`},
		{name: "add oneself", who: "zoe", method: "PUT", path: "/channels/forge/members/zoe", body: `{"role": "owner"}`, status: 403, want: `{"code": "not_permitted"}`},
		{name: "add nobody", who: "ann", method: "PUT", path: "/channels/forge/members/ghost", body: `{"role": "reader"}`, status: 404, want: `{"code": "not_found"}`},
		{name: "add what is no name", who: "ann", method: "PUT", path: "/channels/forge/members/a%00b", body: `{"role": "reader"}`, status: 404, want: `{"code": "not_found"}`},
		{name: "an unknown role", who: "ann", method: "PUT", path: "/channels/forge/members/zoe", body: `{"role": "king"}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "no role", who: "ann", method: "PUT", path: "/channels/forge/members/zoe", body: `{}`, status: 422, want: `{"code": "invalid_field"}`},

		{name: "remove", who: "ann", method: "DELETE", path: "/channels/forge/members/zoe", status: 204},
		{name: "it is gone", who: "ann", method: "GET", path: "/channels/forge/members/zoe", status: 404},
		{name: "remove again", who: "ann", method: "DELETE", path: "/channels/forge/members/zoe", status: 404, want: `{"code": "not_found"}`},
		{name: "remove, refused", who: "mia", method: "DELETE", path: "/channels/forge/members/ann", status: 403},
		{name: "remove the last owner", who: "ann", method: "DELETE", path: "/channels/forge/members/ann", status: 409, want: `{"code": "conflict"}`},
		{name: "the log tells", who: "ann", method: "GET", path: "/channels/forge/audit?kind=member.set,member.removed&limit=3", status: 200, want: `{"events": [
			{"kind": "member.removed", "subject": "zoe", "sentence": "took zoe out of channel forge", "actor": {"kind": "user", "name": "ann", "means": "API token \"ann\""}},
			{"kind": "member.set", "sentence": "made zoe a maintainer of channel forge"},
			{"kind": "member.set", "sentence": "made zoe a reader of channel forge"}]}`},
	})
}
