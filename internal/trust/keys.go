package trust

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sluice/internal/fault"
)

const (
	// softAge is how old keys may be before they are fetched anew in the background.
	softAge = 15 * time.Minute
	// hardAge is how old keys may be at all: so long an issuer may be away, and so long a withdrawn key lives.
	hardAge = 24 * time.Hour
	// fetchEvery bounds the fetches of one issuer. It counts tries, not successes: a broken issuer must not be
	// asked once a bad token.
	fetchEvery = time.Minute
	// noticeableSkew is how far two clocks may differ before a refusal mentions it.
	noticeableSkew = 30 * time.Second
)

// issuerKeys is an issuer with its keys.
type issuerKeys struct {
	Issuer
	fetch fetcher
	store Store
	log   *slog.Logger
	now   func() time.Time
	// running counts the fetches under way, for whoever stops the server.
	running *sync.WaitGroup

	mu        sync.Mutex // guards what follows; never held while something is fetched or stored
	keys      []publicKey
	fetchedAt time.Time // when keys were fetched; zero when there are none
	triedAt   time.Time // when the last fetch began
	lastErr   error     // how the last fetch ended
	skew      time.Duration
	flight    chan struct{} // closed at the end of the fetch under way; nil when there is none
	file      keyFile       // the state of JWKSFile that was read last
}

// load takes the last good set from the database, so that a restart while the issuer is away still works. A key file
// is read at once: what it does not have counts no more.
func (k *issuerKeys) load(ctx context.Context) error {
	if k.JWKSFile != "" {
		return k.loadFile()
	}
	jwks, at, err := k.store.LoadKeys(ctx, k.URL)
	if err != nil {
		return fmt.Errorf("load keys of %s: %w", k.URL, err)
	}
	if len(jwks) == 0 {
		return nil
	}
	keys, _, err := parseKeys(jwks)
	if err != nil {
		k.log.LogAttrs(ctx, slog.LevelWarn, "stored keys cannot be read", slog.String("issuer", k.URL), slog.Any("cause", err))
		return nil
	}
	k.keys, k.fetchedAt = keys, at
	return nil
}

// find returns the keys that may have signed a token with that header. It refuses with fault.UnknownKey when the
// issuer publishes none, and with fault.IssuerUnavailable when that could not be learnt.
func (k *issuerKeys) find(ctx context.Context, kid, alg string) ([]publicKey, error) {
	if k.fileChanged() {
		if err := k.await(ctx, k.refresh(ctx)); err != nil {
			return nil, err
		}
	}
	keys, age := k.known(kid, alg)
	if len(keys) > 0 && age < hardAge {
		if age >= softAge {
			k.refresh(ctx)
		}
		return keys, nil
	}
	if err := k.await(ctx, k.refresh(ctx)); err != nil {
		return nil, err
	}
	keys, age = k.known(kid, alg)
	switch err := k.lastError(); {
	case age < hardAge && len(keys) > 0:
		return keys, nil
	case age >= hardAge || err != nil:
		return nil, fault.Wrap(err, fault.IssuerUnavailable, "Keys of the issuer cannot be loaded [%s]: %s does not answer as it should. "+
			"Try again in a minute; nothing was used up. The server's log has the detail.", fault.IssuerUnavailable, k.URL)
	}
	return nil, refuse(fault.UnknownKey, "Key is not known", "token is signed with key "+shown(kid)+", which "+k.URL+" does not publish",
		"Send a fresh token straight from the CI service")
}

// await waits for the end of a fetch; nil is none.
func (k *issuerKeys) await(ctx context.Context, flight <-chan struct{}) error {
	if flight == nil {
		return nil
	}
	select {
	case <-flight:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for keys of %s: %w", k.URL, context.Cause(ctx))
	}
}

// known returns the fitting keys of the set and the set's age, hardAge and more when there is no set.
func (k *issuerKeys) known(kid, alg string) ([]publicKey, time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fetchedAt.IsZero() {
		return nil, hardAge
	}
	var fitting []publicKey
	for _, key := range k.keys {
		if key.fits(kid, alg) {
			fitting = append(fitting, key)
		}
	}
	return fitting, k.now().Sub(k.fetchedAt)
}

func (k *issuerKeys) lastError() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lastErr
}

// refresh begins a fetch unless one is under way or was begun within fetchEvery. It returns the end of the fetch
// under way, nil when there is none.
func (k *issuerKeys) refresh(ctx context.Context) <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if k.flight != nil || !k.triedAt.IsZero() && now.Sub(k.triedAt) < fetchEvery {
		return k.flight
	}
	k.triedAt = now
	k.flight = make(chan struct{})
	// The caller who happens to come first may go away; the others still wait. fetchTimeout ends it.
	k.running.Go(func() { k.renew(context.WithoutCancel(ctx)) })
	return k.flight
}

// renew fetches, keeps and stores the issuer's keys, and wakes who waits.
func (k *issuerKeys) renew(ctx context.Context) {
	got, err := k.fetch.keysOf(ctx, k.Issuer)
	k.settle(got, err)
	if err != nil {
		k.log.LogAttrs(ctx, slog.LevelWarn, "issuer keys not fetched", slog.String("issuer", k.URL), slog.Any("cause", err))
		return
	}
	for _, why := range got.skipped {
		k.log.LogAttrs(ctx, slog.LevelWarn, "issuer key skipped", slog.String("issuer", k.URL), slog.Any("cause", why))
	}
	if k.JWKSFile != "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	if err := k.store.SaveKeys(ctx, k.URL, got.jwks, k.now()); err != nil {
		k.log.LogAttrs(ctx, slog.LevelError, "issuer keys not stored", slog.String("issuer", k.URL), slog.Any("cause", err))
	}
}

// settle ends the flight with its outcome. A failure leaves the old keys.
func (k *issuerKeys) settle(got fetched, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lastErr, k.file = err, got.file
	if got.hasSkew {
		k.skew = got.skew
	}
	if err == nil {
		k.keys, k.fetchedAt = got.keys, k.now()
	}
	close(k.flight)
	k.flight = nil
}

// clockNote says in half a sentence that this server's clock is off, or nothing.
func (k *issuerKeys) clockNote() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.skew.Abs() < noticeableSkew {
		return ""
	}
	return "; this server's clock differs from that of " + k.URL + " by " + span(k.skew)
}

// keepFresh renews the keys whenever they reach softAge, until ctx ends.
func (k *issuerKeys) keepFresh(ctx context.Context) {
	tick := time.NewTicker(fetchEvery)
	defer tick.Stop()
	for {
		if h := k.health(); k.fileChanged() || k.now().Sub(h.FetchedAt) >= softAge {
			k.refresh(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// IssuerHealth is what there is to say about an issuer's keys.
type IssuerHealth struct {
	// URL is the issuer.
	URL string
	// Keys is the number of usable keys, FetchedAt when they were fetched: zero when never.
	Keys      int
	FetchedAt time.Time
	// Usable says that tokens of this issuer can be checked now.
	Usable bool
	// LastError is how the last fetch failed, or "". It is for operators only.
	LastError string
	// Skew is the issuer's clock minus this server's, as last seen.
	Skew time.Duration
}

func (k *issuerKeys) health() IssuerHealth {
	k.mu.Lock()
	defer k.mu.Unlock()
	h := IssuerHealth{URL: k.URL, Keys: len(k.keys), FetchedAt: k.fetchedAt, Skew: k.skew}
	h.Usable = h.Keys > 0 && k.now().Sub(k.fetchedAt) < hardAge
	if k.lastErr != nil {
		h.LastError = k.lastErr.Error()
	}
	return h
}
