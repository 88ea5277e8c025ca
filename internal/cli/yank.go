package cli

import (
	"context"
	"errors"
)

// chosenFiles are the channel that a command is about, and the files that it names there.
type chosenFiles struct {
	Channel channelName `arg:"" help:"Name of the channel."`
	Files   []string    `arg:"" optional:"" name:"file" placeholder:"SUBDIR/FILE" help:"Files, such as noarch/libtide-1.2.0-0.conda."`
}

type yankCommand struct {
	remoteFlags
	selectFlags
	doFlags
	chosenFiles
	Reason string `required:"" placeholder:"TEXT" help:"Why; everybody reads it where the files are."`
	Revoke bool   `help:"With --run: first end the publish tokens that the run has for the channel, so that nothing more comes by them."`
}

// Run hides files from solvers; lock files that name them go on working.
func (c *yankCommand) Run(ctx context.Context, s Streams) error {
	if c.Revoke && c.RunID == "" {
		return errors.New("--revoke needs --run ID: it ends the publish tokens of that run")
	}
	return curation{
		remoteFlags: c.remoteFlags, doFlags: c.doFlags, channel: c.Channel, change: map[string]any{"kind": "yank", "reason": c.Reason},
		selection: c.selection(c.Files), endTokens: c.Revoke, done: "Yanked", would: "would be yanked", asks: true, inSteps: true,
	}.run(ctx, s)
}

type unyankCommand struct {
	remoteFlags
	selectFlags
	doFlags
	chosenFiles
}

// Run takes yanks back.
func (c *unyankCommand) Run(ctx context.Context, s Streams) error {
	return curation{
		remoteFlags: c.remoteFlags, doFlags: c.doFlags, channel: c.Channel, change: map[string]any{"kind": "unyank"},
		selection: c.selection(c.Files), done: "Took back the yank of", would: "would be yanked no more", inSteps: true,
	}.run(ctx, s)
}

type deleteCommand struct {
	remoteFlags
	selectFlags
	doFlags
	chosenFiles
	Reason string `required:"" placeholder:"TEXT" help:"Why, for the other keepers and the audit log."`
	Revoke bool   `help:"With --run: first end the publish tokens that the run has for the channel, so that nothing more comes by them."`
}

// Run hides files from everybody, and has their bytes removed once the time to take it back is over.
func (c *deleteCommand) Run(ctx context.Context, s Streams) error {
	if c.Revoke && c.RunID == "" {
		return errors.New("--revoke needs --run ID: it ends the publish tokens of that run")
	}
	return curation{
		remoteFlags: c.remoteFlags, doFlags: c.doFlags, channel: c.Channel, change: map[string]any{"kind": "delete", "reason": c.Reason},
		selection: c.selection(c.Files), endTokens: c.Revoke, done: "Deleted", would: "would be deleted", asks: true, inSteps: true,
	}.run(ctx, s)
}

type restoreCommand struct {
	remoteFlags
	selectFlags
	doFlags
	chosenFiles
}

// Run takes deletions back.
func (c *restoreCommand) Run(ctx context.Context, s Streams) error {
	return curation{
		remoteFlags: c.remoteFlags, doFlags: c.doFlags, channel: c.Channel, change: map[string]any{"kind": "restore"},
		selection: c.selection(c.Files), done: "Restored", would: "would be restored", inSteps: true,
	}.run(ctx, s)
}
