package attest

import (
	"runtime"
	"slices"
	"sync/atomic"

	"sluice/internal/fault"
)

// Checker checks bundles by the profiles that are switched on. It is safe for use by several goroutines, and its profiles
// may be replaced while it is used. It verifies as many bundles at once as there are cores; the others wait. Use NewChecker
// or NewRenewing.
type Checker struct {
	live *live
	only []string // names of the profiles that are asked; none: all
}

// live is what a checker shares with those that Only makes of it.
type live struct {
	profiles atomic.Pointer[[]*Profile]
	renew    func() // nil: there is nothing newer to be had
	cores    chan struct{}
}

// NewChecker makes a Checker. The first profile that a bundle passes gives the verdict; what one instance vouches for is
// never joined with what another does.
func NewChecker(profiles ...*Profile) *Checker { return NewRenewing(nil, profiles...) }

// NewRenewing is NewChecker with a way to newer roots. When no profile knows the log or the authority of a bundle, renew is
// called, which may Replace profiles; if it did, the bundle is tried once more. renew says itself how often it does something,
// and how long that may take.
func NewRenewing(renew func(), profiles ...*Profile) *Checker {
	l := &live{renew: renew, cores: make(chan struct{}, runtime.GOMAXPROCS(0))}
	l.profiles.Store(&profiles)
	return &Checker{live: l}
}

// Only is a Checker of those profiles that are named, as they are whenever it is used; of all of them where no name is given.
func (c *Checker) Only(names ...string) *Checker {
	return &Checker{live: c.live, only: names}
}

// Replace puts a profile in the place of the one with its name. It must not be called by several goroutines at once.
func (c *Checker) Replace(p *Profile) {
	list := slices.Clone(*c.live.profiles.Load())
	for i, old := range list {
		if old.Name == p.Name {
			list[i] = p
		}
	}
	c.live.profiles.Store(&list)
}

// verified has the library verify a bundle, once more where somebody has found newer roots.
func (c *Checker) verified(raw []byte, s Subject) (*Profile, witness, error) {
	profiles := c.live.profiles.Load()
	p, w, failure := c.try(*profiles, raw, s)
	if failure != nil && c.live.renew != nil && (RootDecides(failure.Code) || failure.Code == fault.NoTrustRoot) {
		c.live.renew()
		if newer := c.live.profiles.Load(); newer != profiles {
			p, w, failure = c.try(*newer, raw, s)
		}
	}
	if failure != nil {
		return nil, witness{}, failure
	}
	return p, w, nil
}

// try runs the library, by each profile until one is content. Of several failures that of the profile is told which got
// furthest.
func (c *Checker) try(profiles []*Profile, raw []byte, s Subject) (*Profile, witness, *fault.Error) {
	var furthest *fault.Error
	for _, p := range profiles {
		if len(c.only) > 0 && !slices.Contains(c.only, p.Name) {
			continue
		}
		w, failure := c.ask(p, raw, s.SHA256)
		if failure == nil {
			return p, w, nil
		}
		if furthest == nil || stage(failure.Code) > stage(furthest.Code) {
			furthest = failure
		}
	}
	if furthest == nil {
		furthest = fault.New(fault.CertificateUntrusted, "This channel trusts no sigstore instance, so that no attestation can be checked: upload without one, or ask the operator.")
	}
	return nil, witness{}, furthest
}

// ask has one profile verify a bundle on a core of its own.
func (c *Checker) ask(p *Profile, raw []byte, sum [32]byte) (witness, *fault.Error) {
	c.live.cores <- struct{}{}
	defer func() { <-c.live.cores }()
	return p.verify(raw, sum)
}

// Stands asks one profile, which need not be among those of the checker, whether a bundle that was accepted for the bytes with
// that digest would pass by it. Nil: it would. Else the refusal; only where RootDecides does it say something of the root.
func (c *Checker) Stands(p *Profile, raw []byte, sum [32]byte) *fault.Error {
	_, failure := c.ask(p, raw, sum)
	return failure
}

// RootDecides reports whether a bundle that was refused with this code might pass by another trusted root.
func RootDecides(code fault.Code) bool {
	switch code {
	case fault.LogUnknown, fault.LogInvalid, fault.TimeUnproven, fault.CertificateUntrusted, fault.SCTMissing:
		return true
	default:
		return false
	}
}
