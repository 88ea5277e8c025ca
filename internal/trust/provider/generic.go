package provider

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"
)

// generic is a CI service that an operator has described.
type generic struct {
	Mapping
	link runLink
}

// Generic makes a provider of an operator's mapping. The error joins all that is wrong with it, each beginning with
// the setting. ByName does not know the provider: it belongs to its issuer.
func Generic(m Mapping) (Provider, error) {
	m.Title = cmp.Or(m.Title, m.Name)
	m.MaxLifetime = cmp.Or(m.MaxLifetime, time.Hour)
	if len(m.Algorithms) == 0 {
		m.Algorithms = []string{"RS256"}
	}
	var errs []error
	for _, p := range m.problems() {
		errs = append(errs, errors.New(p))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	g := &generic{Mapping: m}
	if m.RunLink != "" {
		g.link, _ = parseRunLink(m.RunLink) // problems has parsed it
	}
	return g, nil
}

func (g *generic) Traits() Traits {
	claims := map[string]string{
		refPart: cmp.Or(g.Claims[refPart], g.Claims[branchPart], g.Claims[tagPart]), eventPart: g.Claims[eventPart],
		environmentPart: g.Claims[environmentPart], runnerPart: g.Claims[runnerPart],
	}
	return Traits{
		Name: g.Name, Title: g.Title, Algorithms: g.Algorithms, MaxLifetime: g.MaxLifetime, NeedsJTI: g.NeedsJTI,
		Claims: claims, Fields: g.fields(), Events: g.Events, Hosted: g.Hosted,
		Environments: claims[environmentPart] != "", Refs: claims[refPart] != "",
		OwnerWide: g.Claims[ownerPart] != "" && g.Claims[ownerIDPart] != "",
	}
}

// fields are what the mapping tells runs apart by.
func (g *generic) fields() []Field {
	var out []Field
	for _, f := range []Field{
		{Slot: OwnerSlot, Name: "owner", Label: "Owner", Example: "acme"},
		{Slot: RepositorySlot, Name: "repository", Label: "Repository", Example: "forge"},
		{Slot: WorkflowSlot, Name: "workflow", Label: "Workflow", Example: "release"},
		{Slot: OwnerIDSlot, Name: "owner_id", Label: "Owner's id", Example: "11", Optional: true},
		{Slot: RepositoryIDSlot, Name: "repository_id", Label: "Repository's id", Example: "22", Optional: true},
	} {
		claim := g.Claims[string(f.Slot)]
		if f.Slot == RepositorySlot {
			claim = cmp.Or(claim, g.Claims[namePart])
		}
		if claim == "" || f.Slot == RepositoryIDSlot && g.oneClaim() {
			continue
		}
		f.Help = "Exactly what the token's claim " + claim + " says."
		if f.Slot == RepositorySlot && g.Claims[wholeNamePart] != "" && g.Claims[ownerPart] != "" {
			f.Help = "What the token's claim " + claim + " says, without the owner before it."
		}
		out = append(out, f)
	}
	return out
}

// oneClaim reports whether the repository's name is its id.
func (g *generic) oneClaim() bool { return g.Claims[wholeNamePart] == g.Claims[repositoryIDPart] }

func (g *generic) Read(c Claims) (Provenance, error) {
	p, err := g.read(c)
	if err == nil {
		p.RunLink = g.link.of(c)
	}
	return p, err
}

// Normalise trims, and nothing more: what such a service calls things is not known.
func (g *generic) Normalise(r Rule) (Rule, []Problem) {
	for _, s := range []*string{&r.Owner, &r.Repository, &r.Workflow, &r.OwnerID, &r.RepositoryID} {
		*s = strings.TrimSpace(*s)
	}
	if r.Owner != "" {
		r.Repository = strings.TrimPrefix(r.Repository, r.Owner+"/")
	}
	if g.oneClaim() && !r.AnyRepository {
		r.RepositoryID = r.Repository
	}
	if g.Claims[ownerIDPart] == "" {
		r.OwnerID = r.RepositoryID
	}
	var out []Problem
	for _, f := range g.fields() {
		v := f.Slot.Get(r)
		optional := f.Optional || f.Slot == RepositorySlot && r.AnyRepository
		if v == "" && !optional || v != "" && !plainName(v) {
			out = append(out, Problem{string(f.Slot), v, "plain characters, " + lowerFirst(strings.TrimSuffix(f.Help, ".")) + plainNote(v)})
		}
	}
	return r, append(out, g.unknown(r)...)
}

// unknown are the slots that are filled though no claim tells them.
func (g *generic) unknown(r Rule) []Problem {
	var out []Problem
	for _, slot := range []Slot{OwnerSlot, WorkflowSlot} {
		if v := slot.Get(r); v != "" && !slices.ContainsFunc(g.fields(), func(f Field) bool { return f.Slot == slot }) {
			out = append(out, Problem{string(slot), v, "to be left out: tokens of " + g.Title + " do not tell it"})
		}
	}
	return out
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

func (g *generic) Compare(r Rule, p Provenance) Verdict { return g.compare(r, p) }

// Links are the run's page as it was made when the token was read.
func (g *generic) Links(p Provenance) Links {
	if g.link.covers(p.RunLink) {
		return Links{Run: p.RunLink}
	}
	return Links{}
}
