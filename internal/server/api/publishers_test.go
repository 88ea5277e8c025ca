package api

import "testing"

func TestPublishers(t *testing.T) {
	t.Parallel()
	const path, body = "/channels/forge/trusted-publishers", `{"repository_owner": "acme", "repository": "forge", "workflow": "build.yml"}`
	newWorld(t).walk(t, []step{
		{name: "none yet", who: "ann", method: "GET", path: path, status: 200, want: `{"trusted_publishers": []}`},
		{name: "add as nobody", method: "POST", path: path, body: body, status: 401, want: `{"code": "unauthenticated"}`},
		{name: "add as nobody, private", method: "POST", path: "/channels/vault/trusted-publishers", body: body, status: 404, want: `{"code": "not_found"}`},
		{name: "add as a maintainer", who: "mia", method: "POST", path: path, body: body, status: 403, want: `{"code": "not_permitted"}`},
		{name: "add without the scope", who: "ann reads", method: "POST", path: path, body: body, status: 403, want: `{"code": "not_permitted"}`},
		{name: "add by a token for another channel", who: "ann in vault", method: "POST", path: path, body: body, status: 403, want: `{"code": "not_permitted"}`},
		{name: "add", who: "ann", method: "POST", path: path, body: body, status: 201, want: `{"id": 1, "provider": "github",
			"issuer": "https://token.actions.githubusercontent.com", "repository_owner": "acme", "repository": "forge", "workflow": "build.yml",
			"environment": null, "packages": [], "sentence": "Runs of build.yml in acme/forge may publish every package of forge",
			"weak": "Any branch can publish, because no environment is named.", "repository_id": null, "last_used_at": null, "last_run": null, "created_by": "ann"}`},
		{name: "add again", who: "ann", method: "POST", path: path, body: body, status: 409, want: `{"code": "conflict"}`},
		{name: "add what people paste", who: "session", method: "POST", path: path, status: 201,
			body: `{"repository": "https://github.com/acme/tide", "workflow": ".github/workflows/release.yml", "environment": "release", "packages": ["libtide*", "tide"]}`,
			want: `{"id": 2, "repository_owner": "acme", "repository": "tide", "workflow": "release.yml", "environment": "release", "packages": ["libtide*", "tide"], "weak": null}`},
		{name: "add nonsense", who: "ann", method: "POST", path: path, body: `{"repository_owner": "a b", "repository": "forge", "workflow": "build"}`, status: 422,
			want: `{"code": "invalid_field", "differences": [{"claim": "repository_owner", "got": "a b"}, {"claim": "workflow", "got": "build"}]}`},
		{name: "add for an unknown provider", who: "ann", method: "POST", path: path, body: `{"provider": "jenkins", "repository": "a/b", "workflow": "b.yml"}`, status: 422,
			want: `{"code": "invalid_field", "differences": [{"claim": "provider", "got": "jenkins"}]}`},
		{name: "add without a workflow", who: "ann", method: "POST", path: path, body: `{"repository": "a/b"}`, status: 422, want: `{"code": "invalid_field"}`},

		{name: "add one that demands less than a channel can", who: "ann", method: "POST", path: path, body: `{"repository": "a/b", "workflow": "b.yml", "attestations": "optional"}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "add one that anybody signs for", who: "ann", method: "POST", path: path, body: `{"repository": "a/b", "workflow": "b.yml", "signer": "any"}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "one that demands more than the channel", who: "ann", method: "POST", path: "/channels/vault/trusted-publishers", body: `{"repository": "a/b", "workflow": "b.yml", "attestations": "required", "signer": "run"}`, status: 201,
			want: `{"attestations": "required", "signer": "run", "sentence": "Runs of b.yml in a/b may publish every package of vault, and must bring an attestation signed by the same run"}`},

		{name: "list", who: "mia", method: "GET", path: path, status: 200, want: `{"trusted_publishers": [{"id": 1}, {"id": 2}]}`},
		{name: "list with a reading token", who: "ann reads", method: "GET", path: path, status: 200},
		{name: "list with an upload token", who: "ann uploads", method: "GET", path: path, status: 403, want: `{"code": "not_permitted"}`},
		{name: "list by a token for another channel", who: "ann in vault", method: "GET", path: path, status: 403, want: `{"code": "not_permitted"}`},
		{name: "list, a stranger", who: "zoe", method: "GET", path: path, status: 403, want: `{"code": "not_permitted"}`},
		{name: "list, nobody", method: "GET", path: path, status: 401, want: `{"code": "unauthenticated"}`},
		{name: "list, a bad token", who: "unknown", method: "GET", path: path, status: 401, want: `{"code": "invalid_token"}`},
		{name: "list, nobody, private", method: "GET", path: "/channels/vault/trusted-publishers", status: 401},
		{name: "show", who: "ann", method: "GET", path: path + "/2", status: 200, want: `{"repository": "tide"}`},
		{name: "show, refused", who: "zoe", method: "GET", path: path + "/2", status: 403},
		{name: "show none", who: "ann", method: "GET", path: path + "/9", status: 404, want: `{"code": "not_found"}`},
		{name: "show another channel's", who: "ann", method: "GET", path: "/channels/vault/trusted-publishers/2", status: 404, want: `{"code": "not_found"}`},
		{name: "show no number", who: "ann", method: "GET", path: path + "/two", status: 422, want: `{"code": "invalid_field"}`},

		{name: "change, refused", who: "mia", method: "PUT", path: path + "/2", body: body, status: 403},
		{name: "change", who: "ann", method: "PUT", path: path + "/2", status: 200,
			body: `{"version": 1, "repository": "acme/tide", "workflow": "release.yml", "refs": ["refs/tags/v*"], "events": ["push"], "files_per_run": 7, "new_names": false}`,
			want: `{"id": 2, "version": 2, "environment": null, "refs": ["refs/tags/v*"], "events": ["push"], "packages": [], "files_per_run": 7, "bytes_per_run": 53687091200,
				"new_names": false, "state": "pending", "created_by": "ann"}`},
		{name: "change what was changed", who: "ann", method: "PUT", path: path + "/2", body: `{"version": 1, "repository": "acme/tide", "workflow": "x.yml"}`, status: 409, want: `{"code": "conflict"}`},
		{name: "change into nonsense", who: "ann", method: "PUT", path: path + "/2", body: `{"repository": "acme/tide", "workflow": "x.yml", "refs": ["main"]}`, status: 422,
			want: `{"code": "invalid_field", "differences": [{"claim": "refs", "got": "main"}]}`},
		{name: "change into another one", who: "ann", method: "PUT", path: path + "/2", body: body, status: 409, want: `{"code": "conflict"}`},
		{name: "change another channel's", who: "ann", method: "PUT", path: "/channels/vault/trusted-publishers/2", body: body, status: 404},
		{name: "switch, refused", who: "mia", method: "PATCH", path: path + "/2", body: `{"enabled": false}`, status: 403},
		{name: "switch off", who: "ann", method: "PATCH", path: path + "/2", body: `{"enabled": false}`, status: 200, want: `{"version": 3, "state": "disabled"}`},
		{name: "switch on", who: "ann", method: "PATCH", path: path + "/2", body: `{"enabled": true}`, status: 200, want: `{"version": 4, "state": "pending", "off": null}`},
		{name: "switch, and more", who: "ann", method: "PATCH", path: path + "/2", body: `{"enabled": true, "workflow": "x.yml"}`, status: 422},

		{name: "remove, refused", who: "mia", method: "DELETE", path: path + "/2", status: 403},
		{name: "remove", who: "ann", method: "DELETE", path: path + "/2", status: 204},
		{name: "it is gone", who: "ann", method: "GET", path: path, status: 200, want: `{"trusted_publishers": [{"id": 1}]}`},
		{name: "remove again", who: "ann", method: "DELETE", path: path + "/2", status: 404, want: `{"code": "not_found"}`},
	})
}

func TestPublisherInUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mint(t)
	w.walk(t, []step{
		{name: "pinned, with its last run", who: "ann", method: "GET", path: "/channels/forge/trusted-publishers/1", status: 200,
			want: `{"repository_owner_id": "583231", "repository_id": "41881900", "last_used_at": "2026-08-20T12:00:00Z",
				"last_run": {"number": "1234", "id": "9876543210", "attempt": "1", "url": "https://github.com/acme/forge/actions/runs/9876543210/attempts/1"}}`},
		{name: "a publish token does not manage", who: "run", method: "DELETE", path: "/channels/forge/trusted-publishers/1", status: 403, want: `{"code": "not_permitted"}`},
		{name: "nor read the rules", who: "run", method: "GET", path: "/channels/forge/trusted-publishers", status: 403, want: `{"code": "not_permitted"}`},
	})
}
