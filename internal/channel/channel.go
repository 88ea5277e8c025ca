// Package channel holds channels and their members: which named sets of packages exist, who sees them,
// and who does what in them. It must not know how a caller proves who it is, nor what lies in a channel.
package channel

import (
	"context"
	"strings"
	"time"

	"sluice/internal/attest/policy"
	"sluice/internal/audit"
	"sluice/internal/conda"
	"sluice/internal/fault"
)

// Visibility says who may read a channel.
type Visibility string

// Public channels are read by anybody, private ones by members and by tokens made for them.
const (
	Public  Visibility = "public"
	Private Visibility = "private"
)

// ParseVisibility takes "public" or "private"; "" counts as public. Its error is fault.InvalidField.
func ParseVisibility(s string) (Visibility, error) {
	switch v := Visibility(s); v {
	case "":
		return Public, nil
	case Public, Private:
		return v, nil
	default:
		return "", fault.New(fault.InvalidField, "visibility %q is unknown: use public or private", s)
	}
}

// Channel is a named set of packages.
type Channel struct {
	ID          int64
	Name        conda.Channel
	Visibility  Visibility
	Description string
	// PublisherOnly refuses uploads with API tokens: only trusted publishers bring packages.
	PublisherOnly bool
	// Replaceable lets a published file be replaced by force.
	Replaceable bool
	// RefuseV3 refuses packages that only readers of repodata revision 3 can use (CEP 48).
	RefuseV3 bool
	// Attestations is what it demands of attestations.
	Attestations policy.Policy
	CreatedAt    time.Time
	// CreatedBy is the name of the account that made it.
	CreatedBy string
}

// Role is what a member may do in a channel. Each role holds the rights of those below it.
type Role string

// The roles, from the strongest.
const (
	// Owner changes the channel, its members and its publishers, and reads its audit log.
	Owner Role = "owner"
	// Maintainer uploads packages and reads the audit log.
	Maintainer Role = "maintainer"
	// Reader reads a private channel.
	Reader Role = "reader"
	// None is the role of everybody else.
	None Role = ""
)

// ParseRole takes the name of a role. Its error is fault.InvalidField.
func ParseRole(s string) (Role, error) {
	switch r := Role(s); r {
	case Owner, Maintainer, Reader:
		return r, nil
	default:
		return None, fault.New(fault.InvalidField, "role %q is unknown: use owner, maintainer or reader", s)
	}
}

var rank = map[Role]int{None: 0, Reader: 1, Maintainer: 2, Owner: 3}

// AtLeast reports whether r holds the rights of want.
func (r Role) AtLeast(want Role) bool { return rank[r] >= rank[want] && r != None }

// Member is an account's role in a channel.
type Member struct {
	AccountID int64
	// Name is the account's name.
	Name string
	Role Role
}

// Store keeps channels and members. One method is one transaction.
type Store interface {
	// CreateChannel stores c with owner as its first member, and returns it with its ID and what is usually demanded.
	// A name that is taken is fault.Conflict.
	CreateChannel(ctx context.Context, c Channel, owner int64, e audit.Event) (Channel, error)
	// ChangeChannel stores what a Revision can change of after, if the channel still has those
	// of before. Errors: fault.Conflict when it has others, fault.NotFound when it is gone.
	ChangeChannel(ctx context.Context, before, after Channel, e audit.Event) error
	// ChannelByName returns fault.NotFound when there is none.
	ChannelByName(ctx context.Context, name conda.Channel) (Channel, error)
	// Channels lists, by name, the public ones and those that the account is a member of; all with everything.
	Channels(ctx context.Context, account int64, everything bool) ([]Channel, error)
	// Role returns the account's role in the channel, None for strangers.
	Role(ctx context.Context, channel, account int64) (Role, error)
	// Roles returns the account's role in every channel that it is a member of.
	Roles(ctx context.Context, account int64) (map[int64]Role, error)
	// Members lists a channel's members by name.
	Members(ctx context.Context, channel int64) ([]Member, error)
	// SetMember gives the named account a role; fault.NotFound when there is no such account,
	// fault.Conflict when it would leave the channel without an owner.
	SetMember(ctx context.Context, channel int64, name string, r Role, e audit.Event) error
	// RemoveMember takes the named account out, under the same conditions.
	RemoveMember(ctx context.Context, channel int64, name string, e audit.Event) error
}

// Channels is the use cases around channels.
type Channels struct {
	Store Store
	Now   func() time.Time
}

// MaxDescription bounds a channel's description, in bytes.
const MaxDescription = 500

// Create makes a channel that the given account owns. Errors: fault.InvalidField for a name that the
// channel format or this server forbids, fault.Conflict for one that is taken.
func (s *Channels) Create(ctx context.Context, by audit.Actor, owner int64, name string, v Visibility, description string) (Channel, error) {
	n, err := conda.ParseChannel(strings.TrimSpace(name))
	if err != nil {
		return Channel{}, fault.Wrap(err, fault.InvalidField, "%v", err)
	}
	description = strings.TrimSpace(description)
	if err := checkDescription(description); err != nil {
		return Channel{}, err
	}
	c := Channel{Name: n, Visibility: v, Description: description, CreatedAt: s.Now(), CreatedBy: by.Name}
	return s.Store.CreateChannel(ctx, c, owner, audit.Event{
		At: c.CreatedAt, Kind: audit.ChannelCreated, Actor: by, Channel: n.String(), Subject: n.String(),
		Sentence: "made the " + string(v) + " channel " + n.String(), RequestID: audit.Request(ctx),
	})
}
