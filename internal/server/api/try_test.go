package api

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

// runClaims is what a token of run says, as JSON text inside of JSON.
func runClaims(t *testing.T, change func(c map[string]any)) string {
	t.Helper()
	c := map[string]any{
		"iss": run.Issuer, "repository": run.Repository, "repository_owner": run.Owner, "repository_id": run.RepositoryID, "repository_owner_id": run.OwnerID,
		"workflow_ref": "acme/forge/.github/workflows/build.yml@refs/heads/main", "job_workflow_ref": "acme/forge/.github/workflows/build.yml@refs/heads/main",
		"ref": run.Ref, "ref_type": run.RefType, "sha": run.SHA, "event_name": run.Event, "run_id": run.RunID, "run_number": run.RunNumber, "run_attempt": run.RunAttempt,
		"runner_environment": "github-hosted", "repository_visibility": "public",
	}
	change(c)
	return string(must(json.Marshal(string(must(json.Marshal(c))(t))))(t))
}

func TestTry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mint(t)
	const path = "/channels/forge/trusted-publishers/try"
	fits := `{"claims": ` + runClaims(t, func(map[string]any) {}) + `}`
	other := `{"claims": ` + runClaims(t, func(c map[string]any) {
		c["workflow_ref"] = "acme/forge/.github/workflows/x.yml@refs/heads/main"
		c["event_name"] = "pull_request_target"
	}) + `}`
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	secret := part(`{"iss": "https://ci.example"}`)
	token := part(`{"alg": "RS256", "kid": "k"}`) + "." + secret + "." + part("signature")
	w.walk(t, []step{
		{name: "claims that fit", who: "mia", method: "POST", path: path, body: fits, status: 200,
			want: `{"granted": false, "proven": false, "problems": [], "run": {"repository": "acme/forge"}, "results": [{"granted": true, "publisher": {"id": 1}, "off": null, "code": null}]}`},
		{name: "claims that do not", who: "ann reads", method: "POST", path: path, body: other, status: 200, want: `{"granted": false, "results": [{"granted": false}]}`},
		{name: "a token of a foreign issuer", who: "ann", method: "POST", path: path, body: `{"token": "` + token + `"}`, status: 200,
			want: `{"granted": false, "proven": false, "problems": [{"code": "unknown_issuer"}], "run": null, "results": []}`},
		{name: "no token", who: "ann", method: "POST", path: path, body: `{"token": "hello"}`, status: 200, want: `{"problems": [{"code": "malformed_token"}]}`},
		{name: "no claims", who: "ann", method: "POST", path: path, body: `{"claims": "{"}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "neither", who: "ann", method: "POST", path: path, body: `{}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "both", who: "ann", method: "POST", path: path, body: `{"token": "a", "claims": "{}"}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "unknown field", who: "ann", method: "POST", path: path, body: `{"jwt": "a"}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "in a channel without publishers", who: "ann", method: "POST", path: "/channels/vault/trusted-publishers/try", body: fits, status: 200,
			want: `{"problems": [{"code": "no_publisher"}], "results": []}`},
		{name: "a stranger", who: "zoe", method: "POST", path: path, body: fits, status: 403, want: `{"code": "not_permitted"}`},
		{name: "nobody", method: "POST", path: path, body: fits, status: 401, want: `{"code": "unauthenticated"}`},
		{name: "nobody, private", method: "POST", path: "/channels/vault/trusted-publishers/try", body: fits, status: 401},
		{name: "a publish token", who: "run", method: "POST", path: path, body: fits, status: 403, want: `{"code": "not_permitted"}`},
	})
	got := w.take(t, step{name: "points", who: "ann", method: "POST", path: path, body: other, status: 200})
	for _, want := range []string{
		`{"field":"workflow","claim":"workflow_ref","got":"x.yml","want":"build.yml","holds":false`, `"code":"workflow_mismatch"`, `"code":"event_not_allowed"`,
	} {
		if !strings.Contains(got.Body.String(), want) {
			t.Errorf("no %s in %s", want, got.Body)
		}
	}
	for _, body := range []string{`{"token": "` + token + `"}`, `{"token": "` + secret + strings.Repeat("x", 20000) + `"}`, `{"claims": "` + secret + strings.Repeat("x", 20000) + `"}`} {
		if got := w.send(step{who: "ann", method: "POST", path: path, body: body}); strings.Contains(got.Body.String(), secret) {
			t.Errorf("%d repeats what came: %s", got.Code, got.Body)
		}
	}
}
