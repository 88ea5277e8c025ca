// Package strictjson reads JSON that somebody signed. encoding/json takes the last of two equal members and replaces
// what is no character, so that a text could say one thing to whoever checked it first and another to us; here both
// are errors. It knows no format that is written in JSON.
package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"sluice/internal/fault"
)

// Bounds say how large a text may be, beside its bytes: how many levels deep, and how many values in all.
type Bounds struct{ Depth, Values int }

// Usual are the bounds of Object: tokens, and statements of CEP 27, have some thirty values, few levels deep.
var Usual = Bounds{Depth: 8, Values: 200}

var (
	errNotJSON  = errors.New("is not JSON")
	errHalfChar = errors.New("holds half a character (a lone surrogate)")
)

// Object reads one JSON object (RFC 8259), in one pass over it. Numbers are json.Number, lists []any, objects
// map[string]any. Text that is not UTF-8, holds NUL or half a character, or goes on after the object is an error,
// and so are a member that comes twice and what goes beyond Usual. Errors read as the end of "the payload …".
func Object(data []byte) (map[string]any, error) { return ObjectWithin(data, Usual) }

// ObjectWithin is Object with other bounds.
func ObjectWithin(data []byte, b Bounds) (map[string]any, error) {
	r := objectReader{Bounds: b, s: string(data)}
	if !utf8.ValidString(r.s) {
		return nil, errors.New("is not UTF-8")
	}
	v, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if r.space(); r.i < len(r.s) {
		return nil, errNotJSON
	}
	obj, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("is not a JSON object")
	}
	return obj, nil
}

// literals are the values that have a name.
var literals = [...]struct {
	text  string
	value any
}{{"true", true}, {"false", false}, {"null", nil}}

// objectReader reads the text s from byte i on.
type objectReader struct {
	Bounds
	s      string
	i      int
	values int
}

// space skips what may stand between tokens.
func (r *objectReader) space() {
	for r.i < len(r.s) && (r.s[r.i] == ' ' || r.s[r.i] == '\t' || r.s[r.i] == '\n' || r.s[r.i] == '\r') {
		r.i++
	}
}

// take skips white space and then c, and reports whether c was there.
func (r *objectReader) take(c byte) bool {
	r.space()
	if r.i < len(r.s) && r.s[r.i] == c {
		r.i++
		return true
	}
	return false
}

func (r *objectReader) value(depth int) (any, error) {
	if depth > r.Depth {
		return nil, fmt.Errorf("is nested deeper than %d levels", r.Depth)
	}
	if r.values++; r.values > r.Values {
		return nil, fmt.Errorf("has more than %d values", r.Values)
	}
	switch {
	case r.take('{'):
		return r.object(depth)
	case r.take('['):
		return r.array(depth)
	case r.take('"'):
		return r.text()
	}
	for _, w := range literals {
		if strings.HasPrefix(r.s[r.i:], w.text) {
			r.i += len(w.text)
			return w.value, nil
		}
	}
	return r.number()
}

func (r *objectReader) object(depth int) (any, error) {
	obj := map[string]any{}
	if r.take('}') {
		return obj, nil
	}
	for {
		if !r.take('"') {
			return nil, errNotJSON
		}
		name, err := r.text()
		if err != nil {
			return nil, err
		}
		if !r.take(':') {
			return nil, errNotJSON
		}
		if _, twice := obj[name]; twice {
			return nil, fmt.Errorf("has the member %s twice", fault.OneLine(name, 60))
		}
		if obj[name], err = r.value(depth + 1); err != nil {
			return nil, err
		}
		if r.take('}') {
			return obj, nil
		}
		if !r.take(',') {
			return nil, errNotJSON
		}
	}
}

func (r *objectReader) array(depth int) (any, error) {
	list := []any{}
	if r.take(']') {
		return list, nil
	}
	for {
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if r.take(']') {
			return list, nil
		}
		if !r.take(',') {
			return nil, errNotJSON
		}
	}
}

// text reads a string whose first quote was taken. Most hold no escape, and are a part of s.
func (r *objectReader) text() (string, error) {
	start := r.i
	for ; r.i < len(r.s); r.i++ {
		switch c := r.s[r.i]; {
		case c == '"':
			r.i++
			return r.s[start : r.i-1], nil
		case c == '\\':
			return r.escaped(start)
		case c < ' ':
			return "", errNotJSON
		}
	}
	return "", errNotJSON
}

// escaped reads the rest of a string that began at start, from its first escape on.
func (r *objectReader) escaped(start int) (string, error) {
	var b strings.Builder
	b.WriteString(r.s[start:r.i])
	for r.i < len(r.s) {
		c := r.s[r.i]
		r.i++
		switch {
		case c == '"':
			return b.String(), nil
		case c < ' ':
			return "", errNotJSON
		case c != '\\':
			b.WriteByte(c)
			continue
		}
		char, err := r.escape()
		if err != nil {
			return "", err
		}
		b.WriteRune(char)
	}
	return "", errNotJSON
}

// escape reads what follows a backslash.
func (r *objectReader) escape() (rune, error) {
	if r.i == len(r.s) {
		return 0, errNotJSON
	}
	c := r.s[r.i]
	r.i++
	if at := strings.IndexByte(`"\/bfnrt`, c); at >= 0 {
		return rune("\"\\/\b\f\n\r\t"[at]), nil
	}
	if c != 'u' {
		return 0, errNotJSON
	}
	char, err := r.unit()
	switch {
	case err != nil:
		return 0, err
	case char == 0:
		return 0, errors.New("holds a NUL character")
	case !utf16.IsSurrogate(char):
		return char, nil
	case !strings.HasPrefix(r.s[r.i:], `\u`):
		return 0, errHalfChar
	}
	r.i += len(`\u`)
	low, err := r.unit()
	if err != nil {
		return 0, err
	}
	if char = utf16.DecodeRune(char, low); char == utf8.RuneError {
		return 0, errHalfChar
	}
	return char, nil
}

// unit reads the four digits of a \u escape.
func (r *objectReader) unit() (rune, error) {
	const digits = 4
	if len(r.s)-r.i < digits {
		return 0, errNotJSON
	}
	hex := r.s[r.i : r.i+digits]
	if strings.Trim(hex, "0123456789abcdefABCDEF") != "" {
		return 0, errNotJSON
	}
	n, err := strconv.ParseUint(hex, 16, 16)
	r.i += digits
	return rune(n), err
}

// number reads what is neither text, list, object nor word.
func (r *objectReader) number() (any, error) {
	start := r.i
	for r.i < len(r.s) && strings.IndexByte("+-.0123456789eE", r.s[r.i]) >= 0 {
		r.i++
	}
	if n := r.s[start:r.i]; isNumber(n) {
		return json.Number(n), nil
	}
	return nil, errNotJSON
}

// isNumber holds s to RFC 8259 §6.
func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole, s := digitsOf(s)
	if whole == "" || len(whole) > 1 && whole[0] == '0' {
		return false
	}
	if fraction, ok := strings.CutPrefix(s, "."); ok {
		var digits string
		if digits, s = digitsOf(fraction); digits == "" {
			return false
		}
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		var digits string
		if digits, s = digitsOf(s); digits == "" {
			return false
		}
	}
	return s == ""
}

// digitsOf cuts the decimal digits off the front of s.
func digitsOf(s string) (digits, rest string) {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return s[:n], s[n:]
}

// ForeignCase returns a member whose name is one of names but for its case, or "". Some libraries read "ISS" as
// "iss"; what could be read in two ways is to be refused.
func ForeignCase(obj map[string]any, names ...string) string {
	for key := range obj {
		for _, name := range names {
			if key != name && strings.EqualFold(key, name) {
				return key
			}
		}
	}
	return ""
}
