package trust

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Bounds of a token's header and payload. Real tokens have some thirty members, one level deep.
const (
	maxDepth   = 8
	maxMembers = 200
)

// parseObject reads one JSON object strictly. encoding/json takes the last of two equal members and replaces
// what is no character, so that a token could say one thing to its issuer's checks and another to ours; here
// both are errors. Numbers stay json.Number. Errors read as the end of "the payload …".
func parseObject(data []byte) (map[string]any, error) {
	switch {
	case !utf8.Valid(data):
		return nil, errors.New("is not UTF-8")
	case !json.Valid(data):
		return nil, errors.New("is not JSON")
	}
	if err := checkEscapes(data); err != nil {
		return nil, err
	}
	s := &objectReader{dec: json.NewDecoder(bytes.NewReader(data))}
	s.dec.UseNumber()
	v, err := s.value(0)
	if err != nil {
		return nil, err
	}
	obj, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("is not a JSON object")
	}
	return obj, nil
}

// objectReader builds values from the tokens of a valid document.
type objectReader struct {
	dec     *json.Decoder
	members int
}

func (r *objectReader) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("is nested deeper than %d levels", maxDepth)
	}
	if r.members++; r.members > maxMembers {
		return nil, fmt.Errorf("has more than %d values", maxMembers)
	}
	tok, err := r.dec.Token()
	if err != nil {
		return nil, errors.New("is not JSON")
	}
	switch tok {
	case json.Delim('{'):
		return r.object(depth)
	case json.Delim('['):
		return r.array(depth)
	}
	return tok, nil
}

func (r *objectReader) object(depth int) (any, error) {
	obj := map[string]any{}
	for r.dec.More() {
		name, err := r.dec.Token()
		if err != nil {
			return nil, errors.New("is not JSON")
		}
		key := name.(string) // in a valid document a member's name is a string
		if _, twice := obj[key]; twice {
			return nil, fmt.Errorf("has the member %s twice", shown(key))
		}
		if obj[key], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
	_, err := r.dec.Token()
	return obj, err
}

func (r *objectReader) array(depth int) (any, error) {
	list := []any{}
	for r.dec.More() {
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := r.dec.Token()
	return list, err
}

// checkEscapes refuses \u escapes of a valid document that stand for no character, or for NUL.
func checkEscapes(data []byte) error {
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		i++
		r, ok := escape(data[i:])
		switch {
		case !ok:
			continue
		case r == 0:
			return errors.New("holds a NUL character")
		case utf16.IsSurrogate(r):
			var low rune
			if len(data) > i+5 && data[i+5] == '\\' {
				low, _ = escape(data[i+6:])
			}
			if utf16.DecodeRune(r, low) == utf8.RuneError {
				return errors.New("holds half a character (a lone surrogate)")
			}
			i += 6
		}
		i += 4
	}
	return nil
}

// escape reads "uXXXX", what follows a backslash.
func escape(b []byte) (rune, bool) {
	if len(b) < 5 || b[0] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[1:5]), 16, 16)
	return rune(n), err == nil
}

// foreignCase returns the first member whose name is one of names but for its case, or "". Some libraries read
// "ISS" as "iss"; a token that could be read in two ways is refused.
func foreignCase(obj map[string]any, names ...string) string {
	for key := range obj {
		for _, name := range names {
			if key != name && strings.EqualFold(key, name) {
				return key
			}
		}
	}
	return ""
}
