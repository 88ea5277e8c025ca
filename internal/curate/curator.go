package curate

import (
	"context"
	"time"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/fault"
)

// Outcome is what became of a change.
type Outcome struct {
	// Changed are the artifacts that are not as they were; the others were that way already.
	Changed []Artifact
	// At is the moment of the change; zero when nothing changed.
	At time.Time
}

// Store keeps artifacts. One method is one transaction.
type Store interface {
	// Select lists the artifacts of a channel that meet the selection, by number, those after a number.
	Select(ctx context.Context, channelID int64, s Selection, after int64, limit int) ([]Artifact, error)
	// Curate changes artifacts, all or none, and every index that shows them. It writes the event where anything
	// changed, with what only it knows. What it would show again it holds to what the channel demands at that moment
	// (Change.Hold, Change.HoldBack). Errors: fault.Conflict when one of them cannot be changed so, with its name;
	// fault.NotFound when one is not there; fault.AttestationRequired and fault.AttestationRegressed for what is held back.
	Curate(ctx context.Context, ch channel.Channel, ids []int64, c Change, e audit.Event) (Outcome, error)
	// TryCurate tells what Curate would change, and changes nothing. Its errors are those of Curate.
	TryCurate(ctx context.Context, ch channel.Channel, ids []int64, c Change) (Outcome, error)
	// EndRun takes the channel from every publish token of a run, those with which an upload is under way included, and
	// returns how many had it. repository is where the run ran; "" for any. It writes the event where any had.
	EndRun(ctx context.Context, ch channel.Channel, run, repository string, e audit.Event) (int, error)
}

// Curator is the use cases.
type Curator struct {
	Store Store
	// URL is the server's public address, below which its channels are.
	URL string
}

// List lists artifacts that meet the selection, which may have no condition, those after a number. next is the number
// to go on after; 0 at the end. Errors: fault.InvalidField, and fault.NotFound for a named file that is not there.
func (c *Curator) List(ctx context.Context, ch channel.Channel, s Selection, after int64, limit int) (found []Artifact, next int64, err error) {
	if err := s.bounds(); err != nil {
		return nil, 0, err
	}
	found, err = c.Store.Select(ctx, ch.ID, s, after, limit+1)
	if len(found) > limit {
		return found[:limit], found[limit-1].ID, err
	}
	return found, 0, err
}

// Do changes every artifact that the selection means, all or none. Errors: fault.InvalidField, fault.NotFound when
// nothing is selected, fault.TooLarge for more than MaxAtOnce, and those of Store.Curate.
func (c *Curator) Do(ctx context.Context, by audit.Actor, ch channel.Channel, s Selection, change Change) (Step, error) {
	step, err := c.begin(ctx, ch, s, change, 0)
	if err != nil {
		return Step{}, err
	}
	if step.Next != 0 {
		return Step{}, tooMany(change.Kind)
	}
	return c.finish(ctx, by, ch, step, change)
}

func tooMany(k Kind) error {
	if k.InSteps() {
		return fault.New(fault.TooLarge, "That means more than %d files, which is too many for one step: do it in steps, or narrow it down.", MaxAtOnce)
	}
	return fault.New(fault.TooLarge, "That means more than %d files, which is too many for what happens all at once: narrow it down, by subdir or by time.", MaxAtOnce)
}

// Step is a change, or a part of one.
type Step struct {
	Outcome
	// Selected are the artifacts that were meant, as they were before.
	Selected []Artifact
	// Next is where the next step begins; 0 when this was the last.
	Next int64
}

// Step changes the first MaxAtOnce of the artifacts that the selection means and that come after a number, all or none.
// Errors: those of Do, fault.InvalidField for a kind that is not done in steps. An empty step after the first is no error.
func (c *Curator) Step(ctx context.Context, by audit.Actor, ch channel.Channel, s Selection, change Change, after int64) (Step, error) {
	if !change.Kind.InSteps() {
		return Step{}, fault.New(fault.InvalidField, "what labels list changes all at once, not in steps")
	}
	step, err := c.begin(ctx, ch, s, change, after)
	if err != nil || len(step.Selected) == 0 {
		return step, err
	}
	return c.finish(ctx, by, ch, step, change)
}

// Try tells what Step would change, and changes nothing. For what is not done in steps, fault.TooLarge as Do.
func (c *Curator) Try(ctx context.Context, ch channel.Channel, s Selection, change Change, after int64) (Step, error) {
	step, err := c.begin(ctx, ch, s, change, after)
	if err != nil || len(step.Selected) == 0 {
		return step, err
	}
	if step.Next != 0 && !change.Kind.InSteps() {
		return Step{}, tooMany(change.Kind)
	}
	change.Address = c.address(ch)
	out, err := c.Store.TryCurate(ctx, ch, step.ids(), change)
	step.Outcome = step.whole(out)
	return step, err
}

// EndRun keeps the run that is selected from publishing to the channel with any publish token that it has now. Whoever
// takes back what a run published does this first: an upload that is under way then comes to nothing, so that what is
// selected afterwards is all that there will be by those tokens. Errors: fault.InvalidField when no run is selected, or
// when the change that is to follow is none.
func (c *Curator) EndRun(ctx context.Context, by audit.Actor, ch channel.Channel, s Selection, next Change) (int, error) {
	if err := next.check(); err != nil {
		return 0, err
	}
	if err := s.bounds(); err != nil {
		return 0, err
	}
	if s.Run == "" {
		return 0, fault.New(fault.InvalidField, "name the run whose publish tokens shall end")
	}
	return c.Store.EndRun(ctx, ch, s.Run, s.Repository, audit.Event{
		Kind: audit.TokenRevoked, Actor: by, ChannelID: ch.ID, Channel: ch.Name.String(), Subject: s.Repository, RequestID: audit.Request(ctx),
		Facts: map[string]string{"run_id": s.Run},
	})
}

// begin selects what a change is about.
func (c *Curator) begin(ctx context.Context, ch channel.Channel, s Selection, change Change, after int64) (Step, error) {
	if err := change.check(); err != nil {
		return Step{}, err
	}
	s, err := change.narrow(s)
	if err != nil {
		return Step{}, err
	}
	var step Step
	step.Selected, step.Next, err = c.List(ctx, ch, s, after, MaxAtOnce)
	if err == nil && len(step.Selected) == 0 && after == 0 {
		err = fault.New(fault.NotFound, "No file of channel %s is meant by that.", ch.Name)
	}
	return step, err
}

// narrow says more of what a change is about, where it was not said: taking out of a label is about what is in it, and
// only what was yanked or deleted can come back. A file that is named is meant whatever it is.
func (c Change) narrow(s Selection) (Selection, error) {
	if s.Label.IsZero() && len(s.Files) == 0 && (c.Kind == TakeOut || c.Kind == Move) {
		s.Label = c.Label
	}
	if err := s.check(); err != nil || len(s.Files) > 0 || s.State != "" {
		return s, err
	}
	switch c.Kind {
	case Restore:
		s.State = Deleted
	case Unyank:
		s.State = Yanked
	default:
		s.Present = true
	}
	return s, nil
}

func (c *Curator) finish(ctx context.Context, by audit.Actor, ch channel.Channel, step Step, change Change) (Step, error) {
	change.Address = c.address(ch)
	out, err := c.Store.Curate(ctx, ch, step.ids(), change, change.event(ctx, by, ch))
	step.Outcome = step.whole(out)
	return step, err
}

func (c *Curator) address(ch channel.Channel) string { return c.URL + "/" + ch.Name.String() }

func (s Step) ids() []int64 {
	ids := make([]int64, len(s.Selected))
	for i, a := range s.Selected {
		ids[i] = a.ID
	}
	return ids
}

// whole is an outcome with all that was selected of each artifact, as it was before.
func (s Step) whole(out Outcome) Outcome {
	by := make(map[int64]Artifact, len(s.Selected))
	for _, a := range s.Selected {
		by[a.ID] = a
	}
	for i, a := range out.Changed {
		out.Changed[i] = by[a.ID]
	}
	return out
}
