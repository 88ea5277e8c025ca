package page

import (
	"strings"
	"testing"
)

func TestSentence(t *testing.T) {
	t.Parallel()
	ci := run("acme/forge", "build.yml", "1234", "1")
	tag := ci
	tag.Run.Ref = "refs/tags/v1.2"
	bare := Origin{Run: Run{Repository: "acme/forge", Workflow: "build.yml", Number: "7"}}
	for want, o := range map[string]Origin{
		"Published by build.yml of acme/forge, run 1234 attempt 1, commit abc1234 on main.":     ci,
		"Published by build.yml of acme/forge, run 1234 attempt 1, commit abc1234 on tag v1.2.": tag,
		"Published by build.yml of acme/forge, run 7.":                                          bare,
		"Uploaded by mara with the API token ci-old.":                                           {Member: "mara", Token: "ci-old"},
		"Uploaded by mara with an API token.":                                                   {Member: "mara"},
		"Uploaded by a member of forge with an API token.":                                      {},
	} {
		if got := read(o.sentence("forge")); got != want {
			t.Errorf("= %q, want %q", got, want)
		}
	}
}

func TestSentenceLinksNowhereElse(t *testing.T) {
	t.Parallel()
	o := run("acme/forge", "build.yml", "1234", "1")
	o.Run.URL, o.Run.CommitURL = "javascript:alert(1)", "//evil.example/x"
	for _, s := range o.sentence("forge") {
		if s.url != "" && !strings.HasPrefix(s.url, "https://github.com/acme/forge") {
			t.Errorf("%q leads to %q", s.text, s.url)
		}
	}
}

func TestChange(t *testing.T) {
	t.Parallel()
	ci := run("acme/forge", "build.yml", "2", "1")
	fork, renamed := run("evil/forge", "build.yml", "2", "1"), run("acme/smithy", "build.yml", "2", "1")
	fork.Run.RepositoryID = "666"
	for _, tt := range []struct {
		name        string
		before, now Origin
		want        string
	}{
		{"same way, another run", run("acme/forge", "build.yml", "1", "3"), ci, ""},
		{"renamed repository", renamed, ci, ""},
		{"token after CI", ci, Origin{}, "1.0 came from build.yml of acme/forge; this version was uploaded with an API token."},
		{"CI after token", Origin{}, ci, "1.0 was uploaded with an API token; this version came from build.yml of acme/forge."},
		{"another repository", ci, fork, "1.0 came from acme/forge; this version came from evil/forge."},
		{"another workflow", run("acme/forge", "old.yml", "1", "1"), ci, "1.0 came from old.yml of acme/forge; this version came from build.yml there."},
		{"token after token", Origin{Member: "a"}, Origin{Member: "b"}, ""},
	} {
		if got := tt.now.change(tt.before, "1.0"); got != tt.want {
			t.Errorf("%s = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestNoticePutsTheTokenFirst(t *testing.T) {
	t.Parallel()
	v := packageView()
	v.Files[4].Origin = Origin{}
	for i := range 4 {
		v.Files[i].Origin = run("acme/other", "build.yml", "9", "1")
		v.Files[i].Origin.Run.RepositoryID = "9"
	}
	if _, rest := v.notice(); !strings.Contains(rest, "uploaded with an API token") {
		t.Errorf("notice = %q, want the API token", rest)
	}
}
