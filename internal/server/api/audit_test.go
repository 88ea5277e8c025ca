package api

import "testing"

func TestAudit(t *testing.T) {
	t.Parallel()
	const path = "/channels/forge/audit"
	published(t).walk(t, []step{
		{name: "uploads", who: "ann", method: "GET", path: path + "?kind=artifact.uploaded", status: 200, want: `{"next_before": null, "events": [
			{"subject": "noarch/zeal-0.1-0.conda", "actor": {"kind": "user", "name": "ann"}},
			{"subject": "noarch/ebb-2.0-h1_0.tar.bz2", "actor": {"kind": "user", "name": "mia", "means": "API token \"mia\""}},
			{}, {},
			{"kind": "artifact.uploaded", "refused": false, "code": null, "channel": "forge", "subject": "linux-64/libtide-1.0-0.conda", "at": "2026-08-20T12:00:00.000001Z",
			 "actor": {"kind": "publisher", "name": "acme/forge", "means": "build.yml of acme/forge, run 1234 attempt 1"}, "facts": {"run_id": "9876543210"}}]}`},
		{name: "several kinds, a maintainer", who: "mia", method: "GET", path: path + "?kind=channel.created,publisher.added", status: 200,
			want: `{"events": [{"kind": "publisher.added"}, {"kind": "channel.created"}]}`},
		{name: "newest", who: "ann", method: "GET", path: path + "?limit=1", status: 200, want: `{"events": [{"subject": "noarch/zeal-0.1-0.conda"}]}`},
		{name: "a kind that is none", who: "ann", method: "GET", path: path + "?kind=a%00b", status: 422, want: `{"code": "invalid_field"}`},
		{name: "limit", who: "ann", method: "GET", path: path + "?limit=501", status: 422, want: `{"code": "invalid_field"}`},
		{name: "nobody", method: "GET", path: path, status: 401, want: `{"code": "unauthenticated"}`},
		{name: "nobody, private", method: "GET", path: "/channels/vault/audit", status: 404, want: `{"code": "not_found"}`},
		{name: "a stranger", who: "zoe", method: "GET", path: path, status: 403, want: `{"code": "not_permitted"}`},
		{name: "a reader", who: "rob", method: "GET", path: "/channels/vault/audit", status: 403, want: `{"code": "not_permitted"}`},
		{name: "a reading token", who: "ann reads", method: "GET", path: path, status: 403, want: `{"code": "not_permitted"}`},
		{name: "a token for another channel", who: "ann in vault", method: "GET", path: path, status: 403, want: `{"code": "not_permitted"}`},
		{name: "a publish token", who: "run", method: "GET", path: path, status: 403, want: `{"code": "not_permitted"}`},

		{name: "the server's", who: "root", method: "GET", path: "/audit?kind=artifact.uploaded&limit=1", status: 200, want: `{"events": [{"channel": "vault"}]}`},
		{name: "the server's, an owner", who: "ann", method: "GET", path: "/audit", status: 403, want: `{"code": "not_permitted"}`},
		{name: "the server's, a reading token", who: "root reads", method: "GET", path: "/audit", status: 403, want: `{"code": "not_permitted"}`},
		{name: "the server's, a publish token", who: "run", method: "GET", path: "/audit", status: 403, want: `{"code": "not_permitted"}`},
		{name: "the server's, nobody", method: "GET", path: "/audit", status: 401, want: `{"code": "unauthenticated"}`},
	})
}

// Pages of any size give every event once, newest first.
func TestAuditPages(t *testing.T) {
	t.Parallel()
	w := published(t)
	ch := w.channel(t, "forge")
	whole, err := w.service.events(t.Context(), ch.ID, auditQuery{Limit: 500})
	if err != nil {
		t.Fatal(err)
	}
	for limit := 1; limit <= len(whole.Body.Events); limit++ {
		var got []int64
		for q := (auditQuery{Limit: limit}); ; {
			page, err := w.service.events(t.Context(), ch.ID, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Body.Events {
				got = append(got, e.ID)
			}
			if q.Before = page.Body.NextBefore; q.Before == 0 {
				break
			}
		}
		if len(got) != len(whole.Body.Events) {
			t.Fatalf("limit %d gave %d events, want %d", limit, len(got), len(whole.Body.Events))
		}
		for i, e := range whole.Body.Events {
			if got[i] != e.ID {
				t.Errorf("limit %d: event %d is %d, want %d", limit, i, got[i], e.ID)
			}
		}
	}
}
