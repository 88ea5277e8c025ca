package trust

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"sluice/internal/fault"
	"sluice/internal/limit"
)

// Bounds of the exchange: so many at once, and then one in each span. They are kept by each process for itself.
const (
	// A push may start 256 jobs, the most that a matrix of GitHub has, and each of them exchanges once. 120 a
	// minute beyond that is more than any forge needs, and little for a database.
	exchangesAtOnce, exchangeEvery = 256, 500 * time.Millisecond
	// A refusal of a genuine token is written into the audit log of every channel that it came near to. The first
	// hundred of a repository tell its owners all there is to tell; then some 3000 a day can come in, no more.
	refusalsAtOnce, refusalEvery = 100, 30 * time.Second
	// What proves nothing costs a check of a signature, some 40 µs, and a line in the log. Behind a proxy all clients
	// have its address, so this is wide; and it refuses only what would be refused anyway.
	unprovenAtOnce, unprovenEvery       = 200, time.Second
	allUnprovenAtOnce, allUnprovenEvery = 2000, 50 * time.Millisecond
	// The log has the first floods of a minute, and each flood every ten seconds.
	linesAtOnce, lineEvery = 10, 10 * time.Second
)

// limits keep a flood from the audit log, the server's log and the database. They come after the signature, for
// only then it is known who speaks: a limit at the door would let anybody who sends garbage shut out everybody
// else who comes from the same address, and one by what a token merely says, a whole repository.
type limits struct {
	exchanges, refusals, unproven, allUnproven, lines *limit.Buckets
}

func newLimits() *limits {
	return &limits{
		exchanges: limit.New(exchangesAtOnce, exchangeEvery), refusals: limit.New(refusalsAtOnce, refusalEvery),
		unproven: limit.New(unprovenAtOnce, unprovenEvery), allUnproven: limit.New(allUnprovenAtOnce, allUnprovenEvery),
		lines: limit.New(linesAtOnce, lineEvery),
	}
}

type clientKey struct{}

// WithClient returns a context that carries the address that an exchange comes from, without port, for the limit
// on unproven tokens. Without one only the limit over all addresses holds.
func WithClient(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, clientKey{}, limit.Address(address))
}

// repository is what the limits of proven runs go by: the repository, not the address, for the runners of a CI
// service share theirs.
func (a *attempt) repository() string { return a.issuer.URL + " " + a.run.RepositoryID }

// admit counts an exchange of a token whose signature was good, before the database is asked anything.
func (l *limits) admit(a *attempt) error {
	wait, _ := l.exchanges.Take(a.repository(), a.at)
	if wait == 0 {
		return nil
	}
	return tooMany(wait, "Too many exchanges", fmt.Sprintf("%s may exchange %d tokens at once, and %d a minute after that",
		shown(a.run.Repository), exchangesAtOnce, time.Minute/exchangeEvery))
}

// refused counts a refusal and returns it, or, where too many came before it, the refusal of that.
func (l *limits) refused(ctx context.Context, a *attempt, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Code == fault.RateLimited || f.Code == fault.IssuerUnavailable { // the last is not the caller's fault
		return err
	}
	if a.issuer == nil {
		return l.refusedUnproven(ctx, a, err)
	}
	if wait, _ := l.refusals.Take(a.repository(), a.at); wait > 0 {
		return tooMany(wait, "Too many refused exchanges", fmt.Sprintf("%d tokens of %s were refused, this one for %s; the owners can read why in the audit log",
			refusalsAtOnce, shown(a.run.Repository), f.Code))
	}
	return err
}

func (l *limits) refusedUnproven(ctx context.Context, a *attempt, err error) error {
	giveBack := func() {}
	if from, _ := ctx.Value(clientKey{}).(string); from != "" {
		var wait time.Duration
		if wait, giveBack = l.unproven.Take(from, a.at); wait > 0 {
			return tooMany(wait, "Too many unusable tokens", "they come from your address, and this one was refused, too")
		}
	}
	if wait, _ := l.allUnproven.Take("", a.at); wait > 0 {
		giveBack()
		return tooMany(wait, "Too many unusable tokens", "they come from many addresses, and this one was refused, too")
	}
	return err
}

// tooMany is a refusal that says when to come again.
func tooMany(wait time.Duration, what, why string) error {
	w := limit.WaitError(wait)
	f := refuse(fault.RateLimited, what, why, fmt.Sprintf("Mend what the refusals before this one name, and try again in %d s", w.Seconds()))
	return fault.Wrap(w, f.Code, "%s", f.Detail)
}

// noteLimited writes a sample of what the limits refused.
func (x *Exchange) noteLimited(ctx context.Context, a *attempt, f *fault.Error) {
	if wait, _ := x.limits.lines.Take("", a.at); wait == 0 {
		x.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "exchanges are being limited; not each of them is logged", append(a.attrs(), slog.String("detail", f.Detail))...)
	}
}
