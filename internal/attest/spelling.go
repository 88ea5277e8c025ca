package attest

import (
	"encoding/json"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// asWritten reports whether the text of a bundle is what protobuf's JSON writes for it. The library's reader also takes
// members by another name, base64 of other alphabets and without padding, and numbers for texts. Clients do not, and one
// bundle that a client cannot read costs it all others of the file. Members may be left out or written where they say nothing.
func asWritten(raw []byte, b *protobundle.Bundle) bool {
	written, err := protojson.Marshal(b)
	if err != nil {
		return false
	}
	var got, want any
	return json.Unmarshal(raw, &got) == nil && json.Unmarshal(written, &want) == nil && same(got, want)
}

// same compares values of JSON; want is without whatever is empty.
func same(got, want any) bool {
	switch got := got.(type) {
	case map[string]any:
		object, ok := want.(map[string]any)
		if !ok {
			return want == nil && len(got) == 0
		}
		for name, value := range got {
			if !same(value, object[name]) {
				return false
			}
		}
		return true
	case []any:
		list, ok := want.([]any)
		if !ok || len(got) != len(list) {
			return want == nil && len(got) == 0
		}
		for i := range got {
			if !same(got[i], list[i]) {
				return false
			}
		}
		return true
	default:
		return got == want || want == nil && (got == nil || got == "" || got == "0" || got == float64(0) || got == false)
	}
}
