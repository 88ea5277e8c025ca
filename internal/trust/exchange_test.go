package trust

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/standin"
	"sluice/internal/token"
	"sluice/internal/trust/provider"
)

func TestExchangeMintsForTheRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add()
	tok, pt := w.mustPass(w.sign(w.claims()))
	if got := w.x.Audience(); got != audience {
		t.Errorf("clients are told to ask for %q", got)
	}
	if tok.Kind() != token.Publish || pt.Hash != tok.Hash() || pt.ID == 0 {
		t.Errorf("token %v, stored %+v", tok, pt)
	}
	if life := pt.ExpiresAt.Sub(pt.CreatedAt); life != 30*time.Minute {
		t.Errorf("lives %v, want 30 min", life)
	}
	want := []Grant{{PublisherID: p.ID, PublisherVersion: 1, ChannelID: 7, Channel: p.Channel, Right: Publish, NewNames: true, PerRun: DefaultLimits()}}
	if d := cmp.Diff(want, pt.Grants, cmp.AllowUnexported(conda.Channel{}, conda.Pattern{})); d != "" {
		t.Error(d)
	}
	if got := pt.Run.Sentence(); got != "Published by build.yml of acme/forge, run 1 attempt 1, commit "+pt.Run.SHA[:7]+" on main" {
		t.Errorf("sentence %q", got)
	}
	after := w.store.publisher(p.ID)
	if !after.Pinned() || after.RepositoryID != pt.Run.RepositoryID || after.Version != 1 || after.LastRun != pt.Run {
		t.Errorf("publisher after its first use: %+v", after)
	}
	if stored, err := w.store.PublishToken(t.Context(), tok.Hash()); err != nil || stored.Check(w.clock.now()) != nil {
		t.Errorf("stored token %+v, %v", stored, err)
	}
}

func TestReadBody(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in, want string
		code     fault.Code
		fragment string
	}{
		{in: `{"token":"a.b.c"}`, want: "a.b.c"},
		{in: ` {"token": "a.b.c", "x": [1]} ` + "\n", want: "a.b.c"},
		{in: `{"token":" a"}`, want: " a"}, // for the token's own check to refuse
		{in: ``, code: fault.BadRequest, fragment: `{"token"`},
		{in: `token=a.b.c`, code: fault.BadRequest, fragment: "is not JSON"},
		{in: `{}`, code: fault.BadRequest, fragment: "no member token"},
		{in: `{"token":null}`, code: fault.BadRequest, fragment: "no member token"},
		{in: `{"token":7}`, code: fault.BadRequest, fragment: "no string"},
		{in: `{"token":["a.b.c"]}`, code: fault.BadRequest, fragment: "no string"},
		{in: `["a.b.c"]`, code: fault.BadRequest, fragment: "not a JSON object"},
		{in: `"a.b.c"`, code: fault.BadRequest, fragment: "not a JSON object"},
		{in: `{"token":"a","token":"b"}`, code: fault.BadRequest, fragment: "twice"},
		{in: `{"Token":"a"}`, code: fault.BadRequest, fragment: "no member token"},
		{in: `{"token":"a"} {}`, code: fault.BadRequest, fragment: "is not JSON"},
		{in: `{"token":"` + strings.Repeat("a", MaxBody) + `"}`, code: fault.TooLarge, fragment: "64 KiB"},
	} {
		t.Run(cut(tt.in, 40), func(t *testing.T) {
			t.Parallel()
			got, err := ReadBody([]byte(tt.in))
			if tt.code != "" {
				checkRefusal(t, err, token.Token{}, "", tt.code, tt.fragment)
			} else if err != nil || got != tt.want {
				t.Errorf("= %q, %v", got, err)
			}
		})
	}
}

// TestRefusedTokens has the token level of the attack catalogue, trusted-publishing.md §5, rows 2 to 14, 18, 20,
// 21, 28, 40, 41. Each case changes one thing of a token that is taken.
func TestRefusedTokens(t *testing.T) {
	t.Parallel()
	now := newClock().now().Unix()
	set := func(name string, v any) func(h, c map[string]any) {
		return func(_, c map[string]any) { c[name] = v }
	}
	header := func(name string, v any) func(h, c map[string]any) {
		return func(h, _ map[string]any) { h[name] = v }
	}
	without := func(name string) func(h, c map[string]any) {
		return func(_, c map[string]any) { delete(c, name) }
	}
	const taken = fault.Code("")
	w := newWorld(t)
	w.add()
	for _, tt := range []struct {
		name     string
		change   func(header, claims map[string]any)
		code     fault.Code
		fragment string
	}{
		{"nothing changed", func(_, _ map[string]any) {}, taken, ""},
		{"4 alg none", header("alg", "none"), fault.AlgNotAllowed, "must use RS256"},
		{"4 alg None", header("alg", "None"), fault.AlgNotAllowed, "token is signed with None"},
		{"4 alg empty", header("alg", ""), fault.AlgNotAllowed, "(empty)"},
		{"4 alg missing", header("alg", nil), fault.AlgNotAllowed, "asymmetric"},
		{"4 alg number", header("alg", 256), fault.AlgNotAllowed, "RS256"},
		{"5 HS256", header("alg", "HS256"), fault.AlgNotAllowed, "HS256"},
		{"5 RS384", header("alg", "RS384"), fault.AlgNotAllowed, "RS384"},
		{"5 ES256", header("alg", "ES256"), fault.AlgNotAllowed, "ES256"},
		{"6 kid missing", header("kid", nil), fault.BadKid, "needs a kid"},
		{"6 kid empty", header("kid", ""), fault.BadKid, "needs a kid"},
		{"6 kid number", header("kid", 7), fault.BadKid, "needs a kid"},
		{"6 kid long", header("kid", strings.Repeat("k", 257)), fault.BadKid, "256"},
		{"6 kid path", header("kid", "../../key"), fault.BadKid, "plain characters"},
		{"6 kid SQL", header("kid", "x' OR '1'='1"), fault.BadKid, "plain characters"},
		{"7 jwk", header("jwk", map[string]any{"kty": "RSA"}), fault.HeaderNotAllowed, "has jwk"},
		{"7 jku", header("jku", "https://evil.example/keys"), fault.HeaderNotAllowed, "has jku"},
		{"7 x5u", header("x5u", "https://evil.example/cert"), fault.HeaderNotAllowed, "has x5u"},
		{"7 x5c", header("x5c", []string{"MIIB"}), fault.HeaderNotAllowed, "has x5c"},
		{"7 crit", header("crit", []string{"exp"}), fault.HeaderNotAllowed, "has crit"},
		{"7 b64", header("b64", false), fault.HeaderNotAllowed, "has b64"},
		{"7 x5t is harmless", header("x5t", "abc"), taken, ""},
		{"8 at+jwt", header("typ", "at+jwt"), fault.WrongType, "at+jwt"},
		{"8 logout+jwt", header("typ", "logout+jwt"), fault.WrongType, "ID token"},
		{"8 dpop+jwt", header("typ", "dpop+jwt"), fault.WrongType, "dpop+jwt"},
		{"8 typ list", header("typ", []string{"JWT"}), fault.WrongType, "JWT or none"},
		{"8 typ in lower case", header("typ", "jwt"), taken, ""},
		{"8 typ absent", header("typ", nil), taken, ""},
		{"9 ISS beside iss", set("ISS", "x"), fault.MalformedToken, "member ISS"},
		{"9 Alg beside alg", header("Alg", "none"), fault.MalformedToken, "member Alg"},
		{"9 kelvin sign in kid", header("\u212aid", "x"), fault.MalformedToken, "misspelt member"},
		{"11 expired by a second past the leeway", func(_, c map[string]any) { c["exp"], c["iat"] = now-61, now-361 }, fault.Expired, "61 s ago"},
		{"11 expired within the leeway", func(_, c map[string]any) { c["exp"], c["iat"] = now-59, now-359 }, taken, ""},
		{"11 expired by years", func(_, c map[string]any) { c["exp"], c["iat"] = now-100*86400, now-100*86400-300 }, fault.Expired, "100 days ago"},
		{"12 iat ahead", func(_, c map[string]any) { c["iat"], c["exp"] = now+61, now+300 }, fault.NotYetValid, "61 s"},
		{"12 iat ahead within the leeway", func(_, c map[string]any) { c["iat"], c["exp"] = now+60, now+300 }, taken, ""},
		{"12 nbf ahead", set("nbf", now+61), fault.NotYetValid, "begins in 61 s"},
		{"12 nbf ahead within the leeway", set("nbf", now+60), taken, ""},
		{"12 nbf absent", without("nbf"), taken, ""},
		{"12 nbf no number", set("nbf", "soon"), fault.BadTime, "nbf"},
		{"13 exp missing", without("exp"), fault.BadTime, "exp is missing"},
		{"13 exp string", set("exp", fmt.Sprint(now+300)), fault.BadTime, "no number"},
		{"13 exp huge", set("exp", 1e300), fault.BadTime, "between the years"},
		{"13 exp negative", set("exp", -1), fault.BadTime, "between the years"},
		{"13 exp fraction", set("exp", float64(now)+0.5), fault.BadTime, "whole number"},
		{"13 exp as integral float", set("exp", json.Number(fmt.Sprintf("%d.0", now+300))), taken, ""},
		{"13 exp before iat", set("exp", now-1), fault.BadTime, "not later than iat"},
		{"13 iat missing", without("iat"), fault.BadTime, "iat is missing"},
		{"14 ten years", set("exp", now+10*365*86400), fault.LifetimeTooLong, "may span 15 min"},
		{"14 fifteen minutes", set("exp", now+15*60), taken, ""},
		{"14 a second more", set("exp", now+15*60+1), fault.LifetimeTooLong, "spans 15 min"},
		{"18 jti missing", without("jti"), fault.BadJTI, "jti"},
		{"18 jti empty", set("jti", ""), fault.BadJTI, "1 to 256"},
		{"18 jti object", set("jti", map[string]any{}), fault.BadJTI, "a string"},
		{"18 jti long", set("jti", strings.Repeat("x", 257)), fault.BadJTI, "1 to 256"},
		{"20 deep", set("x", deep(9)), fault.MalformedToken, "deeper"},
		{"20 as deep as may be", set("x", deep(8)), taken, ""},
		{"20 many members", set("x", make([]int, 201)), fault.MalformedToken, "more than 200"},
		{"20 NUL", set("repository", "acme/forge\x00"), fault.MalformedToken, "NUL"},
		{"28 iss list", set("iss", []string{"http://127.0.0.1:9000"}), fault.MalformedToken, "no iss that is a string"},
		{"28 iss number", set("iss", 1), fault.MalformedToken, "no iss"},
		{"28 iss missing", without("iss"), fault.MalformedToken, "no iss"},
		{"40 another service", set("aud", "pypi"), fault.WrongAudience, "token has pypi, the server at " + serverURL + " wants " + audience},
		{"40 default audience", set("aud", "https://github.com/acme"), fault.WrongAudience, "token has https://github.com/acme"},
		{"40 legacy audience", set("aud", "prefix.dev"), fault.WrongAudience, "rattler-build before 0.67"},
		{"40 missing", without("aud"), fault.WrongAudience, "no single audience"},
		{"41 list of ours alone", set("aud", []string{audience}), taken, ""},
		{"41 list of two", set("aud", []string{audience, "pypi"}), fault.WrongAudience, "no single audience"},
		{"41 list, twice ours", set("aud", []string{audience, audience}), fault.WrongAudience, "no single audience"},
		{"41 empty list", set("aud", []string{}), fault.WrongAudience, "no single audience"},
		{"41 nested", set("aud", []any{[]string{audience}}), fault.WrongAudience, "no single audience"},
		{"41 port", set("aud", audience+":443"), fault.WrongAudience, "conda.acme.dev:443"},
		{"41 upper case", set("aud", strings.ToUpper(audience)), fault.WrongAudience, "CONDA.ACME.DEV"},
		{"41 trailing dot", set("aud", audience+"."), fault.WrongAudience, "conda.acme.dev."},
		{"41 URL", set("aud", serverURL), fault.WrongAudience, "token has https://conda.acme.dev"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := *w
			w.t = t
			h, c := map[string]any{}, w.claims()
			tt.change(h, c)
			tok, err := w.service.Sign(h, c)
			if err != nil {
				t.Fatal(err)
			}
			if tt.code == taken {
				w.mustPass(tok)
				return
			}
			w.mustRefuse(tok, tt.code, tt.fragment)
			w.mustPass(w.sign(w.claims())) // the neighbour: what was refused was the change
		})
	}
}

// deep nests a value so many levels below the payload's own object.
func deep(levels int) any {
	var v any = 1
	for range levels - 1 {
		v = []any{v}
	}
	return v
}

// TestMalformedTokens has what is wrong with the bytes: rows 2, 3, 9, 10, 20, 21.
func TestMalformedTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add()
	good := w.sign(w.claims())
	parts := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	raw := func(header, payload string) string {
		tok, err := w.service.SignRaw(header, payload)
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	const hdr = `{"alg":"RS256","kid":"KID"}`
	for _, tt := range []struct {
		name, in string
		code     fault.Code
		fragment string
	}{
		{"2 large", strings.Repeat("a", maxToken+1), fault.TooLarge, "16384"},
		{"2 ten megabytes", strings.Repeat("a.", 5<<20), fault.TooLarge, "may have"},
		{"3 empty", "", fault.MalformedToken, "1 parts"},
		{"3 two parts", parts[0] + "." + parts[1], fault.MalformedToken, "2 parts"},
		{"3 five parts", good + ".x.y", fault.MalformedToken, "encrypted"},
		{"3 JSON serialisation", `{"payload":"` + parts[1] + `","signatures":[]}`, fault.MalformedToken, "compact"},
		{"3 empty header", "." + parts[1] + "." + parts[2], fault.MalformedToken, "header is empty"},
		{"3 empty payload", parts[0] + ".." + parts[2], fault.MalformedToken, "payload is empty"},
		{"3 padding", parts[0] + "=." + parts[1] + "." + parts[2], fault.MalformedToken, "header is not base64url: it holds ="},
		{"3 standard base64", parts[0] + "." + parts[1] + "+/." + parts[2], fault.MalformedToken, "payload is not base64url: it holds +"},
		{"3 newline after", good + "\n", fault.MalformedToken, "strip the newline"},
		{"3 space before", " " + good, fault.MalformedToken, "white space"},
		{"3 newline inside", parts[0] + "." + parts[1] + ".\n" + parts[2], fault.MalformedToken, "white space"},
		{"3 one character too many", parts[0] + "." + parts[1] + "." + oneMore(parts[2]), fault.MalformedToken, "signature is not base64url"},
		{"3 last bits set", parts[0] + "." + parts[1] + "." + lastBits(parts[2]), fault.MalformedToken, "signature is not base64url"},
		{"9 alg twice", raw(`{"alg":"none","alg":"RS256","kid":"KID"}`, `{}`), fault.MalformedToken, "header has the member alg twice"},
		{"9 claim twice", raw(hdr, `{"iss":"a","iss":"http://127.0.0.1:9000"}`), fault.MalformedToken, "payload has the member iss twice"},
		{"9 twice by escape", raw(hdr, `{"iss":"a","\u0069ss":"b"}`), fault.MalformedToken, "iss twice"},
		{"9 twice below", raw(hdr, `{"iss":"a","x":{"y":1,"y":2}}`), fault.MalformedToken, "y twice"},
		{"10 empty signature", parts[0] + "." + parts[1] + ".", fault.MalformedToken, "signature is empty"},
		{"10 altered signature", parts[0] + "." + parts[1] + "." + flip(parts[2]), fault.BadSignature, "was not signed by http://127.0.0.1:9000"},
		{"10 short signature", parts[0] + "." + parts[1] + "." + b64([]byte("short")), fault.BadSignature, "not signed by"},
		{"10 altered payload", parts[0] + "." + b64(altered(t, parts[1])) + "." + parts[2], fault.BadSignature, "altered on its way"},
		{"20 invalid UTF-8", raw(hdr, "{\"iss\":\"\xff\"}"), fault.MalformedToken, "not UTF-8"},
		{"20 lone surrogate", raw(hdr, `{"iss":"a","x":"\ud800"}`), fault.MalformedToken, "half a character"},
		{"20 low surrogate first", raw(hdr, `{"iss":"a","x":"\udc00\ud800"}`), fault.MalformedToken, "half a character"},
		{"20 NUL as escape", raw(hdr, `{"iss":"a","x":"\u0000"}`), fault.MalformedToken, "NUL"},
		{"20 number as payload", raw(hdr, `7`), fault.MalformedToken, "not a JSON object"},
		{"20 two values", raw(hdr, `{} {}`), fault.MalformedToken, "not JSON"},
		{"20 NaN", raw(hdr, `{"exp":NaN}`), fault.MalformedToken, "not JSON"},
		{"21 GITHUB_TOKEN", "ghs_16C7e42F292c6912E7710c838347Ae178B4a", fault.MalformedToken, "GITHUB_TOKEN"},
		{"21 publish token", token.New(token.Publish).Reveal(), fault.MalformedToken, "a publish token of Sluice"},
		{"21 API token", token.New(token.API).Reveal(), fault.MalformedToken, "an API token of Sluice"},
		{"21 header line", "Bearer " + good, fault.MalformedToken, "Authorization header"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := *w
			w.t = t
			f := w.mustRefuse(tt.in, tt.code, tt.fragment)
			if strings.Contains(f.Detail, "16C7e42F") {
				t.Errorf("the sentence repeats a secret: %s", f.Detail)
			}
		})
	}
	w.mustPass(good) // after all that it is still unused
	surrogates := raw(hdr, strings.Replace(string(mustJSON(t, w.claims())), "{", `{"x":"\ud83d\ude00 \\u0000",`, 1))
	w.mustPass(surrogates) // a whole pair, and a backslash that is no escape
}

func oneMore(s string) string {
	for len(s)%4 != 1 {
		s += "A"
	}
	return s
}

// lastBits sets bits that a strict decoder wants to be zero: another spelling of the same signature.
func lastBits(s string) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(digits, s[len(s)-1])
	return s[:len(s)-1] + string(digits[i|1])
}

func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

func altered(t *testing.T, part string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(strings.Replace(string(b), `"acme/forge"`, `"acme/other"`, 1))
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Rows 15, 17, 82: one use, also after the token's end and after the sweep.
func TestATokenIsUsedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add()
	tok := w.sign(w.claims())
	w.mustPass(tok)
	f := w.mustRefuse(tok, fault.TokenReused, "exchanged at 2026-11-23T14:06:09Z by build.yml of acme/forge, run 1 attempt 1")
	if !strings.Contains(f.Detail, "run the job again") {
		t.Errorf("no fix in %q", f.Detail)
	}
	w.clock.advance(5*time.Minute + 59*time.Second) // ended, within the leeway: the mark must still be there
	w.mustRefuse(tok, fault.TokenReused, "")
	for range 70 { // through the end of the leeway, the sweep at each step
		w.clock.advance(3 * time.Second)
		if _, _, err := w.x.Exchange(t.Context(), tok); err == nil {
			t.Fatalf("replayed at %v", w.clock.now())
		}
	}
	w.mustRefuse(tok, fault.Expired, "")
	if len(w.store.tokens) != 1 {
		t.Errorf("%d publish tokens, want 1", len(w.store.tokens))
	}
}

// Row 16: fifty at once over two replicas.
func TestATokenIsUsedOnceAmongManyAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add()
	replicas := []*Exchange{w.x, w.server()}
	tok := w.sign(w.claims())
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[fault.Code]int{}
	for i := range 50 {
		wg.Go(func() {
			_, _, err := replicas[i%2].Exchange(t.Context(), tok)
			code := fault.Code("taken")
			if err != nil {
				code = fault.CodeOf(err)
			}
			mu.Lock()
			defer mu.Unlock()
			codes[code]++
		})
	}
	wg.Wait()
	if d := cmp.Diff(map[fault.Code]int{"taken": 1, fault.TokenReused: 49}, codes); d != "" {
		t.Error(d)
	}
}

// §3.12: a refused match leaves the token usable after the owner fixed the rule.
func TestARefusedTokenMayComeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tok := w.sign(w.claims())
	w.mustRefuse(tok, fault.NoPublisher, "acme/forge")
	w.add()
	w.mustPass(tok)
}

// Rows 19, 26, 27: issuers are worlds of their own.
func TestIssuersAreKeptApart(t *testing.T) {
	t.Parallel()
	var other *standin.Service
	w := newWorld(t)
	other = w.issuer("127.0.0.1:9001")
	otherIssuer, err := NewIssuer("github", other.URL())
	if err != nil {
		t.Fatal(err)
	}
	w.x = w.server(func(c *Config) { c.Issuers = append(c.Issuers, otherIssuer) })
	w.add()
	forged := other.Start(standin.Run{}).Claims(audience)
	tok, err := other.Sign(nil, forged)
	if err != nil {
		t.Fatal(err)
	}
	w.mustRefuse(tok, fault.NoPublisher, "acme/forge") // 27: same names, same ids, other issuer

	w.add(func(p *Publisher) { p.Issuer = other.URL() })
	claims := w.claims()
	claims["jti"] = forged["jti"]
	w.mustPass(w.sign(claims)) // 19: the same jti
	w.mustPass(tok)

	claims = w.claims()
	claims["iss"] = other.URL()
	if err := other.Rotate(); err != nil { // so that the other's set is not that of this one by accident
		t.Fatal(err)
	}
	w.mustRefuse(w.sign(claims), fault.UnknownKey, other.URL()) // 26: A's key, B's name, B has no such kid
	kid := kidOf(t, tok)
	stolen, err := w.service.Sign(map[string]any{"kid": kid}, claims)
	if err != nil {
		t.Fatal(err)
	}
	w.mustRefuse(stolen, fault.BadSignature, "not signed by "+other.URL()) // 26: and with B's kid
}

func kidOf(t *testing.T, tok string) string {
	t.Helper()
	head, _, _ := strings.Cut(tok, ".")
	b, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	var h struct{ Kid string }
	if err := json.Unmarshal(b, &h); err != nil {
		t.Fatal(err)
	}
	return h.Kid
}

// Rows 23 to 25: what is not byte for byte a configured issuer is unknown, and nobody is asked about it.
func TestUnknownIssuers(t *testing.T) {
	t.Parallel()
	github, err := NewIssuer("github", "")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *Config) { c.Issuers = []Issuer{github} })
	for _, tt := range []struct{ iss, fragment string }{
		{"https://evil.example", "adding github-NAME=https://evil.example"},
		{"https://gitlab.acme.dev", "adding gitlab-NAME=https://gitlab.acme.dev"},
		{"https://codeberg.org/api/actions", "adding forgejo-NAME=https://codeberg.org/api/actions"},
		{"https://evil.example", "token comes from https://evil.example, the server at " + serverURL + " trusts https://token.actions.githubusercontent.com"},
		{github.URL + "/", "spelling must be exactly " + github.URL},
		{"https://Token.Actions.GitHubUserContent.com", "spelling must be exactly"},
		{"http://token.actions.githubusercontent.com", "No issuer has such an address"},
		{"https://token.actions.githubusercontent.com:443", "adding github-NAME"},
		{"https://x@token.actions.githubusercontent.com", "No issuer has such an address"},
		{"https://token.actions.githubusercontent%2ecom", "No issuer has such an address"},
		{"https://token.actions.githubusercontent.com.evil.example", "adding github-NAME"},
		{"https://token.actions.g\u0456thubusercontent.com", "No issuer has such an address"},
		{github.URL + "/evil-slug", "adding github-NAME=" + github.URL + "/evil-slug"},
		{"token.actions.githubusercontent.com", "No issuer has such an address"},
		{"", "(empty)"},
	} {
		t.Run(tt.iss, func(t *testing.T) {
			w := *w
			w.t = t
			claims := w.claims()
			claims["iss"] = tt.iss
			w.mustRefuse(w.sign(claims), fault.UnknownIssuer, tt.fragment)
		})
	}
	if n := w.net.requests(); n != 0 {
		t.Errorf("%d requests went out", n)
	}
}

// A publisher that changes between match and mint is matched anew; one that never holds still is a conflict.
func TestPublishersThatChangeUnderTheMint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add()
	edit := func(f func(*Publisher)) func() {
		return func() {
			p := w.store.publishers[p.ID]
			f(&p)
			w.store.publishers[p.ID] = p
		}
	}
	w.store.beforeMint = edit(func(p *Publisher) { p.Version++ })
	if _, pt := w.mustPass(w.sign(w.claims())); pt.Grants[0].PublisherVersion != 2 {
		t.Errorf("minted for version %d, want 2", pt.Grants[0].PublisherVersion)
	}
	w.store.beforeMint = edit(func(p *Publisher) { p.Version++; p.Workflow = "other.yml" })
	w.mustRefuse(w.sign(w.claims()), fault.WorkflowMismatch, "wants other.yml")

	w.store.beforeMint = edit(func(p *Publisher) { p.RepositoryID = "666" }) // pinned meanwhile to others
	edit(func(p *Publisher) { p.Workflow, p.RepositoryID, p.OwnerID = "build.yml", "", "" })()
	w.mustRefuse(w.sign(w.claims()), fault.IDMismatch, "not its id")

	edit(func(p *Publisher) { p.RepositoryID, p.OwnerID = "", "" })()
	var restless func()
	restless = func() { edit(func(p *Publisher) { p.Version++ })(); w.store.beforeMint = restless }
	w.store.beforeMint = restless
	w.mustRefuse(w.sign(w.claims()), fault.Conflict, "were changed while")
}

// A failing database is no refusal, and leaves the token unused.
func TestStoreFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add()
	tok := w.sign(w.claims())
	w.mustPass(w.sign(w.claims())) // keys are loaded now
	w.store.failing = errors.New("disk on fire")
	if _, _, err := w.x.Exchange(t.Context(), tok); err == nil || fault.CodeOf(err) != fault.Internal {
		t.Errorf("error %v, want an internal one", err)
	}
	w.store.failing = nil
	w.mustPass(tok)
}

// Row 94 and the audit: what is remembered of a refusal, and what is in the log.
func TestRefusalsAreRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(func(p *Publisher) { p.Workflow = "release.yml" })
	claims := w.claims()
	tok := w.sign(claims)
	w.mustRefuse(tok, fault.WorkflowMismatch, "release.yml")
	forged := tok[:len(tok)-8] + "AAAAAAAA"
	w.mustRefuse(forged, fault.BadSignature, "")
	claims["aud"] = "prefix.dev"
	wrong := w.sign(claims)
	w.mustRefuse(wrong, fault.WrongAudience, "prefix.dev")
	w.mustRefuse(wrong[:len(wrong)-8]+"AAAAAAAA", fault.WrongAudience, "prefix.dev") // forged, and wrong besides

	if n := len(w.store.refusals); n != 2 {
		t.Fatalf("%d refusals remembered, want 2: the forged ones must not be", n)
	}
	for i, code := range []fault.Code{fault.WorkflowMismatch, fault.WrongAudience} {
		r := w.store.refusals[i]
		if r.Code != code || r.Run.Repository != "acme/forge" || r.JTI != claims["jti"] || len(r.TokenHash) != 16 {
			t.Errorf("refusal %+v", r)
		}
		if d := cmp.Diff([]Near{{PublisherID: p.ID, ChannelID: 7, Proven: true}}, r.Near, cmpopts.IgnoreFields(Near{}, "Points")); d != "" {
			t.Error(d)
		}
		var fields []string
		for _, point := range r.Near[0].Points {
			fields = append(fields, point.Field+" "+string(point.Code))
		}
		if d := cmp.Diff([]string{"workflow workflow_mismatch", "job's workflow ", "event "}, fields); d != "" {
			t.Error(d)
		}
	}
	if d := cmp.Diff([]fault.Difference{{Claim: "workflow_ref", Got: "build.yml", Want: "release.yml"}}, w.store.refusals[0].Differences); d != "" {
		t.Error(d)
	}
	if log := w.log.String(); strings.Contains(log, tok[len(tok)-30:]) || strings.Contains(log, strings.Split(tok, ".")[1][:40]) {
		t.Error("the log holds a token")
	} else if !strings.Contains(log, hashPrefix(tok)) || !strings.Contains(log, claims["jti"].(string)) || strings.Count(log, "publish token refused") != 4 {
		t.Errorf("the log lacks a line for each refusal:\n%s", log)
	}
}

// A provider without token ids: the same statement is the same token, however its signature is written.
func TestTokensWithoutIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Issuers[0].Provider = noIDs{c.Issuers[0].Provider} })
	w.add()
	claims := w.claims()
	delete(claims, "jti")
	tok := w.sign(claims)
	w.mustPass(tok)
	w.mustRefuse(tok, fault.TokenReused, "")
	for key := range w.store.spent {
		if !strings.Contains(key, " sha256:") {
			t.Errorf("replay key %q", key)
		}
	}
	claims["run_number"] = "99"
	w.mustPass(w.sign(claims)) // another statement
}

type noIDs struct{ provider.Provider }

func (p noIDs) Traits() provider.Traits {
	t := p.Provider.Traits()
	t.NeedsJTI = false
	return t
}

func TestNewExchangeChecksItsConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := w.x.cfg
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no URL", func(c *Config) { c.URL = "" }, "public URL"},
		{"trailing slash", func(c *Config) { c.URL += "/" }, "without a trailing slash"},
		{"no audience", func(c *Config) { c.Audiences = nil }, "audiences"},
		{"empty audience", func(c *Config) { c.Audiences = []string{""} }, "audiences"},
		{"short life", func(c *Config) { c.Life = time.Minute }, "5 to 60 minutes"},
		{"long life", func(c *Config) { c.Life = 2 * time.Hour }, "5 to 60 minutes"},
		{"wide leeway", func(c *Config) { c.Leeway = time.Hour }, "120 s"},
		{"issuer twice", func(c *Config) { c.Issuers = append(c.Issuers, c.Issuers[0]) }, "twice"},
		{"symmetric", func(c *Config) { c.Issuers = []Issuer{with(c.Issuers[0], "HS256")} }, `"HS256" cannot be taken`},
		{"none", func(c *Config) { c.Issuers = []Issuer{with(c.Issuers[0], "none")} }, `"none" cannot be taken`},
		{"no algorithms", func(c *Config) { c.Issuers = []Issuer{with(c.Issuers[0])} }, "no algorithms"},
		{"bare issuer", func(c *Config) { c.Issuers = []Issuer{{URL: "https://x.example"}} }, "NewIssuer"},
		{"keys over http", func(c *Config) { is := c.Issuers[0]; is.JWKSURI = "http://x.example/k"; c.Issuers = []Issuer{is} }, "keys address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := base
			tt.change(&cfg)
			if _, err := NewExchange(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}

func with(is Issuer, algorithms ...string) Issuer {
	is.Algorithms = algorithms
	return is
}
