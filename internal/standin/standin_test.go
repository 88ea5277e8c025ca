package standin_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"sluice/internal/standin"
)

func listen(t *testing.T) *standin.Service {
	t.Helper()
	s, err := standin.Listen("127.0.0.1:0", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// get asks for an address and returns status and body.
func get(t *testing.T, url, bearer string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// env turns a job's environment into a map.
func env(j interface{ Env() []string }) map[string]string {
	m := map[string]string{}
	for _, kv := range j.Env() {
		k, v, _ := strings.Cut(kv, "=")
		m[k] = v
	}
	return m
}

// verify checks a token with the keys that the service publishes, found as a client finds them.
func verify(t *testing.T, s *standin.Service, tok string) (map[string]any, error) {
	t.Helper()
	var doc struct{ Issuer, JWKSURI string }
	raw := map[string]any{}
	_, body := get(t, s.URL()+"/.well-known/openid-configuration", "")
	if err := json.Unmarshal([]byte(body), &raw); err != nil {
		t.Fatal(err)
	}
	doc.Issuer, _ = raw["issuer"].(string)
	doc.JWKSURI, _ = raw["jwks_uri"].(string)
	if doc.Issuer != s.URL() {
		t.Fatalf("discovery names %q, want %q", doc.Issuer, s.URL())
	}
	var set jose.JSONWebKeySet
	_, body = get(t, doc.JWKSURI, "")
	if err := json.Unmarshal([]byte(body), &set); err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSignedCompact(tok, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(set)
	claims := map[string]any{}
	if err == nil {
		err = json.Unmarshal(payload, &claims)
	}
	return claims, err
}

func TestAJobGetsItsTokenAsOnARunner(t *testing.T) {
	t.Parallel()
	s := listen(t)
	j := s.Start(standin.Run{Owner: "octo", Repository: "repo", Environment: "release", Ref: "refs/tags/v1", Event: "release"})
	e := env(j)
	if e["GITHUB_ACTIONS"] != "true" || !strings.Contains(e["ACTIONS_ID_TOKEN_REQUEST_URL"], "?") {
		t.Fatalf("environment %v lacks what clients look at, or a query to append to", e)
	}
	status, body := get(t, e["ACTIONS_ID_TOKEN_REQUEST_URL"]+"&audience=conda.acme.dev", e["ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
	var answer struct{ Value string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
		t.Fatalf("status %d, body %q", status, body)
	}
	claims, err := verify(t, s, answer.Value)
	if err != nil {
		t.Fatalf("signature: %v", err)
	}
	got := map[string]any{}
	for _, name := range []string{"iss", "aud", "repository", "environment", "ref", "ref_type", "event_name", "workflow_ref", "job_workflow_ref", "run_attempt", "run_number"} {
		got[name] = claims[name]
	}
	want := map[string]any{
		"iss": s.URL(), "aud": "conda.acme.dev", "repository": "octo/repo", "environment": "release", "ref": "refs/tags/v1",
		"ref_type": "tag", "event_name": "release", "run_attempt": "1", "run_number": "1",
		"workflow_ref":     "octo/repo/.github/workflows/build.yml@refs/tags/v1",
		"job_workflow_ref": "octo/repo/.github/workflows/build.yml@refs/tags/v1",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	exp, iat, nbf := claims["exp"].(float64), claims["iat"].(float64), claims["nbf"].(float64)
	if exp-iat != 300 || iat-nbf != 600 {
		t.Errorf("exp-iat = %v, iat-nbf = %v; GitHub has 300 and 600", exp-iat, iat-nbf)
	}
	if len(claims) < 29 {
		t.Errorf("%d claims, GitHub has some thirty", len(claims))
	}
}

func TestTokensAreForTheJobThatAsks(t *testing.T) {
	t.Parallel()
	s := listen(t)
	a, b := s.Start(standin.Run{Repository: "a"}), s.Start(standin.Run{Repository: "b"})
	if env(a)["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] == env(b)["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] {
		t.Error("two jobs share a request token")
	}
	for _, bearer := range []string{"", "guess"} {
		if status, body := get(t, s.URL()+"/token?audience=x", bearer); status != http.StatusUnauthorized {
			t.Errorf("bearer %q: status %d %s, want 401", bearer, status, body)
		}
	}
	first, second := a.Claims("x"), a.Claims("x")
	if first["jti"] == second["jti"] || first["repository"] != "acme/a" || a.RunID == b.RunID {
		t.Errorf("claims of one job: %v and %v", first, second)
	}
	if aud := a.Claims("")["aud"]; aud != s.URL()+"/acme" {
		t.Errorf("default audience %v, GitHub's is the owner's address", aud)
	}
}

func TestKeysRotateAndAreWithdrawn(t *testing.T) {
	t.Parallel()
	s := listen(t)
	j := s.Start(standin.Run{})
	old, err := j.Token("x")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Rotate(); err != nil {
		t.Fatal(err)
	}
	fresh, err := j.Token("x")
	if err != nil {
		t.Fatal(err)
	}
	for _, tok := range []string{old, fresh} {
		if _, err := verify(t, s, tok); err != nil {
			t.Errorf("after Rotate: %v", err)
		}
	}
	s.Withdraw()
	if _, err := verify(t, s, old); err == nil {
		t.Error("the old key is still published after Withdraw")
	}
	if _, err := verify(t, s, fresh); err != nil {
		t.Errorf("the new key is gone after Withdraw: %v", err)
	}
}

func TestPagesShowTheRun(t *testing.T) {
	t.Parallel()
	s := listen(t)
	j := s.Start(standin.Run{Attempt: 2})
	j.Log("building <zlib>")
	site := s.URL() + "/acme/forge"
	for _, tt := range []struct {
		url, want string
	}{
		{j.PageURL(), "building &lt;zlib&gt;"},
		{strings.TrimSuffix(j.PageURL(), "/attempts/2"), "attempt 2"},
		{site + "/commit/" + j.SHA, j.SHA},
		{site + "/blob/" + j.SHA + "/.github/workflows/build.yml", ".github/workflows/build.yml"},
		{site, "acme/forge"},
	} {
		if status, body := get(t, tt.url, ""); status != http.StatusOK || !strings.Contains(body, tt.want) {
			t.Errorf("%s: status %d, %q not in %q", tt.url, status, tt.want, body)
		}
	}
	for _, url := range []string{site + "/actions/runs/1", j.PageURL() + "9", s.URL() + "/acme/other", site + "/commit/abc"} {
		if status, _ := get(t, url, ""); status != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", url, status)
		}
	}
}

func TestListenTakesLoopbackOnly(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "example.com:0", "nonsense"} {
		if s, err := standin.Listen(address, time.Now); err == nil {
			t.Errorf("Listen(%q) serves", address)
			_ = s.Close()
		}
	}
	s := listen(t)
	if _, err := standin.Listen(strings.TrimPrefix(s.URL(), "http://"), time.Now); err == nil {
		t.Error("a taken port was taken again")
	}
}

func TestEnterprisesHaveIssuersOfTheirOwn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		path, subject string
	}{
		{"/octo-inc", "repo:octo@1/repo@2:ref:refs/heads/main"},
		{"/_services/token", "repo:octo/repo:ref:refs/heads/main"},
	} {
		s := listenAs(t, standin.GitHub, tt.path)
		j := s.Start(standin.Run{Owner: "octo", OwnerID: "1", Repository: "repo", RepositoryID: "2", Enterprise: "octo-inc"})
		claims := j.Claims("")
		if claims["iss"] != s.Site()+tt.path || claims["aud"] != s.Site()+"/octo" || claims["sub"] != tt.subject || claims["enterprise"] != "octo-inc" {
			t.Errorf("%s: iss %v, aud %v, sub %v, enterprise %v", tt.path, claims["iss"], claims["aud"], claims["sub"], claims["enterprise"])
		}
		e := env(j)
		if status, body := get(t, e["ACTIONS_ID_TOKEN_REQUEST_URL"]+"&audience=x", e["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]); status != http.StatusOK {
			t.Errorf("%s: status %d %s", tt.path, status, body)
		}
		if status, _ := get(t, j.PageURL(), ""); status != http.StatusOK || !strings.HasPrefix(j.PageURL(), s.Site()+"/octo/repo/") {
			t.Errorf("%s: page %s, status %d", tt.path, j.PageURL(), status)
		}
	}
}
