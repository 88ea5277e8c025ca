package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/conda/build"
	"sluice/internal/servertest"
	"sluice/internal/token"
	"sluice/internal/trust"
)

// endOf is the request of a holder who is done with a token.
func (w *world) endOf(t testing.TB, bearer string) *http.Request {
	t.Helper()
	req := w.request(t, http.MethodDelete, "/api/oidc/token", nil)
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	return req
}

// A job that is done ends its token, and it is dead for the very next request.
func TestHolderEndsAPublishToken(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		w.Publisher(t, w.hidden, trust.PublisherSpec{})
		name, good := packageOf(t, "tide", nil)
		file := filePart(name, "", good)
		mine, other := w.PublishToken(t), w.PublishToken(t)
		for _, bearer := range []string{mine, mine, token.New(token.Publish).Reveal()} {
			if status, said := w.do(t, w.endOf(t, bearer)); status != http.StatusNoContent || said != "" {
				t.Errorf("%d %q", status, said)
			}
		}
		w.refuse(t, []want{
			{"the token that ended", w.post(t, "forge", mine, file), 401, "Publish token was revoked [revoked]: its own job was done with it and ended it"},
			{"no token", w.endOf(t, ""), 401, "Send the publish token"},
			{"a typo", w.endOf(t, typo(other)), 401, "checksum"},
			{"an API token", w.endOf(t, w.annUploads), 401, "only a publish token ends here"},
			{"something else", w.endOf(t, "x"), 401, "not a token of this server"},
		})
		if status, _, _ := w.Get(t, "/hidden/noarch/repodata.json", mine); status != http.StatusUnauthorized {
			t.Errorf("it still reads: %d", status)
		}
		w.publish(t, other, name, good)
		w.publish(t, w.annUploads, "tide-2.0-0.conda", second(t))
		var told []string
		for _, e := range w.events(t, audit.TokenRevoked) {
			told = append(told, fmt.Sprintf("%s: %s %s %s %s", e.Channel, e.Actor.Kind, e.Actor.Name, e.Sentence, e.Facts["run_id"]))
		}
		run := func(ch string) string {
			return ch + ": publisher acme/forge ended the publish token of build.yml of acme/forge, run 2 attempt 1 9000000002"
		}
		if d := cmp.Diff([]string{run("hidden"), run("forge")}, told); d != "" {
			t.Error(d)
		}
	})
}

func second(t *testing.T) []byte {
	t.Helper()
	_, body := packageOf(t, "tide", func(p *build.Package) { p.Version = "2.0" })
	return body
}

// report is a report of found tokens.
func (w *world) report(t testing.TB, tokens ...string) *http.Request {
	t.Helper()
	return kind(w.request(t, http.MethodPost, "/api/oidc/revoke", bytes.NewReader(mustJSON(t, map[string]any{"tokens": tokens}))), "application/json")
}

func TestFoundTokensAreRevoked(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		session, err := w.Accounts.OpenSession(t.Context(), w.bob)
		if err != nil {
			t.Fatal(err)
		}
		page := func(session token.Token) (int, string) {
			req := w.request(t, http.MethodGet, "/account/tokens", nil)
			req.AddCookie(&http.Cookie{Name: "sluice_session", Value: session.Reveal()})
			return w.do(t, req)
		}
		if status, _ := page(session); status != 200 {
			t.Fatalf("the session does not work: %d", status)
		}
		limited, spared := w.Token(t, w.ann, &w.hidden, account.Read), w.Token(t, w.ann, nil, account.Read)
		unknown := token.New(token.API).Reveal()
		found := []string{w.ci, w.annUploads, limited, session.Reveal(), unknown, token.New(token.Setup).Reveal(), typo(spared), "hunter2", w.ci}
		status, h, body := servertest.Do(t, w.report(t, found...))
		var got struct {
			Tokens []struct {
				Revoked bool
				Problem string
			}
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 || h.Get("Cache-Control") != "no-store" || len(got.Tokens) != len(found) {
			t.Fatalf("%d %v %s: %v", status, h, body, err)
		}
		for i, g := range got.Tokens {
			if wrong := i == 6 || i == 7; g.Revoked == wrong || (g.Problem != "") != wrong {
				t.Errorf("%d: %+v", i, g)
			}
		}
		for _, s := range found {
			if strings.Contains(body, s[min(5, len(s)):]) {
				t.Errorf("the answer repeats a token: %s", body)
			}
		}
		name, good := packageOf(t, "tide", nil)
		w.annReads = w.Token(t, w.ann, nil, account.Read)
		w.refuse(t, []want{
			{"the publish token", w.post(t, "forge", w.ci, filePart(name, "", good)), 401, "was revoked [revoked]: somebody found it where it should not be, and reported it"},
			{"the API token", w.post(t, "forge", w.annUploads, filePart(name, "", good)), 401, "was revoked on 23 Nov 2026, 14:06 UTC: somebody found it where it should not be"},
			{"the token for one channel", w.post(t, "hidden", limited, filePart(name, "", good)), 401, "somebody found it"},
		})
		if status, _ := page(session); status == 200 {
			t.Error("the session still works")
		}
		hers, err := w.Accounts.OpenSession(t.Context(), w.ann)
		if err != nil {
			t.Fatal(err)
		}
		const why = "somebody found it where it should not be, and reported it"
		if _, said := page(hers); strings.Count(said, "revoked 23 Nov 2026: "+why) != 2 {
			t.Errorf("her page does not say why two of her tokens are revoked: %s", said)
		}
		if _, _, said := w.Get(t, "/api/v1/tokens", w.Token(t, w.ann, nil, account.Manage)); strings.Count(said, `"revoked_why":"`+why+`"`) != 2 {
			t.Errorf("the API does not say why: %s", said)
		}
		if status, _, _ := w.Get(t, "/hidden/noarch/repodata.json", spared); status != 200 {
			t.Errorf("a token that was not reported: %d", status)
		}
		told := map[string]int{}
		for _, e := range w.events(t, audit.TokenRevoked, audit.APITokenRevoked, audit.SessionRevoked, audit.SetupRevoked) {
			if e.Actor != (audit.Actor{Kind: audit.Anonymous}) || !strings.Contains(e.Sentence, "reported as found") {
				t.Errorf("%+v", e)
			}
			told[fmt.Sprintf("%s %s in %s", e.Kind, e.Subject, e.Channel)]++
		}
		want := map[string]int{
			"publish_token.revoked acme/forge in forge": 1, "session.revoked bob in ": 1,
			// One without limits concerns the account, and the channels that it could upload to; one for a channel, that.
			"api_token.revoked ann/test in ": 1, "api_token.revoked ann/test in forge": 1, "api_token.revoked ann/test in hidden": 2,
		}
		if d := cmp.Diff(want, told); d != "" {
			t.Error(d)
		}
	})
}

// RFC 7009: one token in a form, and one answer for every string.
func TestRevocationEndpoint(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		endpoint := strings.TrimPrefix(w.metadata(t)["revocation_endpoint"].(string), w.URL)
		for _, s := range []string{w.ci, w.ci, token.New(token.Publish).Reveal(), typo(w.annUploads), "x"} {
			if status, h, said := servertest.Do(t, w.formOf(t, endpoint, "token", s, "token_type_hint", "refresh_token")); status != 200 || said != "" || h.Get("Cache-Control") != "no-store" {
				t.Errorf("%d %v %q", status, h, said)
			}
		}
		name, good := packageOf(t, "tide", nil)
		w.refuse(t, []want{{"the token that ended", w.post(t, "forge", w.ci, filePart(name, "", good)), 401, "somebody found it"}})
		w.publish(t, w.annUploads, name, good)
		for name, req := range map[string]*http.Request{
			"no token": w.formOf(t, endpoint, "token", ""), "two tokens": w.formOf(t, endpoint, "token", w.annUploads, "token", w.annUploads),
			"no form": kind(w.formOf(t, endpoint, "token", w.annUploads), "text/plain"),
		} {
			if status, _, got := w.exchange(t, req); status != 400 || got.Error != "invalid_request" {
				t.Errorf("%s: %d %+v", name, status, got)
			}
		}
	})
}

// A report is taken as a whole or not at all.
func TestReportsAreReadStrictly(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		tok := `"` + w.annUploads + `"`
		for _, body := range []string{
			"", "null", "[" + tok + "]", `{"token":` + tok + `}`, `{"Tokens":[` + tok + `]}`, `{"tokens":` + tok + `}`, `{"tokens":[` + tok + `],"tokens":[]}`, `{"tokens":[` + tok + `],"x":1}`,
			`{"tokens":[` + tok + `, 7]}`, `{"tokens":[[` + tok + `]]}`, `{"tokens":[` + tok + `]} {}`, `{"tokens":[` + tok + `]`, `{"tokens":[]}`, "{\"tokens\":[" + tok + ",\"\xff\"]}",
			`{"tokens":[` + tok + strings.Repeat(","+tok, 100) + `]}`, `{"tokens":[` + tok + `,"` + strings.Repeat("x", 64<<10) + `"]}`,
		} {
			status, said := w.do(t, kind(w.request(t, http.MethodPost, "/api/oidc/revoke", strings.NewReader(body)), "application/json"))
			if status != 400 && status != 413 || strings.Contains(said, w.annUploads[15:]) {
				t.Errorf("%.60s: %d %s", body, status, said)
			}
		}
		name, good := packageOf(t, "tide", nil)
		w.publish(t, w.annUploads, name, good)
		if status, said := w.do(t, w.report(t, w.annUploads)); status != 200 || said != "{\"tokens\":[{\"revoked\":true}]}\n" {
			t.Errorf("%d %s", status, said)
		}
	})
}

// Reports are for everybody, and so they are limited.
func TestReportsAreLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	for range 100 {
		if status, said := w.do(t, w.report(t, "x")); status != 200 {
			t.Fatalf("%d %s", status, said)
		}
	}
	status, h, said := servertest.Do(t, w.report(t, w.annUploads))
	if status != http.StatusTooManyRequests || h.Get("Retry-After") != "1" || !strings.Contains(said, "Too many reports") {
		t.Errorf("%d %v %s", status, h, said)
	}
	status, h, got := w.exchange(t, w.formOf(t, "/api/oidc/revoke", "token", w.annUploads))
	if status != http.StatusTooManyRequests || h.Get("Retry-After") != "1" || got.Error != "temporarily_unavailable" {
		t.Errorf("%d %v %+v", status, h, got)
	}
	name, good := packageOf(t, "tide", nil)
	w.publish(t, w.annUploads, name, good)
}

// What is revoked while its upload runs stops the upload, past its end or not.
func TestTokensThatAreRevokedDuringTheUpload(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		name, good := packageOf(t, "tide", nil)
		send := func(req *http.Request) func() {
			return func() {
				if status, said := w.do(t, req); status/100 != 2 {
					t.Errorf("%d %s", status, said)
				}
			}
		}
		late := w.PublishToken(t)
		w.refuse(t, []want{
			{"its holder ends it", w.meanwhile(t, w.ci, name, good, send(w.endOf(t, w.ci))), 401, "revoked while tide-1.0-0.conda was being uploaded"},
			{"its holder ends it after its end", w.meanwhile(t, late, name, good, func() {
				w.clock.advance(31 * time.Minute)
				send(w.endOf(t, late))()
			}), 401, "revoked while"},
			{"somebody finds the API token", w.meanwhile(t, w.annUploads, name, good, send(w.report(t, w.annUploads))), 401, "revoked while"},
		})
	})
}
