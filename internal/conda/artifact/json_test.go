package artifact

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// surrogate finds escapes of surrogates, the one point where the oracle cannot judge: the standard
// library replaces a lone one.
var surrogate = regexp.MustCompile(`(?i)\\u[d][89a-f]`)

// oracle says with the standard library whether b is one JSON object, strictly: valid UTF-8, no key twice
// in any object, no deeper than maxDepth.
func oracle(b []byte) bool {
	if !json.Valid(b) || !utf8.Valid(b) || bytes.TrimLeft(b, " \t\r\n")[0] != '{' {
		return false
	}
	type level struct {
		keys  map[string]bool // nil in a list
		value bool            // in an object, the next token is a value
	}
	var open []level
	for d := json.NewDecoder(bytes.NewReader(b)); ; {
		tok, err := d.Token()
		if err != nil {
			return true // the end; json.Valid has seen the rest
		}
		top := len(open) - 1
		if key, ok := tok.(string); ok && top >= 0 && open[top].keys != nil && !open[top].value {
			if open[top].keys[key] {
				return false
			}
			open[top].keys[key], open[top].value = true, true
			continue
		}
		if top >= 0 {
			open[top].value = false
		}
		switch tok {
		case json.Delim('{'):
			open = append(open, level{keys: map[string]bool{}})
		case json.Delim('['):
			open = append(open, level{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:top]
		}
		if len(open) > maxDepth {
			return false
		}
	}
}

// FuzzJSON holds the scanner against the oracle, both ways.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,-0.5e+3,true,false,null,"\u00e9\n\ud83d\ude00"],"b":{"a":{}}}`, `{"a":1,"\u0061":2}`, `{"a":01}`, `{"a":1.}`, `{"a":-}`, `{"a":1e}`, `{"a":.5}`, `{"a":+1}`,
		"\ufeff{}", `{}{}`, `{"a":"` + "\x01" + `"}`, `{"a":"\x"}`, `{,}`, `{"a":1,}`, `{"a" 1}`, `{a:1}`, `[]`, ``, ` `, `{"":{"":""}}`, `{"a":tru}`, `{"a":"\ud800"}`, `{"a":"`,
		`{"a":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`, `{"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`, `{"a":[1,2`, "{\"a\":\"\xff\"}", "{\"a\":\"\ufffd\"}", `{"a":0}`, `{"a":-0}`, `{"a":1E-2}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		err := checkJSON(b, false)
		if fe, ok := errors.AsType[*FormatError](err); err != nil && (!ok || len(fe.Why) > maxWhy || strings.ContainsFunc(fe.Why, func(r rune) bool { return !unicode.IsPrint(r) })) {
			t.Errorf("bad refusal %#v", err)
		}
		if surrogate.Match(b) || len(b) > maxKeys/17 {
			return
		}
		if got, want := err == nil, oracle(b); got != want {
			t.Errorf("accepted = %v (%v), want %v", got, err, want)
		}
	})
}

func TestSurrogates(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{
		`{"a":"\ud83d\ude00"}`: true, `{"a":"\uD83D\uDE00"}`: true, `{"a":"\ud83d"}`: false, `{"a":"\ud83dx"}`: false, `{"a":"\ud83d\n"}`: false,
		`{"a":"\ud83d\ud83d"}`: false, `{"a":"\ude00"}`: false, `{"a":"\ude00\ud83d"}`: false, `{"a":"\ud83d\u0041"}`: false, `{"a":"\ud83d\u00"}`: false,
	} {
		if got := checkJSON([]byte(in), false) == nil; got != want {
			t.Errorf("%s: accepted = %v, want %v", in, got, want)
		}
	}
}
