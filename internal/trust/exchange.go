package trust

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"sluice/internal/fault"
	"sluice/internal/token"
)

// Exchange is the use case of trusted publishing: an identity token against a publish token. Safe for
// concurrent use, on any number of servers over one database.
type Exchange struct {
	cfg     Config
	issuers map[string]*issuerKeys
	limits  *limits
	running sync.WaitGroup
}

// NewExchange checks the configuration and takes the issuers' last good keys from the store. It fetches
// nothing: Run does, and the first token of an issuer.
func NewExchange(ctx context.Context, cfg Config) (*Exchange, error) {
	cfg.Life = cmp.Or(cfg.Life, 30*time.Minute)
	cfg.Leeway = max(cmp.Or(cfg.Leeway, time.Minute), 0)
	if err := cfg.check(); err != nil {
		return nil, err
	}
	x := &Exchange{cfg: cfg, issuers: map[string]*issuerKeys{}, limits: newLimits()}
	for _, is := range cfg.Issuers {
		k := &issuerKeys{Issuer: is, fetch: newFetcher(cfg.Transport, is, cfg.Now), store: cfg.Store, log: cfg.Log, now: cfg.Now, running: &x.running}
		if err := k.load(ctx); err != nil {
			return nil, err
		}
		x.issuers[is.URL] = k
	}
	return x, nil
}

// Run fetches the issuers' keys and keeps them fresh until ctx ends. It returns when everything that this
// Exchange started has ended; nothing may be exchanged after that.
func (x *Exchange) Run(ctx context.Context) {
	var loops sync.WaitGroup
	for _, k := range x.issuers {
		loops.Go(func() { k.keepFresh(ctx) })
	}
	loops.Wait()
	x.running.Wait()
}

// Audience is what clients should ask their CI service for.
func (x *Exchange) Audience() string { return x.cfg.Audiences[0] }

// Health says how the keys of each issuer stand, in the order of the configuration.
func (x *Exchange) Health() []IssuerHealth {
	var out []IssuerHealth
	for _, is := range x.cfg.Issuers {
		out = append(out, x.issuers[is.URL].health())
	}
	return out
}

// Exchange verifies an identity token and mints a publish token for the publishers that its run satisfies.
// Every error that is the caller's is a *fault.Error and leaves the identity token unused: a token that was
// refused may come again after the owner mended the publisher. The token that it returns is to be shown to its
// caller only, once.
func (x *Exchange) Exchange(ctx context.Context, idToken string) (token.Token, PublishToken, error) {
	a := &attempt{at: x.cfg.Now().Truncate(time.Microsecond), hash: hashPrefix(idToken)}
	tok, pt, err := x.exchange(ctx, a, idToken)
	if err != nil {
		err = x.limits.refused(ctx, a, err)
		x.noteRefused(ctx, a, err)
		return token.Token{}, PublishToken{}, err
	}
	x.noteGranted(ctx, a, pt)
	return tok, pt, nil
}

// maxMatches bounds how often an exchange matches anew because publishers changed under it.
const maxMatches = 3

func (x *Exchange) exchange(ctx context.Context, a *attempt, idToken string) (token.Token, PublishToken, error) {
	s, err := x.verify(ctx, a, idToken)
	if err != nil {
		return token.Token{}, PublishToken{}, err
	}
	if err := x.limits.admit(a); err != nil {
		return token.Token{}, PublishToken{}, err
	}
	for range maxMatches {
		grants, err := x.match(ctx, a)
		if err != nil {
			return token.Token{}, PublishToken{}, err
		}
		tok, pt, err := x.mint(ctx, a, s, grants)
		if !errors.Is(err, ErrStale) {
			return tok, pt, err
		}
	}
	return token.Token{}, PublishToken{}, refuse(fault.Conflict, "Publishers are changing",
		"those of "+shown(a.run.Repository)+" were changed while the token was checked", "Run the job again")
}

// verify proves who speaks. What is cheap and offline comes first: nothing is fetched for a token that cannot be
// valid, and nothing unproven goes further than the log.
func (x *Exchange) verify(ctx context.Context, a *attempt, idToken string) (stated, error) {
	t, err := parseToken(idToken)
	if err != nil {
		return stated{}, err
	}
	a.claim(t)
	k, ok := x.issuers[t.issuer]
	if !ok {
		return stated{}, x.unknownIssuer(t.issuer)
	}
	if err := t.checkHeader(k.Issuer); err != nil {
		return stated{}, err
	}
	s, err := x.checkStated(t, k, a.at)
	if err != nil {
		// The refusal stands. Whether a real run was refused, the keys at hand can say; it is worth no fetch.
		if keys, age := k.known(t.keyID, t.alg); age < hardAge && verifySignature(t, keys) {
			_ = a.prove(t, k)
		}
		return s, err
	}
	keys, err := k.find(ctx, t.keyID, t.alg)
	if err != nil {
		return s, err
	}
	if !verifySignature(t, keys) {
		return s, badSignature(k)
	}
	return s, a.prove(t, k)
}

func badSignature(k *issuerKeys) error {
	return refuse(fault.BadSignature, "Signature does not fit", "the token was not signed by "+k.URL+", or was altered on its way",
		"Send a fresh token straight from the CI service")
}

// mint makes the token and writes everything down, or nothing.
func (x *Exchange) mint(ctx context.Context, a *attempt, s stated, grants []Grant) (token.Token, PublishToken, error) {
	tok := token.New(token.Publish)
	pt := PublishToken{Hash: tok.Hash(), CreatedAt: a.at, ExpiresAt: a.at.Add(x.cfg.Life), Run: a.run, Grants: grants}
	id, err := x.cfg.Store.Mint(ctx, Mint{
		Token: pt, ReplayKey: s.replayKey,
		// A minute later than any clock within the leeway could still take the token.
		ReplayUntil: s.expires.Add(x.cfg.Leeway + time.Minute),
		Audience:    s.audience, JTI: a.jti, TokenHash: a.hash, Near: a.near,
	})
	if err != nil {
		return token.Token{}, PublishToken{}, err
	}
	pt.ID = id
	return tok, pt, nil
}
