package page

import (
	"bytes"
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/a-h/templ/generator"
	"github.com/a-h/templ/parser/v2"
)

// TestFresh holds that the generated files are those of the templates beside them, and of the templ of
// go.mod: what is read in a review is what runs.
func TestFresh(t *testing.T) {
	t.Parallel()
	templates, err := filepath.Glob("*.templ")
	if err != nil || len(templates) == 0 {
		t.Fatalf("templates = %v, %v", templates, err)
	}
	for _, name := range templates {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := os.ReadFile(strings.TrimSuffix(name, ".templ") + "_templ.go")
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, generate(t, name)) {
				t.Error("stale; run: go tool templ generate -path internal/server/web")
			}
		})
	}
	generated, err := filepath.Glob("*_templ.go")
	if err != nil || len(generated) != len(templates) {
		t.Errorf("%d generated files of %d templates, %v", len(generated), len(templates), err)
	}
}

// generate does what the templ command does with -path internal/server/web.
func generate(t *testing.T, name string) []byte {
	t.Helper()
	file, err := parser.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := generator.Generate(file, &b, generator.WithVersion(templ.Version()), generator.WithFileName("page/"+name)); err != nil {
		t.Fatal(err)
	}
	out, err := format.Source(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return out
}
