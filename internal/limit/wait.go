package limit

import (
	"math"
	"time"
)

// WaitError is the cause of a refusal that time alone mends: how long to wait. Whoever answers reads it there.
type WaitError time.Duration

// Error says how long.
func (w WaitError) Error() string { return "too often: wait " + time.Duration(w).String() }

// Seconds is the wait in whole seconds, at least 1, as Retry-After has it (RFC 9110, section 10.2.3).
func (w WaitError) Seconds() int { return max(1, int(math.Ceil(time.Duration(w).Seconds()))) }
