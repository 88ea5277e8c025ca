package server_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"sluice/internal/conda/build"
	"sluice/internal/servertest"
)

// Packages may say strange things that are no fault. Both databases must take them, and all index files must
// show them alike. None is a failure of ours.
func TestStrangeTextIsTaken(t *testing.T) {
	t.Parallel()
	field := func(key string, value any) func(p *build.Package) {
		return func(p *build.Package) {
			index := map[string]any{"name": p.Name, "version": p.Version, "build": p.Build, "build_number": 0, "subdir": "noarch", "depends": []string{}}
			maps.Copy(index, map[string]any{key: value})
			b, err := json.Marshal(index)
			if err != nil {
				t.Error(err)
			}
			p.Info = map[string][]byte{"index.json": b}
		}
	}
	about := func(text string) func(p *build.Package) {
		return func(p *build.Package) {
			p.About = build.About{Home: text, DevURL: text, DocURL: text, Summary: text, Description: text}
		}
	}
	both(t, func(t *testing.T, w *world) {
		for i, tt := range []struct {
			name   string
			change func(p *build.Package)
		}{
			{"zero bytes in the license", field("license", "MIT\x00")},
			{"zero bytes in the summary", about("a\x00b")},
			{"escapes and marks in the summary", about("\x1b[31mred\u202e\u2066\r\n<script>")},
			{"beyond the basic plane", field("license", "🦀 \U0010ffff")},
			{"characters that HTML escapes", field("license", "<&>\u2028\"\\")},
			{"a long license", field("license", strings.Repeat("MIT OR ", 10_000))},
			{"a long summary", about(strings.Repeat("long ", 50_000))},
			{"a thousand dependencies", field("depends", strings.Fields(strings.Repeat("ebb>=1 ", 1000)))},
			{"the largest build number", field("build_number", int64(1<<63-1))},
			{"fields that nobody knows", field("", map[string]any{"\x00": []any{nil, 1.5}})},
		} {
			filename, body := packageOf(t, fmt.Sprintf("tide%d", i), tt.change)
			status, said := w.do(t, w.post(t, "forge", w.annUploads, filePart(filename, "", body)))
			if status != http.StatusOK {
				t.Errorf("%s: %d %q", tt.name, status, said)
			}
			x, err := servertest.ReadIndex(t.Context(), w.URL+"/forge/noarch", "")
			if err != nil || len(x.Records) != i+1 {
				t.Errorf("%s: the index files: %v, %v", tt.name, x, err)
			}
		}
	})
}
