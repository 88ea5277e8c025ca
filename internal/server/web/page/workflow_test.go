package page

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWorkflow(t *testing.T) {
	t.Parallel()
	base := Workflow{Provider: "github", URL: "https://conda.acme.dev", Channel: "forge", Repository: "acme/forge", File: "build.yml", Environment: "release"}
	private := base
	private.Private, private.Environment = true, ""
	of := func(provider, file string) Workflow {
		w := base
		w.Provider, w.File = provider, file
		return w
	}
	privately := func(w Workflow) Workflow { w.Private = true; return w }
	reader := base
	reader.Reads = true
	for name, w := range map[string]Workflow{
		"public.yml": base, "private.yml": private, "reader.sh": reader, "gitlab.yml": of("gitlab", ".gitlab-ci.yml"), "gitlab-private.yml": privately(of("gitlab", ".gitlab-ci.yml")), "forgejo-private.yml": privately(of("forgejo", "build.yml")), "forgejo.yml": of("forgejo", "build.yml"),
		"buildkite.sh": of("buildkite", "pipeline"), "circleci.sh": of("circleci", ""), "google.sh": of("google", ""), "any.sh": of("", ""),
	} {
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
	for _, provider := range []string{"github", "gitlab", "forgejo", "buildkite", "circleci", "google", "other"} {
		w := Workflow{Provider: provider, URL: "https://x.dev", Channel: "c", Repository: "a/b\nrun: evil", File: "x.yml\nrun: evil", Environment: "e\nrun: evil"}
		if strings.Contains(w.Text(), "\nrun: evil") {
			t.Errorf("%s: a value begins a line of its own:\n%s", provider, w.Text())
		}
	}
}

// TestRequestsAreShell has a shell read the scripts.
func TestRequestsAreShell(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("testdata/*.sh")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("scripts = %v, %v", scripts, err)
	}
	for _, name := range scripts {
		if out, err := exec.CommandContext(t.Context(), "sh", "-n", name).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}
