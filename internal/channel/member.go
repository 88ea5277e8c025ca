package channel

import (
	"context"

	"sluice/internal/audit"
)

// SetMember gives the named account a role in a channel, in place of any it had. Errors: fault.NotFound for an
// account that is not there, fault.Conflict when the channel would be left without an owner.
func (s *Channels) SetMember(ctx context.Context, by audit.Actor, c Channel, name string, r Role) error {
	return s.Store.SetMember(ctx, c.ID, name, r, s.memberEvent(ctx, by, c, name, audit.MemberSet,
		"made "+name+" "+withArticle(r)+" of channel "+c.Name.String()))
}

// RemoveMember takes the named account out of a channel, under the same conditions.
func (s *Channels) RemoveMember(ctx context.Context, by audit.Actor, c Channel, name string) error {
	return s.Store.RemoveMember(ctx, c.ID, name, s.memberEvent(ctx, by, c, name, audit.MemberRemoved,
		"took "+name+" out of channel "+c.Name.String()))
}

func (s *Channels) memberEvent(ctx context.Context, by audit.Actor, c Channel, name string, k audit.Kind, sentence string) audit.Event {
	return audit.Event{
		At: s.Now(), Kind: k, Actor: by, ChannelID: c.ID, Channel: c.Name.String(),
		Subject: name, Sentence: sentence, RequestID: audit.Request(ctx),
	}
}

func withArticle(r Role) string {
	if r == Owner {
		return "an owner"
	}
	return "a " + string(r)
}
