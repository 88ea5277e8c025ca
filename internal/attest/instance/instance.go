// Package instance keeps the trusted roots of the configured instances of sigstore current while a server runs: the
// embedded one, what a TUF repository says, and files that are read again when they change. Each root that is used is
// remembered: in the database, where other servers find it, or in a folder. It must not know of uploads, channels or
// stored attestations, nor how bundles are checked.
package instance

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"sluice/internal/attest"
)

// Kind says where a root came from. It is stored.
type Kind string

// The kinds.
const (
	// FromProgram: the program carries it.
	FromProgram Kind = "program"
	// FromTUF: the repository of the instance has it, signed.
	FromTUF Kind = "tuf"
	// FromFile: the operator gave a file.
	FromFile Kind = "file"
)

// Source is an instance of sigstore as it is configured. One of File, Start and Repository is set, or both of the latter.
type Source struct {
	// Name is what verdicts call the instance.
	Name string
	// File is its trusted_root.json, which is read again when it changes.
	File string
	// Start is the root that counts until the repository has told a newer one; nil: there is none.
	Start []byte
	// Repository is where the newest root is to be had; nil: nowhere.
	Repository *Repository
}

// Root is a trusted root that an instance has, or had.
type Root struct {
	Instance string
	// Number counts the roots of the instance from 1. One that comes back after another has a number of its own.
	Number int
	SHA256 [32]byte
	// JSON is the trusted_root.json, byte for byte. Lists leave it out.
	JSON   []byte
	Source Kind
	// UsedAt is since when it was the root in use, ReplacedAt until when: zero for the one that is in use.
	UsedAt, ReplacedAt time.Time
}

// Store keeps roots. One method is one transaction.
type Store interface {
	// RootInUse returns the root that an instance had last; the zero value where it never had one.
	RootInUse(ctx context.Context, instance string) (Root, error)
	// UseRoot makes r, of which Instance, JSON, Source and UsedAt count, the root in use of its instance, and has the
	// attestations that others have judged looked at again. Where its bytes are in use already it changes nothing. It returns
	// the root in use.
	UseRoot(ctx context.Context, r Root) (Root, error)
	// Told returns what a repository has told last; the zero value for nothing.
	Told(ctx context.Context, address string) (Told, error)
	// SaveTold keeps what a repository told, and makes r, unless it is nil, the root in use as UseRoot does. It reports false,
	// and changes nothing, where another server saved after t.Version was read.
	SaveTold(ctx context.Context, address string, t Told, r *Root) (bool, error)
}

// Config is what Instances are made of. All fields but Fixed are required.
type Config struct {
	Sources []Source
	// Fixed are instances beside them whose roots stay as they are, and are not remembered.
	Fixed []*attest.Profile
	Store Store
	// Dir is a folder that is nobody else's: it is there while a repository is asked, and emptied before and after.
	Dir string
	Log *slog.Logger
	Now func() time.Time
}

// Instances are the instances of a server. Use New.
type Instances struct {
	Config
	// Checker checks by the newest roots.
	Checker *attest.Checker

	client  *http.Client
	all     []*current
	changed chan struct{}

	refreshing sync.Mutex // held while roots are fetched, so that one who comes meanwhile finds them there
	askedAt    time.Time  // when an upload last had them fetched
}

// New reads files and the database, and fetches nothing. An instance begins with the root that was used last, or with the one
// that it starts with; where neither is there, it refuses attestations with fault.NoTrustRoot until Run has fetched one.
// A file that cannot be read is an error, unless its last good state is known.
func New(ctx context.Context, c Config) (*Instances, error) {
	k := &Instances{Config: c, client: newClient(), changed: make(chan struct{}, 1)}
	var profiles []*attest.Profile
	for _, s := range c.Sources {
		cur := &current{Source: s}
		k.all = append(k.all, cur)
		p, err := k.begin(ctx, cur)
		if err != nil {
			return nil, fmt.Errorf("sigstore instance %s: %w", s.Name, err)
		}
		profiles = append(profiles, p)
	}
	// What an upload has fetched is for all: it must not end with the request.
	forAll := context.WithoutCancel(ctx)
	k.Checker = attest.NewRenewing(func() { k.onDemand(forAll) }, append(profiles, c.Fixed...)...)
	return k, nil
}

// begin finds the root that an instance begins with.
func (k *Instances) begin(ctx context.Context, cur *current) (*attest.Profile, error) {
	last, err := k.Store.RootInUse(ctx, cur.Name)
	if err != nil {
		return nil, err
	}
	if cur.Repository != nil {
		told, err := k.Store.Told(ctx, cur.Repository.URL)
		if err != nil {
			return nil, err
		}
		cur.checked(told)
	}
	r, err := cur.start(last)
	if err != nil {
		if last.JSON == nil {
			return nil, err
		}
		k.note(ctx, cur, err)
		r = last
	}
	if r.JSON == nil {
		return attest.AwaitedProfile(cur.Name), nil
	}
	p, err := attest.NewProfile(cur.Name, r.JSON)
	if err != nil {
		return nil, err
	}
	if r, err = k.use(ctx, r); err != nil {
		return nil, err
	}
	cur.have(r)
	return p, nil
}

// use records a root as the one in use.
func (k *Instances) use(ctx context.Context, r Root) (Root, error) {
	r.UsedAt = k.Now()
	return k.Store.UseRoot(ctx, r)
}

// adopt puts a recorded root to use: every bundle that is checked from here on is checked by it.
func (k *Instances) adopt(ctx context.Context, cur *current, r Root) error {
	p, err := attest.NewProfile(cur.Name, r.JSON)
	if err != nil {
		return err
	}
	k.Checker.Replace(p)
	cur.have(r)
	k.Log.LogAttrs(ctx, slog.LevelInfo, "trusted root changed", slog.String("instance", cur.Name), slog.String("sha256", p.Root()), slog.String("source", string(r.Source)))
	select {
	case k.changed <- struct{}{}:
	default: // whoever waits for it has not looked yet
	}
	return nil
}

// Changed gets a value after a root was replaced.
func (k *Instances) Changed() <-chan struct{} { return k.changed }

// note remembers how the last look for a newer root ended, and logs it when that is news.
func (k *Instances) note(ctx context.Context, cur *current, err error) {
	level := slog.LevelWarn
	if cur.File != "" {
		level = slog.LevelError // somebody has just changed the file
	}
	switch was := cur.failed(err); {
	case err != nil && was == nil:
		k.Log.LogAttrs(ctx, level, "trusted root not refreshed, the last good one counts", slog.String("instance", cur.Name), slog.Any("cause", err))
	case err != nil:
		k.Log.LogAttrs(ctx, slog.LevelDebug, "trusted root still not refreshed", slog.String("instance", cur.Name), slog.Any("cause", err))
	case was != nil:
		k.Log.LogAttrs(ctx, slog.LevelInfo, "trusted root refreshed again", slog.String("instance", cur.Name))
	}
}
