package repodata

import (
	"bytes"
	"strings"
	"testing"

	"sluice/internal/conda"
)

// What was joined comes apart again, whatever stands in the strings.
func TestCut(t *testing.T) {
	t.Parallel()
	odd := conda.Record{Name: "odd", Version: "1", Build: "0", Subdir: conda.Noarch(), License: `}{",\" \\`, Depends: []string{`a "b`, `\`, `{"x":{`, "é\u2028"}}
	var keyed, exports, named, hashed [][]byte
	var keys []string
	for _, a := range append(artifacts(t, 50), listed{file: filename(t, "odd-1-0.conda"), rec: odd}) {
		keys = append(keys, a.file.String())
		keyed = append(keyed, Member(a.file, a.rec))
		exports = append(exports, RunExportsMember(a.file, a.re))
		named = append(named, RemovedMember(a.file.String()))
		hashed = append(hashed, ShardIndexMember(a.file.String(), a.rec.SHA256))
	}
	long := strings.Repeat("x", 300)
	for _, tt := range []struct {
		name    string
		form    Form
		sep     string
		members [][]byte
	}{
		{"records", Keyed, ",", keyed}, {"run_exports", Keyed, ",", exports}, {"removed", Named, ",", named}, {"shards", Hashed, "", hashed},
		{"one", Keyed, ",", keyed[:1]}, {"none", Hashed, "", nil}, {"a long name", Hashed, "", [][]byte{ShardIndexMember(long, [32]byte{1})}},
	} {
		got, err := Cut(bytes.Join(tt.members, []byte(tt.sep)), tt.form)
		if err != nil || len(got) != len(tt.members) {
			t.Errorf("%s: %d members of %d, %v", tt.name, len(got), len(tt.members), err)
			continue
		}
		for i, m := range got {
			if !bytes.Equal(m.Member, tt.members[i]) || tt.name != "a long name" && m.Key != keys[i] {
				t.Errorf("%s: member %d is %q: %s", tt.name, i, m.Key, m.Member)
			}
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add([]byte(`"a-1-0.conda":{"x":"}\""},"b-1-0.conda":{}`), 0)
	f.Add([]byte(`"a","b"`), 1)
	f.Add(ShardIndexMember("tide", [32]byte{1}), 2)
	f.Fuzz(func(t *testing.T, raw []byte, form int) {
		form = (form%3 + 3) % 3
		got, err := Cut(raw, Form(form))
		if err != nil {
			return
		}
		parts := make([][]byte, len(got))
		for i, m := range got {
			parts[i] = m.Member
		}
		sep := ","
		if Form(form) == Hashed {
			sep = ""
		}
		if !bytes.Equal(bytes.Join(parts, []byte(sep)), raw) {
			t.Errorf("%q came apart into %q", raw, parts)
		}
	})
}
