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

// each returns values as the API writes them; never nil, because an empty list is [] and not null.
func each[T, U any](in []T, f func(T) U) []U {
	out := make([]U, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}
