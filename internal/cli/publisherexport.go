package cli

import (
	"context"
	"fmt"
	"os"
)

type publisherExportCommand struct {
	remoteFlags
	Channel channelName `arg:"" help:"Name of the channel."`
	Out     string      `short:"o" placeholder:"FILE" help:"File to write; the output when absent."`
}

// Run writes the channel's publishers as a file that apply takes.
func (c *publisherExportCommand) Run(ctx context.Context, s Streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	issuers, err := readIssuers(ctx, cl)
	if err != nil {
		return err
	}
	list, err := remotePublishers(ctx, cl, string(c.Channel))
	if err != nil {
		return err
	}
	f := publisherFile{Channel: string(c.Channel)}
	for _, p := range list {
		f.Publishers = append(f.Publishers, p.publisherRule)
	}
	b, err := f.write(issuers, list)
	if err != nil {
		return err
	}
	if c.Out == "" {
		_, err := s.Out.Write(b)
		return err
	}
	if err := os.WriteFile(c.Out, b, 0o644); err != nil { //nolint:gosec // who may publish is no secret of whoever may read it here
		return fmt.Errorf("write the file: %w", err)
	}
	return nil
}
