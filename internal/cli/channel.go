package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"sluice/internal/attest/policy"
	"sluice/internal/conda"
	"sluice/internal/remote"
)

type channelCommand struct {
	List   channelListCommand   `cmd:"" help:"List the channels that you may read."`
	Create channelCreateCommand `cmd:"" help:"Make a channel; you become its owner."`
	Show   channelShowCommand   `cmd:"" help:"Show a channel."`
	Set    channelSetCommand    `cmd:"" help:"Change who uploads to a channel, what it takes, and who reads it."`
	Deny   channelDenyCommand   `cmd:"" help:"Let signatures count for nothing, or take that back."`
}

// channelName is the name of a channel on the command line, checked before any server is asked.
type channelName string

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *channelName) UnmarshalText(b []byte) error {
	ch, err := conda.ParseChannel(string(b))
	*n = channelName(ch.String())
	return err
}

// remoteChannel is what is read of a channel in the API's answers.
type remoteChannel struct {
	Name          string `json:"name"`
	URL           string `json:"url"`
	Visibility    string `json:"visibility"`
	Description   string `json:"description"`
	PublisherOnly bool   `json:"publisher_only"`
	Replaceable   bool   `json:"replaceable"`
	RefuseV3      bool   `json:"refuse_v3"`
	Attestations  struct {
		policy.Policy
		// State names the policy as it was read.
		State string `json:"state"`
	} `json:"attestations"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
	Role      string    `json:"role"`
	Totals    struct {
		Packages        int       `json:"packages"`
		Artifacts       int       `json:"artifacts"`
		ByCI            int       `json:"by_ci"`
		LastPublishedAt time.Time `json:"last_published_at"`
	} `json:"totals"`
}

type channelListCommand struct{ remoteFlags }

// Run prints a line for each channel.
func (c *channelListCommand) Run(ctx context.Context, s Streams) error {
	type list struct {
		Channels []remoteChannel `json:"channels"`
	}
	return consult(ctx, s, c.remoteFlags, at("channels"), func(w io.Writer, answer list) error {
		var rows [][]string
		for _, ch := range answer.Channels {
			rows = append(rows, []string{ch.Name, ch.Visibility, ch.URL, ch.Description})
		}
		return table(w, "There is no channel that you may read. Make one with: sluice channel create NAME",
			[]string{"NAME", "VISIBILITY", "ADDRESS", "DESCRIPTION"}, rows)
	})
}

type channelCreateCommand struct {
	remoteFlags
	Name        channelName `arg:"" help:"Name of the channel: lower-case letters, digits, '_', '.' and '-'."`
	Private     bool        `help:"Only members, and tokens made for them, may read it (default: anybody)."`
	Description string      `placeholder:"TEXT" help:"What it is for, for people."`
}

// Run makes the channel and says how to go on.
func (c *channelCreateCommand) Run(ctx context.Context, s Streams) error {
	in := struct {
		Name        channelName `json:"name"`
		Visibility  string      `json:"visibility"`
		Description string      `json:"description,omitempty"`
	}{c.Name, "public", c.Description}
	if c.Private {
		in.Visibility = "private"
	}
	post := func(ctx context.Context, cl *remote.Client, answer any) error {
		return cl.Post(ctx, remote.Path("channels"), in, answer)
	}
	return consult(ctx, s, c.remoteFlags, post, func(w io.Writer, ch remoteChannel) error {
		_, err := fmt.Fprintf(w, "Made the %s channel %s: clients find it at %s\n", shown(ch.Visibility), shown(ch.Name), shown(ch.URL))
		return err
	})
}

type channelShowCommand struct {
	remoteFlags
	Name channelName `arg:"" help:"Name of the channel."`
}

// Run prints what there is to say of the channel.
func (c *channelShowCommand) Run(ctx context.Context, s Streams) error {
	return consult(ctx, s, c.remoteFlags, at("channels", string(c.Name)), func(w io.Writer, ch remoteChannel) error { return ch.print(w) })
}

func (ch remoteChannel) print(w io.Writer) error {
	pairs := []string{
		"name", ch.Name, "address", ch.URL, "visibility", ch.Visibility, "description", ch.Description,
		"uploads", pick(ch.PublisherOnly, "from trusted publishers only", "also with API tokens"),
		"published files", pick(ch.Replaceable, "can be replaced by force", "stay as they are"),
		"repodata v3", pick(ch.RefuseV3, "refused", "taken"),
	}
	pairs = append(pairs, demanded(ch.Attestations.Policy)...)
	return fields(w, append(pairs,
		"made", day(ch.CreatedAt), "by", ch.CreatedBy, "your role", ch.Role,
		"packages", strconv.Itoa(ch.Totals.Packages), "files", strconv.Itoa(ch.Totals.Artifacts),
		"of them by CI", strconv.Itoa(ch.Totals.ByCI), "last published", day(ch.Totals.LastPublishedAt))...)
}

func pick(on bool, yes, no string) string {
	if on {
		return yes
	}
	return no
}
