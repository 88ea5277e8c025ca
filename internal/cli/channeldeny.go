package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"sluice/internal/attest/policy"
	"sluice/internal/fault"
	"sluice/internal/remote"
)

type channelDenyCommand struct {
	remoteFlags
	Name         channelName `arg:"" help:"Name of the channel."`
	Identity     string      `placeholder:"URL" help:"Signatures of signers whose identity begins with this."`
	RepositoryID string      `name:"repository-id" placeholder:"ID" help:"Signatures of the repository with this unchangeable id; needs --issuer."`
	Issuer       string      `placeholder:"URL" help:"Issuer of the signers' identity tokens."`
	RunURL       string      `name:"run" placeholder:"URL" help:"Signatures of this run, such as https://github.com/acme/forge/actions/runs/77; without its attempt, of all of them."`
	Serial       string      `placeholder:"HEX" help:"Signatures with the certificate of this serial number."`
	Log          string      `placeholder:"HEX" help:"Signatures in the transparency log with this key id."`
	LogFrom      int64       `placeholder:"N" help:"From this entry of the log."`
	LogTo        int64       `placeholder:"N" help:"Up to this entry of the log."`
	From         momentFlag  `placeholder:"TIME" help:"Signed then or later: 2026-08-20, 2026-08-20T12:00:00Z, or 6h for six hours ago."`
	Until        momentFlag  `placeholder:"TIME" help:"Signed then or before."`
	Why          string      `placeholder:"TEXT" help:"The reason; who uploads reads it."`
	Undo         bool        `help:"Take such a denial back."`
	Yes          bool        `short:"y" help:"Do not ask when files that are there are hit."`
}

func (c *channelDenyCommand) denial() policy.Denial {
	return policy.Denial{
		Identity: c.Identity, RepositoryID: c.RepositoryID, Issuer: c.Issuer, Run: c.RunURL, Serial: c.Serial, LogID: c.Log, LogFrom: c.LogFrom, LogTo: c.LogTo,
		From: time.Time(c.From), Until: time.Time(c.Until), Why: c.Why,
	}
}

// Run adds to the signatures that count for nothing, or takes one away, and prints those that are left.
func (c *channelDenyCommand) Run(ctx context.Context, s Streams) error {
	if c.Why == "" && !c.Undo {
		return errors.New("say with --why for what reason: who uploads reads it")
	}
	cl, err := c.client()
	if err != nil {
		return err
	}
	d, err := c.revise(ctx, cl)
	if err != nil {
		return err
	}
	if err := c.preview(ctx, s, c.Name, d, c.Yes); err != nil {
		return err
	}
	return consult(ctx, s, c.remoteFlags, c.save, func(w io.Writer, ch remoteChannel) error {
		var rows [][]string
		for _, d := range ch.Attestations.Denied {
			rows = append(rows, []string{d.Words(), d.String()})
		}
		return table(w, "Channel "+string(c.Name)+" denies no signatures.", []string{"DENIED", "WHY"}, rows)
	})
}

// maxTries is how often a change is made anew because somebody else's came before it.
const maxTries = 100

// save makes the change over what the channel has denied by now, until nobody else's comes in between.
func (c *channelDenyCommand) save(ctx context.Context, cl *remote.Client, answer any) error {
	for try := 1; ; try++ {
		d, err := c.revise(ctx, cl)
		if err != nil {
			return err
		}
		in := map[string]*demandBody{"attestations": d}
		err = cl.Patch(ctx, remote.Path("channels", string(c.Name)), in, answer)
		if refusal, ok := errors.AsType[*remote.RefusedError](err); !ok || refusal.Code != fault.Conflict || try == maxTries {
			return err
		}
	}
}

// revise reads what the channel has denied, and makes the change of it.
func (c *channelDenyCommand) revise(ctx context.Context, cl *remote.Client) (*demandBody, error) {
	var ch remoteChannel
	if err := cl.Get(ctx, remote.Path("channels", string(c.Name)), &ch); err != nil {
		return nil, err
	}
	list, err := c.change(ch.Attestations.Denied)
	return &demandBody{Denied: list, Expect: ch.Attestations.State}, err
}

// change is the list with the denial, or without it, whatever its reason.
func (c *channelDenyCommand) change(list []policy.Denial) ([]policy.Denial, error) {
	d := c.denial()
	i := slices.IndexFunc(list, func(have policy.Denial) bool {
		have.Why = d.Why
		return have.Equal(d)
	})
	switch {
	case c.Undo && i < 0:
		return nil, fmt.Errorf("channel %s has not denied exactly that: see what it has with sluice channel show %s", c.Name, c.Name)
	case c.Undo:
		return slices.Delete(slices.Clone(list), i, i+1), nil
	case i >= 0:
		list = slices.Clone(list)
		list[i] = d
		return list, nil
	default:
		return append(slices.Clone(list), d), nil
	}
}
