package web

import (
	"context"
	"errors"
	"net/http"

	"sluice/internal/access"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/server/web/page"
)

// visible lists the channels that the reader may see, by name.
func (s *site) visible(ctx context.Context) ([]channel.Channel, error) {
	return s.Access.Readable(ctx, caller.From(ctx), s.Channels.Store)
}

func ids(channels []channel.Channel) []int64 {
	out := make([]int64, len(channels))
	for i, ch := range channels {
		out[i] = ch.ID
	}
	return out
}

// allowed turns a decision into yes or no where a page only looks different by it. What is no decision stays an error.
func allowed(err error) (bool, error) {
	if err == nil || fault.CodeOf(err) != fault.Internal {
		return err == nil, nil
	}
	return false, err
}

// enter finds the channel that the address names. One that the reader may not see is not there.
func (s *site) enter(r *http.Request) (channel.Channel, error) {
	return s.open(r.Context(), r.PathValue("channel"))
}

func (s *site) open(ctx context.Context, raw string) (channel.Channel, error) {
	name, err := conda.ParseChannel(raw)
	if err != nil {
		return channel.Channel{}, noChannel(raw)
	}
	ch, err := s.Channels.Store.ChannelByName(ctx, name)
	if err == nil {
		err = s.Access.MayRead(ctx, caller.From(ctx), ch)
	}
	if ok, err := allowed(err); err != nil || ok {
		return ch, err
	}
	return channel.Channel{}, noChannel(raw)
}

// maxShown bounds a name out of an address in a title, in bytes.
const maxShown = 80

// noChannel says the same of a channel that does not exist and of one that the reader may not see.
func noChannel(name string) error {
	return &missingError{title: "There is no channel " + fault.OneLine(name, maxShown) + " here"}
}

// guard is a decision of access about a channel.
type guard func(context.Context, access.Principal, channel.Channel) error

// enterAs is enter for pages that not every reader of the channel may see.
func (s *site) enterAs(r *http.Request, may guard) (channel.Channel, error) {
	ch, err := s.enter(r)
	if err != nil {
		return ch, err
	}
	return ch, may(r.Context(), caller.From(r.Context()), ch)
}

// detail is the sentence of a refusal, "" for any other error.
func detail(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Detail
	}
	return ""
}

// field is a form's field with what was sent.
func field(value string) page.Field { return page.Field{Value: value} }
