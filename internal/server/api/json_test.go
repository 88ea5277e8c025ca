package api

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, wantErr string }{
		{in: `{"a": {"b_1": [1, "x", null, true]}}`},
		{in: `[]`},
		{in: ` "x" `},
		{in: ``, wantErr: "ends too early"},
		{in: `{"a": 1`, wantErr: "ends too early"},
		{in: `{"a" 1}`, wantErr: "not JSON"},
		{in: `{"a": 1,}`, wantErr: "not JSON"},
		{in: `{"a": 1} {}`, wantErr: "follows"},
		{in: `{"a": 1}]`, wantErr: "follows"},
		{in: `{"a": 1, "a": 2}`, wantErr: "twice"},
		{in: `{"a": 1, "\u0061": 2}`, wantErr: "twice"},
		{in: `[{"a": 1}, {"a": 2}]`},
		{in: `{"A": 1}`, wantErr: "lower case"},
		{in: `{"\u017f": 1}`, wantErr: "lower case"}, // a long s folds onto s
		{in: `{"": 1}`, wantErr: "lower case"},
		{in: `{"a": "x\u0000"}`, wantErr: "NUL"},
		{in: "{\"a\": \"\xff\"}", wantErr: "UTF-8"},
		{in: strings.Repeat("[", maxDepth-1) + strings.Repeat("]", maxDepth-1)},
		{in: strings.Repeat("[", 100_000), wantErr: "too deep"},
	} {
		t.Run(tt.in[:min(len(tt.in), 40)], func(t *testing.T) {
			t.Parallel()
			var v any
			err := unmarshal([]byte(tt.in), &v)
			if (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("error = %v, want %q", err, tt.wantErr)
			}
		})
	}
}

// What is taken means one thing: written out and read again, it is the same value.
func FuzzUnmarshal(f *testing.F) {
	for _, s := range []string{`{"a": [1, 2.5e3, "x", null, {"b": true}]}`, `{"a": 1, "a": 2}`, `"\ud800"`, `[[[]]]`, "{\"a\": \"\xff\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var v, again any
		if unmarshal(in, &v) != nil {
			return
		}
		var b bytes.Buffer
		if err := marshal(&b, v); err != nil {
			t.Fatalf("took %q and cannot write it: %v", in, err)
		}
		if err := unmarshal(b.Bytes(), &again); err != nil {
			t.Fatalf("took %q, but not %q: %v", in, b.Bytes(), err)
		}
		if d := cmp.Diff(v, again); d != "" {
			t.Errorf("%q: %s", in, d)
		}
	})
}
