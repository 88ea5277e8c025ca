package trust

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/fault"
)

// A Plan is what it takes to make the publishers of a channel those of a list.
type Plan struct {
	Steps []Step
	// Kept is how many publishers stay as they are.
	Kept int
	// State is what the plan was made from; see StateOf.
	State string
}

// A Step is one change of a plan.
type Step struct {
	Kind ChangeKind
	// Before is zero for an added publisher, After for a removed one.
	Before, After Publisher
}

// Plan compares the publishers of a channel with a list of specs. A spec stands for the publisher with the same
// rule; else for one with the same repository, file and right, which it changes; else it is a new one. What no spec
// stands for is to be removed. All mistakes in the list come in one fault.InvalidField.
func (s *Publishers) Plan(ctx context.Context, by audit.Actor, ch channel.Channel, specs []PublisherSpec) (Plan, error) {
	have, err := s.Store.Publishers(ctx, ch.ID)
	if err != nil {
		return Plan{}, err
	}
	want, err := s.readAll(by, ch, specs, have)
	if err != nil {
		return Plan{}, err
	}
	out := plan(have, want)
	out.State = StateOf(have)
	return out, nil
}

// StateOf names the publishers of a channel as they are now. It is another one after every change of an owner, and
// after a pin or a rename that a run brought.
func StateOf(publishers []Publisher) string {
	h := sha256.New()
	for _, p := range publishers {
		// A Hash takes everything that is written to it.
		_, _ = fmt.Fprintf(h, "%d %d %q %q %q\n", p.ID, p.Version, p.FullName(), p.OwnerID, p.RepositoryID)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func (s *Publishers) readAll(by audit.Actor, ch channel.Channel, specs []PublisherSpec, have []Publisher) ([]Publisher, error) {
	if len(specs) > MaxPublishers {
		return nil, fault.New(fault.InvalidField, "publishers: there are %d, a channel has at most %d.", len(specs), MaxPublishers)
	}
	var want []Publisher
	var sentences []string
	var diffs []fault.Difference
	for i, spec := range specs {
		p, err := s.readOne(by, ch, spec, have)
		if f, ok := errors.AsType[*fault.Error](err); ok {
			sentences = append(sentences, fmt.Sprintf("publisher %d: %s", i+1, f.Detail))
			for _, d := range f.Differences {
				d.Claim = fmt.Sprintf("publishers[%d].%s", i, d.Claim)
				diffs = append(diffs, d)
			}
			continue
		} else if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(want, p.SameRule) {
			sentences = append(sentences, fmt.Sprintf("publisher %d: it is there twice.", i+1))
		}
		want = append(want, p)
	}
	if len(sentences) > 0 {
		return nil, fault.New(fault.InvalidField, "%s", strings.Join(sentences, " ")).With(diffs)
	}
	return want, nil
}

// readOne reads a spec as Read does, but lets an end that has passed stand where the publisher has it already: the
// list of a channel stands for itself at any time.
func (s *Publishers) readOne(by audit.Actor, ch channel.Channel, spec PublisherSpec, have []Publisher) (Publisher, error) {
	end := spec.ExpiresAt
	ended := slices.DeleteFunc(slices.Clone(have), func(p Publisher) bool { return end.IsZero() || end.After(s.Now()) || !p.ExpiresAt.Equal(end) })
	if len(ended) == 0 {
		return s.Read(by, ch, spec)
	}
	spec.ExpiresAt = time.Time{}
	p, err := s.Read(by, ch, spec)
	if err != nil || slices.ContainsFunc(ended, p.SameRule) {
		p.ExpiresAt = ended[0].ExpiresAt
		return p, err
	}
	spec.ExpiresAt = end
	return s.Read(by, ch, spec)
}

func plan(have, want []Publisher) Plan {
	var out Plan
	partner := make([]*Publisher, len(want))
	left := slices.Clone(have)
	for _, alike := range []func(a, b Publisher) bool{Publisher.SameRule, sameFile} {
		for i, p := range want {
			if j := slices.IndexFunc(left, func(q Publisher) bool { return alike(p, q) }); partner[i] == nil && j >= 0 {
				partner[i] = &left[j]
				left = slices.Delete(slices.Clone(left), j, j+1)
			}
		}
	}
	for i, p := range want {
		switch old := partner[i]; {
		case old == nil:
			out.Steps = append(out.Steps, Step{Kind: Added, After: p})
		case p.sameTerms(*old):
			out.Kept++
		default:
			out.Steps = append(out.Steps, Step{Kind: Changed, Before: *old, After: p.inPlaceOf(*old)})
		}
	}
	for _, p := range left {
		out.Steps = append(out.Steps, Step{Kind: Removed, Before: p})
	}
	return out
}

// sameFile reports whether two publishers mean the same file of the same repository, for the same right. A repository
// whose pinned id is named is the same under any name.
func sameFile(p, q Publisher) bool {
	repository := RepositoryKey(p.FullName()) == RepositoryKey(q.FullName()) || p.RepositoryID != "" && p.RepositoryID == q.RepositoryID
	return p.Issuer == q.Issuer && repository && p.Workflow == q.Workflow && p.Right == q.Right
}

// sameTerms reports whether nothing that an owner sets differs. Ids that a list does not name stay what they are.
func (p Publisher) sameTerms(q Publisher) bool {
	ids := (p.OwnerID == "" || p.OwnerID == q.OwnerID) && (p.RepositoryID == "" || p.RepositoryID == q.RepositoryID)
	return ids && p.SameRule(q) && p.NewNames == q.NewNames && p.PerRun == q.PerRun && p.Demand == q.Demand && p.ExpiresAt.Equal(q.ExpiresAt) && p.IdleDays == q.IdleDays &&
		slices.Equal(p.Packages, q.Packages) && slices.Equal(p.Subdirs, q.Subdirs)
}

// Apply does a plan, whole or not at all, and returns it with its After as they are stored. Errors: fault.Conflict
// when the channel's publishers changed since the plan was made.
func (s *Publishers) Apply(ctx context.Context, by audit.Actor, ch channel.Channel, p Plan) (Plan, error) {
	if len(p.Steps) == 0 {
		return p, nil
	}
	var changes []Change
	var order []int
	for _, kind := range []ChangeKind{Removed, Changed, Added} { // removals first: they make room
		for i, step := range p.Steps {
			if step.Kind == kind {
				changes, order = append(changes, s.change(by, step)), append(order, i)
			}
		}
	}
	after, err := s.Store.ReplacePublishers(ctx, ch.ID, p.State, changes)
	if err != nil {
		return p, err
	}
	p.Steps = slices.Clone(p.Steps)
	for n, i := range order {
		if p.Steps[i].Kind != Removed {
			p.Steps[i].After = after[n]
		}
	}
	return p, nil
}

func (s *Publishers) change(by audit.Actor, step Step) Change {
	switch step.Kind {
	case Removed:
		return s.removing(by, step.Before)
	case Changed:
		return s.changing(by, step.Before, step.After)
	case Added:
	}
	return s.adding(by, step.After)
}
