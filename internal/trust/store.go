package trust

import (
	"context"
	"errors"
	"time"

	"sluice/internal/fault"
	"sluice/internal/token"
	"sluice/internal/trust/provider"
)

// ErrStale is what Store.Mint answers when a publisher changed between the match and the mint. Nothing was
// written; Exchange matches anew.
var ErrStale = errors.New("a publisher changed since it was matched")

// Store is what this room needs of the database. Each method is one transaction.
type Store interface {
	// Candidates returns the publishers of the issuer, in any channel, that c may be a run of, by ascending ID: those
	// whose repository has the key or the pinned id, and those that mean every repository of the owner. Publishers
	// that are switched off or past their end are among them, removed ones are not. At most MaxCandidates.
	Candidates(ctx context.Context, c Candidate) ([]Publisher, error)

	// Mint stores a publish token with its grants and returns its ID. In the same transaction it marks the
	// replay key as spent until ReplayUntil; checks that each grant's publisher still lives, still has the
	// version that was matched, and is pinned to no other ids than the run's; pins the run's ids where there
	// are none, and follows a rename where the ids fit; sets the publishers' last use; notes what is new of the run;
	// and appends the audit events. It answers Reused(…) when the key was spent before, ErrStale when a check fails;
	// either way nothing is written.
	Mint(ctx context.Context, m Mint) (id int64, err error)

	// PublishToken returns the token with that hash, expired and revoked ones too, with Grant.Gone set where
	// the publisher lives no more, is switched off or past its end, or has another version. fault.InvalidToken when there is none.
	PublishToken(ctx context.Context, h token.Hash) (PublishToken, error)

	// LoadKeys returns the last good key set of the issuer and when it was fetched; nil and no error when
	// there is none.
	LoadKeys(ctx context.Context, issuer string) (jwks []byte, fetchedAt time.Time, err error)

	// SaveKeys keeps a good key set. An older fetchedAt than the stored one changes nothing.
	SaveKeys(ctx context.Context, issuer string, jwks []byte, fetchedAt time.Time) error
}

// Candidate is a run as publishers are looked up by.
type Candidate struct {
	Issuer string
	// RepositoryKey and OwnerKey are the names as RepositoryKey gives them.
	RepositoryKey, RepositoryID string
	OwnerKey, OwnerID           string
}

// Refusals is where refused exchanges are remembered.
type Refusals interface {
	// Refused records a refusal. It is called only for tokens whose signature was good, so that nobody can
	// fill the log with forgeries, and once a refusal.
	Refused(ctx context.Context, r Refusal) error
}

// Mint is everything that one successful exchange writes.
type Mint struct {
	// Token is the new publish token, without its ID.
	Token PublishToken
	// ReplayKey is what may be spent once for the issuer Token.Run.Issuer. It begins with "jti:" or "sha256:".
	ReplayKey string
	// ReplayUntil is when the mark may be swept: later than any moment at which the token could pass again.
	ReplayUntil time.Time
	// Audience is the audience that the identity token named.
	Audience string
	// JTI and TokenHash (a prefix of the SHA-256 of the identity token, hexadecimal) find the exchange in the logs.
	JTI, TokenHash string
	// Near are the publishers that were compared, those that grant among them.
	Near []Near
}

// Refusal is one refused exchange of a token with a good signature. It holds no token.
type Refusal struct {
	At time.Time
	// Code, Detail and Differences are what the caller was told.
	Code        fault.Code
	Detail      string
	Differences []fault.Difference
	// Run is what the token said. It may lack everything but Provider and Issuer when its claims could not be read.
	Run Provenance
	// JTI and TokenHash find the exchange in the logs.
	JTI, TokenHash string
	// Near are the publishers whose repository the token proves or claims by name, the nearest first: their
	// channels' owners should see the refusal.
	Near []Near
}

// Near is a publisher that a refused token came near to.
type Near struct {
	PublisherID, ChannelID int64
	// Proven says that the token's repository is the publisher's. When it is not, the names fit and the ids do
	// not: perhaps somebody took the name over.
	Proven bool
	// Points are everything that was compared; empty unless Proven.
	Points []provider.Point
}

// Reused is the refusal of a token that was exchanged before, at the given time by the given run.
func Reused(at time.Time, by Provenance) *fault.Error {
	return refuse(fault.TokenReused, "Token was used before",
		"it was exchanged at "+at.UTC().Format(time.RFC3339)+" by "+cut(by.Byline(), 200),
		"Each exchange needs a fresh token from the CI service: run the job again")
}
