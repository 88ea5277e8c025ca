package cli

import (
	"context"
	"io"
	"strconv"
	"time"

	"sluice/internal/conda"
)

type labelCommand struct {
	List   labelListCommand   `cmd:"" help:"List the labels of a channel, and the address of each."`
	Add    labelAddCommand    `cmd:"" help:"List files in a label, besides where they are."`
	Remove labelRemoveCommand `cmd:"" help:"Take files out of a label; all that it lists where no file is named. What is in no label is held: no reader sees it."`
	Move   labelMoveCommand   `cmd:"" help:"Take files out of one label and list them in another, all at once; all that it lists where no file is named."`
}

// labelName is a label on the command line, checked before any server is asked.
type labelName string

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *labelName) UnmarshalText(b []byte) error {
	l, err := conda.ParseLabel(string(b))
	*n = labelName(l.String())
	return err
}

type labelListCommand struct {
	remoteFlags
	Channel channelName `arg:"" help:"Name of the channel."`
}

// Run prints a line for each label.
func (c *labelListCommand) Run(ctx context.Context, s Streams) error {
	type list struct {
		Labels []struct {
			Name      string    `json:"name"`
			URL       string    `json:"url"`
			Files     int       `json:"files"`
			Yanked    int       `json:"yanked"`
			ChangedAt time.Time `json:"changed_at"`
		} `json:"labels"`
	}
	return consult(ctx, s, c.remoteFlags, at("channels", string(c.Channel), "labels"), func(w io.Writer, answer list) error {
		var rows [][]string
		for _, l := range answer.Labels {
			rows = append(rows, []string{l.Name, strconv.Itoa(l.Files), strconv.Itoa(l.Yanked), day(l.ChangedAt), l.URL})
		}
		return table(w, "Nothing is listed in channel "+string(c.Channel)+" yet.", []string{"LABEL", "FILES", "YANKED", "CHANGED", "ADDRESS"}, rows)
	})
}

type labelAddCommand struct {
	remoteFlags
	selectFlags
	doFlags
	Channel channelName `arg:"" help:"Name of the channel."`
	Label   labelName   `arg:"" help:"The label; it need not exist yet."`
	Files   []string    `arg:"" optional:"" name:"file" placeholder:"SUBDIR/FILE" help:"Files, such as noarch/libtide-1.2.0-0.conda."`
}

// Run lists files in a label.
func (c *labelAddCommand) Run(ctx context.Context, s Streams) error {
	return curation{
		remoteFlags: c.remoteFlags, doFlags: c.doFlags, channel: c.Channel, change: map[string]any{"kind": "list", "label": c.Label},
		selection: c.selection(c.Files), done: "Listed in " + string(c.Label) + ":", would: "would be listed in " + string(c.Label),
	}.run(ctx, s)
}

type labelRemoveCommand struct {
	remoteFlags
	selectFlags
	doFlags
	Channel channelName `arg:"" help:"Name of the channel."`
	Label   labelName   `arg:"" help:"The label."`
	Files   []string    `arg:"" optional:"" name:"file" placeholder:"SUBDIR/FILE" help:"Files, such as noarch/libtide-1.2.0-0.conda; all of the label when none is selected."`
}

// Run takes files out of a label.
func (c *labelRemoveCommand) Run(ctx context.Context, s Streams) error {
	return curation{
		remoteFlags: c.remoteFlags, doFlags: c.doFlags, channel: c.Channel, change: map[string]any{"kind": "take_out", "label": c.Label},
		selection: c.selection(c.Files), done: "Taken out of " + string(c.Label) + ":", would: "would be taken out of " + string(c.Label), asks: true,
	}.run(ctx, s)
}

type labelMoveCommand struct {
	remoteFlags
	selectFlags
	doFlags
	Channel channelName `arg:"" help:"Name of the channel."`
	From    labelName   `arg:"" help:"The label that lists them."`
	To      labelName   `arg:"" help:"The label that shall; it need not exist yet."`
	Files   []string    `arg:"" optional:"" name:"file" placeholder:"SUBDIR/FILE" help:"Files, such as noarch/libtide-1.2.0-0.conda; all of the label when none is selected."`
}

// Run moves files from one label to another.
func (c *labelMoveCommand) Run(ctx context.Context, s Streams) error {
	return curation{
		remoteFlags: c.remoteFlags, doFlags: c.doFlags, channel: c.Channel, change: map[string]any{"kind": "move", "label": c.From, "to": c.To},
		selection: c.selection(c.Files), done: "Moved from " + string(c.From) + " to " + string(c.To) + ":",
		would: "would be moved from " + string(c.From) + " to " + string(c.To), asks: true,
	}.run(ctx, s)
}
