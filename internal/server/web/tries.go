package web

import (
	"time"

	"sluice/internal/limit"
)

// tries holds back those who guess passwords: each name and each address may be tried a few times at once, and
// then slowly. Only wrong passwords count.
type tries struct{ names, addresses *limit.Buckets }

// Bounds of sign-in. Many people may share one address, a proxy's for example; a name belongs to one.
const (
	perName, everyName       = 10, 30 * time.Second
	perAddress, everyAddress = 50, 2 * time.Second
)

func newTries() *tries {
	return &tries{names: limit.New(perName, everyName), addresses: limit.New(perAddress, everyAddress)}
}

// take asks for one try. It returns how long to wait instead when there is none left, and otherwise a function
// that gives the try back.
func (t *tries) take(address, name string, now time.Time) (wait time.Duration, giveBack func()) {
	wait, returnAddress := t.addresses.Take(limit.Address(address), now)
	if wait > 0 {
		return wait, nil
	}
	wait, returnName := t.names.Take(name, now)
	if wait > 0 {
		returnAddress()
		return wait, nil
	}
	return 0, func() {
		returnName()
		returnAddress()
	}
}
