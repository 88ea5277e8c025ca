package page

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWorkflow(t *testing.T) {
	t.Parallel()
	base := Workflow{URL: "https://conda.acme.dev", Channel: "forge", Repository: "acme/forge", File: "build.yml", Environment: "release"}
	private := base
	private.Private, private.Environment = true, ""
	for name, w := range map[string]Workflow{"public.yml": base, "private.yml": private} {
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), w.Text()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestWorkflowStaysYAML(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"release": "release", "prod/eu-1": "prod/eu-1", "true": `"true"`, "No": `"No"`, "1.0": `"1.0"`, "a: b": `"a: b"`,
		"x # y": `"x # y"`, "a\nb: c": `"a\nb: c"`, "${{ x }}": `"${{ x }}"`, "é\u202e": `"\u00e9\u202e"`, `"`: `"\""`,
	} {
		if got := scalar(in); got != want {
			t.Errorf("scalar(%q) = %s, want %s", in, got, want)
		}
	}
	w := Workflow{URL: "https://x.dev", Channel: "c", Repository: "a/b\nrun: evil", File: "x.yml\nrun: evil", Environment: "e\nrun: evil"}
	if strings.Contains(w.Text(), "\nrun: evil") {
		t.Errorf("a value begins a line of its own:\n%s", w.Text())
	}
}
