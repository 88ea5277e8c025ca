package access

import (
	"context"
	"errors"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/trust"
)

// MayRead decides whether p may read ch, its files and its pages. Public channels are open to all,
// whatever credential came. For private ones: fault.Unauthenticated (or the reason why a credential was
// not taken) when nobody is calling, fault.NotPermitted to accounts of this server, fault.NotFound to others.
func (a *Access) MayRead(ctx context.Context, p Principal, ch channel.Channel) error {
	if ch.Visibility == channel.Public {
		return nil
	}
	switch {
	case p.Publish != nil:
		if p.Publish.Covers(ch.ID, trust.Read) != nil {
			return NoChannel(ch.Name.String())
		}
		return nil
	case p.Anonymous():
		return a.nobody(p, "Channel %s is private: send an API token as Bearer, as the password of Basic, or as /t/TOKEN/ in the path.", ch.Name)
	}
	return a.member(ctx, p, ch, channel.Reader, account.Read, "read")
}

// Lister lists, by name, the public channels and those that the account is a member of; all with everything.
type Lister interface {
	Channels(ctx context.Context, account int64, everything bool) ([]channel.Channel, error)
}

// Readable lists the channels that p may read, by name. The store knows what an account may read; the token
// that it came with may be for less.
func (a *Access) Readable(ctx context.Context, p Principal, from Lister) ([]channel.Channel, error) {
	var id int64
	everything := false
	if p.User != nil {
		id, everything = p.User.ID, p.User.Admin
	}
	all, err := from.Channels(ctx, id, everything)
	if err != nil {
		return nil, err
	}
	out := all[:0]
	for _, ch := range all {
		if err := a.MayRead(ctx, p, ch); err == nil {
			out = append(out, ch)
		} else if fault.CodeOf(err) == fault.Internal {
			return nil, err
		}
	}
	return out, nil
}

// Right is a decision that somebody may upload: a publish token, or an account with an API token.
type Right struct {
	// Publish is the publish token; nil for accounts.
	Publish *trust.PublishToken
	// User is the account that uploads, nil for CI runs; APIToken what it came with, nil for a session.
	User     *account.User
	APIToken *account.APIToken

	channelID int64
}

// Actor is who uploads, as the audit log names it.
func (r Right) Actor() audit.Actor {
	return Principal{User: r.User, APIToken: r.APIToken, Publish: r.Publish}.Actor()
}

// Grants returns the grants of the publish token that cover a package of that name and subdir in the channel, the
// one to use first in front, or a refusal. Accounts may publish everything: for them it is one zero grant.
func (r Right) Grants(name string, subdir conda.Subdir) ([]trust.Grant, error) {
	if r.Publish == nil {
		return []trust.Grant{{}}, nil
	}
	return r.Publish.Covering(r.channelID, name, subdir)
}

// MayUpload decides whether p may upload to ch at all. Errors: fault.Unauthenticated or the reason why a
// credential was not taken, fault.WrongChannel for a publish token made for others, fault.NotPermitted for
// accounts without the role or the scope, fault.PublisherOnly for all accounts where the channel says so.
func (a *Access) MayUpload(ctx context.Context, p Principal, ch channel.Channel) (Right, error) {
	switch {
	case p.Publish != nil:
		if err := p.Publish.Covers(ch.ID, trust.Publish); err != nil {
			return Right{}, err
		}
		return Right{Publish: p.Publish, channelID: ch.ID}, nil
	case p.Anonymous():
		return Right{}, a.nobody(p, "An upload needs a token. In a CI job: add this repository and workflow as a trusted publisher of channel %s and give the job `permissions: id-token: write`.", ch.Name)
	case p.APIToken == nil:
		return Right{}, fault.New(fault.NotPermitted, "A browser session cannot upload: use an API token with the scope upload.")
	}
	return a.accountMayUpload(ctx, p, ch)
}

// MayAttest decides whether p may add attestations to artifacts of ch: who may upload them may, by a session as well. A private
// channel is not there for those who are not known, or by a publish token for others.
func (a *Access) MayAttest(ctx context.Context, p Principal, ch channel.Channel) (Right, error) {
	if p.User != nil {
		return a.accountMayUpload(ctx, p, ch)
	}
	right, err := a.MayUpload(ctx, p, ch)
	if err != nil && ch.Visibility == channel.Private && (p.Publish == nil || p.Publish.Covers(ch.ID, trust.Read) != nil) {
		return Right{}, NoChannel(ch.Name.String())
	}
	return right, err
}

func (a *Access) accountMayUpload(ctx context.Context, p Principal, ch channel.Channel) (Right, error) {
	if err := a.member(ctx, p, ch, channel.Maintainer, account.Upload, "upload to"); err != nil {
		return Right{}, err
	}
	if ch.PublisherOnly {
		return Right{}, OnlyPublishers(ch.Name.String())
	}
	return Right{User: p.User, APIToken: p.APIToken, channelID: ch.ID}, nil
}

// MayManage decides whether p may change ch, its members and its publishers.
func (a *Access) MayManage(ctx context.Context, p Principal, ch channel.Channel) error {
	return a.needs(ctx, p, ch, channel.Owner, "manage")
}

// MayCurate decides whether p may yank artifacts of ch, list them in labels and correct their records. To delete them
// takes MayManage.
func (a *Access) MayCurate(ctx context.Context, p Principal, ch channel.Channel) error {
	return a.needs(ctx, p, ch, channel.Maintainer, "curate")
}

// MayAudit decides whether p may read the audit log of ch.
func (a *Access) MayAudit(ctx context.Context, p Principal, ch channel.Channel) error {
	return a.needs(ctx, p, ch, channel.Maintainer, "read the audit log of")
}

func (a *Access) needs(ctx context.Context, p Principal, ch channel.Channel, r channel.Role, what string) error {
	switch {
	case p.Publish != nil:
		return fault.New(fault.NotPermitted, "A publish token only uploads.")
	case p.Anonymous():
		if ch.Visibility == channel.Private {
			return NoChannel(ch.Name.String())
		}
		return a.nobody(p, "Sign in, or send an API token with the scope manage, to %s channel %s.", what, ch.Name)
	}
	return a.member(ctx, p, ch, r, account.Manage, what)
}

// MayAdminister decides whether p may act on the server as a whole.
func (a *Access) MayAdminister(p Principal) error {
	switch {
	case p.Publish != nil:
		return fault.New(fault.NotPermitted, "A publish token only uploads.")
	case p.Anonymous():
		return a.nobody(p, "Sign in as an administrator.")
	case !p.User.Admin:
		return fault.New(fault.NotPermitted, "Only administrators of this server may do this.")
	}
	return unlimited(p)
}

// MaySelf decides whether p may act for its own account: make channels, list and make its tokens.
func (a *Access) MaySelf(p Principal) error {
	switch {
	case p.Publish != nil:
		return fault.New(fault.NotPermitted, "A publish token only uploads.")
	case p.Anonymous():
		return a.nobody(p, "Sign in, or send an API token with the scope manage.")
	}
	return unlimited(p)
}

// Role returns what p is in ch; administrators count as owners everywhere.
func (a *Access) Role(ctx context.Context, p Principal, ch channel.Channel) (channel.Role, error) {
	if p.User == nil {
		return channel.None, nil
	}
	if p.User.Admin {
		return channel.Owner, nil
	}
	return a.Roles.Role(ctx, ch.ID, p.User.ID)
}

// NoChannel is the answer for a channel that is not there, word for word the same as for one that the
// caller may not know of.
func NoChannel(name string) error {
	return fault.New(fault.NotFound, "There is no channel %s here: check the name, or make it first.", name)
}

// OnlyPublishers is the answer to an API token in a channel that takes uploads from trusted publishers alone.
func OnlyPublishers(name string) error {
	return fault.New(fault.PublisherOnly, "Channel %s takes uploads from trusted publishers only, and an API token is none: publish from CI, "+
		"or an owner of the channel lets API tokens upload again.", name)
}

// member decides for accounts: the role in the channel first, then what the token was made for.
func (a *Access) member(ctx context.Context, p Principal, ch channel.Channel, want channel.Role, s account.Scope, what string) error {
	r, err := a.Role(ctx, p, ch)
	if err != nil {
		return err
	}
	if !r.AtLeast(want) {
		return fault.New(fault.NotPermitted, "User %s may not %s channel %s: it takes the role %s. Ask an owner of the channel.", p.User.Name, what, ch.Name, want)
	}
	if t := p.APIToken; t != nil && t.ChannelID != 0 && t.ChannelID != ch.ID {
		return fault.New(fault.NotPermitted, "The API token \"%s\" is limited to channel %s.", t.Name, t.Channel)
	}
	return scope(p, s)
}

// unlimited decides for what belongs to no channel: a token that is limited to one has no say there.
func unlimited(p Principal) error {
	if t := p.APIToken; t != nil && t.ChannelID != 0 {
		return fault.New(fault.NotPermitted, "The API token \"%s\" is limited to channel %s.", t.Name, t.Channel)
	}
	return scope(p, account.Manage)
}

func scope(p Principal, s account.Scope) error {
	if p.APIToken != nil && !p.APIToken.Has(s) {
		return fault.New(fault.NotPermitted, "The API token \"%s\" lacks the scope %s: make one that has it.", p.APIToken.Name, s)
	}
	return nil
}

// nobody is the refusal of a caller that is not known: why its credential was not taken, or what to bring.
func (a *Access) nobody(p Principal, format string, args ...any) error {
	if p.Rejected != nil {
		return p.Rejected
	}
	return fault.New(fault.Unauthenticated, format, args...)
}

func detail(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Detail
	}
	return err.Error()
}
