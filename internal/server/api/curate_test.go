package api

import "testing"

const changes, artifactList = "/channels/forge/changes", "/channels/forge/artifacts"

func TestYankTakesBackARun(t *testing.T) {
	t.Parallel()
	const yank = `{"change": {"kind": "yank", "reason": "the run was taken over"}, "select": {"run": "9876543210", "repository": "acme/forge"}`
	w := published(t)
	w.walk(t, []step{
		{name: "what would change", who: "mia", method: "POST", path: changes, body: yank + `, "dry_run": true, "end_tokens": true}`, status: 200,
			want: `{"applied": false, "selected": 3, "changed": 3, "at": null, "next_cursor": null, "tokens_ended": null, "files": [
				{"subdir": "linux-64", "filename": "libtide-1.0-0.conda", "state": "live", "labels": ["main"], "uploaded_by": "acme/forge", "provenance": {"run": {"id": "9876543210"}}}, {}, {}]}`},
		{name: "nothing changed", method: "GET", path: "/channels/forge/names/libtide", status: 200, want: `{"latest": "1.1", "files": [{"yanked": null}, {"yanked": null}, {"yanked": null}]}`},
		{name: "do it", who: "mia", method: "POST", path: changes, body: yank + `, "end_tokens": true, "in_steps": true}`, status: 200,
			want: `{"applied": true, "selected": 3, "changed": 3, "tokens_ended": 1, "next_cursor": null, "files": [{"state": "live"}, {}, {}]}`},
		{name: "everybody reads why", method: "GET", path: "/channels/forge/packages/noarch/libtide-1.1-0.conda", status: 200,
			want: `{"labels": ["main"], "yanked": {"reason": "the run was taken over"}, "imported_from": null, "patched": null}`},
		{name: "its tokens ended", who: "run", method: "GET", path: "/me", status: 401, want: `{"code": "revoked"}`},
		{name: "again", who: "mia", method: "POST", path: changes, body: yank + `, "end_tokens": true}`, status: 200, want: `{"selected": 3, "changed": 0, "files": [], "at": null, "tokens_ended": null}`},
		{name: "the list for keepers", who: "mia", method: "GET", path: artifactList + "?state=yanked&limit=2", status: 200,
			want: `{"artifacts": [{"filename": "libtide-1.0-0.conda", "state": "yanked", "reason": "the run was taken over", "by": "mia", "restorable_until": null}, {}], "next_cursor": 2}`},
		{name: "its second page", who: "mia", method: "GET", path: artifactList + "?state=yanked&limit=2&cursor=2", status: 200, want: `{"artifacts": [{"filename": "libtide-1.2rc1-0.conda"}], "next_cursor": null}`},
		{name: "take it back", who: "mia", method: "POST", path: changes, body: `{"change": {"kind": "unyank"}, "select": {"name": "lib*"}}`, status: 200, want: `{"selected": 3, "changed": 3, "files": [{"state": "yanked"}, {}, {}]}`},
		{name: "the log tells", who: "mia", method: "GET", path: "/channels/forge/audit?kind=artifact.yanked,artifact.unyanked,publish_token.revoked", status: 200, want: `{"events": [
			{"kind": "artifact.unyanked", "sentence": "took back the yank of 3 files", "actor": {"name": "mia"}},
			{"kind": "artifact.yanked", "sentence": "yanked 3 files: the run was taken over"},
			{"kind": "publish_token.revoked", "sentence": "ended the publish tokens of build.yml of acme/forge, run 1234 attempt 1 for this channel", "actor": {"name": "mia"}}]}`},
	})
}

// The tokens of a run end also when nothing has come of it yet.
func TestEndTokensBeforeAnything(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mint(t)
	const body = `{"change": {"kind": "yank", "reason": "taken over"}, "select": {"run": "9876543210"}, "end_tokens": true}`
	w.walk(t, []step{
		{name: "no reason, and nothing ends", who: "mia", method: "POST", path: changes, body: `{"change": {"kind": "yank"}, "select": {"run": "9876543210"}, "end_tokens": true}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "its token lives", who: "run", method: "GET", path: "/me", status: 200},
		{name: "nothing to yank", who: "mia", method: "POST", path: changes, body: body, status: 200, want: `{"selected": 0, "changed": 0, "tokens_ended": 1}`},
		{name: "nothing to end", who: "mia", method: "POST", path: changes, body: body, status: 404, want: `{"code": "not_found"}`},
		{name: "no run", who: "mia", method: "POST", path: changes, body: `{"change": {"kind": "yank", "reason": "x"}, "select": {"name": "tide"}, "end_tokens": true}`, status: 422, want: `{"code": "invalid_field"}`},
	})
}

func TestWhoMayCurate(t *testing.T) {
	t.Parallel()
	const yank = `{"change": {"kind": "yank", "reason": "broken"}, "select": {"name": "ebb"}, "dry_run": true}`
	const remove = `{"change": {"kind": "delete", "reason": "a secret"}, "select": {"name": "ebb"}, "dry_run": true}`
	published(t).walk(t, []step{
		{name: "nobody", method: "POST", path: changes, body: yank, status: 401, want: `{"code": "unauthenticated"}`},
		{name: "a stranger", who: "zoe", method: "POST", path: changes, body: yank, status: 403, want: `{"code": "not_permitted"}`},
		{name: "a run", who: "run", method: "POST", path: changes, body: yank, status: 403, want: `{"code": "not_permitted"}`},
		{name: "an upload token", who: "ann uploads", method: "POST", path: changes, body: yank, status: 403, want: `{"code": "not_permitted"}`},
		{name: "a maintainer", who: "mia", method: "POST", path: changes, body: yank, status: 200, want: `{"changed": 1}`},
		{name: "a maintainer deletes", who: "mia", method: "POST", path: changes, body: remove, status: 403, want: `{"code": "not_permitted"}`},
		{name: "an owner deletes", who: "ann", method: "POST", path: changes, body: remove, status: 200, want: `{"changed": 1}`},
		{name: "a private channel, nobody", method: "POST", path: "/channels/vault/changes", body: yank, status: 404, want: `{"code": "not_found"}`},
		{name: "a private channel, a reader", who: "rob", method: "POST", path: "/channels/vault/changes", body: yank, status: 403, want: `{"code": "not_permitted"}`},
		{name: "the list, nobody", method: "GET", path: artifactList, status: 401, want: `{"code": "unauthenticated"}`},
		{name: "the list, a stranger", who: "zoe", method: "GET", path: artifactList, status: 403, want: `{"code": "not_permitted"}`},
		{name: "the list, a maintainer", who: "mia", method: "GET", path: artifactList + "?name=ebb", status: 200, want: `{"artifacts": [{"filename": "ebb-2.0-h1_0.tar.bz2", "uploaded_by": "mia", "provenance": null, "state": "live"}]}`},
		{name: "labels of a private channel, nobody", method: "GET", path: "/channels/vault/labels", status: 401, want: `{"code": "unauthenticated"}`},
	})
}

func TestDeleteAndRestore(t *testing.T) {
	t.Parallel()
	const file = `"select": {"files": ["noarch/ebb-2.0-h1_0.tar.bz2"]}`
	published(t).walk(t, []step{
		{name: "without a reason", who: "ann", method: "POST", path: changes, body: `{"change": {"kind": "delete"}, ` + file + `}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "delete", who: "ann", method: "POST", path: changes, body: `{"change": {"kind": "delete", "reason": "a secret in it"}, ` + file + `}`, status: 200, want: `{"applied": true, "changed": 1, "restorable_until": "2026-08-27T12:00:00.000005Z"}`},
		{name: "it is gone", method: "GET", path: "/channels/forge/packages/noarch/ebb-2.0-h1_0.tar.bz2", status: 404, want: `{"code": "not_found"}`},
		{name: "keepers see until when it can come back", who: "mia", method: "GET", path: artifactList + "?state=deleted", status: 200,
			want: `{"artifacts": [{"state": "deleted", "by": "ann", "reason": "a secret in it", "at": "2026-08-20T12:00:00.000005Z", "restorable_until": "2026-08-27T12:00:00.000005Z"}]}`},
		{name: "it is not yanked as it is", who: "mia", method: "POST", path: changes, body: `{"change": {"kind": "yank", "reason": "broken"}, ` + file + `}`, status: 409, want: `{"code": "conflict"}`},
		{name: "restore", who: "ann", method: "POST", path: changes, body: `{"change": {"kind": "restore"}, "select": {"name": "*b"}}`, status: 200, want: `{"changed": 1}`},
		{name: "it is back", method: "GET", path: "/channels/forge/packages/noarch/ebb-2.0-h1_0.tar.bz2", status: 200, want: `{"labels": ["main"]}`},
	})
}

func TestLabels(t *testing.T) {
	t.Parallel()
	published(t).walk(t, []step{
		{name: "main alone", method: "GET", path: "/channels/forge/labels", status: 200, want: `{"labels": [{"name": "main", "url": "https://conda.example.org/forge", "files": 5, "yanked": 0}]}`},
		{name: "list", who: "mia", method: "POST", path: changes, body: `{"change": {"kind": "list", "label": "pr/12"}, "select": {"name": "libtide", "version": "1.1"}}`, status: 200, want: `{"changed": 1}`},
		{name: "move", who: "mia", method: "POST", path: changes, body: `{"change": {"kind": "move", "label": "main", "to": "pr/12"}, "select": {"name": "ebb"}}`, status: 200, want: `{"changed": 1}`},
		{name: "both", method: "GET", path: "/channels/forge/labels", status: 200, want: `{"labels": [{"name": "main", "files": 4}, {"name": "pr/12", "url": "https://conda.example.org/forge/label/pr/12", "files": 2}]}`},
		{name: "a file of both", method: "GET", path: "/channels/forge/packages/noarch/libtide-1.1-0.conda", status: 200, want: `{"labels": ["main", "pr/12"], "url": "https://conda.example.org/forge/noarch/libtide-1.1-0.conda"}`},
		{name: "a file of the label", method: "GET", path: "/channels/forge/packages/noarch/ebb-2.0-h1_0.tar.bz2", status: 200, want: `{"labels": ["pr/12"], "url": "https://conda.example.org/forge/label/pr/12/noarch/ebb-2.0-h1_0.tar.bz2"}`},
		{name: "the label is selection enough", who: "mia", method: "POST", path: changes, body: `{"change": {"kind": "take_out", "label": "pr/12"}, "select": {}}`, status: 200, want: `{"selected": 2, "changed": 2}`},
		{name: "one is held", who: "mia", method: "GET", path: artifactList + "?state=held", status: 200, want: `{"artifacts": [{"filename": "ebb-2.0-h1_0.tar.bz2", "labels": []}]}`},
		{name: "not in steps", who: "mia", method: "POST", path: changes, body: `{"change": {"kind": "list", "label": "rc"}, "select": {"state": "held"}, "in_steps": true}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "no label", who: "mia", method: "POST", path: changes, body: `{"change": {"kind": "list"}, "select": {"state": "held"}}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "what is no label", who: "mia", method: "POST", path: changes, body: `{"change": {"kind": "list", "label": "../x"}, "select": {"state": "held"}}`, status: 422, want: `{"code": "invalid_field"}`},
	})
}

func TestPatchOverTheAPI(t *testing.T) {
	t.Parallel()
	const file = `"select": {"files": ["noarch/zeal-0.1-0.conda"]}`
	published(t).walk(t, []step{
		{name: "correct", who: "mia", method: "POST", path: changes, body: `{"change": {"kind": "patch", "patch": {"depends": ["python >=3.11"], "license": null}}, ` + file + `}`, status: 200, want: `{"changed": 1}`},
		{name: "readers are told", method: "GET", path: "/channels/forge/packages/noarch/zeal-0.1-0.conda", status: 200, want: `{"patched": true, "depends": ["python >=3.10"]}`},
		{name: "keepers see which", who: "mia", method: "GET", path: artifactList + "?name=zeal", status: 200, want: `{"artifacts": [{"patch": {"depends": ["python >=3.11"]}}]}`},
		{name: "what clients would not understand", who: "mia", method: "POST", path: changes, body: `{"change": {"kind": "patch", "patch": {"depends": ["ebb[when=\"__unix\"]"]}}, ` + file + `}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "not even on trial", who: "mia", method: "POST", path: changes, body: `{"change": {"kind": "patch", "patch": {"depends": ["ebb[when=\"__unix\"]"]}}, ` + file + `, "dry_run": true}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "what no patch changes", who: "mia", method: "POST", path: changes, body: `{"change": {"kind": "patch", "patch": {"name": "x"}}, ` + file + `}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "what is no package URL", who: "mia", method: "POST", path: changes, body: `{"change": {"kind": "patch", "patch": {"purls": ["x"]}}, ` + file + `}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "with another kind", who: "mia", method: "POST", path: changes, body: `{"change": {"kind": "unyank", "patch": {"depends": []}}, ` + file + `}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "take it off", who: "mia", method: "POST", path: changes, body: `{"change": {"kind": "patch"}, ` + file + `}`, status: 200, want: `{"changed": 1}`},
		{name: "as it was", method: "GET", path: "/channels/forge/packages/noarch/zeal-0.1-0.conda", status: 200, want: `{"patched": null}`},
	})
}

func TestSelections(t *testing.T) {
	t.Parallel()
	dry := func(chosen string) string {
		return `{"change": {"kind": "yank", "reason": "broken"}, "dry_run": true, "select": ` + chosen + `}`
	}
	published(t).walk(t, []step{
		{name: "nothing said", who: "mia", method: "POST", path: changes, body: dry(`{}`), status: 422, want: `{"code": "invalid_field"}`},
		{name: "everything by a pattern", who: "mia", method: "POST", path: changes, body: dry(`{"name": "*"}`), status: 422, want: `{"code": "invalid_field"}`},
		{name: "by ref", who: "mia", method: "POST", path: changes, body: dry(`{"ref": "refs/heads/*"}`), status: 200, want: `{"selected": 3}`},
		{name: "by version and subdir", who: "mia", method: "POST", path: changes, body: dry(`{"version": "1.*", "subdir": "noarch"}`), status: 200, want: `{"selected": 2}`},
		{name: "by time", who: "mia", method: "POST", path: changes, body: dry(`{"after": "2026-08-20T12:00:00.000003Z"}`), status: 200, want: `{"selected": 2}`},
		{name: "a span that ends before it begins", who: "mia", method: "POST", path: changes, body: dry(`{"after": "2026-08-20T12:00:00Z", "before": "2026-08-19T12:00:00Z"}`), status: 422, want: `{"code": "invalid_field"}`},
		{name: "none", who: "mia", method: "POST", path: changes, body: dry(`{"name": "none"}`), status: 404, want: `{"code": "not_found"}`},
		{name: "a file that is not there", who: "mia", method: "POST", path: changes, body: dry(`{"files": ["noarch/none-1-0.conda"]}`), status: 404, want: `{"code": "not_found"}`},
		{name: "what is no file", who: "mia", method: "POST", path: changes, body: dry(`{"files": ["none"]}`), status: 422, want: `{"code": "invalid_field"}`},
		{name: "a state that is none", who: "mia", method: "GET", path: artifactList + "?state=lost", status: 422, want: `{"code": "invalid_field"}`},
		{name: "a subdir that is none", who: "mia", method: "GET", path: artifactList + "?subdir=No", status: 422, want: `{"code": "invalid_field"}`},
		{name: "by time, listed", who: "mia", method: "GET", path: artifactList + "?before=2026-08-20T12:00:00.000002Z", status: 200, want: `{"artifacts": [{"subdir": "linux-64"}, {"filename": "libtide-1.1-0.conda"}]}`},
	})
}
