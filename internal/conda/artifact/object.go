package artifact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// object is a JSON object whose text passed checkJSON. Its keys are exact: encoding/json would also set
// a struct's name from "Name".
type object map[string]json.RawMessage

// kind names the type of a value; "" for one that is absent or null.
func (o object) kind(key string) string {
	raw := bytes.TrimSpace(o[key])
	if len(raw) == 0 {
		return ""
	}
	switch raw[0] {
	case 'n':
		return ""
	case 't', 'f':
		return "true or false"
	case '"':
		return "a string"
	case '[':
		return "a list"
	case '{':
		return "an object"
	}
	return "a number"
}

// decode decodes one value into to and says what was wanted when it is something else.
func (o object) decode(key, want string, to any) error {
	if err := json.Unmarshal(o[key], to); err != nil {
		return bad("%s is %s; it must be %s", quote(key), o.kind(key), want)
	}
	return nil
}

// text returns a string; "" when it is absent or null.
func (o object) text(key string) (s string, err error) {
	if o.kind(key) == "" {
		return "", nil
	}
	return s, o.decode(key, "a string", &s)
}

// list returns a list of strings; nil when it is absent, null or empty.
func (o object) list(key string) ([]string, error) {
	if o.kind(key) == "" {
		return nil, nil
	}
	return o.strings(key, o[key], "a list of strings")
}

// strings decodes a list of strings that hold no null, which encoding/json would take for "".
func (o object) strings(key string, raw json.RawMessage, want string) ([]string, error) {
	var elems []*string
	if err := json.Unmarshal(raw, &elems); err != nil {
		return nil, bad("%s must be %s", quote(key), want)
	}
	var out []string
	for _, e := range elems {
		if e == nil {
			return nil, bad("%s must be %s; it holds a null", quote(key), want)
		}
		out = append(out, *e)
	}
	return out, nil
}

// words returns a string, or a list of strings joined by sep; "" when it is absent or null.
func (o object) words(key, sep string) (string, error) {
	if o.kind(key) != "a list" {
		return o.text(key)
	}
	l, err := o.list(key)
	return strings.Join(l, sep), err
}

// parseObject takes apart the object in b, which passed checkJSON.
func parseObject(b []byte) (object, error) {
	var o object
	if err := json.Unmarshal(b, &o); err != nil {
		return nil, fmt.Errorf("decode what was checked: %w", err)
	}
	return o, nil
}
