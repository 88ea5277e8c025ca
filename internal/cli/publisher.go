package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"
)

type publisherCommand struct {
	List   publisherListCommand   `cmd:"" help:"List who may publish to a channel without a key."`
	Show   publisherShowCommand   `cmd:"" help:"Show a trusted publisher."`
	Remove publisherRemoveCommand `cmd:"" help:"Remove a trusted publisher; the publish tokens that rest on it end at once."`

	Add     publisherAddCommand     `cmd:"" help:"Let the runs of a workflow publish to a channel, or read it."`
	Change  publisherChangeCommand  `cmd:"" help:"Change what is given of a trusted publisher; an empty value takes away. Its publish tokens end at once."`
	Switch  publisherSwitchCommand  `cmd:"" help:"Switch a trusted publisher on or off."`
	Export  publisherExportCommand  `cmd:"" help:"Write a channel's trusted publishers as a TOML file."`
	Apply   publisherApplyCommand   `cmd:"" help:"Make a channel's trusted publishers those of a TOML file, all or nothing."`
	Explain publisherExplainCommand `cmd:"" help:"Say rule by rule what would become of an identity token. Nothing is used up."`
}

// remotePublisher is a trusted publisher in the API's answers.
type remotePublisher struct {
	publisherRule
	ID         int64     `json:"id"`
	Version    int64     `json:"version"`
	Sentence   string    `json:"sentence"`
	Weak       string    `json:"weak"`
	State      string    `json:"state"`
	Off        string    `json:"off"`
	CreatedAt  time.Time `json:"created_at"`
	CreatedBy  string    `json:"created_by"`
	LastUsedAt time.Time `json:"last_used_at"`
}

// publishersPath is where a channel's publishers are in the API.
const publishersPath = "trusted-publishers"

type publisherListCommand struct {
	remoteFlags
	Channel channelName `arg:"" help:"Name of the channel."`
}

// Run prints a line for each publisher.
func (c *publisherListCommand) Run(ctx context.Context, s Streams) error {
	type list struct {
		Publishers []remotePublisher `json:"trusted_publishers"`
	}
	return consult(ctx, s, c.remoteFlags, at("channels", string(c.Channel), publishersPath), func(w io.Writer, answer list) error {
		var rows [][]string
		for _, p := range answer.Publishers {
			weak := ""
			if p.Weak != "" {
				weak = "weak"
			}
			rows = append(rows, []string{strconv.FormatInt(p.ID, 10), p.Provider, p.State, orNever(p.LastUsedAt), weak, p.Sentence})
		}
		return table(w, "Channel "+string(c.Channel)+" has no trusted publisher.", []string{"NUMBER", "SERVICE", "STATE", "LAST USED", "", "RULE"}, rows)
	})
}

type publisherShowCommand struct {
	remoteFlags
	Channel channelName `arg:"" help:"Name of the channel."`
	Number  int64       `arg:"" help:"Number of the publisher, as sluice publisher list shows it."`
}

// Run prints what there is to say of the publisher.
func (c *publisherShowCommand) Run(ctx context.Context, s Streams) error {
	return consult(ctx, s, c.remoteFlags, at("channels", string(c.Channel), publishersPath, strconv.FormatInt(c.Number, 10)), func(w io.Writer, p remotePublisher) error {
		return fields(w,
			"number", strconv.FormatInt(p.ID, 10), "rule", p.Sentence, "weak", p.Weak, "state", p.State, "lets nobody in", p.Off, "service", p.Provider, "issuer", p.Issuer,
			"made", day(p.CreatedAt), "by", p.CreatedBy, "last used", orNever(p.LastUsedAt))
	})
}

type publisherRemoveCommand struct {
	remoteFlags
	Channel channelName `arg:"" help:"Name of the channel."`
	Number  int64       `arg:"" help:"Number of the publisher, as sluice publisher list shows it."`
}

// Run removes the publisher.
func (c *publisherRemoveCommand) Run(ctx context.Context, s Streams) error {
	number := strconv.FormatInt(c.Number, 10)
	done := fmt.Sprintf("Removed trusted publisher %s of channel %s. Its publish tokens have ended.", number, c.Channel)
	return c.remove(ctx, s, done, "channels", string(c.Channel), publishersPath, number)
}
