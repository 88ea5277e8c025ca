package trust

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"sluice/internal/fault"
)

// attempt is one exchange under way: what the log and the audit will say of it.
type attempt struct {
	at time.Time
	// hash is a prefix of the identity token's hash, jti its id, claimed the issuer that it names: unproven.
	hash, jti, claimed string
	// issuer is set once the signature was good, and run and near can be only then.
	issuer *issuerKeys
	run    Provenance
	near   []Near
}

// claim notes what a token says of itself.
func (a *attempt) claim(t *idToken) {
	a.claimed = t.issuer
	a.jti, _ = t.claims["jti"].(string)
}

// prove takes the run out of a token whose signature was good.
func (a *attempt) prove(t *idToken, k *issuerKeys) error {
	a.issuer = k
	run, err := k.Provider.Read(t.claims)
	run.Issuer = k.URL
	a.run = run
	return err
}

// noteGranted writes the one line of a successful exchange.
func (x *Exchange) noteGranted(ctx context.Context, a *attempt, pt PublishToken) {
	publishers := make([]int64, len(pt.Grants))
	for i, g := range pt.Grants {
		publishers[i] = g.PublisherID
	}
	x.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "publish token minted", append(a.attrs(),
		slog.Int64("publish_token", pt.ID), slog.Any("publishers", publishers))...)
}

// noteRefused writes the one line of a refused exchange and, where the token was genuine, has it remembered for
// the owners whom it concerns. An error that is no refusal is for whoever answers. That a refusal could not be
// recorded does not change it.
func (x *Exchange) noteRefused(ctx context.Context, a *attempt, err error) {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return
	}
	if f.Code == fault.RateLimited {
		x.noteLimited(ctx, a, f)
		return
	}
	attrs := append(a.attrs(), slog.String("code", string(f.Code)), slog.String("detail", f.Detail))
	if cause := f.Unwrap(); cause != nil {
		attrs = append(attrs, slog.Any("cause", cause))
	}
	x.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "publish token refused", attrs...)
	if a.issuer == nil {
		return
	}
	if err := x.record(ctx, a, f); err != nil {
		x.cfg.Log.LogAttrs(ctx, slog.LevelError, "refusal not recorded", slog.String("token_hash", a.hash), slog.Any("cause", err))
	}
}

// record keeps the refusal of a genuine token.
func (x *Exchange) record(ctx context.Context, a *attempt, f *fault.Error) error {
	if a.near == nil && a.run.Repository != "" {
		cs, err := x.compare(ctx, a) // refused before any publisher was looked at
		if err != nil {
			return err
		}
		a.near = near(cs)
	}
	return x.cfg.Refusals.Refused(ctx, Refusal{
		At: a.at, Code: f.Code, Detail: f.Detail, Differences: f.Differences,
		Run: a.run, JTI: cut(a.jti, 256), TokenHash: a.hash, Near: a.near,
	})
}

// attrs say in the log which token it was and, once that is proven, which run. Values come from outside: they
// are put on one line.
func (a *attempt) attrs() []slog.Attr {
	out := []slog.Attr{slog.String("token_hash", a.hash), slog.String("jti", cut(a.jti, shownLen)), slog.String("issuer", cut(a.claimed, shownLen))}
	if a.issuer == nil {
		return append(out, slog.Bool("proven", false))
	}
	r := a.run
	return append(out, slog.String("repository", cut(r.Repository, shownLen)), slog.String("repository_id", r.RepositoryID),
		slog.String("workflow_ref", cut(r.WorkflowRef, 200)), slog.String("ref", cut(r.Ref, shownLen)), slog.String("event", cut(r.Event, shownLen)),
		slog.String("environment", cut(r.Environment, shownLen)), slog.String("run_id", r.RunID), slog.String("run_attempt", r.RunAttempt))
}
