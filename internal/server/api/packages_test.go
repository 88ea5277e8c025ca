package api

import (
	"strings"
	"testing"
)

// published is a world with three packages in forge and one in vault. Each generation of a subdir is a
// microsecond later than the one before.
func published(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.mint(t)
	w.publish(t, "run", "forge", "linux-64", "libtide-1.0-0.conda")
	w.publish(t, "run", "forge", "noarch", "libtide-1.1-0.conda")
	w.publish(t, "run", "forge", "noarch", "libtide-1.2rc1-0.conda")
	w.publish(t, "mia", "forge", "noarch", "ebb-2.0-h1_0.tar.bz2")
	w.publish(t, "ann", "forge", "noarch", "zeal-0.1-0.conda")
	w.publish(t, "mia", "vault", "noarch", "secret-1-0.conda")
	return w
}

func TestPackages(t *testing.T) {
	t.Parallel()
	const path = "/channels/forge/packages"
	published(t).walk(t, []step{
		{name: "all", method: "GET", path: path, status: 200, want: `{"next_cursor": null, "packages": [
			{"name": "ebb", "latest": "2.0", "artifacts": 1, "by_ci": 0, "provenance": null},
			{"name": "libtide", "latest": "1.1", "summary": "The libtide package", "subdirs": ["linux-64", "noarch"], "artifacts": 3, "by_ci": 3,
			 "updated_at": "2026-08-20T12:00:00.000002Z", "provenance": {"repository": "acme/forge"}},
			{"name": "zeal"}]}`},
		{name: "by text", method: "GET", path: path + "?q=TIDE", status: 200, want: `{"packages": [{"name": "libtide"}]}`},
		{name: "by subdir", method: "GET", path: path + "?subdir=linux-64", status: 200, want: `{"packages": [{"name": "libtide"}]}`},
		{name: "by CI", method: "GET", path: path + "?by=ci", status: 200, want: `{"packages": [{"name": "libtide"}]}`},
		{name: "by token", method: "GET", path: path + "?by=token", status: 200, want: `{"packages": [{"name": "ebb"}, {"name": "zeal"}]}`},
		{name: "first page", method: "GET", path: path + "?limit=2", status: 200, want: `{"packages": [{"name": "ebb"}, {"name": "libtide"}], "next_cursor": "libtide"}`},
		{name: "second page", method: "GET", path: path + "?limit=2&cursor=libtide", status: 200, want: `{"packages": [{"name": "zeal"}], "next_cursor": null}`},
		{name: "limit 0", method: "GET", path: path + "?limit=0", status: 422, want: `{"code": "invalid_field", "differences": [{"claim": "limit"}]}`},
		{name: "limit too large", method: "GET", path: path + "?limit=201", status: 422, want: `{"code": "invalid_field"}`},
		{name: "a cursor of somebody's own", method: "GET", path: path + "?cursor=%25", status: 422, want: `{"code": "invalid_field"}`},
		{name: "text that is no text", method: "GET", path: path + "?q=%ff", status: 422, want: `{"code": "invalid_field"}`},
		{name: "text with NUL", method: "GET", path: path + "?q=a%00b", status: 422, want: `{"code": "invalid_field"}`},
		{name: "no subdir", method: "GET", path: path + "?subdir=Linux", status: 422, want: `{"code": "invalid_field"}`},
		{name: "an unknown filter", method: "GET", path: path + "?by=me", status: 422, want: `{"code": "invalid_field", "differences": [{"claim": "by", "got": "me"}]}`},
		{name: "an unknown parameter", method: "GET", path: path + "?page=2", status: 422, want: `{"code": "invalid_field", "differences": [{"claim": "page"}]}`},
		{name: "private, nobody", method: "GET", path: "/channels/vault/packages", status: 401, want: `{"code": "unauthenticated"}`},
		{name: "private, a stranger", who: "zoe", method: "GET", path: "/channels/vault/packages", status: 403, want: `{"code": "not_permitted"}`},
		{name: "private, another channel's publish token", who: "run", method: "GET", path: "/channels/vault/packages", status: 404, want: `{"code": "not_found"}`},
		{name: "private, a reader", who: "rob", method: "GET", path: "/channels/vault/packages", status: 200, want: `{"packages": [{"name": "secret"}]}`},
		{name: "the sums", method: "GET", path: "/channels/forge", status: 200, want: `{"totals": {"packages": 3, "artifacts": 5, "by_ci": 3, "last_published_at": "2026-08-20T12:00:00.000004Z"}}`},
	})
}

func TestFile(t *testing.T) {
	t.Parallel()
	const path = "/channels/forge/packages/noarch/"
	published(t).walk(t, []step{
		{name: "by a run", method: "GET", path: path + "libtide-1.1-0.conda", status: 200, want: `{
			"subdir": "noarch", "filename": "libtide-1.1-0.conda", "url": "https://conda.example.org/forge/noarch/libtide-1.1-0.conda",
			"name": "libtide", "version": "1.1", "build": "0", "build_number": 3, "depends": ["python >=3.10"], "license": "MIT", "size": 100,
			"sha256": "ab` + strings.Repeat("00", 31) + `", "md5": "cd` + strings.Repeat("00", 15) + `",
			"built_at": "2026-08-20T12:00:00Z", "uploaded_at": "2026-08-20T12:00:00.000001Z",
			"uploaded_by": {"kind": "ci", "name": "acme/forge", "trusted_publisher": 1},
			"about": {"summary": "The libtide package", "home": "https://example.org/"}, "index": {"name": "libtide", "arch": null},
			"provenance": {"sentence": "Published by build.yml of acme/forge, run 1234 attempt 1, commit abc1234 on main",
				"repository_url": "https://github.com/acme/forge", "repository_id": "41881900", "workflow": "build.yml", "event": "push",
				"commit_url": "https://github.com/acme/forge/commit/abc1234abc1234abc1234abc1234abc1234abc12",
				"run": {"number": "1234", "id": "9876543210", "attempt": "1", "url": "https://github.com/acme/forge/actions/runs/9876543210/attempts/1"}}}`},
		{name: "by a person, to nobody", method: "GET", path: path + "ebb-2.0-h1_0.tar.bz2", status: 200,
			want: `{"uploaded_by": {"kind": "token", "name": "a member of forge", "trusted_publisher": null}, "provenance": null}`},
		{name: "by a person, to a stranger", who: "zoe", method: "GET", path: path + "ebb-2.0-h1_0.tar.bz2", status: 200, want: `{"uploaded_by": {"name": "a member of forge"}}`},
		{name: "by a person, to a member", who: "ann", method: "GET", path: path + "ebb-2.0-h1_0.tar.bz2", status: 200, want: `{"uploaded_by": {"kind": "token", "name": "mia"}}`},
		{name: "by a person, to a member's upload token", who: "ann uploads", method: "GET", path: path + "ebb-2.0-h1_0.tar.bz2", status: 200, want: `{"uploaded_by": {"name": "a member of forge"}}`},
		{name: "by a person, to a member's token for another channel", who: "ann in vault", method: "GET", path: path + "ebb-2.0-h1_0.tar.bz2", status: 200, want: `{"uploaded_by": {"name": "a member of forge"}}`},
		{name: "by a person, to a run", who: "run", method: "GET", path: path + "ebb-2.0-h1_0.tar.bz2", status: 200, want: `{"uploaded_by": {"name": "a member of forge"}}`},
		{name: "none", method: "GET", path: path + "none-1-0.conda", status: 404, want: `{"code": "not_found"}`},
		{name: "no file name", method: "GET", path: path + "repodata.json", status: 404, want: `{"code": "not_found"}`},
		{name: "no subdir", method: "GET", path: "/channels/forge/packages/No/libtide-1.1-0.conda", status: 404, want: `{"code": "not_found"}`},
		{name: "private, nobody", method: "GET", path: "/channels/vault/packages/noarch/secret-1-0.conda", status: 401, want: `{"code": "unauthenticated"}`},
		{name: "private, a reader", who: "rob", method: "GET", path: "/channels/vault/packages/noarch/secret-1-0.conda", status: 200, want: `{"uploaded_by": {"name": "mia"}}`},
	})
}

func TestFiles(t *testing.T) {
	t.Parallel()
	const path = "/channels/forge/names/libtide"
	w := published(t)
	w.walk(t, []step{
		{name: "all", method: "GET", path: path, status: 200, want: `{"name": "libtide", "latest": "1.1", "next_cursor": null, "files": [
			{"filename": "libtide-1.2rc1-0.conda", "about": null, "index": null, "provenance": {"repository": "acme/forge"}}, {"filename": "libtide-1.1-0.conda"}, {"filename": "libtide-1.0-0.conda"}]}`},
		{name: "first page", method: "GET", path: path + "?limit=2", status: 200, want: `{"latest": "1.1", "files": [{}, {"filename": "libtide-1.1-0.conda"}], "next_cursor": 2}`},
		{name: "second page", method: "GET", path: path + "?limit=2&cursor=2", status: 200, want: `{"latest": "1.1", "files": [{"filename": "libtide-1.0-0.conda"}], "next_cursor": null}`},
		{name: "past the end", method: "GET", path: path + "?cursor=1", status: 200, want: `{"files": []}`},
		{name: "none", method: "GET", path: "/channels/forge/names/none", status: 404, want: `{"code": "not_found"}`},
		{name: "no name", method: "GET", path: "/channels/forge/names/a%00b", status: 404, want: `{"code": "not_found"}`},
		{name: "private, a stranger", who: "zoe", method: "GET", path: "/channels/vault/names/secret", status: 403},
		{name: "private, a reader", who: "rob", method: "GET", path: "/channels/vault/names/secret", status: 200, want: `{"files": [{"uploaded_by": {"name": "mia"}}]}`},
	})
}

func TestExists(t *testing.T) {
	t.Parallel()
	const path = "/channels/forge/exists"
	many := `"noarch/a-1-0.conda"` + strings.Repeat(`,"noarch/a-1-0.conda"`, 9999)
	published(t).walk(t, []step{
		{name: "some", method: "POST", path: path, status: 200,
			body: `{"artifacts": ["noarch/zeal-0.1-0.conda", "noarch/none-1-0.conda", "noarch/libtide-1.0-0.conda", "linux-64/libtide-1.0-0.conda", "noarch/zeal-0.1-0.conda"]}`,
			want: `{"existing": ["noarch/zeal-0.1-0.conda", "linux-64/libtide-1.0-0.conda"]}`},
		{name: "none asked", method: "POST", path: path, body: `{"artifacts": []}`, status: 200, want: `{"existing": []}`},
		{name: "ten thousand", method: "POST", path: path, body: `{"artifacts": [` + many + `]}`, status: 200, want: `{"existing": []}`},
		{name: "one more", method: "POST", path: path, body: `{"artifacts": [` + many + `, "noarch/a-1-0.conda"]}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "no file", method: "POST", path: path, body: `{"artifacts": ["noarch/a-1-0.conda", "noarch/a.conda"]}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "no subdir", method: "POST", path: path, body: `{"artifacts": ["a-1-0.conda"]}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "not a list", method: "POST", path: path, body: `{"artifacts": "noarch/a-1-0.conda"}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "null", method: "POST", path: path, body: `{"artifacts": null}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "private, nobody", method: "POST", path: "/channels/vault/exists", body: `{"artifacts": []}`, status: 401, want: `{"code": "unauthenticated"}`},
		{name: "private, a reading token", who: "rob", method: "POST", path: "/channels/vault/exists", body: `{"artifacts": ["noarch/secret-1-0.conda"]}`, status: 200, want: `{"existing": ["noarch/secret-1-0.conda"]}`},
		{name: "private, an upload token", who: "ann uploads", method: "POST", path: "/channels/vault/exists", body: `{"artifacts": []}`, status: 403, want: `{"code": "not_permitted"}`},
	})
}
