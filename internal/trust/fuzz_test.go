package trust

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sluice/internal/fault"
	"sluice/internal/limit"
)

// FuzzParseToken: what is taken has one spelling, and says the same to another reader of JSON.
func FuzzParseToken(f *testing.F) {
	enc := base64.RawURLEncoding.EncodeToString
	for _, s := range [][2]string{
		{`{"alg":"RS256","kid":"k"}`, `{"iss":"https://x.example","exp":1.7e9,"a":[{"b":null}]}`},
		{`{"alg":"none"}`, `{"iss":"a","iss":"b"}`},
		{`{"Alg":"RS256"}`, `{"iss":"\ud83d\ude00"}`},
		{`{}`, `{"iss":"\ud800"}`},
	} {
		f.Add(enc([]byte(s[0])) + "." + enc([]byte(s[1])) + ".c2ln")
	}
	f.Add("a.b.c")
	f.Add("ghs_x")
	f.Fuzz(func(t *testing.T, raw string) {
		tok, err := parseToken(raw)
		if err != nil {
			if code := fault.CodeOf(err); code != fault.MalformedToken && code != fault.TooLarge {
				t.Fatalf("refused with %s: %v", code, err)
			}
			return
		}
		parts := strings.Split(raw, ".")
		for i, obj := range []map[string]any{tok.header, tok.claims} {
			data, err := base64.RawURLEncoding.Strict().DecodeString(parts[i])
			if err != nil || enc(data) != parts[i] {
				t.Fatalf("part %q has another spelling: %v", parts[i], err)
			}
			dec := json.NewDecoder(strings.NewReader(string(data)))
			dec.UseNumber()
			var other map[string]any
			if err := dec.Decode(&other); err != nil || !reflect.DeepEqual(other, obj) {
				t.Fatalf("read %v, another reader has %v, %v", obj, other, err)
			}
		}
		if tok.signingInput()+"."+parts[2] != raw || !utf8.ValidString(tok.issuer) {
			t.Fatalf("signing input %q of %q", tok.signingInput(), raw)
		}
	})
}

// FuzzReadBody: whatever comes, a refusal or the string that an ordinary reader sees.
func FuzzReadBody(f *testing.F) {
	f.Add([]byte(`{"token":"a"}`))
	f.Add([]byte(`{"token":"a","Token":"b"}`))
	f.Add([]byte("{\"token\":\"\\ud800\"}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := ReadBody(body)
		if err != nil {
			if code := fault.CodeOf(err); code != fault.BadRequest && code != fault.TooLarge {
				t.Fatalf("refused with %s", code)
			}
			return
		}
		var other map[string]any
		if err := json.Unmarshal(body, &other); err != nil || other["token"] != got {
			t.Fatalf("= %q, another reader has %v, %v", got, other["token"], err)
		}
	})
}

// FuzzParseKeys: whatever an issuer serves, what is kept of it are strong public keys with names.
func FuzzParseKeys(f *testing.F) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	n := base64.RawURLEncoding.EncodeToString(k.N.Bytes())
	for _, s := range []string{
		`{"keys":[{"kty":"RSA","kid":"a","n":"` + n + `","e":"AQAB"}]}`, `{"keys":[{"kty":"RSA","kid":"a","use":"enc","n":"` + n + `","e":"AQAB"},{"kty":"oct","kid":"b","k":"c2VjcmV0"}]}`,
		`{"keys":[{"kty":"RSA","kid":"a","n":"` + n + `","e":"Aw"}]}`, `{"keys":[{"kty":"EC","kid":"a","crv":"P-256","x":"AA","y":"AA"}]}`, `{"keys":[]}`, `{"keys":null}`, `{}`, `[]`, `{"keys":[7]}`,
		`{"keys":[{"kty":"OKP","kid":"a","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"AA"}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, skipped, err := parseKeys(data)
		if err != nil {
			if len(keys)+len(skipped) > 0 {
				t.Fatalf("%d keys and %d skipped beside %v", len(keys), len(skipped), err)
			}
			return
		}
		if n := len(keys) + len(skipped); n == 0 || n > maxKeys {
			t.Fatalf("%d keys and no error", n)
		}
		for _, k := range keys {
			family, err := strongFamily(k.key)
			if err != nil || family != k.family || k.id == "" || !slices.Contains(slices.Collect(maps.Values(families)), family) {
				t.Fatalf("kept %+v, %v", k, err)
			}
			if k.fits(k.id, "none") || k.fits(k.id, "HS256") {
				t.Fatalf("%+v fits a symmetric algorithm", k)
			}
		}
	})
}

// BenchmarkExchange is one whole exchange in memory; what it costs beside BenchmarkRSA is ours.
func BenchmarkExchange(b *testing.B) {
	w := shared(b)
	w.add()
	tok := w.sign(w.claims())
	if _, _, err := w.x.Exchange(b.Context(), tok); err != nil { // loads the keys
		b.Fatal(err)
	}
	w.x.limits.exchanges = limit.New(math.MaxInt, time.Second) // nothing else is this often, but it is asked
	b.ReportAllocs()
	for b.Loop() {
		clear(w.store.spent) // making a token costs thirty times as much as checking one
		clear(w.store.tokens)
		if _, _, err := w.x.Exchange(b.Context(), tok); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRSA is the bare check of one RS256 signature.
func BenchmarkRSA(b *testing.B) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte("x"))
	sig, err := rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, sum[:])
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := rsa.VerifyPKCS1v15(&k.PublicKey, crypto.SHA256, sum[:], sig); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMatch holds a run against a hundred publishers of its repository, of which one fits.
func BenchmarkMatch(b *testing.B) {
	w := shared(b)
	w.add()
	_, pt := w.mustPass(w.sign(w.claims()))
	run := pt.Run
	var found []Publisher
	for i := range 100 {
		p := w.store.publisher(1)
		p.ID = int64(i + 1)
		if i > 0 {
			p.Workflow = fmt.Sprintf("other%d.yml", i)
		}
		found = append(found, p)
	}
	b.ReportAllocs()
	for b.Loop() {
		if cs := w.x.compareAll(w.x.cfg.Issuers[0].Provider, found, run, w.clock.now()); len(cs) != 100 || !cs[0].granted() || cs[1].granted() {
			b.Fatal("the one that fits is not first")
		}
	}
}
