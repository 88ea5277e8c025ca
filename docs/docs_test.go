// Package docs_test holds the documents to the code: what they name must exist, and what people look up in
// them must be there.
package docs_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"sluice/internal/config"
	"sluice/internal/fault"
	"sluice/internal/server/reply"
	"sluice/internal/server/web/page"
	bearer "sluice/internal/token"
	"sluice/internal/trust"
	"sluice/internal/trust/provider"
)

const root = ".."

// read returns a file of the repository.
func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// documents are the names of all Markdown files of ours.
func documents(t *testing.T) []string {
	t.Helper()
	var found []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"node_modules", "out", "sluice-data"}, d.Name())) {
			return fs.SkipDir
		}
		if path.Ext(name) == ".md" {
			found = append(found, name)
		}
		return nil
	})
	if err != nil || len(found) < 10 {
		t.Fatalf("found %q: %v", found, err)
	}
	return found
}

var (
	fence   = regexp.MustCompile("(?ms)^```.*?^```$")
	link    = regexp.MustCompile(`!?\[[^][]*\]\(([^()\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// links are where a document leads to, those in its examples aside.
func links(text string) []string {
	var to []string
	for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		to = append(to, m[1])
	}
	return to
}

// anchors are the places of a document that a link can name, as the usual renderers spell them.
func anchors(text string) []string {
	var out []string
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		out = append(out, strings.Map(func(r rune) rune {
			switch {
			case r == ' ' || r == '-':
				return '-'
			case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, m[1]))
	}
	return out
}

func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, name := range documents(t) {
		for _, to := range links(read(t, name)) {
			if strings.Contains(to, "://") {
				continue
			}
			seen++
			file, anchor, _ := strings.Cut(to, "#")
			target := name
			if file != "" {
				target = path.Join(path.Dir(name), file)
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s: %s: there is no %s", name, to, target)
			} else if anchor != "" && !slices.Contains(anchors(read(t, target)), anchor) {
				t.Errorf("%s: %s: %s has no such heading", name, to, target)
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d links were found", seen)
	}
}

// codes are all codes of refusals, as the source has them.
func codes(t *testing.T) []fault.Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "internal/fault/codes.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []fault.Code
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, fault.Code(code))
		}
		return true
	})
	return found
}

// What a publisher of a service is made of, and which events it takes or warns of, stands in the service's section. That of
// GitHub is the document.
func TestEveryServiceIsExplained(t *testing.T) {
	t.Parallel()
	whole := read(t, "docs/publishers.md")
	for _, service := range provider.All() {
		traits, text := service.Traits(), whole
		if traits.Name != "github" {
			_, text, _ = strings.Cut(whole, "\n## "+traits.Title+"\n")
			text, _, _ = strings.Cut(text, "\n## ")
			for event := range traits.Risky {
				traits.Events = append(traits.Events, event)
			}
		}
		for _, f := range traits.Fields {
			if !strings.Contains(text, "\n| "+f.Label+" |") {
				t.Errorf("%s: no row for the field %s", traits.Title, f.Label)
			}
		}
		for _, event := range traits.Events {
			if !strings.Contains(text, "`"+event+"`") {
				t.Errorf("%s: the event %s is not named", traits.Title, event)
			}
		}
		if !strings.Contains(read(t, "docs/operating.md"), "`"+traits.Name+"=https://") {
			t.Errorf("docs/operating.md has no issuer of %s", traits.Title)
		}
	}
}

// Each code has one row, with the status that clients see, and no row has a code that is not there.
func TestEveryRefusalIsExplained(t *testing.T) {
	t.Parallel()
	all := codes(t)
	rows := map[fault.Code]int{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| ([0-9]{3}) \\|").FindAllStringSubmatch(read(t, "docs/publishers.md"), -1) {
		code := fault.Code(m[1])
		status, _ := strconv.Atoi(m[2]) // three digits
		if rows[code] != 0 {
			t.Errorf("%s has two rows", code)
		}
		rows[code] = status
		if !slices.Contains(all, code) {
			t.Errorf("there is no code %s", code)
		}
	}
	for _, code := range all {
		if want := reply.ClientStatus(code); rows[code] != want {
			t.Errorf("%s: the table has the status %d, want %d %s", code, rows[code], want, http.StatusText(want))
		}
	}
	if len(all) < 40 {
		t.Errorf("only %d codes were found", len(all))
	}
}

func TestEverySettingIsExplained(t *testing.T) {
	t.Parallel()
	text := read(t, "docs/operating.md")
	printed := fence.FindAllString(text, -1)
	n := 0
	for f := range reflect.TypeFor[config.Flags]().Fields() {
		key := f.Tag.Get("toml")
		n++
		if !strings.Contains(text, "\n| `"+key+"` |") {
			t.Errorf("the table of settings has no row for %s", key)
		}
		if !slices.ContainsFunc(printed, func(s string) bool { return strings.Contains(s, key+" = ") }) {
			t.Errorf("the example of sluice config lacks %s", key)
		}
	}
	if n < 10 {
		t.Errorf("only %d settings were found", n)
	}
}

// Every key of a table of issuers has its row, every part of a run is told, and the examples can be loaded.
func TestEverySettingOfIssuersIsExplained(t *testing.T) {
	t.Parallel()
	text := read(t, "docs/operating.md")
	_, section, _ := strings.Cut(text, "\n## Issuers\n")
	section, _, ok := strings.Cut(section, "\n## ")
	if !ok {
		t.Fatal("docs/operating.md has no section Issuers")
	}
	var told []string
	for line := range strings.Lines(section) {
		if first, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |"); strings.HasPrefix(line, "| `") {
			told = append(told, regexp.MustCompile("`([a-z_]+)`").FindAllString(first, -1)...)
		}
	}
	for f := range reflect.TypeFor[config.IssuerTable]().Fields() {
		if key := f.Tag.Get("toml"); !slices.Contains(told, "`"+key+"`") {
			t.Errorf("no row for the key %s of an issuer", key)
		}
	}
	for _, part := range provider.Parts() {
		if !slices.Contains(told, "`"+part+"`") {
			t.Errorf("no row for the part %s of a run", part)
		}
	}
	for _, p := range provider.All() {
		if name := p.Traits().Name; !slices.Contains(told, "`"+name+"`") {
			t.Errorf("no row for the service %s", name)
		}
	}
	examples := regexp.MustCompile("(?ms)^```toml\n(.*?)^```$").FindAllStringSubmatch(section, -1)
	for _, m := range examples {
		file := filepath.Join(t.TempDir(), "sluice.toml")
		if err := os.WriteFile(file, []byte(m[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(config.Flags{}, func(string) string { return "" }, file)
		if err != nil {
			t.Errorf("%v in\n%s", err, m[1])
		}
		for name, i := range c.Issuers {
			s := trust.IssuerSettings{Name: name, URL: i.URL, Provider: i.Provider, Mapping: provider.Mapping{Claims: i.Claims, RunLink: i.RunLink}}
			if _, err := s.Issuer(); err != nil {
				t.Errorf("%v in\n%s", err, m[1])
			}
		}
	}
	if len(examples) < 3 {
		t.Errorf("only %d examples were found", len(examples))
	}
}

// The manual's workflow file is the one that the pages hand out.
func TestWorkflowFileIsThePages(t *testing.T) {
	t.Parallel()
	w := page.Workflow{Provider: "github", URL: "https://conda.acme.dev", Channel: "forge", Repository: "acme/forge", File: "build.yml", Environment: "release"}
	if text := read(t, "docs/forge.md"); !strings.Contains(text, "```yaml\n"+w.Text()+"```") {
		t.Errorf("docs/forge.md lacks this file:\n%s", w.Text())
	}
	private := w
	private.Private = true
	text := read(t, "docs/forge.md")
	for line := range strings.Lines(private.Text()) {
		if !strings.Contains(w.Text(), line) && !strings.HasPrefix(strings.TrimSpace(line), "#") && !strings.Contains(text, line) {
			t.Errorf("docs/forge.md lacks this line for private channels: %s", line)
		}
	}
}

func TestTokenPatternIsTheOneInUse(t *testing.T) {
	t.Parallel()
	if !strings.Contains(read(t, "SECURITY.md"), "\n"+bearer.Pattern+"\n") {
		t.Errorf("SECURITY.md lacks the pattern %s", bearer.Pattern)
	}
}

// The map has every room, and no room that is not there.
func TestMapHasEveryRoom(t *testing.T) {
	t.Parallel()
	_, tree, _ := strings.Cut(read(t, "ARCHITECTURE.md"), "\ninternal/\n")
	tree, _, ok := strings.Cut(tree, "\ntest/")
	if !ok {
		t.Fatal("ARCHITECTURE.md has no tree of rooms")
	}
	var drawn []string
	for line := range strings.Lines(tree + "\n") {
		drawn = append(drawn, strings.Fields(line)[0])
	}
	rooms := map[string]bool{}
	internal := filepath.Join(root, "internal")
	err := filepath.WalkDir(internal, func(name string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".go" || filepath.Dir(name) == internal {
			return err
		}
		room, err := filepath.Rel(internal, filepath.Dir(name))
		rooms[filepath.ToSlash(room)] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for room := range rooms {
		if !slices.Contains(drawn, room) {
			t.Errorf("ARCHITECTURE.md does not name internal/%s", room)
		}
	}
	for _, room := range drawn {
		if !rooms[room] {
			t.Errorf("ARCHITECTURE.md names internal/%s, which is not there", room)
		}
	}
}

// The kinds of audit events are a promise to those who filter by them.
func TestEveryKindOfEventIsNamed(t *testing.T) {
	t.Parallel()
	text := read(t, "docs/operating.md")
	source := read(t, "internal/audit/audit.go")
	kinds := regexp.MustCompile(`\sKind = "([a-z_.]+)"`).FindAllStringSubmatch(source, -1)
	for _, m := range kinds {
		if !strings.Contains(text, "`"+m[1]+"`") {
			t.Errorf("docs/operating.md does not name %s", m[1])
		}
	}
	if len(kinds) < 10 {
		t.Errorf("only %d kinds were found", len(kinds))
	}
}

// Whoever reads a finding of sluice doctor finds its check in the manual.
func TestEveryCheckOfTheDoctorIsExplained(t *testing.T) {
	t.Parallel()
	text := read(t, "docs/doctor.md")
	names, err := filepath.Glob(filepath.Join(root, "internal/doctor/*.go"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source := read(t, strings.TrimPrefix(filepath.ToSlash(name), root+"/"))
		for _, m := range regexp.MustCompile(`\b(?:(?:ok|look|fail)\(|[cC]heck(?:, renew)? :?= )"([a-z/ ]+)"`).FindAllStringSubmatch(source, -1) {
			n++
			if !strings.Contains(text, "`"+strings.TrimSpace(m[1])) {
				t.Errorf("docs/doctor.md does not name the check %s", m[1])
			}
		}
	}
	if n < 15 {
		t.Errorf("only %d checks were found", n)
	}
}

// The table of clients has the versions that the tests install.
func TestVersionsAreTheTestedOnes(t *testing.T) {
	t.Parallel()
	text := read(t, "README.md")
	for _, tt := range []struct{ before, file, pattern string }{
		{"py-rattler-build | ", "test/requirements.txt", `(?m)^py-rattler-build==(\S+)`},
		{"| py-rattler | ", "test/requirements.txt", `(?m)^py-rattler==(\S+)`},
		{"conda-index ", "test/requirements.txt", `(?m)^conda-index==(\S+)`},
		{"`@conda-org/rattler`, on Node | ", "test/package.json", `"@conda-org/rattler": "([^"]+)"`},
		{"rattler, the command | ", "Makefile", `(?m)^RATTLER_VERSION := (\S+)`},
	} {
		if m := regexp.MustCompile(tt.pattern).FindStringSubmatch(read(t, tt.file)); m == nil {
			t.Errorf("%s has nothing like %s", tt.file, tt.pattern)
		} else if want := tt.before + m[1] + " "; !strings.Contains(text, want) {
			t.Errorf("README.md lacks %q", want)
		}
	}
}

// A picture that cannot be seen helps nobody.
func TestPicturesArePictures(t *testing.T) {
	t.Parallel()
	for _, name := range documents(t) {
		for _, to := range links(read(t, name)) {
			if path.Ext(to) != ".png" || strings.Contains(to, "://") {
				continue
			}
			b, err := os.ReadFile(filepath.Join(root, path.Dir(name), to))
			if err != nil || !bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")) {
				t.Errorf("%s: %s is no PNG: %v", name, to, err)
			}
		}
	}
}
