package trust

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/fault"
)

// PublisherStore keeps the publishers of channels. Each method is one transaction.
type PublisherStore interface {
	// Publishers lists the publishers of a channel, oldest first, those that are switched off among them.
	Publishers(ctx context.Context, channelID int64) ([]Publisher, error)
	// Publisher returns one publisher of a channel; fault.NotFound when there is none.
	Publisher(ctx context.Context, channelID, id int64) (Publisher, error)
	// ChangePublishers does all changes, in their order, or none, and returns what each left: removed ones as they
	// were. Errors: fault.Conflict when the channel would have the same rule twice or too many, or when a publisher
	// has another version than the change was made from; fault.NotFound when one is not there.
	ChangePublishers(ctx context.Context, channelID int64, changes []Change) ([]Publisher, error)
	// ReplacePublishers is ChangePublishers for a channel whose publishers are in that state (see StateOf);
	// fault.Conflict when they are in another.
	ReplacePublishers(ctx context.Context, channelID int64, state string, changes []Change) ([]Publisher, error)
}

// A Change is what happens to one publisher.
type Change struct {
	Kind ChangeKind
	// Publisher is what it becomes; its Version is the one that the change was made from.
	Publisher Publisher
	// Event says so in the audit log. The store fills in the number of an added publisher.
	Event audit.Event
}

// ChangeKind is a kind of Change.
type ChangeKind string

// The kinds of changes.
const (
	Added   ChangeKind = "add"
	Changed ChangeKind = "change"
	Removed ChangeKind = "remove"
)

// MaxPublishers bounds the publishers of one channel.
const MaxPublishers = 1000

// Publishers is what the owners of a channel do with its trusted publishers. Whether somebody is an owner is
// decided before. Whatever changes a publisher ends the publish tokens that rest on it, with the next request.
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
	return s.one(ctx, s.adding(by, p))
}

// Revise reads what a publisher would be after a spec took the place of its rule, without storing anything. It
// keeps its number, its use, its pinned ids where it still means the same repository, and whether it is on.
func (s *Publishers) Revise(by audit.Actor, ch channel.Channel, old Publisher, spec PublisherSpec) (Publisher, error) {
	p, err := s.Read(by, ch, spec)
	return p.inPlaceOf(old), err
}

// inPlaceOf gives p what belongs to the publisher and not to its rule.
func (p Publisher) inPlaceOf(old Publisher) Publisher {
	p.ID, p.Version, p.CreatedAt, p.CreatedBy = old.ID, old.Version, old.CreatedAt, old.CreatedBy
	p.LastUsedAt, p.LastRun = old.LastUsedAt, old.LastRun
	p.DisabledAt, p.EnabledAt = old.DisabledAt, old.EnabledAt
	if p.Unnamed() && p.sameRepository(old) {
		p.Owner, p.Repository = old.Owner, old.Repository
	}
	if p.Issuer == old.Issuer && p.AnyRepository == old.AnyRepository && RepositoryKey(p.FullName()) == RepositoryKey(old.FullName()) {
		p.OwnerID, p.RepositoryID = cmp.Or(p.OwnerID, old.OwnerID), cmp.Or(p.RepositoryID, old.RepositoryID)
	}
	return p
}

// Save stores what a publisher became. Errors: fault.Conflict, also when it was changed since it was read, and
// fault.NotFound.
func (s *Publishers) Save(ctx context.Context, by audit.Actor, old, p Publisher) (Publisher, error) {
	return s.one(ctx, s.changing(by, old, p))
}

// Switch turns a publisher on or off. Off, it lets nobody do anything, and keeps its rule.
func (s *Publishers) Switch(ctx context.Context, by audit.Actor, ch channel.Channel, id int64, on bool) (Publisher, error) {
	p, err := s.Store.Publisher(ctx, ch.ID, id)
	if err != nil {
		return p, err
	}
	now, word := s.Now(), "off"
	if on {
		p.DisabledAt, p.EnabledAt, word = time.Time{}, now, "on"
		if !p.ExpiresAt.IsZero() && !now.Before(p.ExpiresAt) {
			return p, fault.New(fault.InvalidField, "expires_at: the publisher ended on %s; change its end first.", day(p.ExpiresAt))
		}
	} else {
		p.DisabledAt = now
	}
	e := s.event(by, p, audit.PublisherChanged, fmt.Sprintf("switched publisher %d %s: %s", p.ID, word, p.Sentence()))
	return s.one(ctx, Change{Kind: Changed, Publisher: p, Event: e})
}

// Remove takes a publisher away; fault.NotFound when the channel has none of that ID.
func (s *Publishers) Remove(ctx context.Context, by audit.Actor, ch channel.Channel, id int64) error {
	p, err := s.Store.Publisher(ctx, ch.ID, id)
	if err != nil {
		return err
	}
	_, err = s.one(ctx, s.removing(by, p))
	return err
}

func (s *Publishers) one(ctx context.Context, c Change) (Publisher, error) {
	after, err := s.Store.ChangePublishers(ctx, c.Publisher.ChannelID, []Change{c})
	if err != nil {
		return c.Publisher, err
	}
	return after[0], nil
}

func (s *Publishers) adding(by audit.Actor, p Publisher) Change {
	return Change{Kind: Added, Publisher: p, Event: s.event(by, p, audit.PublisherAdded, "added a publisher: "+p.Sentence())}
}

func (s *Publishers) changing(by audit.Actor, old, p Publisher) Change {
	e := s.event(by, p, audit.PublisherChanged, fmt.Sprintf("changed publisher %d: %s", p.ID, p.Sentence()))
	e.Facts["before"] = old.Sentence()
	return Change{Kind: Changed, Publisher: p, Event: e}
}

func (s *Publishers) removing(by audit.Actor, p Publisher) Change {
	return Change{Kind: Removed, Publisher: p, Event: s.event(by, p, audit.PublisherRemoved, fmt.Sprintf("removed publisher %d: %s", p.ID, p.Sentence()))}
}

func (s *Publishers) event(by audit.Actor, p Publisher, kind audit.Kind, sentence string) audit.Event {
	e := audit.Event{
		At: s.Now(), Kind: kind, Actor: by, ChannelID: p.ChannelID, Channel: p.Channel.String(), Subject: p.FullName(), Sentence: sentence,
		Facts: map[string]string{"issuer": p.Issuer},
	}
	for name, value := range map[string]string{"workflow": p.Workflow, "environment": p.Environment, "weak": p.Weak()} {
		if value != "" {
			e.Facts[name] = value
		}
	}
	if p.ID != 0 {
		e.Facts["publisher"] = fmt.Sprint(p.ID)
	}
	return e
}
