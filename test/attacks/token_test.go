package attacks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/internal/account"
	"sluice/internal/standin"
)

// body is a request whose body is no exchange.
type body struct {
	row  int
	name string
	body string
	want want
}

func TestBodies(t *testing.T) {
	t.Parallel()
	bad := func(says string) want { return want{http.StatusBadRequest, "bad_request", says} }
	both(t, func(t *testing.T, w *world) {
		repository := w.fresh()
		w.trusts(t, w.tools, repository)
		good := w.sign(t, w.run(repository))
		for _, tt := range []body{
			{1, "not JSON", "token=" + good, bad(`{"token": "<the identity token>"}`)},
			{1, "empty", "", bad("is not JSON")},
			{1, "an array", `["` + good + `"]`, bad("not a JSON object")},
			{1, "null", `null`, bad("not a JSON object")},
			{1, "no token", `{"jwt":"` + good + `"}`, bad("no member token")},
			{1, "a token that is null", `{"token":null}`, bad("no member token")},
			{1, "a token that is a list", `{"token":["` + good + `"]}`, bad("no string")},
			{1, "a token that is a number", `{"token":1}`, bad("no string")},
			{1, "two tokens", `{"token":"x","token":"` + good + `"}`, bad("twice")},
			{1, "Token", `{"Token":"` + good + `"}`, bad("no member token")},
			{2, "a body of 70 KiB", `{"token":"` + good + `","x":"` + strings.Repeat("y", 70<<10) + `"}`, want{http.StatusRequestEntityTooLarge, "too_large", "64 KiB"}},
			{2, "a token of 20 KiB", `{"token":"` + strings.Repeat("a", 20<<10) + `"}`, want{http.StatusRequestEntityTooLarge, "too_large", "16384"}},
			{2, "a token of 10 MiB", `{"token":"` + strings.Repeat("a", 10<<20) + `"}`, want{http.StatusRequestEntityTooLarge, "too_large", "64 KiB"}},
			{1, "the token, and more beside it", `{"more":[1],"token":"` + good + `"}`, passes},
		} {
			t.Run(fmt.Sprint(tt.row, " ", tt.name), func(t *testing.T) {
				w.send(t, http.MethodPost, "/api/oidc/mint_token", asProgram, []byte(tt.body)).check(t, tt.want, good)
			})
		}
	})
}

// forgery makes a token out of one that is taken.
type forgery struct {
	row  int
	name string
	make func(good string) string
	want want
}

func TestForgedTokens(t *testing.T) {
	t.Parallel()
	malformed := func(says string) want { return want{http.StatusBadRequest, "malformed_token", says} }
	part := func(good string, i int) string { return strings.Split(good, ".")[i] }
	join := func(parts ...string) string { return strings.Join(parts, ".") }
	both(t, func(t *testing.T, w *world) {
		stranger, err := standin.New("http://127.0.0.1:1", w.clock.now)
		if err != nil {
			t.Fatal(err)
		}
		raw := func(header, claims string) func(string) string {
			return func(string) string { return must(w.CI.SignRaw(header, claims))(t) }
		}
		is := func(s string) func(string) string { return func(string) string { return s } }
		unpadded := base64.RawURLEncoding.EncodeToString
		for _, tt := range []forgery{
			{3, "two parts", func(g string) string { return join(part(g, 0), part(g, 1)) }, malformed("2 parts")},
			{3, "five parts", func(g string) string { return g + ".x.y" }, malformed("encrypted")},
			{3, "no header", func(g string) string { return join("", part(g, 1), part(g, 2)) }, malformed("header is empty")},
			{3, "no payload", func(g string) string { return join(part(g, 0), "", part(g, 2)) }, malformed("payload is empty")},
			{3, "JSON serialisation", func(g string) string { return `{"payload":"` + part(g, 1) + `","signatures":[]}` }, malformed("compact")},
			{3, "padding", func(g string) string { return join(part(g, 0)+"=", part(g, 1), part(g, 2)) }, malformed("not base64url")},
			{3, "standard alphabet", func(g string) string { return join(part(g, 0), part(g, 1)+"+/", part(g, 2)) }, malformed("not base64url")},
			{3, "a newline after it", func(g string) string { return g + "\n" }, malformed("strip the newline")},
			{3, "a blank before it", func(g string) string { return " " + g }, malformed("white space")},
			{9, "a claim twice", raw(`{"alg":"RS256","kid":"KID"}`, `{"iss":"a","iss":"`+w.CI.URL()+`"}`), malformed("iss twice")},
			{9, "a claim twice, once escaped", raw(`{"alg":"RS256","kid":"KID"}`, `{"iss":"a","\u0069ss":"`+w.CI.URL()+`"}`), malformed("iss twice")},
			{9, "alg twice", raw(`{"alg":"none","alg":"RS256","kid":"KID"}`, `{}`), malformed("alg twice")},
			{10, "no signature", func(g string) string { return join(part(g, 0), part(g, 1), "") }, malformed("signature is empty")},
			{10, "another claim under the signature", func(g string) string {
				claims := must(base64.RawURLEncoding.DecodeString(part(g, 1)))(t)
				return join(part(g, 0), unpadded([]byte(strings.Replace(string(claims), `"push"`, `"pull_request"`, 1))), part(g, 2))
			}, untrusted("bad_signature", "was not signed by")},
			{10, "an altered signature", func(g string) string { return join(part(g, 0), part(g, 1), flip(part(g, 2))) }, untrusted("bad_signature", "altered on its way")},
			{10, "a signature of zeroes", func(g string) string { return join(part(g, 0), part(g, 1), unpadded(make([]byte, 256))) }, untrusted("bad_signature", "not signed")},
			{10, "signed by somebody else, under our kid", func(g string) string {
				header := map[string]any{}
				decode(t, part(g, 0), &header)
				claims := map[string]any{}
				decode(t, part(g, 1), &claims)
				return must(stranger.Sign(map[string]any{"kid": header["kid"]}, claims))(t)
			}, untrusted("bad_signature", "not signed")},
			{5, "HS256, with the public key as PEM for its secret", func(g string) string { return w.symmetric(t, g, "PEM") }, untrusted("alg_not_allowed", "HS256")},
			{5, "HS256, with the public key as JWK for its secret", func(g string) string { return w.symmetric(t, g, "JWK") }, untrusted("alg_not_allowed", "HS256")},
			{17, "the signature in another encoding", func(g string) string { return g[:len(g)-1] + nextDigit(g[len(g)-1]) }, malformed("signature is not base64url")},
			{20, "nested deep", raw(`{"alg":"RS256","kid":"KID"}`, `{"iss":"`+w.CI.URL()+`","x":`+strings.Repeat("[", 200)+strings.Repeat("]", 200)+`}`), malformed("deeper")},
			{20, "a thousand members", raw(`{"alg":"RS256","kid":"KID"}`, `{"iss":"a","x":[`+strings.Repeat("1,", 1000)+`1]}`), malformed("more than")},
			{20, "bytes that are no text", raw(`{"alg":"RS256","kid":"KID"}`, "{\"iss\":\"\xff\xfe\"}"), malformed("not UTF-8")},
			{20, "half a character", raw(`{"alg":"RS256","kid":"KID"}`, `{"iss":"a","x":"\ud800"}`), malformed("half a character")},
			{20, "NUL", raw(`{"alg":"RS256","kid":"KID"}`, `{"iss":"a","x":"\u0000"}`), malformed("NUL")},
			{21, "a GITHUB_TOKEN", is("ghs_16C7e42F292c6912E7710c838347Ae178B4a"), malformed("GITHUB_TOKEN")},
			{21, "an access token of GitHub", is("github_pat_11AAAAAAA0aaaaaaaaaaaa"), malformed("an access token of GitHub")},
			{21, "an API token of this server", is(w.key), malformed("an API token of Sluice")},
			{22, "a token that this server would have signed", func(g string) string {
				claims := map[string]any{}
				decode(t, part(g, 1), &claims)
				claims["iss"] = w.URL
				return w.sign(t, claims)
			}, untrusted("unknown_issuer", "trusts "+w.CI.URL())},
		} {
			t.Run(fmt.Sprint(tt.row, " ", tt.name), func(t *testing.T) {
				repository := w.fresh()
				w.trusts(t, w.tools, repository)
				good := w.sign(t, w.run(repository))
				forged := tt.make(good)
				w.mint(t, forged).check(t, tt.want, forged)
				w.mint(t, good).check(t, passes) // nothing else was wrong with it, and it is still unused
			})
		}
	})
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

func decode(t *testing.T, part string, into any) {
	t.Helper()
	if err := json.Unmarshal(must(base64.RawURLEncoding.DecodeString(part))(t), into); err != nil {
		t.Fatal(err)
	}
}

func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

// nextDigit is the base64url digit after c: it differs in the last bits alone, which a lax decoder ignores.
func nextDigit(c byte) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(digits[strings.IndexByte(digits, c)|1])
}

// symmetric signs with HMAC, and takes the issuer's public key, in one of its spellings, for the secret.
func (w *world) symmetric(t *testing.T, good, spelling string) string {
	t.Helper()
	document := []byte(fetch(t, w.CI.URL()+"/.well-known/jwks"))
	var set struct{ Keys []struct{ N, E, Kid string } }
	if err := json.Unmarshal(document, &set); err != nil {
		t.Fatal(err)
	}
	secret := document
	if spelling == "PEM" {
		n := new(big.Int).SetBytes(must(base64.RawURLEncoding.DecodeString(set.Keys[0].N))(t))
		secret = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: n.Bytes()})
	}
	header := must(json.Marshal(map[string]string{"alg": "HS256", "typ": "JWT", "kid": set.Keys[0].Kid}))(t)
	input := base64.RawURLEncoding.EncodeToString(header) + "." + strings.Split(good, ".")[1]
	mac := hmac.New(sha256.New, secret)
	_, _ = mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// change is one thing that differs from a token that is taken.
type change struct {
	row    int
	name   string
	header map[string]any
	claims func(map[string]any)
	want   want
}

func TestHeadersAndStatements(t *testing.T) {
	t.Parallel()
	header := func(name string, v any) map[string]any { return map[string]any{name: v} }
	both(t, func(t *testing.T, w *world) {
		at := func(d time.Duration) int64 { return w.clock.now().Add(d).Unix() }
		times := func(iat, exp time.Duration) func(map[string]any) {
			return func(c map[string]any) { c["iat"], c["nbf"], c["exp"] = at(iat), at(iat), at(exp) }
		}
		for _, tt := range []change{
			{4, "alg none", header("alg", "none"), nil, untrusted("alg_not_allowed", "must use RS256")},
			{4, "alg None", header("alg", "None"), nil, untrusted("alg_not_allowed", "None")},
			{4, "alg empty", header("alg", ""), nil, untrusted("alg_not_allowed", "(empty)")},
			{5, "RS384", header("alg", "RS384"), nil, untrusted("alg_not_allowed", "RS384")},
			{5, "ES256", header("alg", "ES256"), nil, untrusted("alg_not_allowed", "An operator may allow")},
			{6, "no kid", header("kid", nil), nil, untrusted("bad_kid", "needs a kid")},
			{6, "a kid that is a number", header("kid", 1), nil, untrusted("bad_kid", "needs a kid")},
			{6, "a kid that is a path", header("kid", "../../key"), nil, untrusted("bad_kid", "plain characters")},
			{6, "a kid that is SQL", header("kid", "x' OR '1'='1"), nil, untrusted("bad_kid", "plain characters")},
			{6, "a kid of 10 KiB", header("kid", strings.Repeat("k", 10<<10)), nil, untrusted("bad_kid", "256")},
			{7, "a key in the header", header("jwk", map[string]any{"kty": "RSA"}), nil, untrusted("header_not_allowed", "jwk")},
			{7, "the address of a key", header("jku", "https://evil.example/keys"), nil, untrusted("header_not_allowed", "discovery only")},
			{7, "a certificate", header("x5c", []string{"MIIB"}), nil, untrusted("header_not_allowed", "x5c")},
			{7, "the address of a certificate", header("x5u", "http://169.254.169.254/"), nil, untrusted("header_not_allowed", "x5u")},
			{7, "a critical extension", header("crit", []string{"exp"}), nil, untrusted("header_not_allowed", "crit")},
			{7, "an unencoded payload", header("b64", false), nil, untrusted("header_not_allowed", "b64")},
			{7, "a thumbprint, which is harmless", header("x5t", "abc"), nil, passes},
			{8, "an access token", header("typ", "at+jwt"), nil, untrusted("wrong_type", "at+jwt")},
			{8, "a logout token", header("typ", "logout+jwt"), nil, untrusted("wrong_type", "Send an ID token")},
			{8, "jwt in lower case", header("typ", "jwt"), nil, passes},
			{9, "ISS beside iss", nil, set("ISS", "x"), want{http.StatusBadRequest, "malformed_token", "ISS"}},
			{11, "ended 61 s ago", nil, times(-360*time.Second, -61*time.Second), untrusted("expired", "Request it right before uploading")},
			{11, "ended 30 s ago", nil, times(-330*time.Second, -30*time.Second), passes},
			{11, "ended years ago", nil, times(-800*24*time.Hour-5*time.Minute, -800*24*time.Hour-time.Minute), untrusted("expired", "800 days ago")},
			{12, "begins in 61 s", nil, times(62*time.Second, 300*time.Second), untrusted("not_yet_valid", "by this server's clock")},
			{12, "begins in 30 s", nil, times(30*time.Second, 300*time.Second), passes},
			{13, "no exp", nil, set("exp", nil), untrusted("bad_time", "exp is missing")},
			{13, "exp as text", nil, set("exp", "1893456000"), untrusted("bad_time", "no number")},
			{13, "exp of 1e300", nil, set("exp", 1e300), untrusted("bad_time", "between the years")},
			{13, "exp below 0", nil, set("exp", -1), untrusted("bad_time", "between the years")},
			{13, "exp before iat", nil, times(0, -time.Second), untrusted("bad_time", "not later than iat")},
			{14, "ten years", nil, times(0, 87600*time.Hour), untrusted("lifetime_too_long", "may span 15 min")},
			{14, "fifteen minutes", nil, times(0, 15*time.Minute), passes},
			{18, "no jti", nil, set("jti", nil), untrusted("bad_jti", "has a jti")},
			{18, "an empty jti", nil, set("jti", ""), untrusted("bad_jti", "1 to 256")},
			{18, "a jti that is an object", nil, set("jti", map[string]any{}), untrusted("bad_jti", "a string")},
			{28, "iss as a list", nil, set("iss", []string{w.CI.URL()}), want{http.StatusBadRequest, "malformed_token", "no iss"}},
			{28, "iss as a number", nil, set("iss", 1), want{http.StatusBadRequest, "malformed_token", "no iss"}},
			{29, "a kid that nobody publishes", header("kid", "unpublished"), nil, untrusted("unknown_key", "does not publish")},
			{40, "another service's audience", nil, set("aud", "pypi"), untrusted("wrong_audience", "token has pypi, the server at "+w.URL+" wants "+audience)},
			{40, "the audience of old clients", nil, set("aud", "prefix.dev"), untrusted("wrong_audience", "rattler-build before 0.67")},
			{40, "the default audience", nil, set("aud", "https://github.com/acme"), untrusted("wrong_audience", "exactly that audience")},
			{41, "two audiences", nil, set("aud", []string{audience, "pypi"}), untrusted("wrong_audience", "no single audience")},
			{41, "no audience in the list", nil, set("aud", []string{}), untrusted("wrong_audience", "no single audience")},
			{41, "ours in a list alone", nil, set("aud", []string{audience}), passes},
			{41, "with a port", nil, set("aud", audience+":80"), untrusted("wrong_audience", audience+":80")},
			{41, "with a dot after it", nil, set("aud", audience+"."), untrusted("wrong_audience", audience+".,")},
			{41, "as an address", nil, set("aud", w.URL), untrusted("wrong_audience", "token has "+w.URL)},
		} {
			t.Run(fmt.Sprint(tt.row, " ", tt.name), func(t *testing.T) {
				repository := w.fresh()
				w.trusts(t, w.tools, repository)
				claims := w.run(repository)
				if tt.claims != nil {
					tt.claims(claims)
				}
				tok := must(w.CI.Sign(tt.header, claims))(t)
				w.mint(t, tok).check(t, tt.want, tok)
			})
		}
	})
}

func TestOneUse(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		repository := w.fresh()
		w.trusts(t, w.tools, repository)
		tok := w.sign(t, w.run(repository))
		t.Run("15 twice", func(t *testing.T) {
			w.mint(t, tok).check(t, passes)
			w.mint(t, tok).check(t, untrusted("token_reused", "by build.yml of acme/"+repository+", run "), tok)
			w.mint(t, w.sign(t, w.run(repository))).check(t, passes) // another of the same run
		})
		t.Run("17 again and again, past its end and after the sweep", func(t *testing.T) {
			for range 8 {
				w.clock.advance(time.Minute)
				if _, err := w.DB.Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
				if a := w.mint(t, tok); a.status != http.StatusUnauthorized || a.code != "token_reused" && a.code != "expired" {
					t.Fatalf("replayed at %v: %d %s", w.clock.now(), a.status, a.body)
				}
			}
		})
	})
}

func TestForeignTokens(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		t.Run("21 a publish token of this server", func(t *testing.T) {
			repository := w.fresh()
			w.trusts(t, w.tools, repository)
			w.mint(t, w.publishToken(t, repository)).check(t, want{http.StatusBadRequest, "malformed_token", "a publish token of Sluice"})
		})
		t.Run("21 an API token that may only read", func(t *testing.T) {
			w.mint(t, w.Token(t, w.ann, nil, account.Read)).check(t, want{http.StatusBadRequest, "malformed_token", "an API token of Sluice"})
		})
	})
}
