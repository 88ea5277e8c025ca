package api

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sluice/internal/access"
	"sluice/internal/account"
	"sluice/internal/attest"
	"sluice/internal/audit"
	"sluice/internal/blob"
	"sluice/internal/catalog"
	"sluice/internal/channel"
	"sluice/internal/check"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/curate"
	"sluice/internal/db"
	"sluice/internal/publish"
	"sluice/internal/server/caller"
	"sluice/internal/token"
	"sluice/internal/trust"
	"sluice/internal/verify"
)

var now = time.Date(2026, 8, 20, 12, 0, 0, 0, time.UTC)

// world is an API over a real database, with two channels and everybody who might call:
//
//	root    an administrator
//	ann     owns forge (public) and vault (private)
//	mia     maintainer of both
//	rob     reader of vault
//	zoe     a stranger with an account
//
// Each has an API token of their own name with every scope; some have narrower ones, and there is a publish
// token for forge.
type world struct {
	*db.DB
	api     http.Handler
	service *service
	mux     *http.ServeMux
	access  *access.Access
	checks  *check.Jobs
	// checked is told of every check that ended.
	checked chan struct{}
	bearers map[string]string // by caller's name
	cookie  string            // ann's session
}

func newWorld(t *testing.T) *world {
	t.Helper()
	clock := func() time.Time { return now }
	d := must(db.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "sluice.db"), clock))(t)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{DB: d, bearers: map[string]string{}, mux: http.NewServeMux(), checked: make(chan struct{}, 1)}
	root := must(os.OpenRoot(t.TempDir()))(t)
	t.Cleanup(func() { _ = root.Close() })
	blobs := must(blob.NewFolder(root, d.Referenced))(t)
	checker := check.New(d, blobs)
	own := &verify.Own{Store: d, Blobs: blobs, Packages: checker, Attest: attest.NewChecker(), URL: "https://conda.example.com"}
	w.checks = check.NewJobs(checker, own, watchedJobs{d, w.checked}, slog.New(slog.DiscardHandler), clock)
	w.access = &access.Access{Roles: d, Sessions: d, API: d, Publishes: d, Keys: d, Now: clock}
	deps := Deps{
		URL: "https://conda.example.org", Version: "1.2.3", Access: w.access,
		Channels:   &channel.Channels{Store: d, Now: clock},
		Accounts:   &account.Accounts{Store: d, Tokens: d, Log: d, Now: clock, Passwords: account.NewPasswords(1)},
		Publishers: &trust.Publishers{Store: d, Issuers: []trust.Issuer{must(trust.NewIssuer("github", ""))(t)}, Now: clock},
		Catalog:    &catalog.Catalog{Store: d}, Curator: &curate.Curator{Store: d, URL: "https://conda.example.org"}, Checks: w.checks, DeleteUndo: 7 * 24 * time.Hour, Audit: d, Now: clock, Audiences: []string{"conda.example.org", "prefix.dev"},
		Roots: d,
		Sigstore: func() []Instance {
			return []Instance{{Name: "sigstore", Usable: true, Source: "tuf", UsedAt: now, Stale: true}}
		},
		Issuers: func() []Issuer {
			return []Issuer{{Provider: "github", Issuer: "https://token.actions.githubusercontent.com", Usable: true, Keys: 2, FetchedAt: now, ClockSkew: 1.5}}
		},
	}
	deps.Exchange = must(trust.NewExchange(t.Context(), trust.Config{
		URL: deps.URL, Audiences: []string{"conda.example.org"}, Issuers: deps.Publishers.Issuers, Store: d, Refusals: d,
		Log: slog.New(slog.DiscardHandler), Now: clock, Transport: http.NewFileTransport(http.Dir(t.TempDir())), // nobody there
	}))(t)
	w.service = newService(deps, w.mux)
	w.api = New(deps)
	w.people(t, deps)
	return w
}

func (w *world) people(t *testing.T, d Deps) {
	t.Helper()
	ctx, operator := t.Context(), audit.Actor{Kind: audit.Operator}
	users := map[string]account.User{}
	for _, name := range []string{"root", "ann", "mia", "rob", "zoe"} {
		users[name] = must(d.Accounts.Create(ctx, operator, name, "", name == "root", token.Token{}))(t)
		w.tokenFor(t, d, users[name], name, 0, account.Read, account.Upload, account.Manage)
	}
	by := audit.Actor{Kind: audit.User, Name: "ann"}
	must(d.Channels.Create(ctx, by, users["ann"].ID, "forge", channel.Public, "Tools"))(t)
	vault := must(d.Channels.Create(ctx, by, users["ann"].ID, "vault", channel.Private, ""))(t)
	for _, m := range []struct{ channel, name, role string }{{"forge", "mia", "maintainer"}, {"vault", "mia", "maintainer"}, {"vault", "rob", "reader"}} {
		if err := w.SetMember(ctx, w.channel(t, m.channel).ID, m.name, channel.Role(m.role), audit.Event{Kind: audit.MemberSet}); err != nil {
			t.Fatal(err)
		}
	}
	w.tokenFor(t, d, users["ann"], "ann reads", 0, account.Read)
	w.tokenFor(t, d, users["ann"], "ann uploads", 0, account.Upload)
	w.tokenFor(t, d, users["ann"], "ann in vault", vault.ID, account.Read, account.Upload, account.Manage)
	w.tokenFor(t, d, users["root"], "root reads", 0, account.Read)
	w.bearers["unknown"] = token.New(token.API).Reveal()
	session := must(d.Accounts.OpenSession(ctx, users["ann"]))(t)
	w.cookie = session.Reveal()
}

func (w *world) tokenFor(t *testing.T, d Deps, u account.User, name string, channelID int64, scopes ...account.Scope) {
	t.Helper()
	n := account.NewToken{Name: name, Scopes: scopes, ChannelID: channelID}
	bearer, _, err := d.Accounts.CreateToken(t.Context(), audit.Actor{Kind: audit.Operator}, u, n)
	if err != nil {
		t.Fatal(err)
	}
	w.bearers[name] = bearer.Reveal()
}

func (w *world) channel(t *testing.T, name string) channel.Channel {
	t.Helper()
	return must(w.ChannelByName(t.Context(), must(conda.ParseChannel(name))(t)))(t)
}

// run is a CI run of acme/forge.
var run = trust.Provenance{
	Provider: "github", Issuer: "https://token.actions.githubusercontent.com", Repository: "acme/forge", Owner: "acme",
	RepositoryID: "41881900", OwnerID: "583231", Workflow: "build.yml", Ref: "refs/heads/main", RefType: "branch",
	SHA: "abc1234abc1234abc1234abc1234abc1234abc12", Event: "push", RunID: "9876543210", RunNumber: "1234", RunAttempt: "1",
}

// mint makes a publisher of forge, and a publish token for a run of it.
func (w *world) mint(t *testing.T) {
	t.Helper()
	ctx, ch := t.Context(), w.channel(t, "forge")
	p := must(w.service.Publishers.Add(ctx, audit.Actor{Kind: audit.User, Name: "ann"}, ch,
		trust.PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml", Packages: []string{"libtide*"}}))(t)
	tok := token.New(token.Publish)
	must(w.Mint(ctx, trust.Mint{ReplayKey: "jti:1", ReplayUntil: now.Add(time.Hour), Audience: "conda.example.org", JTI: "1", Token: trust.PublishToken{
		Hash: tok.Hash(), CreatedAt: now, ExpiresAt: now.Add(30 * time.Minute), Run: run,
		Grants: []trust.Grant{{PublisherID: p.ID, PublisherVersion: p.Version, ChannelID: ch.ID, Channel: ch.Name, Right: p.Right}},
	}}))(t)
	w.bearers["run"] = tok.Reveal()
}

// publish lists a file, as the named caller would upload it.
func (w *world) publish(t *testing.T, who, channelName, subdir, filename string) {
	t.Helper()
	ctx, ch, f := t.Context(), w.channel(t, channelName), must(conda.ParseFilename(filename))(t)
	right := must(w.access.MayUpload(ctx, must(w.access.Bearer(ctx, w.bearers[who]))(t), ch))(t)
	c := publish.Commit{
		Channel: ch, Labels: []conda.Label{conda.MainLabel()}, File: f, Right: right, Grants: must(right.Grants(f.Name(), must(conda.ParseSubdir(subdir))(t)))(t),
		Record: conda.Record{
			Name: f.Name(), Version: f.Version(), Build: f.Build(), BuildNumber: 3, Subdir: must(conda.ParseSubdir(subdir))(t),
			Depends: []string{"python >=3.10"}, License: "MIT", SHA256: [32]byte{0xab}, MD5: [16]byte{0xcd}, Size: 100, TimestampMS: now.UnixMilli(),
		},
		RawIndex: fmt.Appendf(nil, `{"name": %q, "version": %q, "build": %q, "build_number": 3, "subdir": %q, "depends": ["python >=3.10"], "arch": null}`,
			f.Name(), f.Version(), f.Build(), subdir),
		About: artifact.About{Summary: "The " + f.Name() + " package", Home: "https://example.org/"},
		Event: audit.Event{Kind: audit.Uploaded, ChannelID: ch.ID, Channel: channelName, Subject: subdir + "/" + filename, Facts: map[string]string{}},
	}
	if r := must(w.Publish(ctx, []publish.Commit{c}))(t); r[0].Err != nil {
		t.Fatal(r[0].Err)
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// step is one request and what must come of it.
type step struct {
	name string
	// who names a bearer of the world, "session" ann's cookie, "" nobody.
	who          string
	method, path string // path without Prefix
	body         string
	status       int
	// want is JSON of which every field must be in the answer with that value; lists must be equally long.
	want string
}

// walk runs steps one after the other.
func (w *world) walk(t *testing.T, steps []step) {
	t.Helper()
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) { w.take(t, s) })
	}
}

// take runs one step, and checks what holds for every answer: its shape is the documented one.
func (w *world) take(t *testing.T, s step) *httptest.ResponseRecorder {
	t.Helper()
	got := w.send(s)
	if got.Code != s.status {
		t.Fatalf("%s %s = %d, want %d: %s", s.method, s.path, got.Code, s.status, got.Body)
	}
	if c := got.Header().Get("Cache-Control"); c != "no-store" {
		t.Errorf("Cache-Control = %q, want no-store", c)
	}
	if c := got.Header().Get("X-Content-Type-Options"); c != "nosniff" {
		t.Errorf("X-Content-Type-Options = %q, want nosniff", c)
	}
	if got.Code == http.StatusNoContent {
		return got
	}
	var body any
	if err := json.Unmarshal(got.Body.Bytes(), &body); err != nil {
		t.Fatalf("answer is not JSON: %v: %s", err, got.Body)
	}
	w.checkShape(t, s, got, body)
	var want any
	if s.want == "" {
		s.want = "{}"
	}
	if err := json.Unmarshal([]byte(s.want), &want); err != nil {
		t.Fatalf("the test wants no JSON: %v", err)
	}
	for _, miss := range missing("", want, body) {
		t.Errorf("%s\nin %s", miss, got.Body)
	}
	return got
}

func (w *world) send(s step) *httptest.ResponseRecorder {
	var body io.Reader
	if s.body != "" {
		body = strings.NewReader(s.body)
	}
	r := httptest.NewRequest(s.method, Prefix+s.path, body)
	if s.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	switch s.who {
	case "":
	case "session":
		r.AddCookie(&http.Cookie{Name: caller.CookieName(true), Value: w.cookie})
	default:
		bearer, ok := w.bearers[s.who]
		if !ok {
			panic("the test knows no caller " + s.who)
		}
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	out := httptest.NewRecorder()
	w.api.ServeHTTP(out, r)
	return out
}

// checkShape holds an answer against the document: the schema that it promises for this status.
func (w *world) checkShape(t *testing.T, s step, got *httptest.ResponseRecorder, body any) {
	t.Helper()
	doc := w.service.huma.OpenAPI()
	answer := w.service.failed
	if got.Code < 400 {
		_, pattern := w.mux.Handler(httptest.NewRequest(s.method, Prefix+s.path, nil))
		method, path, _ := strings.Cut(pattern, " ")
		answer = operation(doc, method, path).Responses[fmt.Sprint(got.Code)]
	}
	media, ok := answer.Content[got.Header().Get("Content-Type")]
	if !ok {
		t.Fatalf("%s %s answered %d as %q, which is not documented", s.method, s.path, got.Code, got.Header().Get("Content-Type"))
	}
	for _, err := range validate(doc, media.Schema, body) {
		t.Errorf("the answer to %s %s is not as documented: %v", s.method, s.path, err)
	}
	if problem, ok := body.(map[string]any); ok && got.Code >= 400 && problem["status"] != float64(got.Code) {
		t.Errorf("the problem says status %v, the answer %d", problem["status"], got.Code)
	}
}

func validate(doc *huma.OpenAPI, schema *huma.Schema, v any) []error {
	res := &huma.ValidateResult{}
	huma.Validate(doc.Components.Schemas, schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, v, res)
	return res.Errors
}

func operation(doc *huma.OpenAPI, method, path string) *huma.Operation {
	item := doc.Paths[path]
	if item == nil {
		return nil
	}
	return map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete}[method]
}

// missing lists where got lacks something of want.
func missing(at string, want, got any) []string {
	var out []string
	switch want := want.(type) {
	case map[string]any:
		m, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s = %v, want an object", at, got)}
		}
		for k, v := range want {
			if absent := m[k] == nil; absent && v != nil {
				out = append(out, fmt.Sprintf("%s.%s is absent", at, k))
			} else if !absent && v == nil {
				out = append(out, fmt.Sprintf("%s.%s = %v, want none", at, k, m[k]))
			} else {
				out = append(out, missing(at+"."+k, v, m[k])...)
			}
		}
	case []any:
		l, ok := got.([]any)
		if !ok || len(l) != len(want) {
			return []string{fmt.Sprintf("%s = %v, want a list of %d", at, got, len(want))}
		}
		for i := range want {
			out = append(out, missing(fmt.Sprintf("%s[%d]", at, i), want[i], l[i])...)
		}
	default:
		if want != got {
			out = append(out, fmt.Sprintf("%s = %v, want %v", at, got, want))
		}
	}
	return out
}
