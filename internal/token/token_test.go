package token

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func TestNewParsesBack(t *testing.T) {
	re := regexp.MustCompile("^" + Pattern + "$")
	for _, k := range kinds {
		tok := New(k)
		s := tok.Reveal()
		if !re.MatchString(s) {
			t.Errorf("New(%q) = %q, which Pattern does not find", k, s)
		}
		got, err := Parse(s)
		if err != nil || got != tok || got.Kind() != k || got.Hash() != tok.Hash() {
			t.Errorf("Parse(New(%q)) = %v, %v", k, got, err)
		}
	}
}

func TestEveryChangedCharacterIsFound(t *testing.T) {
	s := New(API).Reveal()
	for i := len(API); i < len(s); i++ {
		for _, c := range []byte("0Zz-_ ") {
			if s[i] == c {
				continue
			}
			typo := s[:i] + string(c) + s[i+1:]
			if _, err := Parse(typo); err == nil {
				t.Errorf("Parse accepted a typo at %d", i)
			} else if strings.Contains(err.Error(), typo) {
				t.Errorf("the error repeats the token: %v", err)
			}
		}
	}
	for _, s := range []string{"", "x", s[:len(s)-1], s + "0", "eyJhbGciOiJSUzI1NiJ9.e30.x", strings.ToUpper(s)} {
		if _, err := Parse(s); err == nil {
			t.Errorf("Parse(%q) accepted", s)
		}
	}
}

func TestPrintingGivesNothingAway(t *testing.T) {
	tok := New(Publish)
	secret := tok.Reveal()[len(Publish)+4:]
	j, _ := json.Marshal(tok)
	for _, s := range []string{fmt.Sprint(tok), fmt.Sprintf("%+v", tok), fmt.Sprintf("%#v", tok), string(j)} {
		if strings.Contains(s, secret) || !strings.Contains(s, tok.Hint()) {
			t.Errorf("printed as %q", s)
		}
	}
}

func TestScrub(t *testing.T) {
	t.Parallel()
	tok := New(API)
	for in, want := range map[string]string{
		"file name \"" + tok.Reveal() + "\" is bad":    "file name \"sluice-api-…\" is bad",
		tok.Reveal()[:30] + "!":                        "sluice-api-…!",
		strings.ToUpper(tok.Reveal()):                  "SLUICE-API-…",
		"The token " + tok.String() + " ended":         "The token " + tok.String() + " ended",
		"tokens begin with sluice-api- or sluice-pub-": "tokens begin with sluice-api- or sluice-pub-",
		"got eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2ln_-x":  "got eyJ…",
		"eyJ is no token":                              "eyJ is no token",
	} {
		if got := Scrub(in); got != want {
			t.Errorf("Scrub(%q) = %q, want %q", in, got, want)
		}
	}
}
