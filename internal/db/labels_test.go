package db_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/audit"
	"sluice/internal/conda"
	"sluice/internal/curate"
	"sluice/internal/fault"
)

// labels is what a channel's list of labels says: name, what solvers see, what is yanked.
func (f *fixture) labels(t *testing.T) map[string][2]int {
	t.Helper()
	out := map[string][2]int{}
	for i, l := range must(f.Labels(t.Context(), f.channel.ID))(t) {
		if first := l.Name == conda.MainLabel(); first != (i == 0) {
			t.Errorf("label %s comes at %d: main is first", l.Name, i)
		}
		if l.ChangedAt.IsZero() {
			t.Errorf("label %s has no time", l.Name)
		}
		out[l.Name.String()] = [2]int{l.Files, l.Yanked}
	}
	return out
}

func TestLabelsAreCounted(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		if got := f.labels(t); len(got) != 0 {
			t.Errorf("an empty channel has labels %v", got)
		}
		tide, ebb := f.real(t, "noarch", "tide-1.0-0.conda", 1), f.real(t, "linux-64", "ebb-1.0-0.tar.bz2", 2)
		tide.do(t, curate.Change{Kind: curate.List, Label: label(t, "alpha")})
		ebb.do(t, curate.Change{Kind: curate.Move, Label: conda.MainLabel(), To: label(t, "alpha")})
		tide.do(t, curate.Change{Kind: curate.Yank, Reason: "broken"})
		if d := cmp.Diff(map[string][2]int{"main": {0, 1}, "alpha": {1, 1}}, f.labels(t)); d != "" {
			t.Error(d)
		}
		f.do(t, curate.Selection{}, curate.Change{Kind: curate.TakeOut, Label: label(t, "alpha")})
		if d := cmp.Diff(map[string][2]int{"main": {0, 1}, "alpha": {0, 0}}, f.labels(t)); d != "" {
			t.Errorf("emptied: %s", d)
		}
	})
}

// A trial says what would change, and nothing does.
func TestTrial(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		tide, ebb := f.real(t, "noarch", "tide-1.0-0.conda", 1), f.real(t, "noarch", "ebb-1.0-0.conda", 2)
		tide.do(t, curate.Change{Kind: curate.Yank, Reason: "broken"})
		before, events := f.generation(t, "noarch"), len(must(f.Events(t.Context(), audit.Query{Limit: 100}))(t))
		c := &curate.Curator{Store: f.DB}
		both := curate.Selection{Files: []curate.Key{tide.key, ebb.key}}
		step := must(c.Try(t.Context(), f.channel, both, curate.Change{Kind: curate.Yank, Reason: "broken"}, 0))(t)
		if len(step.Selected) != 2 || len(step.Changed) != 1 || step.Changed[0].Path() != "noarch/ebb-1.0-0.conda" || step.Changed[0].State != curate.Live || step.Next != 0 {
			t.Errorf("%+v", step)
		}
		if got := f.generation(t, "noarch"); got != before || ebb.state(t).State != curate.Live {
			t.Errorf("a trial left generation %d, before it %d; state %s", got.Number, before.Number, ebb.state(t).State)
		}
		if n := len(must(f.Events(t.Context(), audit.Query{Limit: 100}))(t)); n != events {
			t.Errorf("%d events, before the trial %d", n, events)
		}
		if _, err := c.Try(t.Context(), f.channel, both, curate.Change{Kind: curate.Move, Label: label(t, "rc"), To: conda.MainLabel()}, 0); !fault.Is(err, fault.Conflict) {
			t.Errorf("a trial of what would be refused: %v", err)
		}
	})
}

// What is selected by a condition is what the change can be about; what is named is meant whatever it is.
func TestChangesNarrow(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		tide, ebb, flow := f.real(t, "noarch", "tide-1.0-0.conda", 1), f.real(t, "noarch", "ebb-1.0-0.conda", 2), f.real(t, "noarch", "flow-1.0-0.conda", 3)
		tide.do(t, curate.Change{Kind: curate.Delete, Reason: "a secret"})
		noarch := curate.Selection{Subdir: tide.key.Subdir}
		if out := f.do(t, noarch, curate.Change{Kind: curate.Yank, Reason: "broken"}); len(out.Changed) != 2 {
			t.Errorf("yanked %d, want the two that are not deleted", len(out.Changed))
		}
		flow.do(t, curate.Change{Kind: curate.Unyank})
		step := must((&curate.Curator{Store: f.DB}).Try(t.Context(), f.channel, noarch, curate.Change{Kind: curate.Unyank}, 0))(t)
		if len(step.Selected) != 1 || step.Selected[0].Path() != "noarch/ebb-1.0-0.conda" {
			t.Errorf("an undo means %+v", step.Selected)
		}
		if out := f.do(t, noarch, curate.Change{Kind: curate.Restore}); len(out.Changed) != 1 || !tide.found(t, "main") {
			t.Errorf("restored %+v", out)
		}
		tide.do(t, curate.Change{Kind: curate.Delete, Reason: "a secret"})
		named := curate.Selection{Files: []curate.Key{tide.key, ebb.key}}
		if _, err := (&curate.Curator{Store: f.DB}).Do(t.Context(), audit.Actor{}, f.channel, named, curate.Change{Kind: curate.List, Label: label(t, "rc")}); !fault.Is(err, fault.Conflict) {
			t.Errorf("a deleted file that is named was listed: %v", err)
		}
		for _, c := range []curate.Change{{Kind: curate.Unyank}, {Kind: curate.Restore}, {Kind: curate.Yank, Reason: "broken"}} {
			if _, err := (&curate.Curator{Store: f.DB}).Do(t.Context(), audit.Actor{}, f.channel, curate.Selection{}, c); !fault.Is(err, fault.InvalidField) {
				t.Errorf("%s of everything without saying so: %v", c.Kind, err)
			}
		}
	})
}

func TestSteps(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		f.real(t, "noarch", "tide-1.0-0.conda", 1)
		last := f.real(t, "noarch", "ebb-1.0-0.conda", 2).state(t).ID
		c := &curate.Curator{Store: f.DB}
		noarch := curate.Selection{Subdir: must(conda.ParseSubdir("noarch"))(t)}
		yank := curate.Change{Kind: curate.Yank, Reason: "broken"}
		step := must(c.Step(t.Context(), audit.Actor{}, f.channel, noarch, yank, last-1))(t)
		if len(step.Changed) != 1 || step.Changed[0].ID != last || step.Next != 0 {
			t.Errorf("the step after the first file: %+v", step)
		}
		if step := must(c.Step(t.Context(), audit.Actor{}, f.channel, noarch, yank, last))(t); len(step.Selected) != 0 {
			t.Errorf("the step after the last file: %+v", step)
		}
		if _, err := c.Step(t.Context(), audit.Actor{}, f.channel, noarch, curate.Change{Kind: curate.List, Label: label(t, "rc")}, 0); !fault.Is(err, fault.InvalidField) {
			t.Errorf("a label in steps: %v", err)
		}
	})
}
