package attacks

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sluice/internal/account"
	"sluice/internal/channel"
	"sluice/internal/servertest"
)

// rule is a publisher that somebody asks for.
type rule struct {
	row  int
	name string
	body map[string]any
	want want
	// says is what the made publisher's sentence is.
	says string
}

func TestRules(t *testing.T) {
	t.Parallel()
	invalid := func(says string) want { return want{http.StatusUnprocessableEntity, "invalid_field", says} }
	made := want{status: http.StatusCreated}
	body := func(pairs ...any) map[string]any {
		b := map[string]any{"repository_owner": "acme", "repository": "forge", "workflow": "build.yml"}
		for i := 0; i < len(pairs); i += 2 {
			b[pairs[i].(string)] = pairs[i+1]
		}
		return b
	}
	const all = "Runs of build.yml in acme/forge may publish every package of C"
	both(t, func(t *testing.T, w *world) {
		for i, tt := range []rule{
			{83, "an address", map[string]any{"repository": "https://github.com/acme/forge/tree/main?x#y", "workflow": ".github/workflows/build.yml"}, made, all},
			{83, "blanks and a slash", body("repository_owner", " acme ", "repository", "forge/", "workflow", " build.yml\t"), made, all},
			{83, "both names in one field", map[string]any{"repository": "acme/forge", "workflow": "build.yml"}, made, all},
			{84, "a look-alike owner", body("repository_owner", "\u0430cme"), invalid("U+0430, which may only look right"), ""},
			{84, "* for an owner", body("repository_owner", "*"), invalid("wildcards are not taken here"), ""},
			{84, "* for a repository", body("repository", "*"), invalid("wildcards"), ""},
			{84, "* for a file", body("workflow", "*.yml"), invalid("wildcards"), ""},
			{84, "no repository", body("repository", ""), invalid("repository (empty) needs"), ""},
			{84, "every repository of an owner, for every package", body("repository", "", "any_repository", true), invalid("patterns with {repository} in each"), ""},
			{84, "every repository of an owner, one pattern without its name", body("repository", "", "any_repository", true, "packages", []string{"{repository}-*", "zlib"}), invalid("could publish another's packages"), ""},
			{84, "every repository of an owner, each for its own packages", body("repository", "", "any_repository", true, "packages", []string{"{repository}-*"}), made,
				"Runs of build.yml in any repository of acme may publish {repository}-* of C"},
			{85, "every package, by a pattern", body("packages", []string{"*"}), made, all},
			{85, "**", body("packages", []string{"**"}), invalid("one * at the end"), ""},
			{85, "a regular expression", body("packages", []string{"^lib.+$"}), invalid("needs package names"), ""},
			{85, "a regular expression for a ref", body("refs", []string{"refs/heads/(main|dev)[0-9]+?"}), invalid("regular expressions are not taken"), ""},
			{85, "a branch's name for a ref", body("refs", []string{"main"}), invalid("refs/heads/main for a branch"), ""},
			{85, "a glob for a ref", body("refs", []string{"refs/tags/v*"}), made, "Runs of build.yml in acme/forge on refs/tags/v* may publish every package of C"},
			{84, "a reusable workflow without a repository", body("reusable", "publish.yml"), invalid("the whole name of a workflow file"), ""},
			{84, "more files than a run can have", body("files_per_run", -1), want{http.StatusUnprocessableEntity, "invalid_field", ""}, ""},
			{84, "an end in the past", body("expires_at", "2020-01-01T00:00:00Z"), invalid("a time to come"), ""},
			{84, "a field that nobody knows", body("admin", true), want{http.StatusUnprocessableEntity, "invalid_field", "admin"}, ""},
			{84, "an issuer of its own", body("issuer", "https://evil.example"), invalid("issuer https://evil.example needs to be"), ""},
		} {
			t.Run(fmt.Sprint(tt.row, " ", tt.name), func(t *testing.T) {
				ch := w.Channel(t, w.ann, fmt.Sprintf("rules-%d", i), channel.Public)
				b, err := json.Marshal(tt.body)
				if err != nil {
					t.Fatal(err)
				}
				a := w.as(t, w.key, http.MethodPost, "/api/v1/channels/"+ch.Name.String()+"/trusted-publishers", b)
				if tt.want.code != "" {
					a.check(t, tt.want)
					return
				}
				var p struct{ Sentence, Weak string }
				if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.status != tt.want.status || p.Sentence != strings.TrimSuffix(tt.says, "C")+ch.Name.String() {
					t.Errorf("%d %s, want %q", a.status, a.body, tt.says)
				}
			})
		}
		t.Run("86 a rule without environment, ref or event", func(t *testing.T) {
			ch := w.Channel(t, w.ann, "weak", channel.Public)
			for _, tt := range []struct {
				pairs []any
				weak  string
			}{
				{nil, "Any branch can publish, because no environment is named."},
				{[]any{"environment", "release"}, ""},
				{[]any{"refs", []string{"refs/heads/main"}}, ""},
				{[]any{"refs", []string{"refs/heads/main"}, "events", []string{"pull_request_target"}}, "Runs of pull_request_target can publish, which strangers or unreviewed code can start."},
			} {
				b, err := json.Marshal(body(tt.pairs...))
				if err != nil {
					t.Fatal(err)
				}
				a := w.as(t, w.key, http.MethodPost, "/api/v1/channels/"+ch.Name.String()+"/trusted-publishers", b)
				var p struct{ Weak string }
				if err := json.Unmarshal([]byte(a.body), &p); err != nil || p.Weak != tt.weak {
					t.Errorf("%v: %s", tt.pairs, a.body)
				}
			}
		})
	})
}

// as makes a request with a bearer token and a JSON body.
func (w *world) as(t *testing.T, bearer, method, path string, body []byte) answer {
	t.Helper()
	return w.send(t, method, path, map[string]string{"Authorization": "Bearer " + bearer, "Content-Type": "application/json"}, body)
}

// browser signs in as somebody and returns the cookie.
func (w *world) browser(t *testing.T, name string) string {
	t.Helper()
	form := url.Values{"name": {name}, "password": {servertest.Password}}
	a := w.send(t, http.MethodPost, "/sign-in", map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Origin": w.URL, "Sec-Fetch-Site": "same-origin"}, []byte(form.Encode()))
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	if cookie == "" {
		t.Fatalf("sign in: %d %s", a.status, a.body)
	}
	return cookie
}

func TestOwners(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		const path = "/api/v1/channels/tools/trusted-publishers"
		rule := []byte(`{"repository_owner":"acme","repository":"forge","workflow":"build.yml"}`)
		bob := w.User(t, "bob", false)
		if err := w.Channels.SetMember(t.Context(), operator, w.tools, "bob", channel.Maintainer); err != nil {
			t.Fatal(err)
		}
		bobs := w.Token(t, bob, nil, account.Read, account.Upload, account.Manage)
		t.Run("87 a maintainer adds a publisher", func(t *testing.T) {
			w.as(t, bobs, http.MethodPost, path, rule).check(t, refused("not_permitted", "it takes the role owner"))
			w.as(t, w.Token(t, w.ann, nil, account.Upload), http.MethodPost, path, rule).check(t, refused("not_permitted", "lacks the scope manage"))
		})
		t.Run("92 two owners at once", func(t *testing.T) {
			var made, conflicts int
			var mu sync.Mutex
			var all sync.WaitGroup
			for range 10 {
				all.Go(func() {
					a := w.as(t, w.key, http.MethodPost, path, rule)
					mu.Lock()
					defer mu.Unlock()
					switch {
					case a.status == http.StatusCreated:
						made++
					case a.status == http.StatusConflict && strings.Contains(a.body, "has this publisher already"):
						conflicts++
					default:
						t.Errorf("%d %s", a.status, a.body)
					}
				})
			}
			all.Wait()
			if made != 1 || conflicts != 9 {
				t.Errorf("%d made, %d conflicts", made, conflicts)
			}
		})
		t.Run("92 a change of what was changed meanwhile", func(t *testing.T) {
			change := func(version int) answer {
				return w.as(t, w.key, http.MethodPut, path+"/1", []byte(fmt.Sprintf(`{"version":%d,"repository_owner":"acme","repository":"forge","workflow":"build.yml","environment":"e%d"}`, version, version)))
			}
			if a := change(1); a.status != http.StatusOK {
				t.Fatalf("%d %s", a.status, a.body)
			}
			change(1).check(t, want{http.StatusConflict, "conflict", "it has version 2, not 1"})
		})
		t.Run("88 a form of another site", func(t *testing.T) {
			cookie := w.browser(t, "ann")
			form := []byte(url.Values{"repository_owner": {"evil"}, "owner": {"evil"}, "repository": {"x"}, "workflow": {"x.yml"}, "environment": {"e"}, "packages": {"x"}}.Encode())
			header := map[string]string{"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded", "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
			if a := w.send(t, http.MethodPost, "/channels/tools/publishers", header, form); a.status != http.StatusForbidden {
				t.Errorf("taken: %d", a.status)
			}
			header["Origin"], header["Sec-Fetch-Site"] = w.URL, "same-origin"
			if a := w.send(t, http.MethodPost, "/channels/tools/publishers", header, form); a.status >= 400 {
				t.Errorf("the same of this site: %d %s", a.status, a.body)
			}
		})
		t.Run("88 a link that fills the form in", func(t *testing.T) {
			cookie := w.browser(t, "ann")
			before := w.as(t, w.key, http.MethodGet, path, nil).body
			a := w.send(t, http.MethodGet, "/channels/tools/publishers?owner=evil&repository_owner=evil&repository=linked&workflow=x.yml&confirmed=1", map[string]string{"Cookie": cookie}, nil)
			if a.status != http.StatusOK || w.as(t, w.key, http.MethodGet, path, nil).body != before {
				t.Errorf("%d, and a publisher was made by a link", a.status)
			}
			policy := a.header.Get("Content-Security-Policy")
			if !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
				t.Errorf("policy %q", policy)
			}
		})
		t.Run("89 markup in claims, on the page", func(t *testing.T) {
			repository := w.fresh()
			w.trusts(t, w.tools, repository)
			hostile := `<img src=x onerror=alert(1)>` + "\u202e"
			w.mint(t, w.sign(t, w.run(repository, set("environment", hostile, "ref", "refs/heads/"+hostile,
				"workflow_ref", "acme/"+repository+"/.github/workflows/"+hostile+".yml@refs/heads/"+hostile)))).check(t, refused("workflow_mismatch", "<img"))
			a := w.send(t, http.MethodGet, "/channels/tools/publishers", map[string]string{"Cookie": w.browser(t, "ann")}, nil)
			if a.status != http.StatusOK || strings.Contains(a.body, "<img src=x") || strings.Contains(a.body, "\u202e") {
				t.Errorf("%d, and the page holds it as it came", a.status)
			}
		})
		t.Run("90 an address out of claims", func(t *testing.T) {
			repository := w.fresh()
			w.trusts(t, w.tools, repository)
			w.mint(t, w.sign(t, w.run(repository, set("run_id", "1/../../evil")))).check(t, untrusted("bad_claim", "run_id is 1/../../evil"))
			w.mint(t, w.sign(t, w.run(repository, set("run_id", "javascript:alert(1)")))).check(t, untrusted("bad_claim", "run_id"))
			w.mint(t, w.sign(t, w.run(repository, set("run_id", "77")))).check(t, passes)
			a := w.as(t, w.key, http.MethodGet, path, nil)
			if !strings.Contains(a.body, w.CI.URL()+"/acme/"+repository+"/actions/runs/77/attempts/1") {
				t.Errorf("no link to the run: %s", a.body)
			}
		})
	})
}

// TestSecrets has row 94: what is a secret is nowhere but where it belongs.
func TestSecrets(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		t.Run("94 in the log, the audit log and the data", func(t *testing.T) {
			repository := w.fresh()
			w.trusts(t, w.tools, repository)
			identity := w.sign(t, w.run(repository))
			publish := w.mint(t, identity).body
			refusedToken := w.sign(t, w.run(repository, set("event_name", "issues")))
			w.mint(t, refusedToken)
			file, body := pack(t, "tide", "1", "noarch")
			w.upload(t, "tools", publish, file, body).checkUpload(t, 200, "")
			w.upload(t, "tools", publish+"x", file, body).checkUpload(t, 401, "")
			w.upload(t, "tools", identity, file, body).checkUpload(t, 401, "")
			w.Get(t, "/t/"+publish+"/tools/noarch/repodata.json", "")
			audit := w.as(t, w.key, http.MethodGet, "/api/v1/channels/tools/audit?limit=500", nil).body
			places := map[string]string{"the log": w.Log.String(), "the audit log": audit}
			maps.Copy(places, dataOf(t, w.Data))
			for place, content := range places {
				for name, secret := range map[string]string{"identity token": identity, "refused identity token": refusedToken, "publish token": publish, "API token": w.key} {
					if strings.Contains(content, secret) || strings.Contains(content, secret[len(secret)-30:]) {
						t.Errorf("%s holds the %s", place, name)
					}
				}
			}
			if !strings.Contains(audit, "jti") {
				t.Error("the audit log has no id to find the exchange by")
			}
		})
	})
}

// dataOf is every file of a data folder.
func dataOf(t *testing.T, folder string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, path := range files(t, folder) {
		out[filepath.Base(path)] += read(t, path)
	}
	if len(out) == 0 {
		t.Fatal("no data to look through")
	}
	return out
}
