package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/trust"
)

type applyInput struct {
	Channel string `path:"channel" example:"forge" doc:"Name of the channel."`
	Body    struct {
		Publishers []NewPublisherJSON `json:"publishers" nullable:"false" maxItems:"1000" doc:"All that the channel shall have; what is not among them is removed."`
		DryRun     bool               `json:"dry_run,omitempty" doc:"Answer what would change, and change nothing."`
		Expect     string             `json:"expect,omitempty" maxLength:"64" example:"5f0c7a2be0d3419c5f0c7a2be0d3419c" doc:"The state of a plan that was shown: when the publishers are in another by now, nothing is done. Absent: whatever they are."`
	} `nameHint:"PublisherSet"`
}

// planJSON is what it takes to make the publishers of a channel those of a list.
type planJSON struct {
	Steps   []stepJSON `json:"steps" nullable:"false" doc:"What changes, in the order of the list, removals last."`
	Kept    int        `json:"kept" minimum:"0" example:"3" doc:"How many publishers stay as they are."`
	Applied bool       `json:"applied" doc:"Whether it was done: all of it, or nothing."`
	State   string     `json:"state" example:"5f0c7a2be0d3419c5f0c7a2be0d3419c" doc:"What it was made from, for expect."`
}

// stepJSON is one change of a plan.
type stepJSON struct {
	Kind        string         `json:"kind" enum:"add,change,remove" example:"change" doc:"What is done."`
	Before      *publisherJSON `json:"before,omitempty" doc:"The publisher that is changed or removed."`
	After       *publisherJSON `json:"after,omitempty" doc:"What it becomes."`
	Differences []changedJSON  `json:"differences" nullable:"false" doc:"The fields that change; none for what is added or removed."`
}

// changedJSON is one field that changes.
type changedJSON struct {
	Field  string `json:"field" example:"environment" doc:"The field's name."`
	Before string `json:"before" example:"" doc:"Its value now, as text; lists have commas between their entries."`
	After  string `json:"after" example:"release" doc:"Its value afterwards."`
}

type planOutput struct {
	Body planJSON
}

func (s *service) applyRoute(path string, tags []string) {
	add(s, huma.Operation{
		OperationID: "replace-trusted-publishers", Method: http.MethodPut, Path: path, Tags: tags,
		Summary: "Make the trusted publishers of a channel those of a list",
		Description: "For owners of the channel; a dry run for its members. A publisher of the list stands for the one with the same rule, else for one with the same " +
			"repository, file and right, which it changes. Ids that it does not name stay pinned. All is done in one transaction, or nothing. " +
			"Publish tokens that rest on a changed or removed publisher end at once.",
	}, s.applyPublishers)
}

func (s *service) applyPublishers(ctx context.Context, in *applyInput) (*planOutput, error) {
	decide := s.Access.MayManage
	if in.Body.DryRun {
		decide = s.Access.MayInside
	}
	ch, err := s.where(ctx, in.Channel, decide)
	if err != nil {
		return nil, err
	}
	specs, err := s.specsOf(in.Body.Publishers)
	if err != nil {
		return nil, err
	}
	by := caller.From(ctx).Actor()
	plan, err := s.Publishers.Plan(ctx, by, ch, specs)
	if err != nil {
		return nil, err
	}
	if in.Body.Expect != "" && in.Body.Expect != plan.State {
		return nil, fault.New(fault.Conflict, "The publishers of channel %s changed since the plan was made, and nothing was done: make it again.", ch.Name)
	}
	if !in.Body.DryRun {
		if plan, err = s.Publishers.Apply(ctx, by, ch, plan); err != nil {
			return nil, err
		}
	}
	return &planOutput{Body: s.planOf(plan, !in.Body.DryRun)}, nil
}

func (s *service) specsOf(list []NewPublisherJSON) ([]trust.PublisherSpec, error) {
	specs := make([]trust.PublisherSpec, len(list))
	for i, p := range list {
		spec, err := p.spec(s.Publishers.Issuers)
		if f, ok := errors.AsType[*fault.Error](err); ok {
			err = fault.New(f.Code, "publisher %d: %s", i+1, f.Detail).With(f.Differences)
		}
		if err != nil {
			return nil, fmt.Errorf("read publishers: %w", err)
		}
		specs[i] = spec
	}
	return specs, nil
}

func (s *service) planOf(p trust.Plan, applied bool) planJSON {
	return planJSON{Steps: each(p.Steps, s.stepOf), Kept: p.Kept, Applied: applied, State: p.State}
}

func (s *service) stepOf(step trust.Step) stepJSON {
	out := stepJSON{Kind: string(step.Kind), Differences: each(step.Differences(), func(d trust.Difference) changedJSON { return changedJSON(d) })}
	if step.Kind != trust.Added {
		out.Before = new(s.publisherOf(step.Before))
	}
	if step.Kind != trust.Removed {
		out.After = new(s.publisherOf(step.After))
	}
	return out
}
