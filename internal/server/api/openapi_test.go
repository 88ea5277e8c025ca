package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
)

// notedMux remembers every pattern that is registered.
type notedMux struct {
	*http.ServeMux
	patterns []string
}

func (m *notedMux) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	m.patterns = append(m.patterns, pattern)
	m.ServeMux.HandleFunc(pattern, h)
}

// Everything that the API does is in the document, and nothing else is.
func TestDocumentListsEveryRoute(t *testing.T) {
	t.Parallel()
	mux := &notedMux{ServeMux: http.NewServeMux()}
	s := newService(Deps{URL: "https://conda.example.org"}, mux)
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]any
	}
	if err := json.Unmarshal(s.document, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("openapi = %q", doc.OpenAPI)
	}
	var documented []string
	for path, methods := range doc.Paths {
		for method := range methods {
			documented = append(documented, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(documented)
	slices.Sort(mux.patterns)
	if d := cmp.Diff(mux.patterns, documented); d != "" {
		t.Errorf("routes (-) and document (+) differ:\n%s", d)
	}
	want := []string{
		"DELETE /api/v1/channels/{channel}/members/{name}",
		"DELETE /api/v1/channels/{channel}/trusted-publishers/{id}",
		"DELETE /api/v1/tokens/{id}",
		"GET /api/v1/audit",
		"GET /api/v1/channels",
		"GET /api/v1/channels/{channel}",
		"GET /api/v1/channels/{channel}/artifacts",
		"GET /api/v1/channels/{channel}/audit",
		"GET /api/v1/channels/{channel}/checks/latest",
		"GET /api/v1/channels/{channel}/labels",
		"GET /api/v1/channels/{channel}/members",
		"GET /api/v1/channels/{channel}/members/{name}",
		"GET /api/v1/channels/{channel}/names/{name}",
		"GET /api/v1/channels/{channel}/packages",
		"GET /api/v1/channels/{channel}/packages/{subdir}/{filename}",
		"GET /api/v1/channels/{channel}/packages/{subdir}/{filename}/attestations/{ordinal}",
		"GET /api/v1/channels/{channel}/trusted-publishers",
		"GET /api/v1/channels/{channel}/trusted-publishers/{id}",
		"GET /api/v1/channels/{channel}/upload-keys",
		"GET /api/v1/me",
		"GET /api/v1/openapi.json",
		"GET /api/v1/providers",
		"GET /api/v1/server",
		"GET /api/v1/tokens",
		"GET /api/v1/trust-roots",
		"GET /api/v1/trust-roots/{sha256}",
		"GET /api/v1/users",
		"PATCH /api/v1/channels/{channel}",
		"PATCH /api/v1/channels/{channel}/trusted-publishers/{id}",
		"POST /api/v1/channels",
		"POST /api/v1/channels/{channel}/attestations/preview",
		"POST /api/v1/channels/{channel}/changes",
		"POST /api/v1/channels/{channel}/checks",
		"POST /api/v1/channels/{channel}/exists",
		"POST /api/v1/channels/{channel}/packages/{subdir}/{filename}/attestations",
		"POST /api/v1/channels/{channel}/trusted-publishers",
		"POST /api/v1/channels/{channel}/trusted-publishers/try",
		"POST /api/v1/tokens",
		"POST /api/v1/users",
		"PUT /api/v1/channels/{channel}/members/{name}",
		"PUT /api/v1/channels/{channel}/trusted-publishers",
		"PUT /api/v1/channels/{channel}/trusted-publishers/{id}",
	}
	if d := cmp.Diff(want, documented); d != "" {
		t.Errorf("others build on these routes (-), the document has (+):\n%s", d)
	}
}

func TestDocumentIsServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.send(step{method: "GET", path: "/openapi.json"})
	if got.Code != 200 || got.Header().Get("Content-Type") != "application/openapi+json" || got.Body.String() != string(w.service.document) {
		t.Errorf("= %d %s", got.Code, got.Header())
	}
}

// Whoever reads the document finds every field and every operation explained, and examples that fit.
func TestDocumentIsComplete(t *testing.T) {
	t.Parallel()
	s := newService(Deps{URL: "https://conda.example.org"}, http.NewServeMux())
	doc := s.huma.OpenAPI()
	for name, schema := range doc.Components.Schemas.Map() {
		for field, property := range schema.Properties {
			checkProperty(t, doc, name+"."+field, property)
		}
	}
	ids := map[string]bool{}
	for path, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete} {
			if op == nil {
				continue
			}
			at := op.Method + " " + path
			if op.Summary == "" || len(op.Tags) != 1 || ids[op.OperationID] {
				t.Errorf("%s: id %q, summary %q, tags %v", at, op.OperationID, op.Summary, op.Tags)
			}
			ids[op.OperationID] = true
			for _, p := range op.Parameters {
				checkProperty(t, doc, at+" "+p.Name, p.Schema)
			}
		}
	}
	for _, foreign := range []string{"ErrorModel", "ErrorDetail"} {
		if strings.Contains(string(s.document), foreign) {
			t.Errorf("the document names %s, which no answer has", foreign)
		}
	}
}

func checkProperty(t *testing.T, doc *huma.OpenAPI, at string, property *huma.Schema) {
	t.Helper()
	if property.Description == "" {
		t.Errorf("%s is not explained", at)
	}
	for _, example := range property.Examples {
		// As it stands in the document: texts, numbers, lists of any.
		var v any
		if err := json.Unmarshal(must(json.Marshal(example))(t), &v); err != nil {
			t.Fatal(err)
		}
		for _, err := range validate(doc, property, v) {
			t.Errorf("%s: the example %v does not fit: %v", at, v, err)
		}
	}
}

// Every reference leads somewhere, and every schema is used.
func TestDocumentHolds(t *testing.T) {
	t.Parallel()
	s := newService(Deps{}, http.NewServeMux())
	var doc any
	if err := json.Unmarshal(s.document, &doc); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	references(doc, used)
	var want []string
	for name := range s.huma.OpenAPI().Components.Schemas.Map() {
		want = append(want, "#/components/schemas/"+name)
	}
	slices.Sort(want)
	if d := cmp.Diff(want, slices.Sorted(maps.Keys(used))); d != "" {
		t.Errorf("schemas (-) and references (+) differ:\n%s", d)
	}
}

func references(v any, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"]; ok {
			into[fmt.Sprint(ref)] = true
		}
		for _, sub := range v {
			references(sub, into)
		}
	case []any:
		for _, sub := range v {
			references(sub, into)
		}
	}
}
