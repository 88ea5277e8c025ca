package trust

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sluice/internal/fault"
	"sluice/internal/standin"
)

const host = "127.0.0.1:9000"

// own makes a world with a token service of its own, whose keys may be changed.
func own(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.add()
	return w
}

// Rows 29, 35, 36: fetches are rare, rotation is followed, withdrawn keys die.
func TestKeysAreFetchedRarely(t *testing.T) {
	t.Parallel()
	w := own(t)
	w.mustPass(w.sign(w.claims()))
	const perFetch = 2 // discovery and keys
	if n := w.net.requests(); n != perFetch {
		t.Fatalf("%d requests for the first token, want %d", n, perFetch)
	}
	flood := func() {
		for i := range 100 {
			tok, err := w.service.Sign(map[string]any{"kid": fmt.Sprintf("unknown%d", i)}, w.claims())
			if err != nil {
				t.Fatal(err)
			}
			w.mustRefuse(tok, fault.UnknownKey, "which http://127.0.0.1:9000 does not publish")
		}
	}
	flood()
	if n := w.net.requests(); n != perFetch {
		t.Errorf("%d requests within a minute of the first, want %d", n, perFetch)
	}
	w.clock.advance(fetchEvery)
	flood()
	if n := w.net.requests(); n != 2*perFetch {
		t.Errorf("%d requests a minute later, want %d", n, 2*perFetch)
	}
	if err := w.service.Rotate(); err != nil {
		t.Fatal(err)
	}
	w.mustRefuse(w.sign(w.claims()), fault.UnknownKey, "") // within the minute: the price of the limit
	w.clock.advance(fetchEvery)
	w.mustPass(w.sign(w.claims()))
	if n := w.net.requests(); n != 3*perFetch {
		t.Errorf("%d requests after a rotation, want %d", n, 3*perFetch)
	}
}

func TestWithdrawnKeysDie(t *testing.T) {
	t.Parallel()
	w := own(t)
	w.mustPass(w.sign(w.claims()))
	w.clock.advance(softAge)
	byOld, again := w.sign(w.claims()), w.sign(w.claims())
	if err := w.service.Rotate(); err != nil {
		t.Fatal(err)
	}
	w.service.Withdraw()
	w.mustPass(byOld) // soft: taken by the known key, while a fetch begins
	w.x.running.Wait()
	w.mustRefuse(again, fault.UnknownKey, "does not publish")
	w.mustPass(w.sign(w.claims()))
}

// Rows 32, 33: an issuer that is away is lived without for a day, and no longer. Tries are counted when they fail.
func TestAnIssuerThatIsAway(t *testing.T) {
	t.Parallel()
	w := own(t)
	w.net.set(host, nil)
	first := w.sign(w.claims())
	for range 20 {
		w.mustRefuse(first, fault.IssuerUnavailable, "nothing was used up")
	}
	if n := w.net.requests(); n != 1 {
		t.Errorf("%d requests to a broken issuer, want 1", n)
	}
	w.net.set(host, w.service)
	w.clock.advance(fetchEvery)
	w.mustPass(first)

	w.net.set(host, nil)
	w.clock.advance(hardAge - time.Second)
	w.mustPass(w.sign(w.claims()))
	w.x.running.Wait()
	unknown, err := w.service.Sign(map[string]any{"kid": "new"}, w.claims())
	if err != nil {
		t.Fatal(err)
	}
	w.mustRefuse(unknown, fault.IssuerUnavailable, w.service.URL()) // it may be a key that we could not learn of
	w.clock.advance(fetchEvery)
	w.mustRefuse(w.sign(w.claims()), fault.IssuerUnavailable, "") // a day old: no more
	if h := w.x.Health()[0]; h.Usable || h.Keys != 1 || !strings.Contains(h.LastError, "no such host") {
		t.Errorf("health %+v", h)
	}
	w.net.set(host, w.service)
	w.clock.advance(fetchEvery)
	w.mustPass(w.sign(w.claims()))
	if h := w.x.Health()[0]; !h.Usable || h.LastError != "" || !h.FetchedAt.Equal(w.clock.now()) {
		t.Errorf("health %+v", h)
	}
}

// A restart while the issuer is away: the stored keys serve on, and count from when they were fetched.
func TestKeysOutliveARestart(t *testing.T) {
	t.Parallel()
	w := own(t)
	w.mustPass(w.sign(w.claims()))
	w.x.running.Wait()
	w.net.set(host, nil)
	w.clock.advance(hardAge - time.Minute)
	w.x = w.server()
	w.mustPass(w.sign(w.claims()))
	w.clock.advance(time.Minute)
	w.x = w.server()
	w.mustRefuse(w.sign(w.claims()), fault.IssuerUnavailable, "")
	w.net.set(host, w.service)
	w.store.keys[w.service.URL()] = []byte("rubbish")
	w.x = w.server()
	w.mustPass(w.sign(w.claims()))
	w.x.running.Wait()
	w.store.failing = errors.New("disk on fire")
	if _, err := NewExchange(t.Context(), w.x.cfg); err == nil {
		t.Error("a store that cannot be read was taken for an empty one")
	}
}

// Rows 30 to 32: documents that are not what they should be. None is believed; known keys serve on.
func TestBadDocuments(t *testing.T) {
	t.Parallel()
	discovery := func(issuer, uri string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]string{"issuer": issuer, "jwks_uri": uri})
		}
	}
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	const iss, keysPath = "http://" + host, "/.well-known/jwks"
	good := discovery(iss, iss+keysPath)
	for _, tt := range []struct {
		name            string
		discovery, keys http.HandlerFunc
		want            string
	}{
		{"30 other issuer", discovery("https://evil.example", iss+keysPath), nil, "names the issuer"},
		{"30 issuer with a slash", discovery(iss+"/", iss+keysPath), nil, "names the issuer"},
		{"30 keys on another host", discovery(iss, "http://127.0.0.1:9999/k"), nil, "is not on the issuer's host"},
		{"30 keys at the metadata address", discovery(iss, "http://169.254.169.254/k"), nil, "is not on the issuer's host"},
		{"30 keys in a file", discovery(iss, "file:///etc/passwd"), nil, "is not on the issuer's host"},
		{"30 keys by another scheme", discovery(iss, "https://"+host+"/k"), nil, "is not on the issuer's host"},
		{"30 keys with a user", discovery(iss, "http://u@"+host+"/k"), nil, "is not on the issuer's host"},
		{"30 no keys address", discovery(iss, ""), nil, "is not on the issuer's host"},
		{"31 redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
		}, nil, "status 302"},
		{"31 redirect of the keys", good, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:9000/elsewhere", http.StatusMovedPermanently)
		}, "status 301"},
		{"32 HTML", answer(200, "<html>"), nil, "not JSON"},
		{"32 keys as HTML", good, answer(200, "<html>"), "not JSON"},
		{"32 empty", good, answer(200, ""), "not JSON"},
		{"32 500", good, answer(500, `{"keys":[]}`), "status 500"},
		{"32 204", good, answer(204, ""), "status 204"},
		{"32 no keys", good, answer(200, `{"keys":[]}`), "has 0 keys"},
		{"32 null", good, answer(200, `null`), "has 0 keys"},
		{"32 too many keys", good, answer(200, `{"keys":[`+strings.Repeat(`{},`, 100)+`{}]}`), "has 101 keys"},
		{"32 too long", good, answer(200, strings.Repeat(" ", maxDocument+1)), "more than 524288 bytes"},
		{"32 discovery too long", answer(200, strings.Repeat(" ", maxDocument+1)), nil, "more than 524288 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := shared(t)
			w.add()
			bad := http.NewServeMux()
			bad.HandleFunc("/.well-known/openid-configuration", tt.discovery)
			if tt.keys != nil {
				bad.HandleFunc(keysPath, tt.keys)
			}
			w.net.set(host, bad)
			w.mustRefuse(w.sign(w.claims()), fault.IssuerUnavailable, "does not answer as it should")
			if h := w.x.Health()[0]; !strings.Contains(h.LastError, tt.want) {
				t.Errorf("error %q, want %q in it", h.LastError, tt.want)
			}
			w.net.set(host, w.service)
			w.clock.advance(fetchEvery)
			w.x.issuers[iss].refresh(t.Context())
			w.x.running.Wait()
			w.net.set(host, bad)
			w.clock.advance(softAge)
			w.x.issuers[iss].refresh(t.Context())
			w.x.running.Wait()
			if h := w.x.Health()[0]; !h.Usable || h.LastError == "" {
				t.Errorf("health after good keys and a bad fetch: %+v", h)
			}
		})
	}
}

// Over real sockets, with the client that the server uses: a redirect is not followed, a compressed answer is not
// unpacked, no cookie comes back.
func TestTheClientOverHTTP(t *testing.T) {
	t.Parallel()
	var elsewhere, cookies atomic.Int32
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	defer srv.Close()
	mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) })
	mux.HandleFunc("/plain", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cookie") != "" {
			cookies.Add(1)
		}
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		_, _ = fmt.Fprintf(w, "%s|%s|%s", r.Header.Get("User-Agent"), r.Header.Get("Accept"), r.Header.Get("Accept-Encoding"))
	})
	f := newFetcher(nil, Issuer{}, time.Now)
	var out fetched
	if _, err := f.get(t.Context(), srv.URL+"/redirect", &out); err == nil || elsewhere.Load() != 0 {
		t.Errorf("redirect: error %v, followed %d times", err, elsewhere.Load())
	}
	for range 2 {
		if got, err := f.get(t.Context(), srv.URL+"/plain", &out); err != nil || string(got) != "Sluice|application/json|" {
			t.Errorf("= %q, %v", got, err)
		}
	}
	if cookies.Load() != 0 {
		t.Error("a cookie came back")
	}
	if !out.hasSkew || out.skew.Abs() > 2*time.Second {
		t.Errorf("clock difference %v (%v) from this machine itself", out.skew, out.hasSkew)
	}
}

// An issuer that drips: whoever waits gets an answer after five seconds, one fetch for all, and the first
// caller's going away does not take the others along.
func TestSlowIssuer(t *testing.T) {
	t.Parallel()
	s := sharedService()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		slow := roundTripper(func(r *http.Request) (*http.Response, error) {
			asked.Add(1)
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		is, err := NewIssuer("github", s.URL())
		if err != nil {
			t.Fatal(err)
		}
		k := &issuerKeys{Issuer: is, fetch: newFetcher(slow, Issuer{}, time.Now), store: newMemory(time.Now), log: slog.New(slog.DiscardHandler),
			now: time.Now, running: &sync.WaitGroup{}}
		began := time.Now()
		ctx, cancel := context.WithCancelCause(t.Context())
		first := make(chan error, 1)
		go func() {
			_, err := k.find(ctx, "kid", "RS256")
			first <- err
		}()
		synctest.Wait()
		errs := make(chan error, 10)
		for range cap(errs) {
			go func() {
				_, err := k.find(t.Context(), "kid", "RS256")
				errs <- err
			}()
		}
		synctest.Wait()
		gone := errors.New("the client hung up")
		cancel(gone)
		if err := <-first; !errors.Is(err, gone) || time.Since(began) != 0 {
			t.Errorf("first caller: %v after %v", err, time.Since(began))
		}
		for range cap(errs) {
			if err := <-errs; !fault.Is(err, fault.IssuerUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("waiter: %v", err)
			}
		}
		if took := time.Since(began); took != fetchTimeout || asked.Load() != 1 {
			t.Errorf("took %v and %d requests, want %v and 1", took, asked.Load(), fetchTimeout)
		}
		k.running.Wait()
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Run fetches at once, again at the soft age, tries every minute while the issuer is away, and ends with its context.
func TestRunKeepsKeysFresh(t *testing.T) {
	t.Parallel()
	s := sharedService()
	synctest.Test(t, func(t *testing.T) {
		net := &network{hosts: map[string]http.Handler{host: s}}
		is, err := NewIssuer("github", s.URL())
		if err != nil {
			t.Fatal(err)
		}
		store := newMemory(time.Now)
		x, err := NewExchange(t.Context(), Config{URL: serverURL, Audiences: []string{audience}, Issuers: []Issuer{is}, Store: store,
			Refusals: store, Log: slog.New(slog.DiscardHandler), Now: time.Now, Transport: net})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			x.Run(ctx)
		}()
		after := func(d time.Duration, want int, what string) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if n := net.requests(); n != want {
				t.Errorf("%s: %d requests, want %d", what, n, want)
			}
		}
		after(0, 2, "at the start")
		after(softAge-time.Minute, 2, "before the soft age")
		after(time.Minute, 4, "at the soft age")
		net.set(host, nil)
		after(softAge+3*time.Minute, 8, "four tries at an issuer that is away")
		net.set(host, s)
		after(time.Minute, 10, "when it is back")
		if h := x.Health()[0]; !h.Usable || h.LastError != "" {
			t.Errorf("health %+v", h)
		}
		cancel()
		<-done
	})
}

// Row 39: a server whose clock is wrong says so.
func TestClockDifference(t *testing.T) {
	t.Parallel()
	w := own(t)
	w.mustPass(w.sign(w.claims()))
	w.net.mu.Lock()
	w.net.now = func() time.Time { return w.clock.now().Add(-10 * time.Minute) }
	w.net.mu.Unlock()
	claims := w.claims()
	iat := claims["iat"].(int64)
	claims["iat"], claims["exp"] = iat-600, iat-300
	if f := w.mustRefuse(w.sign(claims), fault.Expired, "ended 5 min ago"); strings.Contains(f.Detail, "clock") {
		t.Errorf("clocks that agree are blamed: %s", f.Detail)
	}
	w.clock.advance(softAge)
	w.mustPass(w.sign(w.claims()))
	w.x.running.Wait()
	w.mustRefuse(w.sign(claims), fault.Expired, "this server's clock differs from that of http://127.0.0.1:9000 by 10 min")
	late := w.claims()
	late["nbf"] = late["iat"].(int64) + 200
	w.mustRefuse(w.sign(late), fault.NotYetValid, "begins in 3 min by this server's clock; this server's clock differs")
	if h := w.x.Health()[0]; h.Skew > -9*time.Minute {
		t.Errorf("health %+v", h)
	}
}

// Rows 34, 37: which keys of a set can be used.
func TestParseKeys(t *testing.T) {
	t.Parallel()
	rsaKey := func(bits int) *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	jwk := func(public any, more ...string) map[string]any {
		raw, err := (&jose.JSONWebKey{Key: public, KeyID: "k", Algorithm: "", Use: "sig"}).MarshalJSON()
		m := map[string]any{}
		if err := errors.Join(err, json.Unmarshal(raw, &m)); err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	b64 := base64.RawURLEncoding.EncodeToString
	good := rsaKey(2048)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	without := func(m map[string]any, name string) map[string]any { delete(m, name); return m }
	ops := jwk(&good.PublicKey)
	ops["key_ops"] = []string{"encrypt"}
	opsVerify := jwk(&good.PublicKey)
	opsVerify["key_ops"] = []string{"verify"}
	for _, tt := range []struct {
		name string
		key  map[string]any
		alg  string // that the key fits; "": the key must be skipped
		want string
	}{
		{"RSA", jwk(&good.PublicKey), "RS256", ""},
		{"RSA for PS256", jwk(&good.PublicKey), "PS256", ""},
		{"RSA that says RS256", jwk(&good.PublicKey, "alg", "RS256"), "RS256", ""},
		{"RSA without use", without(jwk(&good.PublicKey), "use"), "RS256", ""},
		{"RSA with a broken certificate", jwk(&good.PublicKey, "x5t", "!!"), "RS256", ""},
		{"key_ops verify", opsVerify, "RS256", ""},
		{"P-256", jwk(&ec.PublicKey), "ES256", ""},
		{"Ed25519", jwk(ed), "EdDSA", ""},
		{"34 RSA of 1024 bits", jwk(&rsaKey(1024).PublicKey), "", "1024 bits"},
		{"34 e = 1", jwk(&good.PublicKey, "e", "AQ"), "", "bad e"},
		{"34 e = 3", jwk(&good.PublicKey, "e", "Aw"), "", "exponent"},
		{"34 e even", jwk(&good.PublicKey, "e", b64([]byte{1, 0, 0})), "", "exponent"},
		{"34 e of 33 bits", jwk(&good.PublicKey, "e", b64([]byte{1, 0, 0, 0, 1})), "", "exponent"},
		{"34 use enc", jwk(&good.PublicKey, "use", "enc"), "", `is for "enc"`},
		{"34 key_ops encrypt", ops, "", "not for verifying"},
		{"34 HMAC", map[string]any{"kty": "oct", "kid": "k", "k": b64(make([]byte, 32))}, "", `kind "oct"`},
		{"EC point off the curve", jwk(&ec.PublicKey, "x", b64(make([]byte, 32))), "", "curve"},
		{"no kid", without(jwk(&good.PublicKey), "kid"), "", "no kid"},
		{"no modulus", without(jwk(&good.PublicKey), "n"), "", "n/e"},
		{"numbers", map[string]any{"kty": 1}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set := mustJSON(t, map[string]any{"keys": []any{tt.key, jwk(&good.PublicKey, "kid", "other")}})
			keys, skipped, err := parseKeys(set)
			if err != nil {
				t.Fatal(err)
			}
			if tt.alg == "" {
				if len(keys) != 1 || len(skipped) != 1 || !strings.Contains(skipped[0].Error(), tt.want) {
					t.Errorf("%d keys, skipped %v; want the bad one left out for %q", len(keys), skipped, tt.want)
				}
				return
			}
			if len(keys) != 2 || !keys[0].fits("k", tt.alg) || keys[0].fits("k", "HS256") || keys[0].fits("K", tt.alg) {
				t.Errorf("keys %+v, skipped %v", keys, skipped)
			}
		})
	}
	if said := (publicKey{id: "k", alg: "RS512", family: "RSA"}); said.fits("k", "RS256") || !said.fits("k", "RS512") {
		t.Error("a key that names its algorithm fits another")
	}
}

// signer is an issuer that signs by any algorithm, with its keys as they are published.
type signer struct {
	issuer string
	set    jose.JSONWebKeySet
}

func (s *signer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "openid-configuration") {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": s.issuer, "jwks_uri": s.issuer + "/k"})
		return
	}
	_ = json.NewEncoder(w).Encode(s.set)
}

func (s *signer) sign(t *testing.T, alg string, key any, kid string, claims map[string]any) string {
	t.Helper()
	js, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	obj, err := js.Sign(mustJSON(t, claims))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := obj.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// Rows 10, 17, 34, 37 with other algorithms than GitHub's.
func TestOtherAlgorithms(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := own(t)
	s := &signer{issuer: w.service.URL()}
	for _, k := range []crypto.Signer{ec, rsaKey, ed} { // row 37: one kid for all
		s.set.Keys = append(s.set.Keys, jose.JSONWebKey{Key: k.Public(), KeyID: "k"})
	}
	w.net.set(host, s)
	w.x = w.server(func(c *Config) { c.Issuers = []Issuer{with(c.Issuers[0], "ES256", "PS256", "EdDSA")} })

	w.mustPass(s.sign(t, "PS256", rsaKey, "k", w.claims()))
	w.mustPass(s.sign(t, "EdDSA", ed, "k", w.claims()))
	w.mustRefuse(s.sign(t, "RS256", rsaKey, "k", w.claims()), fault.AlgNotAllowed, "ES256, PS256 or EdDSA")

	tok := s.sign(t, "ES256", ec, "k", w.claims())
	w.mustPass(tok)
	i := strings.LastIndexByte(tok, '.')
	sig, err := base64.RawURLEncoding.DecodeString(tok[i+1:])
	if err != nil {
		t.Fatal(err)
	}
	r, other := new(big.Int).SetBytes(sig[:32]), new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(sig[32:]))
	der, err := asn1.Marshal(struct{ R, S *big.Int }{r, new(big.Int).SetBytes(sig[32:])})
	if err != nil {
		t.Fatal(err)
	}
	signedBy := func(sig []byte) string { return tok[:i+1] + base64.RawURLEncoding.EncodeToString(sig) }
	w.mustRefuse(signedBy(append(sig[:32:32], other.FillBytes(make([]byte, 32))...)), fault.TokenReused, "") // row 17: n − s signs, too
	w.mustRefuse(signedBy(der), fault.BadSignature, "")
	w.mustRefuse(signedBy(make([]byte, 64)), fault.BadSignature, "")
	w.mustRefuse(signedBy(append([]byte{0}, sig...)), fault.BadSignature, "")
	w.mustRefuse(signedBy(sig[:63]), fault.BadSignature, "")
}

// Row 34 from end to end: a set of which no key can be used is a set, and nothing fits it.
func TestOnlyWeakKeys(t *testing.T) {
	t.Parallel()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	w := shared(t)
	s := &signer{issuer: w.service.URL(), set: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &weak.PublicKey, KeyID: "k"}}}}
	w.net.set(host, s)
	w.mustRefuse(s.sign(t, "RS256", weak, "k", w.claims()), fault.UnknownKey, "does not publish")
	w.x.running.Wait()
	if !strings.Contains(w.log.String(), "issuer key skipped") {
		t.Error("the operator is not told")
	}
}

// Keys at an address that the operator names: discovery is not asked.
func TestKeysAtAConfiguredAddress(t *testing.T) {
	t.Parallel()
	w := own(t)
	keys := w.service
	w.net.set(host, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/jwks" {
			http.Error(w, "no", http.StatusNotFound)
			return
		}
		keys.ServeHTTP(w, r)
	}))
	w.x = w.server(func(c *Config) { c.Issuers[0].JWKSURI = c.Issuers[0].URL + "/.well-known/jwks" })
	w.mustPass(w.sign(w.claims()))
	if n := w.net.requests(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// The real protocol over real sockets: a job asks its token service, the server asks it for keys.
func TestOverSockets(t *testing.T) {
	t.Parallel()
	s, err := standin.Listen("127.0.0.1:0", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w := &world{t: t, clock: newClock(), log: &logbook{}, service: s}
	w.store = newMemory(time.Now)
	w.x = w.server(func(c *Config) { c.Now, c.Transport = time.Now, nil })
	w.add()
	_, pt := w.mustPass(w.sign(w.claims()))
	if got, want := pt.Run.RunURL(), s.URL()+"/acme/forge/actions/runs/9000000001/attempts/1"; got != want {
		t.Errorf("run's page %q, want %q", got, want)
	}
	for _, url := range []string{pt.Run.RunURL(), pt.Run.CommitURL(), pt.Run.WorkflowURL(), pt.Run.RepositoryURL()} {
		res, err := http.Get(url)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("%s: %v, %v", url, res, err)
			continue
		}
		_ = res.Body.Close()
	}
}
