package api

import (
	"encoding/json"
	"testing"
)

func TestApply(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = "/channels/forge/trusted-publishers"
	const forge, tide = `{"repository": "acme/forge", "workflow": "build.yml"}`, `{"fields": {"repository_owner": "acme", "repository": "tide", "workflow": "release.yml"}, "environment": "release"}`
	const narrow = `{"repository": "acme/forge", "workflow": "build.yml", "environment": "release", "packages": ["tide*"]}`
	list := func(publishers, more string) string { return `{"publishers": [` + publishers + `]` + more + `}` }
	state := func() string {
		var plan struct{ State string }
		got := w.send(step{who: "mia", method: "PUT", path: path, body: list("", `, "dry_run": true`)})
		if err := json.Unmarshal(got.Body.Bytes(), &plan); err != nil || plan.State == "" {
			t.Fatalf("%v: %s", err, got.Body)
		}
		return plan.State
	}
	empty := state()
	w.walk(t, []step{
		{name: "a dry run changes nothing", who: "mia", method: "PUT", path: path, body: list(forge+", "+tide, `, "dry_run": true`), status: 200,
			want: `{"applied": false, "kept": 0, "steps": [{"kind": "add", "before": null, "after": {"id": 0, "repository": "forge"}, "differences": []}, {"kind": "add"}]}`},
		{name: "nothing is there yet", who: "ann", method: "GET", path: path, status: 200, want: `{"trusted_publishers": []}`},
		{name: "a maintainer", who: "mia", method: "PUT", path: path, body: list(forge, ""), status: 403, want: `{"code": "not_permitted"}`},
		{name: "a stranger", who: "zoe", method: "PUT", path: path, body: list(forge, `, "dry_run": true`), status: 403, want: `{"code": "not_permitted"}`},
		{name: "nobody", method: "PUT", path: path, body: list(forge, `, "dry_run": true`), status: 401},
		{name: "nobody, private", method: "PUT", path: "/channels/vault/trusted-publishers", body: list(forge, ""), status: 404},
		{name: "a reading token", who: "ann reads", method: "PUT", path: path, body: list(forge, ""), status: 403, want: `{"code": "not_permitted"}`},
		{name: "no list", who: "ann", method: "PUT", path: path, body: `{}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "an unknown field", who: "ann", method: "PUT", path: path, body: list(`{"repository": "acme/forge", "workflow": "build.yml", "owner": "x"}`, ""), status: 422, want: `{"code": "invalid_field"}`},
		{name: "apply", who: "ann", method: "PUT", path: path, body: list(forge+", "+tide, `, "expect": "`+empty+`"`), status: 200,
			want: `{"applied": true, "steps": [{"kind": "add", "after": {"id": 1, "version": 1}}, {"kind": "add", "after": {"id": 2, "repository": "tide"}}]}`},
		{name: "again", who: "ann", method: "PUT", path: path, body: list(forge+", "+tide, ""), status: 200, want: `{"applied": true, "steps": [], "kept": 2}`},
		{name: "a plan of long ago", who: "ann", method: "PUT", path: path, body: list("", `, "expect": "`+empty+`"`), status: 409, want: `{"code": "conflict"}`},
		{name: "two are bad", who: "ann", method: "PUT", path: path, body: list(narrow+`, {"repository": "a b", "workflow": "x"}, {"repository": "acme/x", "workflow": "x"}`, ""), status: 422,
			want: `{"code": "invalid_field", "differences": [{"claim": "publishers[1].repository_owner"}, {"claim": "publishers[1].repository"}, {"claim": "publishers[1].workflow"}, {"claim": "publishers[2].workflow"}]}`},
		{name: "a field of another service", who: "ann", method: "PUT", path: path, body: list(`{"fields": {"namespace": "a"}}`, ""), status: 422, want: `{"code": "invalid_field"}`},
		{name: "twice", who: "ann", method: "PUT", path: path, body: list(forge+", "+forge, ""), status: 422, want: `{"code": "invalid_field"}`},
		{name: "change and remove", who: "ann", method: "PUT", path: path, body: list(narrow, ""), status: 200, want: `{"kept": 0, "steps": [
			{"kind": "change", "before": {"id": 1, "version": 1}, "after": {"id": 1, "version": 2}, "differences": [
				{"field": "environment", "before": "", "after": "release"}, {"field": "packages", "before": "", "after": "tide*"}]},
			{"kind": "remove", "before": {"id": 2}, "after": null}]}`},
		{name: "they are so", who: "ann", method: "GET", path: path, status: 200, want: `{"trusted_publishers": [{"id": 1, "environment": "release", "packages": ["tide*"]}]}`},
		{name: "none at all", who: "ann", method: "PUT", path: path, body: list("", ""), status: 200, want: `{"steps": [{"kind": "remove"}]}`},
	})
}
