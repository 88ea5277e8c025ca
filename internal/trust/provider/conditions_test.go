package provider

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice/internal/fault"
)

func TestGlobs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		glob string
		yes  []string
		no   []string
	}{
		{"refs/heads/main", []string{"refs/heads/main"}, []string{"", "refs/heads/main2", "refs/heads/Main", "refs/tags/main", "xrefs/heads/main", "refs/heads/main/x"}},
		{"refs/tags/v*", []string{"refs/tags/v", "refs/tags/v1.2"}, []string{"refs/tags/v1/x", "refs/tags/w1", "refs/heads/v1"}},
		{"refs/heads/*", []string{"refs/heads/main", "refs/heads/"}, []string{"refs/heads/a/b", "refs/tags/main"}},
		{"refs/heads/**", []string{"refs/heads/main", "refs/heads/a/b/c"}, []string{"refs/tags/main"}},
		{"refs/heads/release/*/x", []string{"refs/heads/release/1/x", "refs/heads/release//x"}, []string{"refs/heads/release/1/2/x", "refs/heads/release/1/xx"}},
		{"refs/**/x", []string{"refs/heads/a/b/x", "refs//x"}, []string{"refs/x", "refs/heads/x/y"}},
		{"refs/heads/a*b*c", []string{"refs/heads/abc", "refs/heads/a1b2c", "refs/heads/aXbbcc"}, []string{"refs/heads/acb", "refs/heads/ab"}},
	} {
		if why := badGlob(tt.glob); why != "" {
			t.Errorf("%s is refused: %s", tt.glob, why)
		}
		for _, s := range tt.yes {
			if !matchGlob(tt.glob, s) {
				t.Errorf("%s does not fit %s", s, tt.glob)
			}
		}
		for _, s := range tt.no {
			if matchGlob(tt.glob, s) {
				t.Errorf("%s fits %s", s, tt.glob)
			}
		}
	}
	for _, bad := range []string{"", "*", "**", "main", "refs/heads/***", "refs/heads/a b", "refs/heads/[ab]", "refs/heads/a?", "refs/heads/\u0430", strings.Repeat("refs/", 60), `refs\heads`, "refs/heads/a\n"} {
		if badGlob(bad) == "" {
			t.Errorf("%q is taken", bad)
		}
	}
}

// Whatever the glob, matching takes no more steps than the two are long: no input of an attacker makes it slow.
func TestGlobsStayCheap(t *testing.T) {
	t.Parallel()
	glob, ref := "refs/"+strings.Repeat("*a", 120), "refs/"+strings.Repeat("a", 1490)+"b"
	for range 1000 {
		if matchGlob(glob, ref) {
			t.Fatal("fits")
		}
	}
}

// asRegexp says the same as a glob in another language.
func asRegexp(glob string) *regexp.Regexp {
	s := regexp.QuoteMeta(glob)
	s = strings.ReplaceAll(s, `\*\*`, `.{0,}`)
	s = strings.ReplaceAll(s, `\*`, `[^/]{0,}`)
	return regexp.MustCompile(`(?s)^` + s + `$`)
}

func TestGlobsAgreeWithTheOracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{"a", "b", "/", "*", "**", "v1", "x/y"})
		glob := "refs/" + strings.ReplaceAll(strings.Join(rapid.SliceOfN(piece, 0, 8).Draw(t, "glob"), ""), "***", "**")
		ref := "refs/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "/", "v1", "x/y"}), 0, 8).Draw(t, "ref"), "")
		if badGlob(glob) != "" {
			return
		}
		if got, want := matchGlob(glob, ref), asRegexp(glob).MatchString(ref); got != want {
			t.Fatalf("%s on %s: %v, want %v", glob, ref, got, want)
		}
	})
}

func FuzzGlob(f *testing.F) {
	f.Add("refs/tags/v*", "refs/tags/v1")
	f.Add("refs/**", "refs/heads/a/b")
	f.Add("refs/*", "refs/\u0358")
	f.Fuzz(func(t *testing.T, glob, ref string) {
		if badGlob(glob) != "" || len(ref) > maxClaim {
			return
		}
		if got, want := matchGlob(glob, ref), asRegexp(glob).MatchString(ref); got != want {
			t.Fatalf("%q on %q: %v, want %v", glob, ref, got, want)
		}
	})
}

// conditionsHold is the oracle: it says of each condition by itself whether it holds.
func conditionsHold(c Conditions, p Provenance) bool {
	safe := []string{"push", "release", "workflow_dispatch", "repository_dispatch", "schedule", "deployment"}
	if len(c.Events) > 0 {
		safe = c.Events
	}
	called := p.JobWorkflowRef != p.WorkflowRef
	reusable := !called
	if c.Reusable != "" {
		path, ref, pinned := strings.Cut(c.Reusable, "@")
		at := `(refs/(heads|tags|pull)/.+|[0-9a-f]{40,64})`
		if pinned {
			at = regexp.QuoteMeta(ref)
		}
		repo := strings.Join(strings.Split(path, "/")[:2], "/")
		reusable = called && regexp.MustCompile(`^(?i:`+regexp.QuoteMeta(repo)+`)`+regexp.QuoteMeta(strings.TrimPrefix(path, repo))+`@`+at+`$`).MatchString(p.JobWorkflowRef)
	}
	return (c.Environment == "" || strings.EqualFold(c.Environment, p.Environment)) &&
		(len(c.Refs) == 0 || slices.ContainsFunc(c.Refs, func(g string) bool { return asRegexp(g).MatchString(p.Ref) })) &&
		(!c.ProtectedRef || p.RefProtected == "true") && (!c.HostedRunner || p.Runner == "github-hosted") &&
		slices.Contains(safe, p.Event) && reusable && p.Fork == "" && p.Shell != "true"
}

// Access granted implies that every named condition holds, and the other way round.
func TestConditionsAgreeWithTheOracle(t *testing.T) {
	t.Parallel()
	var granted, refused int
	const shared = "acme/shared/.github/workflows/publish.yml"
	rapid.Check(t, func(t *rapid.T) {
		// The first is what fits, mostly.
		pick := func(name string, of ...string) string {
			if rapid.IntRange(0, 3).Draw(t, name+" fits") > 0 {
				return of[0]
			}
			return rapid.SampledFrom(of).Draw(t, name)
		}
		some := func(name string, of ...string) []string {
			return rapid.SliceOfNDistinct(rapid.SampledFrom(of), 0, 2, rapid.ID).Draw(t, name)
		}
		p := run(func(p *Provenance) {
			p.Ref = pick("ref", "refs/heads/main", "refs/tags/v1", "refs/heads/v1", "refs/heads/a/b")
			p.WorkflowRef = "acme/forge/.github/workflows/build.yml@" + p.Ref
			p.JobWorkflowRef = pick("job", p.WorkflowRef, shared+"@refs/tags/v1", shared+"@refs/heads/main", "Acme/Shared/.github/workflows/publish.yml@"+sha,
				shared+"@evil.yml@refs/tags/v1", "evil/shared/.github/workflows/publish.yml@refs/tags/v1", shared+"@v1", "")
			p.RefProtected = pick("protected", "true", "false", "", "True")
			p.Event = pick("event", "push", "push", "release", "pull_request", "pull_request_target", "")
			p.Environment = pick("environment", "", "release", "Release", "test")
			p.Runner = pick("runner", "github-hosted", "self-hosted", "")
			p.Fork = pick("fork", "", "", "", "acme/other")
			p.Shell = pick("shell", "", "", "false", "true")
		})
		r := Rule{Provider: "github", Issuer: p.Issuer, Owner: "acme", Repository: "forge", Workflow: "build.yml", Conditions: Conditions{
			Environment:  pick("rule's environment", "", "", "release"),
			Refs:         some("rule's refs", "refs/heads/main", "refs/tags/v*", "refs/heads/*", "refs/**"),
			ProtectedRef: rapid.Bool().Draw(t, "rule's protection"),
			Events:       some("rule's events", "push", "release", "pull_request"),
			HostedRunner: rapid.Bool().Draw(t, "rule's runner"),
			Reusable:     pick("rule's reusable", "", "", shared, shared+"@refs/tags/v1"),
		}}
		if rapid.Bool().Draw(t, "any repository") {
			r.Repository, r.AnyRepository = "", true
		}
		v := Match(github{}, r, p)
		if want := conditionsHold(r.Conditions, p); v.Granted() != want {
			t.Fatalf("Match says %v, the oracle %v\n%+v\nrule %+v\nrun %+v", v.Granted(), want, v.Differences(), r, p)
		}
		checkVerdict(t, v)
		if v.Granted() {
			granted++
		} else {
			refused++
		}
	})
	if granted == 0 || refused == 0 {
		t.Errorf("%d granted, %d refused: the draw is blind", granted, refused)
	}
}

// A rule for every repository of an owner goes by the owner alone.
func TestAnyRepository(t *testing.T) {
	t.Parallel()
	rule := func(id string) Rule {
		return Rule{Provider: "github", Owner: "Acme", AnyRepository: true, Workflow: "build.yml", OwnerID: id}
	}
	for _, tt := range []struct {
		name   string
		rule   Rule
		change func(*Provenance)
		want   Verdict
	}{
		{"by name", rule(""), func(*Provenance) {}, Verdict{Proven: true}},
		{"by id", rule("11"), func(*Provenance) {}, Verdict{Proven: true, Renamed: true}},
		{"renamed", rule("11"), func(p *Provenance) { p.Owner, p.Repository = "emca", "emca/forge" }, Verdict{Proven: true, Renamed: true}},
		{"another owner of the name", rule("12"), func(*Provenance) {}, Verdict{Code: fault.IDMismatch}},
		{"another owner", rule("12"), func(p *Provenance) { p.Owner, p.Repository = "evil", "evil/forge" }, Verdict{Code: fault.NoPublisher}},
		{"another owner, nothing pinned", rule(""), func(p *Provenance) { p.Owner, p.Repository = "evil", "evil/forge" }, Verdict{Code: fault.NoPublisher}},
		{"no owner id", rule(""), func(p *Provenance) { p.OwnerID = "" }, Verdict{Code: fault.NoPublisher}},
	} {
		got := compareRepository(tt.rule, run(tt.change), true)
		if d := gocmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

// What a service's tokens do not tell cannot be a condition there.
func TestConditionsThatAServiceCannotTell(t *testing.T) {
	t.Parallel()
	silent := mute{github{}}
	all := Conditions{Environment: "e", Refs: []string{"refs/heads/main"}, ProtectedRef: true, Events: []string{"push"}, HostedRunner: true, Reusable: "a/b/.github/workflows/c.yml"}
	_, problems := Normalise(silent, Rule{Owner: "acme", Repository: "forge", Workflow: "build.yml", Conditions: all})
	var fields []string
	for _, p := range problems {
		if strings.Contains(p.Want, "do not tell it") {
			fields = append(fields, p.Field)
		}
	}
	if d := gocmp.Diff([]string{"environment", "refs", "protected_ref", "events", "hosted_runner", "reusable"}, fields); d != "" {
		t.Error(d)
	}
	r, problems := Normalise(github{}, Rule{Owner: "acme", Repository: "forge", Workflow: "build.yml", Conditions: Conditions{
		Environment: " e ", Refs: []string{" refs/heads/main", "", "refs/heads/main"}, Events: []string{"push", "push "}, Reusable: " /a/b/.github/workflows/c.yml "}})
	want := Conditions{Environment: "e", Refs: []string{"refs/heads/main"}, Events: []string{"push"}, Reusable: "a/b/.github/workflows/c.yml"}
	if d := gocmp.Diff(want, r.Conditions); d != "" || len(problems) > 0 {
		t.Errorf("%s %v", d, problems)
	}
}

// mute is a service whose tokens tell nothing.
type mute struct{ github }

func (mute) Traits() Traits { return Traits{Name: "mute", Title: "Mute CI"} }
