// Package revoke ends tokens on the word of whoever holds one: a job that is done with its publish token, and
// anybody who found a token where none should be. To hold a token is the whole proof, for a holder could do worse
// with it. It must not know of HTTP or SQL, nor what a token is good for, and it tells nobody whether a token
// lived: it answers the same for one that nobody ever made.
package revoke

import (
	"context"
	"fmt"
	"time"

	"sluice/internal/fault"
	"sluice/internal/limit"
	"sluice/internal/token"
)

// Held is a token that somebody holds, as it is looked up.
type Held struct {
	Kind token.Kind
	Hash token.Hash
}

// Ending is why tokens end.
type Ending struct {
	At time.Time
	// Why is told to those who send the token afterwards, and to its owner, as the end of "it was revoked: ".
	Why string
	// Found says that somebody found it, whose name nobody asks; otherwise the run that it was made for did it.
	Found bool
}

// Store ends tokens.
type Store interface {
	// EndTokens ends those of the tokens that are here, in one transaction, and tells in the audit log those whom
	// each concerns: the channels that a publish token covers; for an API token the channel that it is limited to,
	// or its account and the channels that it could upload to. What is unknown, or was revoked before, is no error.
	EndTokens(ctx context.Context, held []Held, e Ending) error
}

// Revocations is the use case. Safe for concurrent use.
type Revocations struct {
	store          Store
	now            func() time.Time
	addresses, all *limit.Buckets
}

// Bounds of reports of found tokens: so many at once, and then one in each span, by each process for itself. A
// report costs a hundred reads of an index at most, some 2 ms, so this keeps them to a tenth of one core. It is wide,
// for behind a proxy all clients have its address, and a thief would gain by keeping others from reporting; owners
// can revoke their tokens without any report.
const (
	perAddress, everyAddress = 100, 100 * time.Millisecond
	inAll, everyAll          = 500, 20 * time.Millisecond
)

// MaxFound is how many tokens one report may hold.
const MaxFound = 100

// New makes the use case.
func New(s Store, now func() time.Time) *Revocations {
	return &Revocations{store: s, now: now, addresses: limit.New(perAddress, everyAddress), all: limit.New(inAll, everyAll)}
}

// Done ends a publish token because its holder is done with it. Whether it was known is not told.
// fault.InvalidToken when the string is not in the form of a publish token, which needs no server to see.
func (r *Revocations) Done(ctx context.Context, bearer string) error {
	t, err := token.Parse(bearer)
	if err != nil {
		return fault.Wrap(err, fault.InvalidToken, "Nothing was ended: %v.", err)
	}
	if t.Kind() != token.Publish {
		return fault.New(fault.InvalidToken, "Nothing was ended: only a publish token ends here, and this is a %s… token. Revoke an API token on the page of your tokens.", t.Kind())
	}
	return r.store.EndTokens(ctx, []Held{{t.Kind(), t.Hash()}}, Ending{At: r.now(), Why: "its own job was done with it and ended it"})
}

// Found ends whatever tokens somebody found; address is where the report comes from. For each string it answers
// nil when it is in the form of a token of ours and now, if it ever was one, is none any more; otherwise what is
// wrong with its form. fault.RateLimited with a limit.WaitError when too many reports come, fault.BadRequest for one
// without tokens or with more than MaxFound.
func (r *Revocations) Found(ctx context.Context, address string, found []string) ([]error, error) {
	if len(found) == 0 || len(found) > MaxFound {
		return nil, fault.New(fault.BadRequest, "A report holds 1 to %d tokens, this one %d: send the rest in further reports.", MaxFound, len(found))
	}
	if err := r.take(limit.Address(address)); err != nil {
		return nil, err
	}
	problems := make([]error, len(found))
	var held []Held
	for i, s := range found {
		t, err := token.Parse(s)
		if problems[i] = err; err == nil {
			held = append(held, Held{t.Kind(), t.Hash()})
		}
	}
	if held == nil {
		return problems, nil
	}
	err := r.store.EndTokens(ctx, held, Ending{At: r.now(), Why: "somebody found it where it should not be, and reported it", Found: true})
	if err != nil {
		return nil, fmt.Errorf("end found tokens: %w", err)
	}
	return problems, nil
}

func (r *Revocations) take(address string) error {
	wait, giveBack := r.addresses.Take(address, r.now())
	if wait == 0 {
		if wait, _ = r.all.Take("", r.now()); wait > 0 {
			giveBack()
		}
	}
	if wait == 0 {
		return nil
	}
	w := limit.WaitError(wait)
	return fault.Wrap(w, fault.RateLimited, "Too many reports come at once: put up to %d tokens into one, and send it in %d s.", MaxFound, w.Seconds())
}
