package provider

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sluice/internal/fault"
)

// Conditions narrow a rule beyond repository and file. The zero value takes any job of the file that a safe
// event started. What a service's tokens do not tell cannot be a condition there.
type Conditions struct {
	// Environment is the deployment environment that the job must name; empty takes any job.
	Environment string `json:"environment,omitempty"`
	// Refs are full git refs, or globs on them: "refs/heads/main", "refs/tags/v*". One must fit; none takes any.
	// "*" stands for a run of characters but '/', "**" for any run.
	Refs []string `json:"refs,omitempty"`
	// ProtectedRef wants a ref that the service says is protected.
	ProtectedRef bool `json:"protected_ref,omitempty"`
	// Events replace Traits.Events, which only people with write access can fire.
	Events []string `json:"events,omitempty"`
	// HostedRunner wants a machine of the service's own, not one that somebody runs themselves.
	HostedRunner bool `json:"hosted_runner,omitempty"`
	// Reusable is the reusable workflow that the job must live in, as owner/repository/path, perhaps with "@" and
	// a full ref or a commit; empty wants the job in the started file itself.
	Reusable string `json:"reusable,omitempty"`
}

// Bounds of conditions.
const (
	maxConditions = 50
	maxCondition  = 255
)

// Match holds a rule with its conditions against a run of the same issuer.
func Match(p Provider, r Rule, run Provenance) Verdict {
	v := p.Compare(r, run)
	if !v.Proven {
		return v
	}
	t := p.Traits()
	// What no rule could allow comes first.
	v.Points = slices.Concat(matchSource(run), v.Points, matchEnvironment(t, r, run), matchRef(t, r, run), matchEvent(t, r, run), matchRunner(t, r, run))
	return v
}

func matchEnvironment(t Traits, r Rule, run Provenance) []Point {
	if r.Environment == "" {
		return nil
	}
	p := Point{Field: "environment", Claim: t.claim("environment"), Got: run.Environment, Want: r.Environment}
	if r.Environment == run.Environment || t.FoldsEnvironments && foldEqual(r.Environment, run.Environment) {
		return []Point{p}
	}
	p.Code = fault.EnvironmentMismatch
	switch {
	case run.Environment == "":
		p.Hint = "The job has no environment: add the line \"environment: " + r.Environment + "\" to it"
	case foldEqual(r.Environment, run.Environment):
		p.Hint = "They differ only in upper and lower case"
	}
	return []Point{p}
}

func matchRef(t Traits, r Rule, run Provenance) []Point {
	var out []Point
	if len(r.Refs) > 0 {
		p := Point{Field: "ref", Claim: t.claim("ref"), Got: run.Ref, Want: strings.Join(r.Refs, " or ")}
		if run.Ref == "" || !slices.ContainsFunc(r.Refs, func(glob string) bool { return matchGlob(glob, run.Ref) }) {
			p.Code = fault.RefMismatch
			p.Hint = refHint(r.Refs, run.Ref)
		}
		out = append(out, p)
	}
	if r.ProtectedRef {
		p := Point{Field: "protection", Claim: t.claim("ref_protected"), Got: run.RefProtected, Want: "true"}
		if run.RefProtected != "true" {
			p.Code = fault.RefNotProtected
			p.Hint = "Protect " + cmp.Or(run.Ref, "the ref") + " by a rule of the repository"
		}
		out = append(out, p)
	}
	return out
}

// refHint tells a branch from a tag of the same name, which people take for one another.
func refHint(globs []string, ref string) string {
	for prefix, other := range map[string]string{"refs/heads/": "refs/tags/", "refs/tags/": "refs/heads/"} {
		name, ok := strings.CutPrefix(ref, prefix)
		if ok && slices.ContainsFunc(globs, func(g string) bool { return matchGlob(g, other+name) }) {
			return "A branch and a tag of one name are two refs: run the job for " + other + name
		}
	}
	return ""
}

func matchEvent(t Traits, r Rule, run Provenance) []Point {
	allowed := r.Events
	if len(allowed) == 0 {
		allowed = t.Events
	}
	if len(allowed) == 0 {
		return nil
	}
	p := Point{Field: "event", Claim: t.claim("event"), Got: run.Event, Want: alternatives(allowed)}
	if run.Event != "" && slices.Contains(allowed, run.Event) {
		return []Point{p}
	}
	p.Code = fault.EventNotAllowed
	p.Hint = cmp.Or(t.Risky[run.Event], "Publish from "+alternatives(allowed[:min(3, len(allowed))]))
	return []Point{p}
}

func matchRunner(t Traits, r Rule, run Provenance) []Point {
	var out []Point
	if r.HostedRunner {
		p := Point{Field: "runner", Claim: t.claim("runner"), Got: run.Runner, Want: t.Hosted}
		if t.Hosted == "" || run.Runner != t.Hosted {
			p.Code = fault.RunnerNotAllowed
			p.Hint = "Run the job on a machine that the CI service provides"
		}
		out = append(out, p)
	}
	return out
}

// matchSource refuses runs whose code or whose commands are not the repository's.
func matchSource(run Provenance) []Point {
	var out []Point
	if run.Fork != "" {
		out = append(out, Point{Field: "fork", Code: fault.ForkPipeline, Claim: "job_project_path", Got: run.Fork, Want: run.Repository, Final: true,
			Hint: "The pipeline runs a fork's code: publish from a pipeline of the project's own branches or tags"})
	}
	if run.Shell == "true" {
		out = append(out, Point{Field: "shell", Code: fault.SSHRerun, Claim: "ssh-rerun", Got: "true", Want: "false", Final: true,
			Hint: "Somebody could type into this job: run it again without SSH"})
	}
	return out
}

func alternatives(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " or " + words[n]
}

// Normalise reads a whole rule: the service's fields, then the conditions. Each problem is one field.
func Normalise(p Provider, r Rule) (Rule, []Problem) {
	t := p.Traits()
	var problems []Problem
	if r.AnyRepository && (!t.OwnerWide || strings.TrimSpace(r.Repository) != "") {
		problems = append(problems, Problem{"any_repository", "true", "no repository beside it, and a service whose repositories have owners"})
	}
	r, more := p.Normalise(r)
	problems = append(problems, more...)
	c := &r.Conditions
	c.Environment, c.Reusable = strings.TrimSpace(c.Environment), strings.TrimPrefix(strings.TrimSpace(c.Reusable), "/")
	c.Refs, c.Events = tidy(c.Refs), tidy(c.Events)
	return r, append(problems, c.problems(t)...)
}

// tidy trims words, drops empty ones and repeats, and keeps their order.
func tidy(words []string) []string {
	var out []string
	for _, w := range words {
		if w = strings.TrimSpace(w); w != "" && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}

func (c Conditions) problems(t Traits) []Problem {
	var out []Problem
	bad := func(when bool, field, got, want string) {
		if when {
			out = append(out, Problem{field, got, want})
		}
	}
	untold := "to be left out: tokens of " + t.Title + " do not tell it"
	bad(c.Environment != "" && !t.Environments, "environment", c.Environment, untold)
	bad(!plainWord(c.Environment), "environment", c.Environment, "the name of an environment, at most 255 plain characters"+plainNote(c.Environment))
	bad(len(c.Refs) > 0 && !t.Refs, "refs", strings.Join(c.Refs, " "), untold)
	for _, glob := range c.Refs[:min(len(c.Refs), maxConditions)] {
		why := badGlob(glob)
		bad(why != "", "refs", glob, why)
	}
	bad(c.ProtectedRef && !t.ProtectedRefs, "protected_ref", "true", untold)
	bad(len(c.Events) > 0 && len(t.Events) == 0, "events", strings.Join(c.Events, " "), untold)
	for _, event := range c.Events[:min(len(c.Events), maxConditions)] {
		bad(!eventName(event), "events", event, "names of events such as push: letters, digits and _")
	}
	bad(c.HostedRunner && t.Hosted == "", "hosted_runner", "true", untold)
	bad(c.Reusable != "" && !t.Reusable, "reusable", c.Reusable, untold)
	bad(c.Reusable != "" && t.Reusable && !reusableName(c.Reusable), "reusable", c.Reusable,
		"the whole name of a workflow file, such as acme/shared/.github/workflows/publish.yml, perhaps with @refs/tags/v1 or a commit"+plainNote(c.Reusable))
	bad(max(len(c.Refs), len(c.Events)) > maxConditions, "refs", fmt.Sprint(max(len(c.Refs), len(c.Events))), fmt.Sprintf("at most %d refs and %d events", maxConditions, maxConditions))
	return out
}

// plainWord reports whether s is empty or a name in printable ASCII without wildcards.
func plainWord(s string) bool {
	return s == "" || within(s, maxCondition, func(c byte) bool { return ' ' <= c && c <= '~' && c != '*' })
}

func eventName(s string) bool {
	return within(s, 100, func(c byte) bool { return alnum(c) || c == '_' || c == '-' })
}
