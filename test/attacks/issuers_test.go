package attacks

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sluice/internal/config"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
)

// services are stand-ins of every kind, which the server trusts beside that of GitHub.
type services struct {
	github, gitlab, forgejo, buildkite, circleci, google, jenkins *standin.Service
	// weak publishes keys that are none, and away answers nobody.
	weak, away *httptest.Server
	weakKey    *rsa.PrivateKey
}

// trustEverybody starts the services and has the server trust them. The clock must not stand: it is that of options.
func (s *services) trustEverybody(t *testing.T, o *servertest.Options) {
	t.Helper()
	listen := func(kind standin.Kind) *standin.Service {
		service := must(standin.ListenAs(kind, "127.0.0.1:0", o.Now))(t)
		t.Cleanup(func() { _ = service.Close() })
		return service
	}
	s.github, s.gitlab, s.forgejo = listen(standin.GitHub), listen(standin.GitLab), listen(standin.Forgejo)
	s.buildkite, s.circleci, s.google, s.jenkins = listen(standin.Buildkite), listen(standin.CircleCI), listen(standin.Google), listen(standin.Generic)
	s.weakKey = must(rsa.GenerateKey(rand.Reader, 1024))(t)
	s.weak = weakIssuer(t, s.weakKey)
	s.away = httptest.NewServer(http.NotFoundHandler())
	s.away.Close()
	o.Configure = func(c *config.Config) {
		maps.Copy(c.Issuers, map[string]config.Issuer{
			"github-work": {URL: s.github.URL()}, "gitlab": {URL: s.gitlab.URL()}, "forgejo": {URL: s.forgejo.URL()}, "buildkite": {URL: s.buildkite.URL()},
			"circleci": {URL: s.circleci.URL()}, "google": {URL: s.google.URL(), JWKSURI: keysOf(t, s.google)}, "github-weak": {URL: s.weak.URL}, "github-away": {URL: s.away.URL},
			"jenkins": {URL: s.jenkins.URL(), Provider: "generic", Claims: map[string]string{"repository": "job", "repository_id": "sub", "ref": "branch", "run_id": "build"}},
		})
	}
}

// keysOf is where the service's own document says that its keys are: Google's are on another host.
func keysOf(t *testing.T, s *standin.Service) string {
	t.Helper()
	var document struct {
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal([]byte(fetch(t, s.URL()+"/.well-known/openid-configuration")), &document); err != nil {
		t.Fatal(err)
	}
	return document.JWKSURI
}

// weakIssuer publishes an RSA key of 1024 bits, a symmetric key, and one for encryption.
func weakIssuer(t *testing.T, key *rsa.PrivateKey) *httptest.Server {
	t.Helper()
	n := base64.RawURLEncoding.EncodeToString(key.N.Bytes())
	e := base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes())
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, server.URL, server.URL+"/keys")
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys":[{"kty":"RSA","kid":"small","n":%q,"e":%q},{"kty":"oct","kid":"secret","k":"c2VjcmV0"}]}`, n, e)
	})
	return server
}

// of makes a run of the repository in another service of GitHub's kind.
func of(s *standin.Service, repository string) map[string]any {
	return s.Start(standin.Run{Owner: "acme", Repository: repository}).Claims(audience)
}

func TestIssuers(t *testing.T) {
	t.Parallel()
	var s *services
	both(t, func(t *testing.T, w *world) {
		sign := func(service *standin.Service, header, claims map[string]any) string {
			return must(service.Sign(header, claims))(t)
		}
		t.Run("23 an issuer that nobody knows, which is asked nothing", func(t *testing.T) {
			var asked atomic.Int32
			stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
			defer stranger.Close()
			w.mint(t, w.sign(t, w.run("forge", set("iss", stranger.URL)))).check(t, untrusted("unknown_issuer", "Its operator may trust it, too, by adding"))
			if asked.Load() > 0 {
				t.Error("it was asked")
			}
		})
		for name, iss := range map[string]string{
			"a slash after it": w.CI.URL() + "/", "in capitals": strings.ToUpper(w.CI.URL()), "over https": "https" + strings.TrimPrefix(w.CI.URL(), "http"),
			"with a user": strings.Replace(w.CI.URL(), "://", "://x@", 1), "by another name": strings.Replace(w.CI.URL(), "127.0.0.1", "localhost", 1),
			"escaped": strings.Replace(w.CI.URL(), ".", "%2e", 1), "without its scheme": strings.TrimPrefix(w.CI.URL(), "http://"),
		} {
			t.Run("24 "+name, func(t *testing.T) {
				w.mint(t, w.sign(t, w.run("forge", set("iss", iss)))).check(t, untrusted("unknown_issuer", "Issuer is not known"))
			})
		}
		t.Run("25 below an issuer that is known", func(t *testing.T) {
			w.mint(t, w.sign(t, w.run("forge", set("iss", w.CI.URL()+"/evil-slug")))).check(t, untrusted("unknown_issuer", "adding github-NAME="))
		})
		t.Run("26 one issuer's key under another's name", func(t *testing.T) {
			repository := w.fresh()
			w.trusts(t, w.tools, repository)
			claims := of(s.github, repository)
			claims["iss"] = w.CI.URL()
			w.mint(t, sign(s.github, nil, claims)).check(t, untrusted("unknown_key", "does not publish"))
			theirs := must(jose.ParseSignedCompact(w.sign(t, w.run(repository)), []jose.SignatureAlgorithm{jose.RS256}))(t).Signatures[0].Header.KeyID
			w.mint(t, sign(s.github, map[string]any{"kid": theirs}, claims)).check(t, untrusted("bad_signature", "not signed by "+w.CI.URL()))
		})
		t.Run("27 another issuer's repository of the same name and ids", func(t *testing.T) {
			repository := w.fresh()
			p := w.trusts(t, w.tools, repository)
			claims := w.run(repository)
			w.mint(t, w.sign(t, claims)).check(t, passes)
			forged := of(s.github, repository)
			for _, id := range []string{"repository_id", "repository_owner_id"} {
				forged[id] = claims[id]
			}
			w.mint(t, sign(s.github, nil, forged)).check(t, refused("no_publisher", "token is of acme/"+repository))
			t.Run("19 the same jti from two issuers", func(t *testing.T) {
				w.trusts(t, w.extra, repository, func(spec *trust.PublisherSpec) { spec.Issuer = s.github.URL() })
				next := w.run(repository)
				forged["jti"] = next["jti"]
				w.mint(t, w.sign(t, next)).check(t, passes)
				w.mint(t, sign(s.github, nil, forged)).check(t, passes)
				w.mint(t, sign(s.github, nil, forged)).check(t, untrusted("token_reused", ""))
			})
			_ = p
		})
		t.Run("33 an issuer that was never there", func(t *testing.T) {
			claims := w.run("forge", set("iss", s.away.URL))
			w.mint(t, w.sign(t, claims)).check(t, want{http.StatusServiceUnavailable, "issuer_unavailable", "Try again in a minute; nothing was used up"})
		})
		t.Run("34 keys that are none", func(t *testing.T) {
			claims := w.run("forge", set("iss", s.weak.URL))
			signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte("secretsecretsecretsecretsecretsecret")}, (&jose.SignerOptions{}).WithHeader("kid", "secret")))(t)
			tok := must(must(signer.Sign([]byte(`{"iss":"` + s.weak.URL + `"}`)))(t).CompactSerialize())(t)
			w.mint(t, tok).check(t, untrusted("alg_not_allowed", "HS256"))
			w.mint(t, must(w.CI.Sign(map[string]any{"kid": "small"}, claims))(t)).check(t, untrusted("unknown_key", "small"))
		})
		t.Run("35 a key that is new", func(t *testing.T) {
			repository := w.fresh()
			w.trusts(t, w.tools, repository)
			w.clock.advance(2 * time.Minute) // a fetch a minute, whatever comes
			if err := w.CI.Rotate(); err != nil {
				t.Fatal(err)
			}
			w.mint(t, w.sign(t, w.run(repository))).check(t, passes)
		})
	}, func(t *testing.T, o *servertest.Options) {
		s = &services{}
		s.trustEverybody(t, o)
	})
}

// Row 39: a server whose clock is wrong refuses everybody, and says whose clock it is.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		t.Run("39 twenty minutes ahead", func(t *testing.T) {
			repository := w.fresh()
			w.trusts(t, w.tools, repository)
			w.clock.advance(20 * time.Minute)
			w.mint(t, w.sign(t, w.run(repository))).check(t, passes) // keys of 20 minutes are fetched anew, and with them the time
			said := ""
			for range 100 {
				now := time.Now()
				a := w.mint(t, w.sign(t, w.run(repository, set("iat", now.Unix(), "nbf", now.Unix(), "exp", now.Add(5*time.Minute).Unix()))))
				if a.status != http.StatusUnauthorized || a.code != "expired" {
					t.Fatalf("%d %s", a.status, a.body)
				}
				if said = a.detail; strings.Contains(said, "this server's clock differs from that of "+w.CI.URL()+" by ") {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Errorf("it does not say whose clock is wrong: %s", said)
		})
	})
}
