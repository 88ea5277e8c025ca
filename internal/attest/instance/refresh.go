package instance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"math/rand/v2"
	"time"

	"sluice/internal/attest"
)

const (
	// tick is how often files are looked at, and the database for what other servers have found.
	tick = time.Minute
	// askEvery is how often a repository is asked, and retryAfter when it is asked again that did not answer.
	askEvery   = 24 * time.Hour
	retryAfter = 15 * time.Minute
	// jitter spreads those of many servers.
	jitter = 5 * time.Minute
	// askTime bounds one update of a repository in the background, demandTime one that an upload waits for.
	askTime    = time.Minute
	demandTime = 10 * time.Second
	// demandEvery bounds what uploads can have fetched.
	demandEvery = time.Minute
)

// Run looks for newer roots until ctx ends: in the repositories at once and then daily, in files and in the database every
// minute.
func (k *Instances) Run(ctx context.Context) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		k.Refresh(ctx)
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// Refresh looks for newer roots once: in repositories that are to be asked again, in files and in the database. How it went
// says Health.
func (k *Instances) Refresh(ctx context.Context) {
	k.refreshing.Lock()
	defer k.refreshing.Unlock()
	k.refresh(ctx, askTime, func(cur *current) bool { return cur.due(k.Now()) })
}

// onDemand looks for newer roots because an attestation names a log or an authority that nobody knows: once a minute in
// all. Those who come while it does wait for it.
func (k *Instances) onDemand(ctx context.Context) {
	k.refreshing.Lock()
	defer k.refreshing.Unlock()
	now := k.Now()
	if !k.askedAt.IsZero() && now.Sub(k.askedAt) < demandEvery {
		return
	}
	k.askedAt = now
	k.refresh(ctx, demandTime, func(cur *current) bool { return cur.Repository != nil })
}

// refresh brings every instance up to date, and asks those repositories which ask says. Its caller holds k.refreshing.
func (k *Instances) refresh(ctx context.Context, within time.Duration, ask func(*current) bool) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for _, cur := range k.all {
		var err error
		switch {
		case cur.File != "":
			if !cur.fileChanged() {
				continue
			}
			err = k.reread(ctx, cur)
		case ask(cur):
			err = k.ask(ctx, cur)
		default:
			if err = k.follow(ctx, cur); err == nil {
				continue // whether the repository answers is not known by that
			}
		}
		if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) {
			return // the server stops: that is nobody's failure
		}
		k.note(ctx, cur, err)
	}
}

// reread takes the file's new state.
func (k *Instances) reread(ctx context.Context, cur *current) error {
	r, err := cur.read()
	if err != nil {
		return err
	}
	if r.SHA256 = sha256.Sum256(r.JSON); cur.is(r) {
		return nil
	}
	if r, err = k.use(ctx, r); err != nil {
		cur.file = fileState{} // to be tried again
		return err
	}
	return k.adopt(ctx, cur, r)
}

// follow takes what another server has found at the repository.
func (k *Instances) follow(ctx context.Context, cur *current) error {
	if cur.Repository == nil {
		return nil
	}
	told, err := k.Store.Told(ctx, cur.Repository.URL)
	if err != nil {
		return err
	}
	cur.checked(told)
	r, err := k.Store.RootInUse(ctx, cur.Name)
	if err != nil || r.Source != FromTUF || cur.is(r) {
		return err
	}
	return k.adopt(ctx, cur, r)
}

// ask asks the repository, keeps what it told, and puts its root to use.
func (k *Instances) ask(ctx context.Context, cur *current) error {
	cur.next(k.Now().Add(retryAfter + rand.N(jitter))) //nolint:gosec // it spreads load
	had, err := k.Store.Told(ctx, cur.Repository.URL)
	if err != nil {
		return err
	}
	root, next, err := cur.Repository.ask(ctx, k.client, k.Dir, had)
	var r *Root
	if err == nil {
		next.CheckedAt = k.Now()
		r = &Root{Instance: cur.Name, JSON: root, Source: FromTUF, UsedAt: next.CheckedAt}
		if _, err = attest.NewProfile(cur.Name, root); err != nil {
			r = nil // it was signed, and is of no use
		}
	}
	if err != nil && maps.EqualFunc(next.Metadata, had.Metadata, bytes.Equal) {
		return err
	}
	// The time may be over; what was verified is kept nevertheless.
	if _, errSave := k.Store.SaveTold(context.WithoutCancel(ctx), cur.Repository.URL, next, r); err != nil || errSave != nil {
		return errors.Join(err, errSave)
	}
	cur.next(k.Now().Add(askEvery + rand.N(jitter))) //nolint:gosec // see above
	return k.follow(ctx, cur)                        // what was kept: perhaps another server was faster
}

// Health tells how the instances stand, in the order of the settings.
func (k *Instances) Health() (out []Health) {
	now := k.Now()
	for _, cur := range k.all {
		out = append(out, cur.health(now))
	}
	return out
}
