package strictjson_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"sluice/internal/strictjson"
)

// FuzzObject: what is taken is what encoding/json takes, with the same values, and what encoding/json takes is
// refused for a reason of ours alone.
func FuzzObject(f *testing.F) {
	for _, s := range []string{
		`{}`, ` {"a" : [1, -0.5e+3, true, false, null, "x\n\u00e9\ud83d\ude00"] }`, `{"a":1,"a":2}`, `{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":-}`, `{"a":1e}`,
		`{"a":"\ud800"}`, `{"a":"\u0000"}`, `{"a":"\x"}`, "{\"a\":\"\t\"}", `{"a":tru}`, `{"a":truex}`, `{"a":{"b":{"c":[[[[[[1]]]]]]}}}`, `{"a"}`, `{,}`, `[1,]`, `{} {}`, "\xff",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := strictjson.Object(data)
		dec := json.NewDecoder(strings.NewReader(string(data)))
		dec.UseNumber()
		var other map[string]any
		valid := json.Valid(data) && utf8.Valid(data) && dec.Decode(&other) == nil && other != nil
		switch {
		case err == nil && (!valid || !reflect.DeepEqual(got, other)):
			t.Fatalf("%q: read %v, another reader has %v, valid %v", data, got, other, valid)
		case err != nil && valid && !slices.ContainsFunc([]string{"twice", "deeper", "more than", "half a character", "NUL"}, func(s string) bool { return strings.Contains(err.Error(), s) }):
			t.Fatalf("%q: refused: %v", data, err)
		}
	})
}
