// Package access answers one question: may this principal do this here? It finds the principal that a
// credential stands for and weighs it against a channel. It must not know of HTTP, and it changes nothing.
package access

import (
	"context"
	"time"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/fault"
	"sluice/internal/token"
	"sluice/internal/trust"
)

// Principal is who is calling. The zero value is anonymous.
type Principal struct {
	// User is the account behind a session or an API token; nil for everybody else.
	User *account.User
	// APIToken is the token that User came with; nil for a session.
	APIToken *account.APIToken
	// Publish is the publish token of a CI run; nil for people.
	Publish *trust.PublishToken
	// Rejected is why the credential that came was not taken; the caller then counts as anonymous. It
	// matters only where a credential is needed: clients send theirs to every channel of a host.
	Rejected *fault.Error
}

// Anonymous reports whether nobody is known to be calling.
func (p Principal) Anonymous() bool { return p.User == nil && p.Publish == nil }

// Actor is p as the audit log names it.
func (p Principal) Actor() audit.Actor {
	switch {
	case p.Publish != nil:
		return audit.Actor{Kind: audit.Publisher, Name: p.Publish.Run.Repository, Means: p.Publish.Run.Byline()}
	case p.APIToken != nil:
		return audit.Actor{Kind: audit.User, Name: p.User.Name, Means: "API token \"" + p.APIToken.Name + "\""}
	case p.User != nil:
		return audit.Actor{Kind: audit.User, Name: p.User.Name, Means: "session"}
	default:
		return audit.Actor{Kind: audit.Anonymous}
	}
}

// Roles tells what an account is in a channel.
type Roles interface {
	Role(ctx context.Context, channel, account int64) (channel.Role, error)
}

// Sessions finds the user of a session.
type Sessions interface {
	// Session returns the user of a live session; fault.InvalidToken when it is unknown or ended, or when the
	// account is disabled.
	Session(ctx context.Context, h token.Hash, now time.Time) (account.User, error)
}

// APITokens finds API tokens.
type APITokens interface {
	APIToken(ctx context.Context, h token.Hash) (account.APIToken, account.User, error)
	TouchAPIToken(ctx context.Context, id int64, at time.Time) error
}

// Keys knows the API tokens that could upload.
type Keys interface {
	// UploadKeys counts the live API tokens that may upload to the channel: they have the scope upload, are not
	// limited to another channel, and belong to a maintainer or owner of it, or to an administrator. None may where
	// the channel takes uploads from trusted publishers only.
	UploadKeys(ctx context.Context, channel int64, now time.Time) (int, error)
	// UploadTokens lists those tokens, newest first, also where the channel takes none of them: they would count
	// again as soon as it does.
	UploadTokens(ctx context.Context, channel int64, now time.Time, limit int) ([]account.APIToken, error)
}

// PublishTokens finds publish tokens.
type PublishTokens interface {
	PublishToken(ctx context.Context, h token.Hash) (trust.PublishToken, error)
}

// Access decides.
type Access struct {
	Roles     Roles
	Sessions  Sessions
	API       APITokens
	Publishes PublishTokens
	Keys      Keys
	Now       func() time.Time
}

// touchEvery is how far behind the last use of an API token may be: a write a minute, not one a request.
const touchEvery = time.Minute

// Bearer finds the principal of a bearer string, as it came in a header, a password or a path. A string
// that is no live token gives an anonymous principal that says why in Rejected; err is for failures of ours.
func (a *Access) Bearer(ctx context.Context, s string) (Principal, error) {
	t, err := token.Parse(s)
	if err != nil {
		return rejected(Principal{}, fault.Wrap(err, fault.InvalidToken, "The token was not taken: %v. If this is a CI job, check that it has `permissions: id-token: write`, and that no stored key (PREFIX_API_KEY) is set.", err))
	}
	var p Principal
	switch t.Kind() {
	case token.API:
		p, err = a.apiToken(ctx, t)
	case token.Publish:
		p, err = a.publishToken(ctx, t)
	default:
		err = fault.New(fault.InvalidToken, "A %s… token is not taken here.", t.Kind())
	}
	return rejected(p, err)
}

// Cookie finds the principal of a session's cookie, under the same conditions as Bearer.
func (a *Access) Cookie(ctx context.Context, s string) (Principal, error) {
	t, err := token.Parse(s)
	if err != nil || t.Kind() != token.Session {
		return rejected(Principal{}, fault.Wrap(err, fault.InvalidToken, "This session is unknown: sign in again."))
	}
	u, err := a.Sessions.Session(ctx, t.Hash(), a.Now())
	if err != nil {
		return rejected(Principal{}, err)
	}
	return Principal{User: &u}, nil
}

func rejected(p Principal, err error) (Principal, error) {
	if err == nil {
		return p, nil
	}
	code := fault.CodeOf(err)
	if code == fault.InvalidToken || code == fault.Expired || code == fault.Revoked {
		f := fault.Wrap(err, code, "%s", detail(err))
		return Principal{Rejected: f}, nil
	}
	return Principal{}, err
}

func (a *Access) apiToken(ctx context.Context, t token.Token) (Principal, error) {
	kept, u, err := a.API.APIToken(ctx, t.Hash())
	if err != nil {
		return Principal{}, err
	}
	now := a.Now()
	name := "API token \"" + kept.Name + "\" (" + t.String() + ")"
	switch {
	case !kept.RevokedAt.IsZero():
		return Principal{}, fault.New(fault.Revoked, "The %s was revoked on %s%s.", name, day(kept.RevokedAt), because(kept.RevokedWhy))
	case !now.Before(kept.ExpiresAt):
		return Principal{}, fault.New(fault.Expired, "The %s ended on %s: make a new one, or use trusted publishing, which needs none.", name, day(kept.ExpiresAt))
	case !u.DisabledAt.IsZero():
		return Principal{}, fault.New(fault.Revoked, "The account of %s is disabled.", name)
	}
	if now.Sub(kept.LastUsedAt) >= touchEvery {
		if err := a.API.TouchAPIToken(ctx, kept.ID, now); err != nil {
			return Principal{}, err
		}
	}
	return Principal{User: &u, APIToken: &kept}, nil
}

func (a *Access) publishToken(ctx context.Context, t token.Token) (Principal, error) {
	kept, err := a.Publishes.PublishToken(ctx, t.Hash())
	if err != nil {
		return Principal{}, err
	}
	if err := kept.Check(a.Now()); err != nil {
		return Principal{}, err
	}
	return Principal{Publish: &kept}, nil
}

// because adds a reason to a sentence, where there is one.
func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

func day(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") }
