package docs_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"

	"sluice/internal/server/web/page"
)

// What a forge takes from us, by where it lies.
const (
	gitHubFile  = "docs/forge/template/.github/workflows/build.yml"
	matrixFile  = "docs/forge/github-matrix.yml"
	forgejoFile = "docs/forge/template/.forgejo/workflows/build.yml"
	gitLabFile  = "docs/forge/template/.gitlab-ci.yml"
	actionFile  = "integrations/github/action.yml"
	mintFile    = "integrations/github/mint.sh"
)

// faults are what actionlint finds in a workflow, and shellcheck in its scripts, but for what is ignored.
func faults(t *testing.T, name, text string, ignore ...string) []*actionlint.Error {
	t.Helper()
	shellcheck, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Fatalf("%v; is everything installed? (make setup)", err)
	}
	l, err := actionlint.NewLinter(&bytes.Buffer{}, &actionlint.LinterOptions{Shellcheck: shellcheck, IgnorePatterns: ignore})
	if err != nil {
		t.Fatal(err)
	}
	found, err := l.Lint(name, []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// block is the first block of YAML in a document.
func block(t *testing.T, name string) string {
	t.Helper()
	_, text, _ := strings.Cut(read(t, name), "```yaml\n")
	text, _, ok := strings.Cut(text, "```")
	if !ok {
		t.Fatalf("%s has no YAML", name)
	}
	return text
}

// forgejoOnly is what Forgejo has beside GitHub's words: the key for identity tokens, the addresses of actions, the
// labels of its runners.
var forgejoOnly = []string{
	`unexpected key "enable-openid-connect" for "job" section`, `specifying action "https://data.forgejo.org/[a-z/-]+@[0-9a-f]{40}" in invalid`,
	`label "docker" is unknown`,
}

func TestWorkflowsAreClean(t *testing.T) {
	t.Parallel()
	w := page.Workflow{Provider: "github", URL: "https://conda.example.com", Channel: "forge", Repository: "acme/forge", File: "build.yml"}
	private, odd := w, w
	private.Private, private.Environment = true, "release"
	odd.URL, odd.Channel, odd.Environment = "http://127.0.0.1:8080", "a.b_c-1", "on: it's #1"
	texts := map[string]string{
		gitHubFile: read(t, gitHubFile), matrixFile: read(t, matrixFile), forgejoFile: read(t, forgejoFile),
		"page": w.Text(), "page, private": private.Text(), "page, odd": odd.Text(),
		"README of the action": "on: push\n" + block(t, "integrations/github/README.md"),
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ignore []string
			if name == forgejoFile {
				ignore = forgejoOnly
			}
			for _, fault := range faults(t, name, text, ignore...) {
				t.Error(fault)
			}
			if broken := strings.Replace(text, "runs-on:", "runs-off:", 1); len(faults(t, name, broken, ignore...)) == 0 {
				t.Error("a broken file is found clean")
			}
		})
	}
}

// checked runs one of the schemas that check-jsonschema brings over a file.
func checked(t *testing.T, schema, file string) (out string, ok bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, ".venv/bin/check-jsonschema"), "--builtin-schema", schema, file)
	said, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatalf("%v; is everything installed? (make setup)", err)
	}
	return string(said), err == nil
}

func TestFilesHaveTheirSchema(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ file, schema, from, to string }{
		{gitLabFile, "vendor.gitlab-ci", "aud:", "audience:"},
		{actionFile, "vendor.github-actions", "using: composite", "using: nothing"},
	} {
		if out, ok := checked(t, tt.schema, filepath.Join(root, tt.file)); !ok {
			t.Errorf("%s: %s", tt.file, out)
		}
		broken := filepath.Join(t.TempDir(), "broken.yml")
		text := strings.Replace(read(t, tt.file), tt.from, tt.to, 1)
		if err := os.WriteFile(broken, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, ok := checked(t, tt.schema, broken); ok {
			t.Errorf("%s: with %q in place of %q: %s", tt.file, tt.to, tt.from, out)
		}
	}
}

func TestScriptsAreClean(t *testing.T) {
	t.Parallel()
	for _, name := range []string{mintFile, "test/debian.sh"} {
		if out, err := exec.CommandContext(t.Context(), "shellcheck", filepath.Join(root, name)).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

var (
	pinned = regexp.MustCompile(`(?m)uses: (\S+)@([0-9a-f]{40}) # (v[0-9.]+)(?: .*)?$`)
	used   = regexp.MustCompile(`(?m)uses: ([^.\s]\S*)@(\S+)`)
	built  = regexp.MustCompile(`(?:rattler-build-version|RATTLER_BUILD): (v\S+)`)
)

// Every file runs the same versions, those of the file that the pages hand out, and actions by commit.
func TestVersionsAreThePages(t *testing.T) {
	t.Parallel()
	files := read(t, gitHubFile) + read(t, matrixFile) + read(t, forgejoFile) + read(t, gitLabFile) + read(t, "integrations/github/README.md")
	handed := page.Workflow{Provider: "github", URL: "https://conda.example.com", Channel: "forge", Repository: "acme/forge", File: "build.yml"}.Text()

	commits, tags := map[string]string{}, map[string]string{}
	all := pinned.FindAllStringSubmatch(files, -1)
	for _, m := range all {
		action := strings.TrimPrefix(m[1], "https://data.forgejo.org/")
		if was, seen := commits[action]; seen && was != m[2]+m[3] {
			t.Errorf("%s is pinned to more than one commit", action)
		}
		commits[action], tags[action] = m[2]+m[3], m[3]
	}
	if n := len(used.FindAllString(files, -1)); n != len(all) || n < 10 {
		t.Errorf("%d of %d actions are pinned to a commit whose tag is named", len(all), n)
	}
	for _, m := range used.FindAllStringSubmatch(handed, -1) {
		if tag := tags[m[1]]; tag != m[2] && !strings.HasPrefix(tag, m[2]+".") {
			t.Errorf("%s is %q in the files and %s on the page", m[1], tag, m[2])
		}
	}
	want := built.FindStringSubmatch(handed)[1]
	for _, m := range built.FindAllStringSubmatch(files, -1) {
		if m[1] != want {
			t.Errorf("rattler-build is %s, on the page %s", m[1], want)
		}
	}
	if tools := read(t, "docs/forge/template/pixi.toml"); !strings.Contains(tools, fmt.Sprintf("rattler-build = %q", want[1:])) {
		t.Errorf("pixi.toml does not have rattler-build %s", want)
	}
}
