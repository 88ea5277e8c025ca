package check

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// differing is the fields in which two objects differ, as they are in each of them; else where one of them is none, the
// texts that they were read from.
func differing(a, b map[string]json.RawMessage, rawA, rawB string) (inA, inB string) {
	if a == nil || b == nil {
		return rawA, rawB
	}
	names := map[string]bool{}
	for k := range a {
		names[k] = true
	}
	for k := range b {
		names[k] = true
	}
	var left, right []string
	for _, k := range slices.Sorted(maps.Keys(names)) {
		if !bytes.Equal(a[k], b[k]) {
			left, right = append(left, spell(k, a[k])), append(right, spell(k, b[k]))
		}
	}
	if len(left) == 0 {
		return rawA, rawB // the same fields in other words
	}
	return strings.Join(left, "; "), strings.Join(right, "; ")
}

func spell(field string, value json.RawMessage) string {
	if value == nil {
		return "no " + field
	}
	return field + ": " + string(value)
}

// asJSON is a value as JSON, with matchspecs' < and > as they are.
func asJSON(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // strings, numbers, lists and maps of them
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
