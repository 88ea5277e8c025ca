package server_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/token"
	"sluice/internal/trust"
)

// After a whole story, in which everything secret came by in the right place and in wrong ones, none of it is
// found in the data folder, the database or the log.
func TestNoSecretIsKeptInClear(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := servertest.New(t, servertest.Options{Postgres: name == "postgres"})
			secrets := tellSecrets(t, s)
			places := map[string][]byte{"the log": []byte(s.Log.String())}
			dump(t, s, places)
			if len(places) < 4 {
				t.Fatalf("only %d places were looked at", len(places))
			}
			for what, secret := range secrets {
				for place, b := range places {
					if at := bytes.Index(b, []byte(secret)); at >= 0 {
						t.Errorf("%s is in %s: …%q…", what, place, b[max(0, at-80):at])
					}
				}
			}
		})
	}
}

// tellSecrets tells the story and returns what must stay secret in it.
func tellSecrets(t *testing.T, s *servertest.Server) map[string]string {
	t.Helper()
	w := &world{Server: s}
	setup, err := s.Accounts.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const password, mistaken = "correct horse battery staple", "wrong horse battery staple"
	secrets := map[string]string{"the setup secret": setup.Reveal(), "the password": password, "a wrong password": mistaken}
	w.say(t, secrets["the setup secret"])
	ann, err := s.Accounts.Create(t.Context(), audit.Actor{}, "ann", password, true, setup)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Accounts.SignIn(t.Context(), "ann", mistaken); err == nil {
		t.Error("a wrong password signs in")
	}
	_, session, err := s.Accounts.SignIn(t.Context(), "ann", password)
	if err != nil {
		t.Fatal(err)
	}
	ch := s.Channel(t, ann, "forge", channel.Private)
	s.Publisher(t, ch, trust.PublisherSpec{})
	api := s.Token(t, ann, nil, account.Read, account.Upload, account.Manage)
	secrets["the session"], secrets["the API token"], secrets["a mistyped API token"] = session.Reveal(), api, typo(api)
	identity, publish := mint(t, s)
	refused := refusedToken(t, s)
	secrets["the identity token"], secrets["its signature"] = identity, signature(identity)
	secrets["a refused identity token"], secrets["the publish token"] = signature(refused), publish
	name, good := packageOf(t, "tide", nil)
	w.publish(t, publish, name, good)
	for _, secret := range []string{session.Reveal(), api, typo(api), identity, refused, publish} {
		w.say(t, secret)
	}
	exchanged := w.identity(t, standin.Run{})
	_, _, got := w.exchange(t, w.formOf(t, "/api/oidc/token", "grant_type", tokenExchange, "subject_token_type", idTokenType, "subject_token", exchanged))
	secrets["a token of the other exchange"], secrets["the signature for it"] = got.AccessToken, signature(exchanged)
	for _, req := range []*http.Request{w.endOf(t, got.AccessToken), w.report(t, publish, api, typo(api), session.Reveal()), w.formOf(t, "/api/oidc/revoke", "token", publish)} {
		if status, said := w.do(t, req); status/100 != 2 {
			t.Errorf("%s %s: %d %s", req.Method, req.URL.Path, status, said)
		}
	}
	return secrets
}

func signature(jwt string) string { return jwt[strings.LastIndex(jwt, ".")+1:] }

// mint gets a publish token and tries the identity token again.
func mint(t *testing.T, s *servertest.Server) (identity, publish string) {
	t.Helper()
	job := s.Job(standin.Run{})
	identity, err := job.IdentityToken(t.Context(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	if publish, err = job.Mint(t.Context(), s.URL, identity); err != nil {
		t.Fatal(err)
	}
	return identity, publish
}

// refusedToken is the identity token of another repository.
func refusedToken(t *testing.T, s *servertest.Server) string {
	t.Helper()
	identity, err := s.Job(standin.Run{Owner: "evil", Repository: "forge"}).IdentityToken(t.Context(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

// say sends a secret in every place of a request where somebody may put one.
func (w *world) say(t *testing.T, secret string) {
	t.Helper()
	name, good := packageOf(t, "ebb", nil)
	requests := []*http.Request{
		w.request(t, http.MethodPost, "/api/oidc/mint_token", strings.NewReader(fmt.Sprintf(`{"token":%q}`, secret))),
		w.request(t, http.MethodPost, "/api/oidc/mint_token", strings.NewReader(fmt.Sprintf(`{"tokens":%q}`, secret))),
		w.request(t, http.MethodPost, "/api/oidc/mint_token", strings.NewReader(secret)),
		w.formOf(t, "/api/oidc/token", "grant_type", tokenExchange, "subject_token_type", idTokenType, "subject_token", secret),
		w.formOf(t, "/api/oidc/token", "grant_type", secret, "subject_token", secret),
		w.formOf(t, "/api/oidc/token?subject_token="+secret, secret, secret, secret, secret+"x"),
		w.formOf(t, "/api/oidc/revoke?token="+secret, secret, "x"),
		kind(w.request(t, http.MethodPost, "/api/oidc/revoke", strings.NewReader(secret)), "application/json"),
		kind(w.request(t, http.MethodPost, "/api/oidc/revoke", strings.NewReader(fmt.Sprintf(`{%q:[%q]}`, secret, secret))), "application/json"),
		w.request(t, http.MethodGet, "/.well-known/oauth-authorization-server/"+secret, nil),
		w.request(t, http.MethodGet, "/setup?secret="+secret, nil),
		w.request(t, http.MethodGet, "/forge/noarch/repodata.json?token="+secret, nil),
		w.request(t, http.MethodGet, "/t/"+secret+"/forge/noarch/repodata.json", nil),
		w.request(t, http.MethodGet, "/forge/t/"+secret+"/noarch/repodata.json", nil),
		w.request(t, http.MethodGet, "/"+secret+"/noarch/repodata.json", nil),
		w.request(t, http.MethodGet, "/forge/noarch/"+secret, nil),
		w.request(t, http.MethodGet, "/api/v1/channels/"+secret, nil),
		w.post(t, "forge", secret, filePart(name, "", good[:100])),
		w.post(t, secret, secret, filePart(name, "", good)),
		w.post(t, "forge", "", filePart(secret, secret, good)),
		w.post(t, "forge", secret, part{secret, nil, []byte(secret)}),
		w.raw(t, secret, secret, strings.NewReader(secret)),
	}
	basic := w.request(t, http.MethodGet, "/forge/noarch/repodata.json", nil)
	basic.SetBasicAuth(secret, secret)
	agent := w.request(t, http.MethodGet, "/api/v1/channels", nil)
	agent.Header.Set("User-Agent", "client "+secret)
	agent.Header.Set("Referer", w.URL+"/setup?secret="+secret)
	agent.Header.Set("Authorization", "Token "+secret)
	agent.AddCookie(&http.Cookie{Name: "sluice_session", Value: secret})
	for _, req := range append(requests, basic, agent) {
		status, said := w.do(t, req)
		// The form behind the one-time link sends its secret back, and nobody without it sees that form.
		repeats := strings.Contains(said, secret) && (req.URL.Path != "/setup" || !strings.HasPrefix(secret, string(token.Setup)))
		if status/100 == 5 || repeats {
			t.Errorf("%s %s: %d %q", req.Method, req.URL.Path, status, said)
		}
	}
}

// dump adds every file of the data folder, and every table of PostgreSQL as text.
func dump(t *testing.T, s *servertest.Server, places map[string][]byte) {
	t.Helper()
	err := filepath.WalkDir(s.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		places[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.Address == "" {
		return
	}
	d, err := sql.Open("pgx", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	for _, table := range texts(t, d, `SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'`) {
		places["table "+table] = []byte(strings.Join(texts(t, d, `SELECT x::text FROM "`+table+`" x`), "\n"))
	}
}

func texts(t *testing.T, d *sql.DB, query string) []string {
	t.Helper()
	rows, err := d.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
