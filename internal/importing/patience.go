package importing

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// FirstPause is how long a source is left alone after something failed that may pass by itself. The next pauses are
// each twice as long.
const FirstPause = time.Second / 2

// How often something is tried, and the longest pause, even where the source asks for more.
const (
	tries        = 6
	longestPause = time.Minute
)

// patiently tries until do succeeds, fails for good, or has failed often enough.
func patiently(ctx context.Context, first time.Duration, do func() error) error {
	for try := 0; ; try++ {
		err := do()
		passing, ok := errors.AsType[*TransientError](err)
		if !ok || try == tries-1 {
			return err
		}
		pause := max(first<<try, passing.After)
		pause += rand.N(pause/2 + 1) //nolint:gosec // so that many do not come back at once; nothing to guess
		select {
		case <-time.After(min(pause, longestPause)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
