package api

import "testing"

// What a change does not name stays, and what is impossible is refused whole.
func TestChangeDemand(t *testing.T) {
	t.Parallel()
	newWorld(t).walk(t, []step{
		{name: "the usual", method: "GET", path: "/channels/forge", status: 200, want: `{"attestations": {"mode": "optional", "required_for": [], "signer": "run", "target_channel": "listed", "aliases": [],
			"allow_absent": true, "instances": [], "no_regress": "warn", "other_statements": true, "denied": []}}`},
		{name: "some of it", who: "ann", method: "PATCH", path: "/channels/forge", body: `{"attestations": {"mode": "required_for", "required_for": ["tide", "lib*"], "aliases": ["https://old.example.org/forge"],
			"denied": [{"run": "https://github.com/acme/forge/actions/runs/77", "until": "2026-08-21T12:00:00Z", "why": "taken over"}]}}`, status: 200,
			want: `{"attestations": {"mode": "required_for", "required_for": ["tide", "lib*"], "signer": "run", "denied": [{"run": "https://github.com/acme/forge/actions/runs/77", "until": "2026-08-21T12:00:00Z", "why": "taken over"}]}}`},
		{name: "the rest", who: "ann", method: "PATCH", path: "/channels/forge", body: `{"attestations": {"required_for": ["tide"], "signer": "publisher", "target_channel": "exact", "allow_absent": false,
			"instances": ["sigstore"], "no_regress": "refuse", "other_statements": false, "denied": []}}`, status: 200,
			want: `{"attestations": {"mode": "required_for", "required_for": ["tide"], "signer": "publisher", "target_channel": "exact", "aliases": ["https://old.example.org/forge"],
			"allow_absent": false, "instances": ["sigstore"], "no_regress": "refuse", "other_statements": false, "denied": []}}`},
		{name: "said in the log", who: "ann", method: "GET", path: "/channels/forge/audit?kind=channel.changed&limit=1", status: 200,
			want: `{"events": [{"sentence": "changed channel forge: attestations: required for tide, before required for tide, lib*, signer: any run of a trusted publisher, before the run that uploads, made for: this channel at its public address, before this channel, also at its other addresses, made for no channel in particular: refused, before taken, sigstore instances: sigstore, before all that the server counts, a file without one after files that have one: refused, before taken, with a warning, other statements beside them: refused, before taken, no longer denied signatures of the run https://github.com/acme/forge/actions/runs/77, until 2026-08-21T12:00:00Z"}]}`},
		{name: "what was read meanwhile", who: "ann", method: "PATCH", path: "/channels/forge", body: `{"attestations": {"denied": [], "expect": "0123456789abcdef0123456789abcdef"}}`, status: 409, want: `{"code": "conflict"}`},
		{name: "no names", who: "ann", method: "PATCH", path: "/channels/forge", body: `{"attestations": {"required_for": []}}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "an unknown mode", who: "ann", method: "PATCH", path: "/channels/forge", body: `{"attestations": {"mode": "sometimes"}}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "a bad alias", who: "ann", method: "PATCH", path: "/channels/forge", body: `{"attestations": {"aliases": ["https://old.example.org/forge/"]}}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "a denial of nobody", who: "ann", method: "PATCH", path: "/channels/forge", body: `{"attestations": {"denied": [{"why": "all"}]}}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "by a maintainer", who: "mia", method: "PATCH", path: "/channels/forge", body: `{"attestations": {"mode": "off"}}`, status: 403, want: `{"code": "not_permitted"}`},
		{name: "a look at what is impossible", who: "ann", method: "POST", path: "/channels/forge/attestations/preview", body: `{"mode": "required_for", "required_for": []}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "a look by a maintainer", who: "mia", method: "POST", path: "/channels/forge/attestations/preview", body: `{"mode": "required"}`, status: 403, want: `{"code": "not_permitted"}`},
		{name: "a look", who: "ann", method: "POST", path: "/channels/forge/attestations/preview", body: `{"mode": "required"}`, status: 200, want: `{"unattested": 0, "not_counting": 0, "files": [], "already": {"unattested": 0, "not_counting": 0, "files": []}}`},
		{name: "unchanged by what was refused", who: "ann", method: "GET", path: "/channels/forge", status: 200, want: `{"attestations": {"mode": "required_for", "required_for": ["tide"]}}`},
	})
}
