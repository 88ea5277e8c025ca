package attacks

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"sluice/internal/servertest"
	"sluice/internal/servertest/postgres"
	"sluice/internal/standin"
	"sluice/test/process"
)

// replicas are two servers, each a process of its own, over one PostgreSQL database.
type replicas struct {
	address string
	servers [2]*process.Server
	ci      *standin.Service
	key     string
}

func newReplicas(t *testing.T) *replicas {
	t.Helper()
	ci := must(standin.Listen("127.0.0.1:0", time.Now))(t)
	t.Cleanup(func() { _ = ci.Close() })
	r := &replicas{address: postgres.Database(t), ci: ci}
	for i := range r.servers {
		r.servers[i] = process.Start(t, process.Options{Data: t.TempDir(), DB: r.address, Issuer: ci.URL()})
	}
	first := r.servers[0]
	first.Admin(t, "user", "add", "ann", "--admin", "--no-password")
	r.key = first.Admin(t, "token", "create", "--user", "ann", "--scope", "manage,upload,read")
	r.api(t, http.MethodPost, "/channels", `{"name":"tools"}`)
	r.api(t, http.MethodPost, "/channels/tools/trusted-publishers", `{"repository_owner":"acme","repository":"forge","workflow":"build.yml"}`)
	return r
}

// api asks the first server for something that must work.
func (r *replicas) api(t *testing.T, method, path, body string) string {
	t.Helper()
	status, said := post(t, method, r.servers[0].URL()+"/api/v1"+path, r.key, body)
	if status/100 != 2 {
		t.Fatalf("%s %s: %d %s", method, path, status, said)
	}
	return said
}

// post makes a request with a JSON body. A server that is being killed answers 0.
func post(t *testing.T, method, address, bearer, body string) (int, string) {
	t.Helper()
	req := must(http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body)))(t)
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	return res.StatusCode, readAll(res.Body)
}

func (r *replicas) token(t *testing.T) string {
	t.Helper()
	return must(r.ci.Start(standin.Run{}).Token(audience))(t)
}

func mintBody(t *testing.T, tok string) string {
	t.Helper()
	return string(must(json.Marshal(map[string]string{"token": tok}))(t))
}

func TestReplicas(t *testing.T) {
	t.Parallel()
	r := newReplicas(t)
	t.Run("16 one token, fifty times at once, on both", func(t *testing.T) {
		body := mintBody(t, r.token(t))
		var mu sync.Mutex
		answers := map[string]int{}
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				status, said := post(t, http.MethodPost, r.servers[i%2].URL()+"/api/oidc/mint_token", "", body)
				code := "other: " + said
				switch {
				case status == http.StatusOK:
					code = "taken"
				case status == http.StatusUnauthorized && strings.Contains(said, "[token_reused]"):
					code = "token_reused"
				}
				mu.Lock()
				defer mu.Unlock()
				answers[code]++
			})
		}
		all.Wait()
		if answers["taken"] != 1 || answers["token_reused"] != 49 {
			t.Errorf("%v, want one taken", answers)
		}
	})
	t.Run("15 used on one, then brought to the other", func(t *testing.T) {
		body := mintBody(t, r.token(t))
		for i, want := range []int{http.StatusOK, http.StatusUnauthorized} {
			if status, said := post(t, http.MethodPost, r.servers[i].URL()+"/api/oidc/mint_token", "", body); status != want {
				t.Errorf("server %d: %d %s, want %d", i, status, said, want)
			}
		}
	})
	t.Run("72 minted by one, its publisher switched off on the other", func(t *testing.T) {
		_, tok := post(t, http.MethodPost, r.servers[1].URL()+"/api/oidc/mint_token", "", mintBody(t, r.token(t)))
		me := func() int { s, _ := post(t, http.MethodGet, r.servers[1].URL()+"/api/v1/me", tok, ""); return s }
		if s := me(); s != http.StatusOK {
			t.Fatalf("the token is not taken: %d", s)
		}
		file, content := pack(t, "tide", "1", "noarch")
		up := func() (int, string) {
			req := must(http.NewRequestWithContext(t.Context(), http.MethodPost, r.servers[1].URL()+"/api/v1/upload/tools", strings.NewReader(string(content))))(t)
			req.Header.Set("Authorization", "Bearer "+tok)
			req.Header.Set("X-File-Name", file)
			req.Header.Set("Content-Type", "application/octet-stream")
			status, _, said := servertest.Do(t, req)
			return status, said
		}
		if s, said := up(); s != http.StatusOK {
			t.Fatalf("upload: %d %s", s, said)
		}
		r.api(t, http.MethodPatch, "/channels/tools/trusted-publishers/1", `{"enabled":false}`)
		if s, said := up(); s != http.StatusUnauthorized || !strings.Contains(said, "[revoked]") {
			t.Errorf("upload after that: %d %s", s, said)
		}
		if s, said := post(t, http.MethodPost, r.servers[1].URL()+"/api/oidc/mint_token", "", mintBody(t, r.token(t))); s != http.StatusForbidden || !strings.Contains(said, "[publisher_disabled]") {
			t.Errorf("mint after that: %d %s", s, said)
		}
		r.api(t, http.MethodPatch, "/channels/tools/trusted-publishers/1", `{"enabled":true}`)
	})
	t.Run("82 killed in the middle of exchanges", func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var minted sync.Map
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for ctx.Err() == nil {
					tok := r.token(t)
					if status, said := post(t, http.MethodPost, r.servers[1].URL()+"/api/oidc/mint_token", "", mintBody(t, tok)); status == http.StatusOK {
						minted.Store(tok, said)
					} else if status == 0 {
						return // it is dead
					}
				}
			})
		}
		for n := 0; n < 20; time.Sleep(time.Millisecond) {
			n = 0
			minted.Range(func(any, any) bool { n++; return true })
		}
		r.servers[1].Kill()
		all.Wait()
		stop()
		// PostgreSQL may still be ending what the killed process began; the count asks until it has.
		db := must(sql.Open("pgx", r.address))(t)
		defer func() { _ = db.Close() }()
		var spent, tokens, grants int
		for range 100 {
			row := db.QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM spent_token), (SELECT count(*) FROM publish_token), (SELECT count(*) FROM publish_grant)`)
			if err := row.Scan(&spent, &tokens, &grants); err != nil {
				t.Fatal(err)
			}
			if spent == tokens && tokens == grants {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if spent != tokens || tokens != grants {
			t.Errorf("%d tokens spent, %d made, with %d grants", spent, tokens, grants)
		}
		minted.Range(func(_, publish any) bool { // what was acknowledged is there
			if status, said := post(t, http.MethodGet, r.servers[0].URL()+"/api/v1/me", publish.(string), ""); status != http.StatusOK {
				t.Errorf("a token that was handed out: %d %s", status, said)
				return false
			}
			return true
		})
		t.Run("94 in what the programs said, and in their data", func(t *testing.T) {
			secrets := []string{r.key}
			minted.Range(func(identity, publish any) bool {
				secrets = append(secrets, identity.(string), publish.(string))
				return true
			})
			places := map[string]string{}
			for i, s := range r.servers {
				places[fmt.Sprint("output of server ", i)], places[fmt.Sprint("log of server ", i)] = s.Out(), s.Log()
				for path, content := range dataOf(t, s.Data) {
					places[fmt.Sprint(path, " of server ", i)] = content
				}
			}
			for place, content := range places {
				for _, secret := range secrets {
					if strings.Contains(content, secret[len(secret)-30:]) {
						t.Fatalf("a token is in the %s", place)
					}
				}
			}
		})
	})
}
