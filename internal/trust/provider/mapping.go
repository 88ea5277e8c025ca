package provider

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sluice/internal/fault"
)

// A Mapping says what the tokens of an issuer call the things that Sluice compares. The operator writes one for a CI
// service that Sluice does not know; the services that it knows by a mapping have theirs here.
type Mapping struct {
	// Name is what the operator calls the issuer: "jenkins". Publishers and provenance name it.
	Name string
	// Title is its name for people; empty: Name.
	Title string
	// Claims are the claims by their part: "repository_id" → "sub". Parts lists the parts.
	Claims map[string]string
	// Events are the values of the event that only people with write access can cause: with a claim for the event
	// there must be some.
	Events []string
	// Hosted is the runner's value for the service's own machines; empty: none.
	Hosted string
	// Fold compares names of repositories and owners without a look at the case of ASCII letters.
	Fold bool
	// RunLink is the address of a run's page, with claims in braces: "https://ci.acme.dev/job/{job}/{build}". They
	// may stand in its path alone. Empty: no link.
	RunLink string
	// Algorithms are the JWS algorithms of its tokens; empty: RS256.
	Algorithms []string
	// MaxLifetime is the longest time that a token may span; 0: an hour.
	MaxLifetime time.Duration
	// NeedsJTI says that every token has an id.
	NeedsJTI bool
}

// The parts of a run that a claim can tell.
const (
	wholeNamePart    = "repository"
	namePart         = "name"
	ownerPart        = "owner"
	repositoryIDPart = "repository_id"
	ownerIDPart      = "owner_id"
	workflowPart     = "workflow"
	refPart          = "ref"
	branchPart       = "branch"
	tagPart          = "tag"
	shaPart          = "sha"
	eventPart        = "event"
	environmentPart  = "environment"
	runIDPart        = "run_id"
	runNumberPart    = "run_number"
	runAttemptPart   = "run_attempt"
	jobIDPart        = "job_id"
	runnerPart       = "runner"
)

// Parts are what Mapping.Claims may name. "repository" is the whole name, which begins with the owner where there is
// one; "name" is the part after the owner instead. "ref" is a full git ref; "branch" and "tag" are names without
// refs/heads/ and refs/tags/ instead, and a tag counts before a branch.
func Parts() []string {
	return []string{
		wholeNamePart, namePart, ownerPart, repositoryIDPart, ownerIDPart, workflowPart, refPart, branchPart, tagPart, shaPart,
		eventPart, environmentPart, runIDPart, runNumberPart, runAttemptPart, jobIDPart, runnerPart,
	}
}

// problems are all that is wrong with a mapping, as sentences that begin with the setting.
func (m Mapping) problems() []string {
	var out []string
	bad := func(when bool, format string, args ...any) {
		if when {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	has := func(part string) bool { return m.Claims[part] != "" }
	_, known := ByName(m.Name)
	bad(m.Name == "" || known, "name: %q cannot be the name of a generic issuer", m.Name)
	for _, part := range slices.Sorted(maps.Keys(m.Claims)) {
		claim := m.Claims[part]
		bad(!slices.Contains(Parts(), part), "claims: %q is nothing that a claim can tell; what can be is %s", part, strings.Join(Parts(), ", "))
		bad(!claimName(claim), "claims.%s: %q is no name of a claim", part, claim)
		bad(slices.Contains([]string{"iss", "aud", "exp", "nbf", "iat", "jti"}, claim), "claims.%s: %s says nothing of a run", part, claim)
	}
	bad(has(wholeNamePart) == has(namePart), "claims: name the claim of the repository, as repository (its whole name) or as name (without the owner)")
	bad(has(namePart) && !has(ownerPart), "claims.name: it needs owner beside it")
	bad(!has(repositoryIDPart), "claims.repository_id: it is missing. Name a claim whose value is never given to another repository; it may be the one of repository, such as sub")
	bad(has(ownerIDPart) && !has(ownerPart), "claims.owner_id: it needs owner beside it")
	bad(has(refPart) && (has(branchPart) || has(tagPart)), "claims.ref: it cannot stand beside branch and tag")
	bad(has(eventPart) != (len(m.Events) > 0), "events: claims.event and the list of events that may publish need one another")
	for _, e := range m.Events {
		bad(!eventName(e), "events: %q is no name of an event", e)
	}
	bad(has(runnerPart) != (m.Hosted != ""), "hosted_runner: it and claims.runner need one another")
	if m.RunLink != "" {
		_, err := parseRunLink(m.RunLink)
		bad(err != nil, "run_link: %v", err)
	}
	return out
}

func claimName(s string) bool {
	return within(s, maxCondition, func(c byte) bool { return '!' <= c && c <= '~' && c != '{' && c != '}' })
}

// read takes what the mapping names out of claims.
func (m Mapping) read(c Claims) (Provenance, error) {
	p := Provenance{Provider: m.Name}
	r := reader{claims: c}
	var name, branch, tag string
	for _, x := range []struct {
		into *string
		part string
		take func(*string, string, func(string) bool)
		ok   func(string) bool
	}{
		{&p.Owner, ownerPart, r.required, text},
		{&p.Repository, wholeNamePart, r.required, text},
		{&name, namePart, r.required, func(s string) bool { return text(s) && !strings.Contains(s, "/") }},
		{&p.RepositoryID, repositoryIDPart, r.required, plainID},
		{&p.OwnerID, ownerIDPart, r.required, plainID},
		{&p.Workflow, workflowPart, r.optional, text},
		{&p.Ref, refPart, r.optional, text},
		{&branch, branchPart, r.optional, text},
		{&tag, tagPart, r.optional, text},
		{&p.SHA, shaPart, r.optional, text},
		{&p.Event, eventPart, r.optional, text},
		{&p.Environment, environmentPart, r.optional, text},
		{&p.RunID, runIDPart, r.number, runWord},
		{&p.RunNumber, runNumberPart, r.number, runWord},
		{&p.RunAttempt, runAttemptPart, r.number, runWord},
		{&p.JobID, jobIDPart, r.number, runWord},
		{&p.Runner, runnerPart, r.optional, text},
	} {
		if claim := m.Claims[x.part]; claim != "" {
			x.take(x.into, claim, x.ok)
		}
	}
	if name != "" {
		p.Repository = p.Owner + "/" + name
	}
	if m.Claims[ownerIDPart] == "" {
		p.OwnerID = p.RepositoryID
	}
	p.Ref, p.RefType = fullRef(p.Ref, branch, tag)
	return p, r.err
}

// fullRef is the full ref and its kind. What is a tag and a branch counts as a tag.
func fullRef(ref, branch, tag string) (full, kind string) {
	switch {
	case tag != "":
		ref = "refs/tags/" + tag
	case branch != "":
		ref = "refs/heads/" + branch
	}
	switch {
	case strings.HasPrefix(ref, "refs/tags/"):
		kind = "tag"
	case strings.HasPrefix(ref, "refs/heads/"):
		kind = "branch"
	}
	return ref, kind
}

// compare is Provider.Compare for a service that is known by its mapping.
func (m Mapping) compare(r Rule, p Provenance) Verdict {
	same := func(a, b string) bool { return a == b }
	if m.Fold {
		same = foldEqual
	}
	v := compareNames(r, p, m.sane(p), same)
	if v.Proven && r.Workflow != "" {
		d := Point{Field: "workflow", Claim: m.Claims[workflowPart], Got: p.Workflow, Want: r.Workflow}
		if p.Workflow != r.Workflow {
			d.Code = fault.WorkflowMismatch
			if foldEqual(p.Workflow, r.Workflow) {
				d.Hint = "They differ only in upper and lower case"
			}
		}
		v.Points = append(v.Points, d)
	}
	return v
}

// sane reports whether names and ids are plain and agree with one another. Look-alike letters belong to no publisher.
func (m Mapping) sane(p Provenance) bool {
	owned := p.Owner == ""
	if m.Claims[ownerPart] != "" {
		name, ok := strings.CutPrefix(p.Repository, p.Owner+"/")
		owned = ok && plainName(p.Owner) && plainName(name)
	}
	return owned && plainName(p.Repository) && plainID(p.RepositoryID) && plainID(p.OwnerID)
}

// plainName reports whether s is a name in printable ASCII, without wildcards and blanks around it.
func plainName(s string) bool {
	return s != "" && plainWord(s) && strings.TrimSpace(s) == s
}

// plainID reports whether s can be an id: printable ASCII, at most 255 bytes, nothing around it.
func plainID(s string) bool {
	return strings.TrimSpace(s) == s && within(s, maxCondition, func(c byte) bool { return ' ' <= c && c <= '~' })
}

// runWord reports whether s can name a run. Without a slash, so that an id and a run stay two things when they are
// written beside one another.
func runWord(s string) bool { return plainID(s) && !strings.Contains(s, "/") }

// uuid reports whether s is a UUID in its usual spelling, with lower-case digits (RFC 9562 §4).
func uuid(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		hex := '0' <= s[i] && s[i] <= '9' || 'a' <= s[i] && s[i] <= 'f'
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash && s[i] != '-' || !dash && !hex {
			return false
		}
	}
	return true
}
