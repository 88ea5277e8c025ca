package cli

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/server/api"
)

// issuersOf are the issuers of a server with two services, as it lists them.
func issuersOf(t *testing.T) issuerList {
	t.Helper()
	var out issuerList
	err := json.Unmarshal([]byte(`[
		{"provider": "github", "issuer": "https://one.example", "fields": [{"name": "repository_owner", "slot": "owner"}, {"name": "repository", "slot": "repository"}, {"name": "workflow", "slot": "workflow"}]},
		{"provider": "github", "issuer": "https://two.example"},
		{"provider": "gitlab", "issuer": "https://lab.example", "fields": [{"name": "namespace", "slot": "owner"}, {"name": "project", "slot": "repository"},
			{"name": "pipeline", "slot": "workflow"}, {"name": "namespace_id", "slot": "owner_id"}]}]`), &out)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// full is a rule with a value in every field.
func full() publisherRule {
	return publisherRule{
		Provider: "github", Issuer: "https://two.example", RepositoryOwner: "acme", Repository: "forge", AnyRepository: true, Workflow: "build.yml",
		OwnerID: "5", RepositoryID: "6", Environment: "it's \"it\"", Refs: []string{"refs/heads/a", "refs/tags/v*"}, ProtectedRef: true, Events: []string{"push"}, HostedRunner: true,
		Reusable: "a/b/.github/workflows/c.yml", Right: "read", Packages: []string{"{repository}-*"}, Subdirs: []string{"noarch"}, NewNames: new(false),
		Files: 1, Bytes: 2, Names: 3, Attestations: "required", Signer: "run", ExpiresAt: time.Date(2030, 1, 2, 3, 4, 5, 6000, time.UTC), IdleDays: 7,
	}
}

// A file has every field that the API takes, by the same name.
func TestRuleHasTheFieldsOfTheAPI(t *testing.T) {
	t.Parallel()
	var want []string
	var collect func(typ reflect.Type)
	collect = func(typ reflect.Type) {
		for f := range typ.Fields() {
			if f.Anonymous {
				collect(f.Type)
			} else {
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				want = append(want, name)
			}
		}
	}
	collect(reflect.TypeFor[api.NewPublisherJSON]())
	got := append(ruleKeys(), "fields")
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the API (-) and files (+) differ:\n%s", d)
	}
	rule := reflect.TypeFor[publisherRule]()
	for i := range rule.NumField() {
		name, _, _ := strings.Cut(rule.Field(i).Tag.Get("json"), ",")
		if key := rule.Field(i).Tag.Get("toml"); key != "-" && key != name {
			t.Errorf("%s in files is %s in JSON", key, name)
		}
		if reflect.ValueOf(full()).Field(i).IsZero() && rule.Field(i).Name != "Fields" {
			t.Errorf("the test has no value for %s", rule.Field(i).Name)
		}
	}
}

func TestFileIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	issuers := issuersOf(t)
	lab := publisherRule{Provider: "gitlab", Issuer: "https://lab.example", RepositoryOwner: "acme/tools", Repository: "forge", Workflow: ".gitlab-ci.yml", OwnerID: "5", RepositoryID: "6"}
	usual := publisherRule{Provider: "github", Issuer: "https://one.example", Right: "publish", NewNames: new(true), Files: 500, Bytes: 50 << 30, Names: 50, Repository: "forge"}
	for name, tt := range map[string]struct {
		in, want publisherRule
		text     []string
	}{
		"every field": {in: full(), want: func() publisherRule { r := full(); r.Provider = ""; return r }(), text: []string{"issuer = 'https://two.example'", `environment = `}},
		"the usual":   {in: usual, want: publisherRule{Repository: "forge"}, text: []string{"[[publisher]]\nrepository = 'forge'\n"}},
		"of another service": {in: lab, want: publisherRule{
			Provider: "gitlab", RepositoryID: "6",
			Fields: map[string]string{"namespace": "acme/tools", "project": "forge", "pipeline": ".gitlab-ci.yml", "namespace_id": "5"},
		}, text: []string{"namespace = 'acme/tools'\nproject = 'forge'\npipeline = '.gitlab-ci.yml'\nnamespace_id = '5'\nrepository_id = '6'\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			about := []remotePublisher{{Sentence: "Runs\n[[publisher]]", Off: "is off"}, {Sentence: "Runs"}}
			b, err := publisherFile{Channel: "forge", Publishers: []publisherRule{tt.in, usual}}.write(issuers, about)
			if err != nil {
				t.Fatal(err)
			}
			got, err := readPublisherFile("x.toml", b, issuers)
			if err != nil {
				t.Fatalf("%v\n%s", err, b)
			}
			want := publisherFile{Channel: "forge", Publishers: []publisherRule{tt.want, {Repository: "forge"}}}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s\n%s", d, b)
			}
			for _, text := range append(tt.text, "# It is off.\n") {
				if !strings.Contains(string(b), text) {
					t.Errorf("no %q in\n%s", text, b)
				}
			}
		})
	}
}

func TestFileIsReadStrictly(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"channle = 'x'":                          `x.toml, line 1: there is no key "channle"`,
		"[[publisher]]\nname = 'x'":              `x.toml, line 2: there is no key "publisher.name"`,
		"[[publisher]]\n\nfields = {a = 'x'}":    `x.toml, line 3: there is no key "publisher.fields`,
		"[[publisher]]\nnamespace = 7":           "x.toml, publisher 1: namespace must be text in quotes",
		"[[publishers]]\nrepository = 'x'":       `there is no key "publishers`,
		"namespace = 'x'":                        `x.toml, line 1: there is no key "namespace"`,
		"[[publisher]]\nrefs = 'x'":              "x.toml, line 2: ",
		"[[publisher]]\nidle_days = '7'":         "x.toml, line 2: ",
		"channel = 'a'\nchannel = 'b'":           "x.toml, line 2: ",
		"[[publisher]]\nexpires_at = 2030-01-02": "", // a day is a time, at its beginning
	} {
		_, err := readPublisherFile("x.toml", []byte(text), issuersOf(t))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestPlanIsPainted(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	p := publisherPlan{Steps: []publisherStep{{Kind: "add", After: remotePublisher{Sentence: "Runs\x1b[2J"}}}, Kept: 2}
	if err := p.print(&b, func(colour, text string) string { return "<" + colour + text + ">" }); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != "<32+ Runs<U+001B>[2J>\n2 stay as they are.\n" {
		t.Errorf("= %q", got)
	}
	if got := colours(&b)(red, "x"); got != "x" {
		t.Errorf("painted for no terminal: %q", got)
	}
}
