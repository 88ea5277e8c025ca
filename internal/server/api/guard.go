package api

import (
	"context"

	"sluice/internal/access"
	"sluice/internal/account"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
)

// channel finds a channel by its name in a path. A name that no channel can have is one that does not exist.
func (s *service) channel(ctx context.Context, name string) (channel.Channel, error) {
	n, err := conda.ParseChannel(name)
	if err != nil {
		return channel.Channel{}, access.NoChannel(fault.OneLine(name, maxShown))
	}
	return s.Channels.Store.ChannelByName(ctx, n)
}

// may is a decision of access about a channel.
type may func(context.Context, access.Principal, channel.Channel) error

// where finds a channel that the caller may do something with.
func (s *service) where(ctx context.Context, name string, decide may) (channel.Channel, error) {
	ch, err := s.channel(ctx, name)
	if err != nil {
		return ch, err
	}
	return ch, decide(ctx, caller.From(ctx), ch)
}

// self returns the caller's own account, when the caller may act for it.
func (s *service) self(ctx context.Context) (account.User, error) {
	p := caller.From(ctx)
	if err := s.Access.MaySelf(p); err != nil {
		return account.User{}, err
	}
	return *p.User, nil
}

// insider reports whether the caller is a member of the channel and may see names of people there. A token
// that was made for something else does not turn its bearer into a member.
func (s *service) insider(ctx context.Context, ch channel.Channel) (bool, error) {
	p := caller.From(ctx)
	if t := p.APIToken; t != nil && (t.ChannelID != 0 && t.ChannelID != ch.ID || !t.Has(account.Read) && !t.Has(account.Manage)) {
		return false, nil
	}
	r, err := s.Access.Role(ctx, p, ch)
	return r != channel.None, err
}

// mayInside lets members in who may read.
func (s *service) mayInside(ctx context.Context, p access.Principal, ch channel.Channel) error {
	if err := s.Access.MayRead(ctx, p, ch); err != nil {
		return err
	}
	in, err := s.insider(ctx, ch)
	switch {
	case err != nil || in:
		return err
	case p.Anonymous() && p.Rejected != nil:
		return p.Rejected
	case p.Anonymous():
		return fault.New(fault.Unauthenticated, "Sign in, or send an API token of a member of channel %s with the scope read.", ch.Name)
	default:
		return fault.New(fault.NotPermitted, "Only members of channel %s, by a token with the scope read, may see this. Ask an owner of the channel.", ch.Name)
	}
}

// each returns values as the API writes them; never nil, because an empty list is [] and not null.
func each[T, U any](in []T, f func(T) U) []U {
	out := make([]U, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}
