package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"sluice/internal/conda"
)

type patchCommand struct {
	remoteFlags
	doFlags
	Channel    channelName `arg:"" help:"Name of the channel."`
	File       string      `arg:"" placeholder:"SUBDIR/FILE" help:"The file, such as noarch/libtide-1.2.0-0.conda."`
	Depends    []string    `sep:"none" placeholder:"SPEC" help:"A dependency; may be given several times, and these then are all."`
	Constrains []string    `sep:"none" placeholder:"SPEC" help:"A constraint on what is installed beside; may be given several times, and these then are all."`
	License    *string     `placeholder:"TEXT" help:"The license."`
	From       string      `xor:"way" placeholder:"FILE" help:"JSON file with the fields of a package in patch_instructions.json; - reads the input."`
	Clear      bool        `xor:"way" help:"Take the correction off: the index says what the package says."`
}

// Run corrects what the index says of a file, in place of any correction before. The bytes stay.
func (c *patchCommand) Run(ctx context.Context, s Streams) error {
	patch, err := c.patch(s)
	if err != nil {
		return err
	}
	done, would := "Corrected the record of", "would be corrected"
	if c.Clear {
		done, would = "Took the correction off the record of", "would lose its correction"
	}
	return curation{
		remoteFlags: c.remoteFlags, doFlags: c.doFlags, channel: c.Channel, change: map[string]any{"kind": "patch", "patch": patch},
		selection: selection{Files: []string{c.File}}, done: done, would: would,
	}.run(ctx, s)
}

// patch is the correction that the flags mean, checked before any server is asked.
func (c *patchCommand) patch(s Streams) (conda.Patch, error) {
	var p conda.Patch
	given := c.Depends != nil || c.Constrains != nil || c.License != nil
	switch {
	case given && (c.From != "" || c.Clear):
		return p, errors.New("--depends, --constrains and --license do not go with --from or --clear")
	case c.Clear:
		return p, nil
	case c.From != "":
		b, err := readGiven(s.In, c.From)
		if err != nil {
			return p, err
		}
		if err := json.Unmarshal(b, &p); err != nil {
			return p, fmt.Errorf("%s: %w", c.From, err)
		}
		return p, nil
	case !given:
		return p, errors.New("say what the index shall say: --depends SPEC, --constrains SPEC, --license TEXT or --from FILE; or take the correction off with --clear")
	}
	if c.Depends != nil {
		p.Depends = &c.Depends
	}
	if c.Constrains != nil {
		p.Constrains = &c.Constrains
	}
	p.License = c.License
	return p, nil
}
