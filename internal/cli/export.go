package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/internal/exporting"
	"sluice/internal/index"
)

type exportCommand struct {
	configFlags
	Channel channelName `arg:"" help:"Channel to write."`
	Dir     string      `arg:"" help:"Folder that is written: new, empty, or that of an earlier export."`
	Prune   bool        `help:"Remove what earlier exports wrote and the channel does not have any more."`
	Verify  bool        `help:"Read every file that is there already, instead of trusting its size and time."`
}

// Run writes the channel. It reads only, so that a server may run meanwhile.
func (c *exportCommand) Run(ctx context.Context, s Streams) (err error) {
	d, err := c.openData(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	blobs, err := d.blobs()
	if err != nil {
		return err
	}
	ch, err := d.channel(ctx, string(c.Channel))
	if err != nil {
		return err
	}
	p, began := &exporting.Progress{}, time.Now()
	stop := showProgress(s.Err, func() string {
		return fmt.Sprintf("%d packages in place, %d of them written, %s", p.Files.Load(), p.Written.Load(), sizeText(p.Bytes.Load()))
	})
	sum, err := exporting.Run(ctx, exporting.Config{
		Channel: ch, Store: d.db, Index: index.New(d.db, exportMemory), Blobs: blobs, Dir: c.Dir, Prune: c.Prune, Verify: c.Verify, Progress: p,
	})
	stop()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Out, "Exported channel %s to %s: %s in %s, %d written (%s), %d linked, %d removed; %v.\n",
		ch.Name, c.Dir, count(sum.Packages, "package"), count(int64(sum.Labels), "label"), sum.Written, sizeText(sum.Bytes), sum.Linked, sum.Removed, time.Since(began).Round(time.Second/10))
	return err
}

// exportMemory bounds what an export keeps of the index, in bytes: each file is written once.
const exportMemory = 32 << 20
