package provider

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice/internal/fault"
)

// whole is a mapping that uses everything.
func whole(change ...func(*Mapping)) Mapping {
	m := Mapping{
		Name: "ci", Claims: map[string]string{
			"repository": "project", "owner": "team", "repository_id": "project_id", "owner_id": "team_id", "workflow": "pipeline",
			"ref": "git_ref", "sha": "git_sha", "event": "cause", "environment": "stage", "run_id": "build_id", "run_number": "build",
			"run_attempt": "try", "job_id": "job", "runner": "agent",
		},
		Events: []string{"push", "timer"}, Hosted: "cloud", RunLink: "https://ci.acme.dev/builds/{project}/{build}",
	}
	for _, f := range change {
		f(&m)
	}
	return m
}

func claim(part, name string) func(*Mapping) {
	return func(m *Mapping) {
		if m.Claims[part] = name; name == "" {
			delete(m.Claims, part)
		}
	}
}

// wholeClaims are those of a run that whole describes.
func wholeClaims() Claims {
	return Claims{
		"project": "acme/forge", "team": "acme", "project_id": "p-22", "team_id": "t-11", "pipeline": "release", "git_ref": "refs/heads/main",
		"git_sha": sha, "cause": "push", "stage": "release", "build_id": "b7", "build": json.Number("7"), "try": "2", "job": "j1", "agent": "cloud",
		"sub": "anything", "unknown": map[string]any{"a": "b"},
	}
}

func mustGeneric(t testing.TB, m Mapping) Provider {
	t.Helper()
	p, err := Generic(m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMappings(t *testing.T) {
	t.Parallel()
	both := func(fs ...func(*Mapping)) func(*Mapping) {
		return func(m *Mapping) {
			for _, f := range fs {
				f(m)
			}
		}
	}
	link := func(s string) func(*Mapping) { return func(m *Mapping) { m.RunLink = s } }
	for _, tt := range []struct {
		name   string
		change func(*Mapping)
		want   string // in the mistakes; empty: taken
	}{
		{"everything", func(*Mapping) {}, ""},
		{"one claim", func(m *Mapping) {
			*m = Mapping{Name: "jenkins", Claims: map[string]string{"repository": "sub", "repository_id": "sub"}}
		}, ""},
		{"name and owner", both(claim("repository", ""), claim("name", "project")), ""},
		{"branch and tag", both(claim("ref", ""), claim("branch", "b"), claim("tag", "t")), ""},
		{"no claims", func(m *Mapping) { *m = Mapping{Name: "x"} }, "name the claim of the repository"},
		{"no name", func(m *Mapping) { m.Name = "" }, "cannot be the name"},
		{"name of a known service", func(m *Mapping) { m.Name = "github" }, "cannot be the name"},
		{"no id", claim("repository_id", ""), "claims.repository_id: it is missing"},
		{"no repository", claim("repository", ""), "name the claim of the repository"},
		{"repository twice", claim("name", "n"), "name the claim of the repository"},
		{"name without owner", both(claim("repository", ""), claim("name", "n"), claim("owner", ""), claim("owner_id", "")), "it needs owner"},
		{"owner's id without owner", claim("owner", ""), "it needs owner"},
		{"unknown part", claim("actor", "user"), `"actor" is nothing that a claim can tell`},
		{"claim of every token", claim("repository_id", "jti"), "jti says nothing of a run"},
		{"audience as repository", claim("repository", "aud"), "aud says nothing of a run"},
		{"claim with a blank", claim("sha", "a b"), "no name of a claim"},
		{"ref beside tag", claim("tag", "t"), "cannot stand beside"},
		{"event without events", func(m *Mapping) { m.Events = nil }, "need one another"},
		{"events without event", claim("event", ""), "need one another"},
		{"bad event", func(m *Mapping) { m.Events = []string{"push*"} }, `"push*" is no name of an event`},
		{"runner without a value", func(m *Mapping) { m.Hosted = "" }, "hosted_runner"},
		{"no link", link(""), ""},
		{"link on this machine", link("http://127.0.0.1:9000/{build}"), ""},
		{"link with a path and two in a segment", link("https://ci.acme.dev:8443/a/{project}/x-{build}-{try}"), ""},
		{"link over http", link("http://ci.acme.dev/{build}"), "no address such as"},
		{"link without claims", link("https://ci.acme.dev/builds"), "no address such as"},
		{"claim in the host", link("https://{team}.acme.dev/{build}"), "in the path alone"},
		{"claim as the host", link("https://{team}/{build}"), "in the path alone"},
		{"claim in the port", link("https://ci.acme.dev:{build}/"), "no address such as"},
		{"claim in the query", link("https://ci.acme.dev/?b={build}"), "no address such as"},
		{"claim in the fragment", link("https://ci.acme.dev/#{build}"), "no address such as"},
		{"claim as the user", link("https://{team}@ci.acme.dev/{build}"), "no address such as"},
		{"script", link("javascript:alert({build})"), "no address such as"},
		{"open brace", link("https://ci.acme.dev/{build"), "has a {"},
		{"close brace", link("https://ci.acme.dev/{build}}"), "a } too many"},
		{"dots", link("https://ci.acme.dev/a/../{build}"), "no address such as"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Generic(whole(tt.change))
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
	if _, err := Generic(Mapping{Claims: map[string]string{"x": "y"}}); strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("not all mistakes at once: %v", err)
	}
}

func TestGenericTraits(t *testing.T) {
	t.Parallel()
	got := mustGeneric(t, whole()).Traits()
	if got.Name != "ci" || got.Title != "ci" || got.MaxLifetime != time.Hour || gocmp.Diff(got.Algorithms, []string{"RS256"}) != "" || !got.OwnerWide ||
		!got.Environments || !got.Refs || got.ProtectedRefs || got.Hosted != "cloud" || len(got.Fields) != 5 || got.claim("event") != "cause" {
		t.Errorf("%+v", got)
	}
	least := mustGeneric(t, Mapping{Name: "jenkins", Claims: map[string]string{"repository": "sub", "repository_id": "sub"}}).Traits()
	if len(least.Fields) != 1 || least.OwnerWide || least.Environments || least.Refs || least.Hosted != "" || least.Events != nil {
		t.Errorf("%+v", least)
	}
}

func TestGenericRead(t *testing.T) {
	t.Parallel()
	want := Provenance{
		Provider: "ci", Repository: "acme/forge", Owner: "acme", RepositoryID: "p-22", OwnerID: "t-11", Workflow: "release", Ref: "refs/heads/main",
		RefType: "branch", SHA: sha, Event: "push", Environment: "release", RunID: "b7", RunNumber: "7", RunAttempt: "2", JobID: "j1", Runner: "cloud",
		RunLink: "https://ci.acme.dev/builds/acme/forge/7",
	}
	g := mustGeneric(t, whole())
	if got, err := g.Read(wholeClaims()); err != nil || got != want {
		t.Errorf("%v\n%s", err, gocmp.Diff(want, got))
	}
	// Rows 61, 62: what a rule needs must be there, and be a string.
	for name, values := range map[string]map[any]fault.Code{
		"project":    {nil: fault.MissingClaim, "": fault.MissingClaim, true: fault.BadClaim, json.Number("1"): fault.BadClaim},
		"project_id": {nil: fault.MissingClaim, "": fault.MissingClaim, json.Number("1"): fault.BadClaim, " x": fault.BadClaim, "\u202e": fault.BadClaim},
		"team":       {nil: fault.MissingClaim}, "team_id": {nil: fault.MissingClaim, json.Number("11"): fault.BadClaim},
		"git_ref": {json.Number("1"): fault.BadClaim}, "cause": {true: fault.BadClaim}, "stage": {false: fault.BadClaim},
		"build_id": {json.Number("-1"): fault.BadClaim, json.Number("1e3"): fault.BadClaim, json.Number("1.0"): fault.BadClaim, "a/b": fault.BadClaim, true: fault.BadClaim},
		"pipeline": {strings.Repeat("x", maxClaim+1): fault.BadClaim},
	} {
		for v, code := range values {
			c := wholeClaims()
			if c[name] = v; v == nil {
				delete(c, name)
			}
			if _, err := g.Read(c); fault.CodeOf(err) != code {
				t.Errorf("%s = %v: %v, want %s", name, v, err, code)
			}
		}
	}
	// Row 63: sub never decides where it is not named.
	for _, sub := range []any{nil, json.Number("7"), "repo:evil/evil"} {
		c := wholeClaims()
		c["sub"] = sub
		if got, err := g.Read(c); err != nil || got != want {
			t.Errorf("sub %v: %v", sub, err)
		}
	}
}

func TestRefsOfBranchAndTag(t *testing.T) {
	t.Parallel()
	g := mustGeneric(t, whole(claim("ref", ""), claim("branch", "branch"), claim("tag", "tag")))
	for _, tt := range []struct {
		branch, tag any
		want        string
	}{
		{"main", nil, "refs/heads/main"},
		{"main", "", "refs/heads/main"},
		{"v1", "v1", "refs/tags/v1"},
		{nil, "v1", "refs/tags/v1"},
		{"refs/tags/v1", nil, "refs/heads/refs/tags/v1"},
		{nil, nil, ""},
	} {
		c := wholeClaims()
		c["branch"], c["tag"] = tt.branch, tt.tag
		if got, err := g.Read(c); err != nil || got.Ref != tt.want {
			t.Errorf("%v, %v: %q, %v; want %q", tt.branch, tt.tag, got.Ref, err, tt.want)
		}
	}
}

// Row 90: a link is what the template says, or none.
func TestRunLinks(t *testing.T) {
	t.Parallel()
	g := mustGeneric(t, whole(func(m *Mapping) { m.RunLink = "https://ci.acme.dev/job/{job}/.{build}" }))
	for _, tt := range []struct {
		job, build any
		want       string
	}{
		{"forge", "7", "https://ci.acme.dev/job/forge/.7"},
		{"forge", json.Number("7"), "https://ci.acme.dev/job/forge/.7"},
		{"team/forge", "7", "https://ci.acme.dev/job/team/forge/.7"},
		{"a b", "7", "https://ci.acme.dev/job/a%20b/.7"},
		{"a%2fb", "7", "https://ci.acme.dev/job/a%252fb/.7"},
		{"a?b#c", "7", "https://ci.acme.dev/job/a%3Fb%23c/.7"},
		{"@evil.example", "7", "https://ci.acme.dev/job/@evil.example/.7"},
		{"javascript:alert(1)", "7", "https://ci.acme.dev/job/javascript:alert%281%29/.7"},
		{"ü", "7", "https://ci.acme.dev/job/%C3%BC/.7"},
		{"..", "7", ""},
		{".", "7", ""},
		{"a/../b", "7", ""},
		{"/evil.example", "7", ""},
		{"a//b", "7", ""},
		{"a/", "7", ""},
		{"", "7", ""},
		{nil, "7", ""},
		{true, "7", ""},
		{json.Number("1.5"), "7", ""},
		{"forge", ".", ""}, // ".{build}" would be ".."
		{strings.Repeat("x", maxLink), "7", ""},
	} {
		c := wholeClaims()
		c["job"], c["build"] = tt.job, tt.build
		if got := g.(*generic).link.of(c); got != tt.want {
			t.Errorf("%v, %v: %q, want %q", tt.job, tt.build, got, tt.want)
		}
	}
}

func TestStoredRunLinksAreLookedAtAgain(t *testing.T) {
	t.Parallel()
	g := mustGeneric(t, whole())
	for _, tt := range []struct {
		link           string
		served, issuer bool // without knowing the issuer, and by the issuer's provider
	}{
		{"https://ci.acme.dev/builds/acme/forge/7", true, true},
		{"https://other.example/builds/7", true, false},
		{"http://127.0.0.1:9000/x", true, false},
		{"http://ci.acme.dev/x", false, false},
		{"javascript:alert(1)", false, false},
		{"//evil.example/x", false, false},
		{"https://u:p@ci.acme.dev/x", false, false},
		{"https://ci.acme.dev", false, false},
		{"https://ci.acme.dev/a/../b", false, false},
		{"https://ci.acme.dev/%2e%2e/b", false, false},
		{"https://ci.acme.dev/x?y", false, false},
		{"https://ci.acme.dev/\"onclick", false, false},
		{"https://ci.acme.dev/ü", false, false},
		{"https://CI.acme.dev/x", false, false},
		{"https://ci.acme.dev/a//b", false, false},
		{"", false, false},
	} {
		p := Provenance{Provider: "ci", RunLink: tt.link}
		if got := p.RunURL(); (got == tt.link && got != "") != tt.served || got != "" && got != tt.link {
			t.Errorf("%q is served as %q", tt.link, got)
		}
		if got := g.Links(p).Run; (got != "") != tt.issuer {
			t.Errorf("%q is served by its issuer as %q", tt.link, got)
		}
	}
	if got := run(func(p *Provenance) { p.RunLink = "https://ci.acme.dev/x" }).RunURL(); !strings.HasPrefix(got, "https://github.com/") {
		t.Errorf("a link of its own for a known service: %q", got)
	}
}

func TestGenericNormalise(t *testing.T) {
	t.Parallel()
	full, least := mustGeneric(t, whole()), mustGeneric(t, Mapping{Name: "jenkins", Claims: map[string]string{"repository": "sub", "repository_id": "sub"}})
	for _, tt := range []struct {
		name string
		p    Provider
		in   Rule
		want Rule
		bad  string // the fields that have problems
	}{
		{"as it is", full, Rule{Owner: "acme", Repository: "forge", Workflow: "release"}, Rule{Owner: "acme", Repository: "forge", Workflow: "release"}, ""},
		{"whole name, blanks", full, Rule{Owner: " acme ", Repository: "acme/forge\n", Workflow: "release", RepositoryID: " p-22"},
			Rule{Owner: "acme", Repository: "forge", Workflow: "release", RepositoryID: "p-22"}, ""},
		{"every repository", full, Rule{Owner: "acme", AnyRepository: true, Workflow: "release"}, Rule{Owner: "acme", AnyRepository: true, Workflow: "release"}, ""},
		{"nothing", full, Rule{}, Rule{}, "owner repository workflow"},
		{"wildcards", full, Rule{Owner: "*", Repository: "for*", Workflow: "*"}, Rule{Owner: "*", Repository: "for*", Workflow: "*"}, "owner repository workflow"},
		{"look-alike", full, Rule{Owner: "acme", Repository: "fоrge", Workflow: "release"}, Rule{Owner: "acme", Repository: "fоrge", Workflow: "release"}, "repository"},
		{"one claim", least, Rule{Repository: "https://ci/job/forge/"},
			Rule{Repository: "https://ci/job/forge/", RepositoryID: "https://ci/job/forge/", OwnerID: "https://ci/job/forge/"}, ""},
		{"what is not told", least, Rule{Repository: "x", Owner: "acme", Workflow: "w"}, Rule{Repository: "x", Owner: "acme", Workflow: "w", RepositoryID: "x", OwnerID: "x"}, "owner workflow"},
		{"every repository of none", least, Rule{AnyRepository: true}, Rule{AnyRepository: true}, "any_repository"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, problems := Normalise(tt.p, tt.in)
			var bad []string
			for _, p := range problems {
				bad = append(bad, p.Field)
			}
			if d := gocmp.Diff(tt.want, got); d != "" || strings.Join(bad, " ") != tt.bad {
				t.Errorf("problems %v, want %q\n%s", problems, tt.bad, d)
			}
		})
	}
}

// genericOracle says what a rule of whole means in the plainest way.
func genericOracle(r Rule, p Provenance, fold bool) bool {
	same := func(a, b string) bool { return a == b || fold && strings.EqualFold(a, b) }
	name := same(r.Owner+"/"+r.Repository, p.Repository)
	repository := r.RepositoryID == p.RepositoryID || r.RepositoryID == "" && name
	owner := r.OwnerID == p.OwnerID || r.OwnerID == "" && same(r.Owner, p.Owner)
	return strings.HasPrefix(p.Repository, p.Owner+"/") && repository && owner && r.Workflow == p.Workflow &&
		(r.Environment == "" || r.Environment == p.Environment) && (p.Event == "push" || p.Event == "timer") &&
		(!r.HostedRunner || p.Runner == "cloud") && (len(r.Refs) == 0 || p.Ref == "refs/heads/main")
}

func TestGenericMatchAgreesWithTheOracle(t *testing.T) {
	t.Parallel()
	var granted, refused int
	providers := map[bool]Provider{false: mustGeneric(t, whole()), true: mustGeneric(t, whole(func(m *Mapping) { m.Fold = true }))}
	rapid.Check(t, func(t *rapid.T) {
		pick := func(name, fitting string, others ...string) string {
			if rapid.IntRange(0, 9).Draw(t, name+" fits") > 0 {
				return fitting
			}
			return rapid.SampledFrom(others).Draw(t, name)
		}
		claims := maps.Clone(wholeClaims())
		claims["project"] = pick("project", "acme/forge", "acme/Forge", "ACME/forge", "evil/forge", "acme/forge-2", "acme", "acme/")
		claims["team"] = pick("team", "acme", "evil", "acm")
		claims["project_id"], claims["team_id"] = pick("project id", "p-22", "p-23", "P-22"), pick("team id", "t-11", "t-12")
		claims["pipeline"] = pick("pipeline", "release", "Release", "release2")
		claims["cause"], claims["agent"] = pick("cause", "push", "timer", "pull", "Push"), pick("agent", "cloud", "mine", "Cloud")
		claims["git_ref"], claims["stage"] = pick("ref", "refs/heads/main", "refs/tags/main", "main"), pick("stage", "release", "Release", "test")
		fold := rapid.Bool().Draw(t, "fold")
		p, err := providers[fold].Read(claims)
		if err != nil {
			t.Fatal(err)
		}
		r := Rule{Provider: "ci", Owner: "acme", Repository: "forge", Workflow: "release"}
		r.OwnerID, r.RepositoryID = pick("rule's owner id", "t-11", ""), pick("rule's id", "p-22", "")
		r.Environment, r.HostedRunner = pick("rule's stage", "", "release"), rapid.Bool().Draw(t, "hosted")
		if rapid.Bool().Draw(t, "refs") {
			r.Refs = []string{"refs/heads/main"}
		}
		v := Match(providers[fold], r, p)
		want := genericOracle(r, p, fold) && p.Repository != "acme/"
		if v.Granted() != want {
			t.Fatalf("Match says %+v, the oracle %v\nrule %+v\nrun %+v", v, want, r, p)
		}
		if want {
			granted++
		} else {
			refused++
		}
		checkVerdict(t, v)
	})
	if granted == 0 || refused == 0 {
		t.Errorf("%d granted, %d refused: the draw is blind", granted, refused)
	}
}

// FuzzGeneric: whatever claims say, nothing is granted but to exact names and ids, and links stay on the site.
func FuzzGeneric(f *testing.F) {
	for _, c := range []string{
		`{"project":"acme/forge","team":"acme","project_id":"p-22","team_id":"t-11","pipeline":"release","cause":"push","build":7}`,
		`{"project":"acme/../x","team":"acme","project_id":"p-22","team_id":"t-11","pipeline":"release","cause":"push","build":"../../x"}`,
		`{"project":["acme/forge"]}`, `{}`,
	} {
		f.Add([]byte(c), true)
	}
	g := mustGeneric(f, whole())
	f.Fuzz(func(t *testing.T, data []byte, pinned bool) {
		var claims Claims
		if json.Unmarshal(data, &claims) != nil {
			return
		}
		p, err := g.Read(claims)
		if err != nil {
			if code := fault.CodeOf(err); code != fault.BadClaim && code != fault.MissingClaim {
				t.Fatalf("refused with %s", code)
			}
			return
		}
		r := Rule{Provider: "ci", Owner: "acme", Repository: "forge", Workflow: "release"}
		if pinned {
			r.OwnerID, r.RepositoryID = "t-11", "p-22"
		}
		v := Match(g, r, p)
		checkVerdict(t, v)
		if v.Granted() && !genericOracle(r, p, false) {
			t.Fatalf("rule %+v let %+v in", r, p)
		}
		if l := g.Links(p).Run; l != "" && (!strings.HasPrefix(l, "https://ci.acme.dev/builds/") || strings.Contains(l, "..") && strings.Contains(l, "/../")) || l != p.RunLink {
			t.Fatalf("link %q of %+v", l, p)
		}
	})
}
