package trust

import (
	"context"
	"fmt"
	"time"

	"sluice/internal/audit"
	"sluice/internal/channel"
)

// PublisherStore keeps the publishers of channels. Each method is one transaction.
type PublisherStore interface {
	// AddPublisher stores p and returns it with its ID; fault.Conflict when the channel has the same rule.
	AddPublisher(ctx context.Context, p Publisher, e audit.Event) (Publisher, error)
	// Publishers lists the live publishers of a channel, oldest first.
	Publishers(ctx context.Context, channelID int64) ([]Publisher, error)
	// Publisher returns one live publisher of a channel; fault.NotFound when there is none.
	Publisher(ctx context.Context, channelID, id int64) (Publisher, error)
	// RemovePublisher takes a publisher away, and with it every token that rests on it.
	RemovePublisher(ctx context.Context, channelID, id int64, at time.Time, e audit.Event) error
}

// Publishers is what the owners of a channel do with its trusted publishers. Whether somebody is an owner is
// decided before.
type Publishers struct {
	Store PublisherStore
	// Issuers are the configured ones, in the order in which forms offer them.
	Issuers []Issuer
	Now     func() time.Time
}

// Read takes a spec apart without storing anything; see NewPublisher.
func (s *Publishers) Read(by audit.Actor, ch channel.Channel, spec PublisherSpec) (Publisher, error) {
	return NewPublisher(spec, s.Issuers, ch.Name, ch.ID, by.Name, s.Now())
}

// Add makes a publisher. Neither its repository nor any package needs to exist yet. Errors: those of
// NewPublisher, and fault.Conflict.
func (s *Publishers) Add(ctx context.Context, by audit.Actor, ch channel.Channel, spec PublisherSpec) (Publisher, error) {
	p, err := s.Read(by, ch, spec)
	if err != nil {
		return p, err
	}
	return s.Store.AddPublisher(ctx, p, audit.Event{
		At: p.CreatedAt, Kind: audit.PublisherAdded, Actor: by, ChannelID: ch.ID, Channel: ch.Name.String(),
		Subject: p.FullName(), Sentence: "added a publisher: " + p.Sentence(),
		Facts: map[string]string{"issuer": p.Issuer, "workflow": p.Workflow, "environment": p.Environment},
	})
}

// Remove takes a publisher away; fault.NotFound when the channel has none of that ID.
func (s *Publishers) Remove(ctx context.Context, by audit.Actor, ch channel.Channel, id int64) error {
	p, err := s.Store.Publisher(ctx, ch.ID, id)
	if err != nil {
		return err
	}
	now := s.Now()
	return s.Store.RemovePublisher(ctx, ch.ID, id, now, audit.Event{
		At: now, Kind: audit.PublisherRemoved, Actor: by, ChannelID: ch.ID, Channel: ch.Name.String(),
		Subject: p.FullName(), Sentence: fmt.Sprintf("removed publisher %d: %s", id, p.Sentence()),
	})
}
