// Package mail tells people what happened to what is theirs: it says which events are told to whom, how a mail
// about them reads, and gets it out by SMTP. Events come from an outbox that is filled in the transactions that
// write them. It must not know how decisions are made, of SQL, or which pages a server has: it is handed their
// addresses.
package mail

import (
	"context"
	"time"

	"sluice/internal/audit"
	"sluice/internal/mail/address"
)

// Bounds of what one account is sent.
const (
	// MaxPerHour is how many mails an account gets in an hour. What comes beyond waits and goes into the next.
	MaxPerHour = 20
	// MaxEntries is how many events a mail tells; of the others it tells the number.
	MaxEntries = 20
	// OnceIn is the time in which of events with the same Telling.Once one is told.
	OnceIn = 24 * time.Hour
	// GiveUp is the age at which an event is not told any more when a try has failed.
	GiveUp = 72 * time.Hour
	// Keep is how long an event waits where no mails are sent at all.
	Keep = 7 * 24 * time.Hour
)

// Letter is what one account is told at once.
type Letter struct {
	// Claim is a name that no other letter has. It holds no secret.
	Claim string
	// Account is the name of the account, To its address.
	Account string
	To      address.Address
	// Events are at least one and at most MaxEntries, oldest first; More is the number of those beyond.
	Events []audit.Event
	More   int
	// Tries is how often this was tried before.
	Tries int
}

// Outbox keeps what is to be told. One method is one transaction. Several servers may share one.
type Outbox interface {
	// ClaimLetter takes everything that is due for one account, so that nobody else takes it before the given
	// time. It is false when nothing is due: an account that had MaxPerHour letters in the last hour waits. What
	// an account may not know any more, because it is shut, has no address or does not own the channel, is forgotten.
	ClaimLetter(ctx context.Context, until time.Time) (Letter, bool, error)
	// LetterSent notes that a claimed letter left.
	LetterSent(ctx context.Context, claim string) error
	// LetterFailed lets a claimed letter be due again at next, and forgets what in it is older than GiveUp. It returns
	// how many events that were.
	LetterFailed(ctx context.Context, claim, why string, next time.Time) (forgotten int64, err error)
}
