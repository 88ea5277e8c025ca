// Package account holds people's accounts and what they sign in with: passwords, sessions, API tokens,
// and the one-time link that makes the first account. It answers who is calling; it must not know what
// anybody may do where (that is access), and it never keeps a secret that it could hash.
package account

import (
	"context"
	"regexp"
	"time"

	"sluice/internal/audit"
	"sluice/internal/fault"
	"sluice/internal/token"
)

// User is a person's account.
type User struct {
	ID   int64
	Name string
	// Admin users may do everything on this server.
	Admin     bool
	CreatedAt time.Time
	// DisabledAt is zero while the account is in use.
	DisabledAt time.Time
}

// Session is a signed-in browser.
type Session struct {
	Hash      token.Hash
	UserID    int64
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Store keeps accounts. One method is one transaction.
type Store interface {
	// CreateUser stores u with its password hash and returns it with its ID; a name that is taken is
	// fault.Conflict. A setup hash that is not zero is consumed with it: fault.InvalidToken when that link
	// is unknown or was used, fault.Conflict when an account exists already.
	CreateUser(ctx context.Context, u User, password string, setup token.Hash, e audit.Event) (User, error)
	// UserByName returns the account and its password hash; fault.NotFound when there is none.
	UserByName(ctx context.Context, name string) (User, string, error)
	// Users lists all accounts by name.
	Users(ctx context.Context) ([]User, error)
	// SetPassword replaces the password hash of the named account and ends its sessions; fault.NotFound when
	// there is no such account.
	SetPassword(ctx context.Context, name, password string, e audit.Event) error
	// SetDisabled shuts an account, or opens it again with the zero time. A shut one cannot sign in, its
	// sessions end, and its API tokens are not taken. fault.NotFound when there is no such account.
	SetDisabled(ctx context.Context, name string, at time.Time, e audit.Event) error
	// HasUsers reports whether any account exists.
	HasUsers(ctx context.Context) (bool, error)
	// SaveSetup keeps the hash of a new setup link in place of all earlier ones.
	SaveSetup(ctx context.Context, h token.Hash, at time.Time) error
	// SetupAlive reports whether a setup link can still be used: it is the last one made, and there is no account.
	SetupAlive(ctx context.Context, h token.Hash) (bool, error)
	// SaveSession keeps a session.
	SaveSession(ctx context.Context, s Session, e audit.Event) error
	// EndSession forgets a session; an unknown one is no error.
	EndSession(ctx context.Context, h token.Hash) error
}

// SessionLife is how long a browser stays signed in.
const SessionLife = 14 * 24 * time.Hour

// Accounts is the use cases around accounts.
type Accounts struct {
	Store  Store
	Tokens TokenStore
	// Addresses keeps where people get mail.
	Addresses AddressStore
	Log       audit.Log
	Now       func() time.Time
	// Passwords hashes and compares; NewPasswords bounds how many run at once.
	Passwords *Passwords
}

var nameRule = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,37}[a-z0-9])?$`)

// CheckName refuses account names that would be hard to read or to type, with fault.InvalidField.
func CheckName(s string) error {
	if !nameRule.MatchString(s) {
		return fault.New(fault.InvalidField, "user name %q: use 1 to 39 lower-case letters, digits and inner dashes", s)
	}
	return nil
}

// Create makes an account. An empty password makes one that cannot sign in with a password, only use
// tokens made for it. setup, when not zero, is the one-time link that allows the first account.
func (a *Accounts) Create(ctx context.Context, by audit.Actor, name, password string, admin bool, setup token.Token) (User, error) {
	if err := CheckName(name); err != nil {
		return User{}, err
	}
	hashed := ""
	if password != "" || !setup.IsZero() {
		var err error
		if hashed, err = a.Passwords.Hash(ctx, password); err != nil {
			return User{}, err
		}
	}
	var link token.Hash
	if !setup.IsZero() {
		link = setup.Hash()
	}
	u := User{Name: name, Admin: admin, CreatedAt: a.Now()}
	sentence := "made the account " + name
	if admin {
		sentence += ", an administrator"
	}
	return a.Store.CreateUser(ctx, u, hashed, link, audit.Event{
		At: u.CreatedAt, Kind: audit.AccountCreated, Actor: by, Subject: name, Sentence: sentence, RequestID: audit.Request(ctx),
	})
}

// SetPassword gives the named account a new password and signs it out everywhere.
func (a *Accounts) SetPassword(ctx context.Context, by audit.Actor, name, password string) error {
	hashed, err := a.Passwords.Hash(ctx, password)
	if err != nil {
		return err
	}
	return a.Store.SetPassword(ctx, name, hashed, a.changed(ctx, by, name, "set a new password of "+name))
}

// SetDisabled shuts the named account, or opens it again.
func (a *Accounts) SetDisabled(ctx context.Context, by audit.Actor, name string, disabled bool) error {
	at, what := time.Time{}, "opened the account "+name+" again"
	if disabled {
		at, what = a.Now(), "shut the account "+name
	}
	return a.Store.SetDisabled(ctx, name, at, a.changed(ctx, by, name, what))
}

func (a *Accounts) changed(ctx context.Context, by audit.Actor, name, what string) audit.Event {
	return audit.Event{At: a.Now(), Kind: audit.AccountChanged, Actor: by, Subject: name, Sentence: what, RequestID: audit.Request(ctx)}
}

// SetupLink makes a new one-time secret for the first account, ends all earlier ones, and returns it.
// It returns the zero token when an account exists: then there is nothing to set up.
func (a *Accounts) SetupLink(ctx context.Context) (token.Token, error) {
	has, err := a.Store.HasUsers(ctx)
	if err != nil || has {
		return token.Token{}, err
	}
	t := token.New(token.Setup)
	return t, a.Store.SaveSetup(ctx, t.Hash(), a.Now())
}

// SignIn compares a password and opens a session. Unknown names, disabled accounts and wrong passwords
// give the same answer, fault.WrongCredentials, after the same work.
func (a *Accounts) SignIn(ctx context.Context, name, password string) (User, token.Token, error) {
	u, hashed, err := a.Store.UserByName(ctx, name)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return User{}, token.Token{}, err
	}
	ok, perr := a.Passwords.Matches(ctx, hashed, password)
	if perr != nil {
		return User{}, token.Token{}, perr
	}
	if err != nil || !ok || !u.DisabledAt.IsZero() {
		return User{}, token.Token{}, a.refuseSignIn(ctx, name)
	}
	t, err := a.OpenSession(ctx, u)
	return u, t, err
}

func (a *Accounts) refuseSignIn(ctx context.Context, name string) error {
	shown := fault.OneLine(name, 60)
	err := a.Log.Append(ctx, audit.Event{
		At: a.Now(), Kind: audit.SignInRefused, Actor: audit.Actor{Kind: audit.Anonymous}, Subject: shown,
		Code: string(fault.WrongCredentials), Sentence: "sign-in as " + shown + " refused: name and password do not fit", RequestID: audit.Request(ctx),
	})
	if err != nil {
		return err
	}
	return fault.New(fault.WrongCredentials, "Name and password do not fit.")
}

// OpenSession signs u in and returns the secret of its cookie.
func (a *Accounts) OpenSession(ctx context.Context, u User) (token.Token, error) {
	t := token.New(token.Session)
	now := a.Now()
	return t, a.Store.SaveSession(ctx, Session{Hash: t.Hash(), UserID: u.ID, CreatedAt: now, ExpiresAt: now.Add(SessionLife)}, audit.Event{
		At: now, Kind: audit.SignedIn, Actor: audit.Actor{Kind: audit.User, Name: u.Name, Means: "password"}, Subject: u.Name,
		Sentence: "signed in", RequestID: audit.Request(ctx),
	})
}
