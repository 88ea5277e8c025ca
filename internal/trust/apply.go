package trust

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/fault"
)

// A Plan is what it takes to make the publishers of a channel those of a list.
type Plan struct {
	Steps []Step
	// Kept is how many publishers stay as they are.
	Kept int
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
	want, err := s.readAll(by, ch, specs)
	if err != nil {
		return Plan{}, err
	}
	return plan(have, want), nil
}

func (s *Publishers) readAll(by audit.Actor, ch channel.Channel, specs []PublisherSpec) ([]Publisher, error) {
	if len(specs) > MaxPublishers {
		return nil, fault.New(fault.InvalidField, "publishers: there are %d, a channel has at most %d.", len(specs), MaxPublishers)
	}
	var want []Publisher
	var sentences []string
	var diffs []fault.Difference
	for i, spec := range specs {
		p, err := s.Read(by, ch, spec)
		if f, ok := errors.AsType[*fault.Error](err); ok {
			sentences = append(sentences, fmt.Sprintf("publisher %d: %s", i+1, f.Detail))
			diffs = append(diffs, f.Differences...)
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

// sameFile reports whether two publishers mean the same file of the same repository, for the same right.
func sameFile(p, q Publisher) bool {
	return p.Issuer == q.Issuer && RepositoryKey(p.FullName()) == RepositoryKey(q.FullName()) && p.Workflow == q.Workflow && p.Right == q.Right
}

// sameTerms reports whether nothing that an owner sets differs. Ids that a list does not name stay what they are.
func (p Publisher) sameTerms(q Publisher) bool {
	ids := (p.OwnerID == "" || p.OwnerID == q.OwnerID) && (p.RepositoryID == "" || p.RepositoryID == q.RepositoryID)
	return ids && p.SameRule(q) && p.NewNames == q.NewNames && p.PerRun == q.PerRun && p.ExpiresAt.Equal(q.ExpiresAt) && p.IdleDays == q.IdleDays &&
		slices.Equal(p.Packages, q.Packages) && slices.Equal(p.Subdirs, q.Subdirs)
}

// Apply does a plan, whole or not at all. Errors: fault.Conflict when a publisher was changed since the plan was
// made.
func (s *Publishers) Apply(ctx context.Context, by audit.Actor, ch channel.Channel, p Plan) error {
	if len(p.Steps) == 0 {
		return nil
	}
	var changes []Change
	// Removals go first, so that a rule may take the place of its equal.
	for _, kind := range []ChangeKind{Removed, Changed, Added} {
		for _, step := range p.Steps {
			switch {
			case step.Kind != kind:
			case kind == Removed:
				changes = append(changes, s.removing(by, step.Before))
			case kind == Changed:
				changes = append(changes, s.changing(by, step.Before, step.After))
			default:
				changes = append(changes, s.adding(by, step.After))
			}
		}
	}
	_, err := s.Store.ChangePublishers(ctx, ch.ID, changes)
	return err
}
