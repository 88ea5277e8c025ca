package provider

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice/internal/fault"
)

const sha = "0123456789abcdef0123456789abcdef01234567"

// run is a run that everything is known of.
func run(change ...func(*Provenance)) Provenance {
	p := Provenance{
		Provider: "github", Issuer: "https://token.actions.githubusercontent.com",
		Repository: "acme/forge", Owner: "acme", RepositoryID: "22", OwnerID: "11",
		Workflow: "build.yml", WorkflowRef: "acme/forge/.github/workflows/build.yml@refs/heads/main",
		JobWorkflowRef: "acme/forge/.github/workflows/build.yml@refs/heads/main",
		Ref:            "refs/heads/main", SHA: sha, Event: "push", RunID: "9001", RunNumber: "1234", RunAttempt: "2",
	}
	for _, f := range change {
		f(&p)
	}
	return p
}

func TestSentence(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		change func(*Provenance)
		want   string
	}{
		{func(*Provenance) {}, "Published by build.yml of acme/forge, run 1234 attempt 2, commit 0123456 on main"},
		{func(p *Provenance) { p.Ref = "refs/heads/fix/a" }, "Published by build.yml of acme/forge, run 1234 attempt 2, commit 0123456 on fix/a"},
		{func(p *Provenance) { p.Ref = "refs/tags/v1.2" }, "Published by build.yml of acme/forge, run 1234 attempt 2, commit 0123456 on tag v1.2"},
		{func(p *Provenance) { p.Ref = "refs/pull/418/merge" }, "Published by build.yml of acme/forge, run 1234 attempt 2, commit 0123456 on refs/pull/418/merge"},
		{func(p *Provenance) { p.Ref = "" }, "Published by build.yml of acme/forge, run 1234 attempt 2, commit 0123456"},
		{func(p *Provenance) { p.RunNumber, p.RunAttempt = "", "" }, "Published by build.yml of acme/forge, run 9001, commit 0123456 on main"},
		{func(p *Provenance) { p.SHA, p.Ref = "", "" }, "Published by build.yml of acme/forge, run 1234 attempt 2"},
		{func(p *Provenance) { p.Workflow = "" }, "Published by a run of acme/forge, run 1234 attempt 2, commit 0123456 on main"},
	} {
		if got := run(tt.change).Sentence(); got != tt.want {
			t.Errorf("= %q, want %q", got, tt.want)
		}
	}
	if (Provenance{}).IsZero() == run().IsZero() {
		t.Error("IsZero does not tell a run from none")
	}
}

// Row 90 of the catalogue: addresses come from a fixed site and checked parts, or not at all.
func TestLinks(t *testing.T) {
	t.Parallel()
	on := func(issuer string) func(*Provenance) { return func(p *Provenance) { p.Issuer = issuer } }
	repository := func(name string) func(*Provenance) {
		return func(p *Provenance) {
			p.Repository = name
			p.Owner, _, _ = strings.Cut(name, "/")
		}
	}
	links := func(site string) Links {
		repo := site + "/acme/forge"
		return Links{Repository: repo, Run: repo + "/actions/runs/9001/attempts/2", Commit: repo + "/commit/" + sha,
			Workflow: repo + "/blob/" + sha + "/.github/workflows/build.yml"}
	}
	all := links("https://github.com")
	less := func(f func(*Links)) Links { l := all; f(&l); return l }
	for _, tt := range []struct {
		name   string
		change func(*Provenance)
		want   Links
	}{
		{"github.com", func(*Provenance) {}, all},
		{"enterprise", on("https://token.actions.githubusercontent.com/acme"), all},
		{"data residency", on("https://token.actions.acme.ghe.com"), links("https://acme.ghe.com")},
		{"own server", on("https://ghes.example:8443/_services/token"), links("https://ghes.example:8443")},
		{"stand-in", on("http://127.0.0.1:9000"), links("http://127.0.0.1:9000")},
		{"stand-in by name", on("http://localhost:9000"), links("http://localhost:9000")},
		{"unknown issuer", on("https://token.example"), Links{}},
		{"plain http", on("http://ghes.example/_services/token"), Links{}},
		{"javascript", on("javascript:alert(1)"), Links{}},
		{"no issuer", on(""), Links{}},
		{"ghe.com by another's host", on("https://token.actions.ghe.com.evil.example"), Links{}},
		{"other provider", func(p *Provenance) { p.Provider = "jenkins" }, Links{}},
		{"host in the repository", repository("/evil.example"), Links{}},
		{"path in the repository", repository("acme/.."), Links{}},
		{"user in the repository", repository("x@evil.example/y"), Links{}},
		{"query in the repository", repository("acme/forge?x"), Links{}},
		{"run id with a path", func(p *Provenance) { p.RunID = "1/../../evil" }, less(func(l *Links) { l.Run = "" })},
		{"attempt with a path", func(p *Provenance) { p.RunAttempt = "/.." }, less(func(l *Links) { l.Run = strings.TrimSuffix(l.Run, "/attempts/2") })},
		{"short commit", func(p *Provenance) { p.SHA = "abc1234" }, less(func(l *Links) { l.Commit, l.Workflow = "", "" })},
		{"workflow's own commit", func(p *Provenance) { p.WorkflowSHA = strings.Repeat("f", 64) },
			less(func(l *Links) { l.Workflow = strings.Replace(l.Workflow, sha, strings.Repeat("f", 64), 1) })},
		{"workflow with a slash", func(p *Provenance) { p.Workflow = "../x.yml" }, less(func(l *Links) { l.Workflow = "" })},
		{"workflow with a blank", func(p *Provenance) { p.Workflow = "a b@c.yml" },
			less(func(l *Links) { l.Workflow = strings.Replace(l.Workflow, "build.yml", "a%20b@c.yml", 1) })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := run(tt.change)
			got := Links{Run: p.RunURL(), Commit: p.CommitURL(), Workflow: p.WorkflowURL(), Repository: p.RepositoryURL()}
			if d := gocmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestByName(t *testing.T) {
	t.Parallel()
	for _, p := range All() {
		traits := p.Traits()
		if got, ok := ByName(traits.Name); !ok || got != p {
			t.Errorf("ByName(%q) = %v, %v", traits.Name, got, ok)
		}
		if traits.Title == "" || len(traits.Algorithms) == 0 || traits.MaxLifetime == 0 {
			t.Errorf("traits %+v", traits)
		}
	}
	if _, ok := ByName("GitHub"); ok {
		t.Error("names fold")
	}
}

// oracle says what the rule means in the plainest way, without a look at how Match does it. Regular expressions
// and Unicode folding are avoided in the one and fine in the other, for all its inputs are ASCII.
func oracle(r Rule, p Provenance) bool {
	fold := strings.ToLower
	parts := strings.Split(p.Repository, "/")
	if len(parts) != 2 || parts[1] == "" || fold(parts[0]) != fold(p.Owner) {
		return false
	}
	names := fold(r.Owner) == fold(parts[0]) && fold(r.Repository) == fold(parts[1])
	repository := r.RepositoryID == p.RepositoryID || r.RepositoryID == "" && names
	owner := r.OwnerID == p.OwnerID || r.OwnerID == "" && fold(r.Owner) == fold(parts[0])
	at := p.Ref
	if at == "" {
		at = p.SHA
	}
	file := regexp.MustCompile(`^(?i:` + regexp.QuoteMeta(p.Repository) + `)` + regexp.QuoteMeta("/.github/workflows/"+r.Workflow+"@"+at) + `$`)
	return repository && owner &&
		file.MatchString(p.WorkflowRef) && p.JobWorkflowRef == p.WorkflowRef &&
		(r.Environment == "" || fold(r.Environment) == fold(p.Environment)) &&
		slices.Contains([]string{"push", "release", "workflow_dispatch", "repository_dispatch", "schedule", "deployment"}, p.Event)
}

// draw picks a rule and a run that fit but for, mostly, one or two points.
func draw(t *rapid.T) (Rule, Provenance) {
	pick := func(name string, fitting string, others ...string) string {
		if rapid.IntRange(0, 9).Draw(t, name+" fits") > 0 {
			return fitting
		}
		return rapid.SampledFrom(others).Draw(t, name)
	}
	owner := pick("owner", "acme", "ACME", "evil")
	p := Provenance{
		Provider: "github", Issuer: "https://token.actions.githubusercontent.com",
		Repository: owner + "/" + pick("repository", "forge", "Forge", "forge-2", "a/b", ""),
		Owner:      pick("repository_owner", owner, "acme"),
		OwnerID:    pick("owner id", "11", "12"), RepositoryID: pick("repository id", "22", "23"),
		Ref:         pick("ref", "refs/heads/main", "refs/heads/build.yml@x", "refs/tags/v1", ""),
		SHA:         pick("sha", sha, ""),
		Event:       pick("event", "push", "release", "pull_request", "pull_request_target", "", "Push"),
		Environment: rapid.SampledFrom([]string{"", "release", "Release", "test"}).Draw(t, "environment"),
		RunID:       "1",
	}
	p.WorkflowRef = pick("workflow repository", p.Repository, strings.ToUpper(p.Repository), "acme/policies") +
		pick("folder", "/.github/workflows/", "/.github/", "/") +
		pick("file", "build.yml", "build.yaml", "Build.yml", "build.yml@x.yml") +
		pick("at", "@"+cmp.Or(p.Ref, p.SHA), "@"+p.SHA, "", "@refs/heads/other")
	p.JobWorkflowRef = pick("job", p.WorkflowRef, "acme/shared/.github/workflows/build.yml@refs/heads/main", "")
	p.Workflow = workflowFile(p.WorkflowRef, p.Repository, "/.github/workflows/")
	r := Rule{
		Provider: "github", Issuer: p.Issuer, Owner: "acme", Repository: "forge",
		Workflow:     pick("rule's file", "build.yml", "build.yml@x.yml"),
		Conditions:   Conditions{Environment: rapid.SampledFrom([]string{"", "release"}).Draw(t, "rule's environment")},
		OwnerID:      rapid.SampledFrom([]string{"", "11"}).Draw(t, "rule's owner id"),
		RepositoryID: rapid.SampledFrom([]string{"", "22"}).Draw(t, "rule's repository id"),
	}
	return r, p
}

func TestMatchAgreesWithTheOracle(t *testing.T) {
	t.Parallel()
	agree(t, github{}, draw, oracle)
}

// FuzzMatch: whatever claims say, they are granted only what the oracle grants too, and every address stays on the
// site and in the repository.
func FuzzMatch(f *testing.F) {
	for _, c := range []string{
		`{"repository":"acme/forge","repository_owner":"acme","repository_id":"22","repository_owner_id":"11","run_id":"1","event_name":"push","ref":"refs/heads/main",
		"workflow_ref":"acme/forge/.github/workflows/build.yml@refs/heads/main","job_workflow_ref":"acme/forge/.github/workflows/build.yml@refs/heads/main"}`,
		`{"repository":"acme/for\u212aage","repository_owner":"acme","repository_id":"22","repository_owner_id":"11","run_id":"1","workflow_ref":"x","job_workflow_ref":"x"}`,
		`{"repository":7}`, `{"repository":null}`, `{}`,
	} {
		f.Add([]byte(c), "", "release")
	}
	f.Fuzz(func(t *testing.T, data []byte, id, environment string) {
		var claims Claims
		if json.Unmarshal(data, &claims) != nil {
			return
		}
		p, err := github{}.Read(claims)
		if err != nil {
			if code := fault.CodeOf(err); code != fault.BadClaim && code != fault.MissingClaim {
				t.Fatalf("refused with %s", code)
			}
			return
		}
		p.Issuer = "https://token.actions.githubusercontent.com"
		r := Rule{Provider: "github", Issuer: p.Issuer, Owner: "acme", Repository: "forge", Workflow: "build.yml", Conditions: Conditions{Environment: environment}, RepositoryID: id, OwnerID: id}
		v := Match(github{}, r, p)
		checkVerdict(t, v)
		if ascii(p.Repository) && ascii(environment) && ascii(p.Environment) && v.Granted() && !oracle(r, p) {
			t.Fatalf("rule %+v let %+v in", r, p)
		}
		checkLinks(t, p, "https://github.com", p.Repository)
	})
}

func FuzzNormalise(f *testing.F) {
	f.Add("acme", "forge", "build.yml", "release")
	f.Add("https://github.com/acme/forge.git", "", ".github/workflows/a@b.yaml", "")
	f.Add("git@github.com:a/b", " b ", "./x.yml", " e ")
	f.Fuzz(func(t *testing.T, owner, repository, workflow, environment string) {
		checkNormalise(t, github{}, Rule{Owner: owner, Repository: repository, Workflow: workflow, Conditions: Conditions{Environment: environment}})
	})
}
