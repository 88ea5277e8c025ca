package page

import "time"

// SignInView is the page on which people sign in.
type SignInView struct {
	// Name is what was sent as the name.
	Name string
	// Error is why nobody was signed in, the same for unknown names and wrong passwords.
	Error string
	// Next is the path to go to afterwards; the handler has checked that it is on this server.
	Next string
	// NoAccounts says that nobody can sign in yet.
	NoAccounts bool
}

// SetupState says which of its faces the setup page shows.
type SetupState int

// The faces of the setup page. The zero value shows no form: the first visitor must not become administrator.
const (
	// SetupLocked: the address has no secret, or one that is unknown or was used.
	SetupLocked SetupState = iota
	// SetupOpen: the address has the secret of the one-time link.
	SetupOpen
	// SetupDone: there is an account already.
	SetupDone
)

// SetupView is the page that makes the first account.
type SetupView struct {
	State SetupState
	// Secret is that of the one-time link; the form sends it back.
	Secret string
	Name   Field
	// Password is never filled in again; only its error is shown.
	Password Field
	// Error is why no account was made, where no field is to blame.
	Error string
}

// NewChannelView is the form for a new channel.
type NewChannelView struct {
	Name, Description Field
	Private           bool
	Error             string
}

// TokensView is the page of one's own API tokens: which keys of mine exist, and are they needed?
type TokensView struct {
	// User is the name of the reader, Admin says that he or she may do everything here.
	User  string
	Admin bool
	// Tokens are all, newest first, ended and revoked ones too.
	Tokens []APIToken
	// Made is a token made by this very request; its answer must not be kept by any cache.
	Made *MadeToken
	Form TokenForm
	// Channels are the names of the channels that a token can be limited to.
	Channels []string
	// Owned is the name of a channel that the reader may add a trusted publisher to; empty for none.
	Owned string
	// Mail is the reader's own mail address. Mails says that this server sends any.
	Mail  Field
	Mails bool
}

// MadeToken is shown once.
type MadeToken struct {
	ID, Name string
	// Secret is the bearer string.
	Secret string
}

// APIToken is a key in the list. Of the key itself only a hint is kept.
type APIToken struct {
	ID, Name string
	// Hint is the beginning of the token: "sluice-api-7Qm2".
	Hint string
	// May says what it is for in words: "read", "read and publish".
	May string
	// Channel limits it; empty for every channel that its owner may use.
	Channel string
	// CreatedAt, LastUsed, Ends and Revoked are times; LastUsed and Revoked are zero before it happened.
	CreatedAt, LastUsed, Ends, Revoked time.Time
	// RevokedWhy is the reason, when somebody else than its owner revoked it.
	RevokedWhy string
}

// TokenForm is the form for a new token. May is one of "read", "read,upload", "read,upload,manage"; Days is
// one of "7", "30", "90", "365"; Channel is a name, or empty for all.
type TokenForm struct {
	Name, May, Channel, Days Field
	Error                    string
}

// RevokeTokenView asks whether to revoke a token.
type RevokeTokenView struct {
	Token APIToken
}

// live reports whether the token can still be used.
func (t APIToken) live(now time.Time) bool { return t.Revoked.IsZero() && now.Before(t.Ends) }

// Spans after which a token's row asks for a look.
const (
	soon   = 14 * 24 * time.Hour
	unused = 90 * 24 * time.Hour
)

// hint is the chip beside a token's name: what its owner should look at.
func (t APIToken) hint(now time.Time) (tone, string) {
	used := t.LastUsed
	if used.IsZero() {
		used = t.CreatedAt
	}
	switch {
	case !t.live(now):
		return quiet, ""
	case t.Ends.Sub(now) < soon:
		return look, "ends soon"
	case now.Sub(used) > unused:
		return look, "unused"
	}
	return quiet, ""
}

// ends is the last column: a date, or how it ended.
func (t APIToken) ends(now time.Time) string {
	switch {
	case !t.Revoked.IsZero():
		if t.RevokedWhy != "" {
			return "revoked " + day(t.Revoked) + ": " + show(t.RevokedWhy)
		}
		return "revoked " + day(t.Revoked)
	case !now.Before(t.Ends):
		return "ended " + day(t.Ends)
	case t.Ends.Sub(now) < soon:
		return "in " + left(t.Ends.Sub(now))
	}
	return day(t.Ends)
}

// left is how much of a short life is left, in days to the nearest: a token made for a week has 7 of them.
func left(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return count(int64(d.Round(24*time.Hour)/(24*time.Hour)), "day")
	case d >= 2*time.Hour:
		return count(int64(d/time.Hour), "hour")
	}
	return count(max(int64(d/time.Minute), 1), "minute")
}

func (t APIToken) reach() string {
	if t.Channel == "" {
		return "every channel that you can use"
	}
	return show(t.Channel)
}

// asksMail reports whether the page has a form for the mail address: where no mails are sent, only to remove it.
func (v TokensView) asksMail() bool { return v.Mails || v.Mail.Value != "" || v.Mail.Error != "" }

// mailHelp says what the address is for.
func (v TokensView) mailHelp() string {
	if !v.Mails {
		return "This server sends no mails. Empty removes the address."
	}
	return "For mails about the publishers of channels that you own. Only you and administrators see it. Empty stops them."
}

func (v TokensView) usable(now time.Time) int {
	n := 0
	for _, t := range v.Tokens {
		if t.live(now) {
			n++
		}
	}
	return n
}

func (v TokensView) channelChoices() []Choice {
	list := []Choice{{"", "Every channel that you can use"}}
	for _, c := range v.Channels {
		list = append(list, Choice{c, c})
	}
	return list
}

func mayChoices() []Choice {
	return []Choice{{"read", "read"}, {"read,upload", "read and publish"}, {"read,upload,manage", "read, publish and manage"}}
}

func dayChoices() []Choice {
	return []Choice{{"7", "7 days"}, {"30", "30 days"}, {"90", "90 days"}, {"365", "365 days"}}
}

// days is the chosen life, 90 days when nothing was sent.
func (f TokenForm) days() Field {
	if f.Days.Value == "" {
		f.Days.Value = "90"
	}
	return f.Days
}

// ended is when the token ended or will end.
func (t APIToken) ended() time.Time {
	if !t.Revoked.IsZero() {
		return t.Revoked
	}
	return t.Ends
}

// instead points at what needs no token.
func (v TokensView) instead() []span {
	s := []span{words(" A trusted publisher needs no token, and shows which run published what.")}
	if v.Owned != "" {
		s = append(s, words(" "), span{text: "Add one to " + show(v.Owned), url: PublishersPath(v.Owned)})
	}
	return s
}

// lastUse is a sentence about when the token was used.
func (t APIToken) lastUse(now time.Time) string {
	if t.LastUsed.IsZero() {
		return "It was never used."
	}
	return "It was last used " + ago(t.LastUsed, now) + "."
}

func (v TokensView) person() string {
	if v.Admin {
		return show(v.User) + ", administrator"
	}
	return show(v.User)
}
