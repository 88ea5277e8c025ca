package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"sluice/internal/conda"
	"sluice/internal/remote"
)

type publisherApplyCommand struct {
	remoteFlags
	File    string `arg:"" placeholder:"FILE" help:"TOML file as sluice publisher export writes it; - reads the input."`
	Channel string `placeholder:"NAME" help:"Channel to work on, in place of the one that the file names."`
	DryRun  bool   `help:"Only say what would change; the exit code is 3 when something would."`
	Yes     bool   `short:"y" help:"Remove without asking what is not in the file."`
}

// publisherPlan is what it takes to make a channel's publishers those of a file.
type publisherPlan struct {
	Steps []publisherStep `json:"steps"`
	Kept  int             `json:"kept"`
	State string          `json:"state"`
}

type publisherStep struct {
	Kind        string          `json:"kind"`
	Before      remotePublisher `json:"before"`
	After       remotePublisher `json:"after"`
	Differences []struct {
		Field  string `json:"field"`
		Before string `json:"before"`
		After  string `json:"after"`
	} `json:"differences"`
}

// publisherSet is the question for a plan, or for its execution.
type publisherSet struct {
	Publishers []publisherRule `json:"publishers"`
	DryRun     bool            `json:"dry_run,omitempty"`
	Expect     string          `json:"expect,omitempty"`
}

// errPending says that a dry run has found something to do.
var errPending = errors.New("changes are pending")

// Run shows what differs, and does it. What was shown is what is done, or nothing.
func (c *publisherApplyCommand) Run(ctx context.Context, s Streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	channel, set, err := c.read(ctx, s, cl)
	if err != nil {
		return err
	}
	path := remote.Path("channels", channel, publishersPath)
	set.DryRun = true
	raw, plan, err := c.ask(ctx, cl, path, set)
	if err != nil {
		return err
	}
	if !c.JSON {
		if err := plan.print(s.Out, colours(s.Out)); err != nil {
			return err
		}
	}
	if !c.DryRun && len(plan.Steps) > 0 {
		if err := c.agree(s, plan.removals(), channel); err != nil {
			return err
		}
		set.DryRun, set.Expect = false, plan.State
		if raw, _, err = c.ask(ctx, cl, path, set); err != nil {
			return err
		}
	}
	return c.told(s, raw, plan, channel)
}

// told says how it ended.
func (c *publisherApplyCommand) told(s Streams, raw json.RawMessage, plan publisherPlan, channel string) error {
	var err error
	switch {
	case c.JSON:
		_, err = fmt.Fprintf(s.Out, "%s\n", raw)
	case !c.DryRun && len(plan.Steps) > 0:
		_, err = fmt.Fprintf(s.Out, "Done: channel %s has these publishers now.\n", channel)
	}
	if err == nil && c.DryRun && len(plan.Steps) > 0 {
		return errPending
	}
	return err
}

// read reads the file and finds the channel that it is for.
func (c *publisherApplyCommand) read(ctx context.Context, s Streams, cl *remote.Client) (channel string, set publisherSet, err error) {
	b, err := readGiven(s.In, c.File)
	if err != nil {
		return "", set, err
	}
	issuers, err := readIssuers(ctx, cl)
	if err != nil {
		return "", set, err
	}
	f, err := readPublisherFile(c.File, b, issuers)
	if err != nil {
		return "", set, err
	}
	name := cmp.Or(c.Channel, f.Channel)
	if name == "" {
		return "", set, fmt.Errorf("%s names no channel: write channel = \"NAME\" at its top, or use --channel NAME", c.File)
	}
	ch, err := conda.ParseChannel(name)
	return ch.String(), publisherSet{Publishers: append([]publisherRule{}, f.Publishers...)}, err
}

func (*publisherApplyCommand) ask(ctx context.Context, cl *remote.Client, path string, set publisherSet) (json.RawMessage, publisherPlan, error) {
	var raw json.RawMessage
	var plan publisherPlan
	if err := cl.Put(ctx, path, set, &raw); err != nil {
		return nil, plan, err
	}
	if err := json.Unmarshal(raw, &plan); err != nil {
		return nil, plan, fmt.Errorf("the answer of %s cannot be read: %w", cl.Server(), err)
	}
	return raw, plan, nil
}

// agree has a person agree to removals.
func (c *publisherApplyCommand) agree(s Streams, removals int, channel string) error {
	if c.Yes || removals == 0 {
		return nil
	}
	what := count(int64(removals), "publisher")
	otherwise := fmt.Sprintf("%s of channel %s would be removed", what, channel)
	if c.File == "-" { // the input is the file, not a person
		s.In = nil
	}
	return confirm(s, fmt.Sprintf("Remove %s of channel %s? Their publish tokens end at once.", what, channel), otherwise)
}

func (p publisherPlan) removals() int {
	n := 0
	for _, step := range p.Steps {
		if step.Kind == "remove" {
			n++
		}
	}
	return n
}

// print tells the plan to people.
func (p publisherPlan) print(w io.Writer, paint painter) error {
	var b strings.Builder
	for _, step := range p.Steps {
		switch step.Kind {
		case "add":
			b.WriteString(paint(green, "+ "+shown(step.After.Sentence)) + "\n")
		case "remove":
			b.WriteString(paint(red, fmt.Sprintf("- %d: %s", step.Before.ID, shown(step.Before.Sentence))) + "\n")
		default:
			b.WriteString(paint(yellow, fmt.Sprintf("~ %d: %s", step.Before.ID, shown(step.After.Sentence))) + "\n")
			for _, d := range step.Differences {
				fmt.Fprintf(&b, "    %s: %s → %s\n", shown(d.Field), cmp.Or(shown(d.Before), "(none)"), cmp.Or(shown(d.After), "(none)"))
			}
		}
	}
	switch {
	case len(p.Steps) == 0:
		b.WriteString("Nothing to do: the channel has these publishers.\n")
	case p.Kept == 1:
		b.WriteString("1 stays as it is.\n")
	case p.Kept > 1:
		fmt.Fprintf(&b, "%d stay as they are.\n", p.Kept)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
