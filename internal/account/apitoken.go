package account

import (
	"context"
	"slices"
	"strings"
	"time"

	"sluice/internal/audit"
	"sluice/internal/fault"
	"sluice/internal/token"
)

// Scope is one thing that an API token may be used for. A token never does more than its owner may.
type Scope string

// The scopes of API tokens.
const (
	// Read reads private channels.
	Read Scope = "read"
	// Upload publishes packages.
	Upload Scope = "upload"
	// Manage changes channels, members, publishers and tokens, and reads audit logs.
	Manage Scope = "manage"
)

// ParseScopes takes scopes separated by commas or blanks. None given means Read. Its error is fault.InvalidField.
func ParseScopes(s string) ([]Scope, error) {
	var out []Scope
	for f := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == ' ' }) {
		scope := Scope(f)
		if scope != Read && scope != Upload && scope != Manage {
			return nil, fault.New(fault.InvalidField, "scope %q is unknown: use read, upload or manage", f)
		}
		if !slices.Contains(out, scope) {
			out = append(out, scope)
		}
	}
	if out == nil {
		return []Scope{Read}, nil
	}
	slices.Sort(out)
	return out, nil
}

// Bounds of an API token's life.
const (
	DefaultTokenLife = 90 * 24 * time.Hour
	MaxTokenLife     = 365 * 24 * time.Hour
)

// MaxTokenName bounds the name of a token, in bytes.
const MaxTokenName = 80

// APIToken is a person's or a robot's long-lived bearer token, as it is kept: the string itself is not.
type APIToken struct {
	ID     int64
	Hash   token.Hash
	Hint   string
	UserID int64
	// User is the name of the account that it belongs to.
	User string
	// Name is what its owner calls it.
	Name   string
	Scopes []Scope
	// ChannelID limits it to one channel; 0 leaves it to the owner's rights.
	ChannelID int64
	// Channel is that channel's name.
	Channel    string
	CreatedAt  time.Time
	ExpiresAt  time.Time
	LastUsedAt time.Time
	RevokedAt  time.Time
	// RevokedWhy ends "it was revoked: "; empty when its owner did it.
	RevokedWhy string
}

// Has reports whether t has the scope s.
func (t APIToken) Has(s Scope) bool { return slices.Contains(t.Scopes, s) }

// TokenStore keeps API tokens. One method is one transaction.
type TokenStore interface {
	// CreateAPIToken stores t and returns it with its ID.
	CreateAPIToken(ctx context.Context, t APIToken, e audit.Event) (APIToken, error)
	// APIToken returns a token with its user, whatever its state; fault.InvalidToken when it is unknown.
	APIToken(ctx context.Context, h token.Hash) (APIToken, User, error)
	// APITokens lists an account's tokens, newest first, ended and revoked ones too.
	APITokens(ctx context.Context, user int64) ([]APIToken, error)
	// RevokeAPIToken ends a token of the account; fault.NotFound when the account has none of that ID.
	RevokeAPIToken(ctx context.Context, user, id int64, at time.Time, e audit.Event) error
	// RevokeAllOf ends all live tokens of the named account, and with sessions its sessions; it returns how many of
	// each. fault.NotFound when there is no such account.
	RevokeAllOf(ctx context.Context, name string, sessions bool, e audit.Event) (tokens, ended int64, err error)
	// TouchAPIToken notes that a token was used; the store may be up to a minute behind.
	TouchAPIToken(ctx context.Context, id int64, at time.Time) error
}

// NewToken is what a caller asks for when making an API token.
type NewToken struct {
	Name      string
	Scopes    []Scope
	ChannelID int64
	Channel   string
	// Life is how long it lives; 0 means DefaultTokenLife, at most MaxTokenLife.
	Life time.Duration
}

// CreateToken makes an API token for u. The returned bearer string is shown once and never again.
func (a *Accounts) CreateToken(ctx context.Context, by audit.Actor, u User, n NewToken) (token.Token, APIToken, error) {
	n.Name = strings.TrimSpace(n.Name)
	if n.Name == "" || len(n.Name) > MaxTokenName || fault.OneLine(n.Name, MaxTokenName) != n.Name {
		return token.Token{}, APIToken{}, fault.New(fault.InvalidField, "A token needs a name of 1 to %d printable bytes, so that you know it again.", MaxTokenName)
	}
	if n.Life == 0 {
		n.Life = DefaultTokenLife
	}
	if n.Life < time.Minute || n.Life > MaxTokenLife {
		return token.Token{}, APIToken{}, fault.New(fault.InvalidField, "A token lives between a minute and %d days.", int(MaxTokenLife.Hours()/24))
	}
	if len(n.Scopes) == 0 {
		n.Scopes = []Scope{Read}
	}
	t, now := token.New(token.API), a.Now()
	kept := APIToken{
		Hash: t.Hash(), Hint: t.Hint(), UserID: u.ID, User: u.Name, Name: n.Name, Scopes: n.Scopes,
		ChannelID: n.ChannelID, Channel: n.Channel, CreatedAt: now, ExpiresAt: now.Add(n.Life),
	}
	kept, err := a.Tokens.CreateAPIToken(ctx, kept, audit.Event{
		At: now, Kind: audit.APITokenCreated, Actor: by, ChannelID: n.ChannelID, Channel: n.Channel, Subject: u.Name + "/" + n.Name,
		Sentence:  "made the API token \"" + n.Name + "\" of " + u.Name + " (" + joinScopes(n.Scopes) + "), which ends on " + kept.ExpiresAt.UTC().Format("2 Jan 2006"),
		RequestID: audit.Request(ctx),
	})
	return t, kept, err
}

// RevokeToken ends one of u's tokens at once.
func (a *Accounts) RevokeToken(ctx context.Context, by audit.Actor, u User, id int64) error {
	now := a.Now()
	return a.Tokens.RevokeAPIToken(ctx, u.ID, id, now, audit.Event{
		At: now, Kind: audit.APITokenRevoked, Actor: by, Subject: u.Name, RequestID: audit.Request(ctx),
	})
}

// RevokeAll ends all live tokens of the named account at once, and with sessions signs it out everywhere. It
// returns how many of each ended.
func (a *Accounts) RevokeAll(ctx context.Context, by audit.Actor, name string, sessions bool) (tokens, ended int64, err error) {
	return a.Tokens.RevokeAllOf(ctx, name, sessions, audit.Event{
		At: a.Now(), Kind: audit.APITokenRevoked, Actor: by, Subject: name, RequestID: audit.Request(ctx),
	})
}

func joinScopes(s []Scope) string {
	var b strings.Builder
	for i, scope := range s {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(scope))
	}
	return b.String()
}
