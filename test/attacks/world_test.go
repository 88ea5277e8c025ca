// Package attacks is what a security reviewer would try: every row of a catalogue of attacks on trusted
// publishing, each over HTTP against a whole server on both databases, with the status, the code and the sentence
// that it must meet. A row is a number, and rows_test.go sees to it that none is missing. What is accepted stands
// beside what is refused and differs from it in one thing.
//
// It speaks as an attacker does: of tokens, claims, headers, requests. It knows nothing of the inside of a server
// but the clock that it hands to it.
package attacks

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
)

// clock is a hand-set clock that begins now, so that the real time on the wire is near it.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// world is a server with the channels tools and extra, a private channel vault, and their owner ann.
type world struct {
	*servertest.Server
	clock *clock
	ann   account.User
	// key is ann's API token for everything that she may do.
	key                 string
	tools, extra, vault channel.Channel
	repositories        int
}

// both runs a test in a world on SQLite and in one on PostgreSQL. change may alter the server's options.
func both(t *testing.T, run func(t *testing.T, w *world), change ...func(t *testing.T, o *servertest.Options)) {
	t.Helper()
	for _, o := range []servertest.Options{{}, {Postgres: true}} {
		name := "sqlite"
		if o.Postgres {
			name = "postgres"
		}
		t.Run(name, func(t *testing.T) {
			c := &clock{at: time.Now().Truncate(time.Second)}
			o.Now = c.now
			for _, f := range change {
				f(t, &o)
			}
			w := &world{Server: servertest.New(t, o), clock: c}
			w.ann = w.User(t, "ann", false)
			w.tools = w.Channel(t, w.ann, "tools", channel.Public)
			w.extra = w.Channel(t, w.ann, "extra", channel.Public)
			w.vault = w.Channel(t, w.ann, "vault", channel.Private)
			w.key = w.Token(t, w.ann, nil, account.Read, account.Upload, account.Manage)
			run(t, w)
		})
	}
}

// audience is what tokens for the server must name.
const audience = "127.0.0.1"

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	// code, detail and differences are of a problem document.
	code, detail string
	differences  []struct{ Claim, Got, Want string }
}

// send makes a request and reads a problem document where one comes.
func (w *world) send(t *testing.T, method, path string, header map[string]string, body []byte) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	a := answer{}
	a.status, a.header, a.body = servertest.Do(t, req)
	if strings.HasPrefix(a.header.Get("Content-Type"), "application/problem+json") {
		var problem struct {
			Code, Detail string
			Differences  []struct{ Claim, Got, Want string }
		}
		if err := json.Unmarshal([]byte(a.body), &problem); err != nil {
			t.Fatalf("problem %q: %v", a.body, err)
		}
		a.code, a.detail, a.differences = problem.Code, problem.Detail, problem.Differences
	}
	return a
}

var asProgram = map[string]string{"Content-Type": "application/json", "Accept": "application/problem+json"}

// mint exchanges an identity token.
func (w *world) mint(t *testing.T, idToken string) answer {
	t.Helper()
	body, err := json.Marshal(map[string]string{"token": idToken})
	if err != nil {
		t.Fatal(err)
	}
	return w.send(t, http.MethodPost, "/api/oidc/mint_token", asProgram, body)
}

// want is what an attack must meet. A code of "" is a success.
type want struct {
	status int
	code   string
	says   string
}

var passes = want{status: http.StatusOK}

func refused(code, says string) want { return want{http.StatusForbidden, code, says} }

func untrusted(code, says string) want { return want{http.StatusUnauthorized, code, says} }

// check holds an answer to what was wanted, and every refusal to the form of all: one line that a person can act
// on, short enough for every client, without any of the token.
func (a answer) check(t *testing.T, want want, secrets ...string) {
	t.Helper()
	if a.status != want.status || a.code != want.code || !strings.Contains(a.detail, want.says) {
		t.Errorf("answered %d %s: %s\n     want %d %s: …%s…", a.status, a.code, a.detail, want.status, want.code, want.says)
	}
	if want.code == "" {
		return
	}
	if len(a.detail) > 500 || strings.ContainsAny(a.detail, "\n\r\x1b") || !strings.HasSuffix(a.detail, ".") {
		t.Errorf("the sentence of %d bytes is not one plain line: %q", len(a.detail), a.detail)
	}
	for _, s := range secrets {
		if len(s) > 30 && strings.Contains(a.body, s[len(s)-24:]) {
			t.Errorf("the answer repeats the token: %s", a.body)
		}
	}
}

// fresh is the name of a repository of acme that no case had before, so that cases neither see one another's
// publishers nor use up one another's limits.
func (w *world) fresh() string {
	w.repositories++
	return fmt.Sprintf("forge-%d", w.repositories)
}

// run is the claims of a fresh run of build.yml of the repository on a push to main.
func (w *world) run(repository string, change ...func(map[string]any)) map[string]any {
	claims := w.CI.Start(standin.Run{Owner: "acme", Repository: repository}).Claims(audience)
	for _, f := range change {
		f(claims)
	}
	return claims
}

// set changes claims: pairs of name and value, where nil takes the claim away.
func set(pairs ...any) func(map[string]any) {
	return func(claims map[string]any) {
		for i := 0; i < len(pairs); i += 2 {
			claims[pairs[i].(string)] = pairs[i+1]
		}
		maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	}
}

// sign makes a token of claims, signed by the service as it should be.
func (w *world) sign(t *testing.T, claims map[string]any) string {
	t.Helper()
	tok, err := w.CI.Sign(nil, claims)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// trusts adds a publisher of build.yml of acme's repository to a channel; change may alter it.
func (w *world) trusts(t *testing.T, ch channel.Channel, repository string, change ...func(*trust.PublisherSpec)) trust.Publisher {
	t.Helper()
	spec := trust.PublisherSpec{Owner: "acme", Repository: repository, Workflow: "build.yml"}
	for _, f := range change {
		f(&spec)
	}
	return w.Publisher(t, ch, spec)
}

// publishToken is the token of a run of a repository that a publisher trusts.
func (w *world) publishToken(t *testing.T, repository string, change ...func(map[string]any)) string {
	t.Helper()
	a := w.mint(t, w.sign(t, w.run(repository, change...)))
	if a.status != http.StatusOK {
		t.Fatalf("mint: %d %s", a.status, a.body)
	}
	return a.body
}

// pack makes a small package.
func pack(t *testing.T, name, version, subdir string) (file string, body []byte) {
	t.Helper()
	p := build.Package{Name: name, Version: version, Build: "0", Subdir: subdir, License: "MIT"}
	if subdir == "noarch" {
		p.Noarch = "generic"
	}
	body, err := p.Conda()
	if err != nil {
		t.Fatal(err)
	}
	return p.Stem() + conda.ExtConda, body
}

// upload sends a package as its body.
func (w *world) upload(t *testing.T, channelName, bearer, file string, body []byte) answer {
	t.Helper()
	a := w.send(t, http.MethodPost, "/api/v1/upload/"+channelName, map[string]string{
		"Authorization": "Bearer " + bearer, "Content-Type": "application/octet-stream", "X-File-Name": file,
		"X-File-SHA256": fmt.Sprintf("%x", sha256.Sum256(body)),
	}, body)
	a.detail = a.body
	return a
}

// publisher is a publisher as the API shows it to its owner.
func (w *world) publisher(t *testing.T, p trust.Publisher) map[string]any {
	t.Helper()
	a := w.send(t, http.MethodGet, fmt.Sprintf("/api/v1/channels/%s/trusted-publishers/%d", p.Channel, p.ID), map[string]string{"Authorization": "Bearer " + w.key}, nil)
	var out map[string]any
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != http.StatusOK {
		t.Fatalf("publisher: %d %s", a.status, a.body)
	}
	return out
}

// staged are the bodies that the server is taking in.
func (w *world) staged(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(w.Data, "staging", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var operator = audit.Actor{Kind: audit.Operator, Means: "test"}

// files are the files below a folder.
func files(t *testing.T, folder string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func readAll(r io.Reader) string {
	b, err := io.ReadAll(r)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// fetch gets a document.
func fetch(t *testing.T, address string) string {
	t.Helper()
	_, _, body := servertest.Do(t, must(http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil))(t))
	return body
}
