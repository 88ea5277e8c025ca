package provider

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice/internal/fault"
)

// What the tests of all providers hold them to.

// agree holds Match to an oracle: a run is granted exactly when every condition that the rule names holds.
func agree(t *testing.T, service Provider, draw func(*rapid.T) (Rule, Provenance), oracle func(Rule, Provenance) bool) {
	t.Helper()
	var granted, refused int
	rapid.Check(t, func(t *rapid.T) {
		r, p := draw(t)
		v := Match(service, r, p)
		if v.Granted() != oracle(r, p) {
			t.Fatalf("Match says %+v, the oracle %v\nrule %+v\nrun %+v", v, oracle(r, p), r, p)
		}
		if v.Granted() {
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

// checkVerdict holds a verdict to what its fields promise.
func checkVerdict(t interface{ Fatalf(string, ...any) }, v Verdict) {
	switch {
	case v.Granted() && (v.Code != "" || !v.Proven):
		t.Fatalf("granted, and yet %+v", v)
	case v.Proven == (v.Code != ""):
		t.Fatalf("either proven or a code: %+v", v)
	case !v.Proven && len(v.Points) > 0:
		t.Fatalf("points of an unproven repository: %+v", v)
	}
	for _, d := range v.Differences() {
		if d.Field == "" || d.Claim == "" || d.Code == "" || d.Want == "" || d.Got == d.Want || d.Final && d.Hint == "" {
			t.Fatalf("difference that explains nothing: %+v", d)
		}
	}
}

// picker draws what fits, mostly.
func picker(t *rapid.T) func(name, fitting string, others ...string) string {
	return func(name, fitting string, others ...string) string {
		if rapid.IntRange(0, 14).Draw(t, name+" fits") > 0 {
			return fitting
		}
		return rapid.SampledFrom(others).Draw(t, name)
	}
}

// checkPoint wants the verdict to be of the code, with the hint in its first difference; an empty code is a grant.
func checkPoint(t *testing.T, v Verdict, want fault.Code, hint string) {
	t.Helper()
	checkVerdict(t, v)
	code, says := v.Code, ""
	if ds := v.Differences(); len(ds) > 0 {
		code, says = ds[0].Code, ds[0].Hint
	}
	if code != want || !strings.Contains(says, hint) || v.Granted() != (want == "") {
		t.Errorf("%q with hint %q, want %q with %q; %+v", code, says, want, hint, v)
	}
}

// checkForm wants what a form understood, "owner repository workflow", or "! " with the fields that have problems.
func checkForm(t *testing.T, service Provider, in Rule, want string) {
	t.Helper()
	r, problems := Normalise(service, in)
	got := r.Owner + " " + r.Repository + " " + r.Workflow
	if len(problems) > 0 {
		got = "!"
	}
	for _, p := range problems {
		got += " " + p.Field
	}
	if got != want {
		t.Errorf("%q, want %q; %+v", got, want, problems)
	}
}

// checkLinks wants every address on the site and below the first of the paths that fits.
func checkLinks(t interface{ Fatalf(string, ...any) }, p Provenance, site string, below ...string) {
	l := p.links()
	for _, link := range []string{l.Run, l.Commit, l.Workflow, l.Repository} {
		u, err := url.Parse(link)
		if link != "" && (err != nil || u.Scheme+"://"+u.Host != site || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
			path.Clean(u.Path) != u.Path || !slices.ContainsFunc(below, func(b string) bool { return strings.HasPrefix(u.Path, "/"+b) })) {
			t.Fatalf("link %q of %+v", link, p)
		}
	}
}

// checkNormalise: a rule that is taken is taken again as it is, and holds nothing that could mean many repositories.
func checkNormalise(t *testing.T, service Provider, r Rule) {
	t.Helper()
	once, problems := Normalise(service, r)
	if len(problems) > 0 {
		return
	}
	again, problems := Normalise(service, once)
	if !gocmp.Equal(again, once) || len(problems) > 0 {
		t.Fatalf("%+v becomes %+v, %v", once, again, problems)
	}
	for _, s := range []string{once.Owner, once.Repository, once.Workflow, once.Environment} {
		if !ascii(s) || strings.ContainsAny(s, "*\n") || strings.TrimSpace(s) != s {
			t.Fatalf("took %+v", once)
		}
	}
}

func ascii(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r > '~' }) }
