package cli

import (
	"context"
	"errors"
	"io"

	"sluice/internal/remote"
)

type channelSetCommand struct {
	remoteFlags
	Name          channelName `arg:"" help:"Name of the channel."`
	PublisherOnly onOff       `placeholder:"on|off" help:"Take uploads from trusted publishers only."`
	Replaceable   onOff       `placeholder:"on|off" help:"Let an upload with force=true put other bytes in the place of a published file; lock files that name it then break."`
	V3            onOff       `name:"v3" placeholder:"on|off" help:"Take packages that only readers of repodata revision 3 can use."`
	Visibility    *string     `placeholder:"public|private" help:"Who may read it: anybody, or members and tokens made for them."`
	Description   *string     `placeholder:"TEXT" help:"What it is for, for people."`
	demandFlags
}

// onOff is a switch that may be left as it is.
type onOff struct{ on *bool }

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *onOff) UnmarshalText(b []byte) error {
	switch string(b) {
	case "on":
		o.on = new(true)
	case "off":
		o.on = new(false)
	default:
		return errors.New("write on or off")
	}
	return nil
}

// not is the switch the other way round.
func (o onOff) not() *bool {
	if o.on == nil {
		return nil
	}
	return new(!*o.on)
}

// Run changes what is given, and prints what the channel is then.
func (c *channelSetCommand) Run(ctx context.Context, s Streams) error {
	in := struct {
		PublisherOnly *bool       `json:"publisher_only,omitempty"`
		Replaceable   *bool       `json:"replaceable,omitempty"`
		RefuseV3      *bool       `json:"refuse_v3,omitempty"`
		Visibility    *string     `json:"visibility,omitempty"`
		Description   *string     `json:"description,omitempty"`
		Attestations  *demandBody `json:"attestations,omitempty"`
	}{c.PublisherOnly.on, c.Replaceable.on, c.V3.not(), c.Visibility, c.Description, c.body()}
	if in.PublisherOnly == nil && in.Replaceable == nil && in.RefuseV3 == nil && in.Visibility == nil && in.Description == nil && in.Attestations == nil {
		return errors.New("say what to set: --publisher-only, --replaceable, --v3, --visibility, --description, or what is demanded of attestations")
	}
	if in.Attestations != nil {
		if err := c.preview(ctx, s, c.Name, in.Attestations, c.Yes); err != nil {
			return err
		}
	}
	patch := func(ctx context.Context, cl *remote.Client, answer any) error {
		return cl.Patch(ctx, remote.Path("channels", string(c.Name)), in, answer)
	}
	return consult(ctx, s, c.remoteFlags, patch, func(w io.Writer, ch remoteChannel) error { return ch.print(w) })
}
