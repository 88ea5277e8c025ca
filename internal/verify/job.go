package verify

import (
	"context"

	"sluice/internal/channel"
	"sluice/internal/check"
)

// Verify implements check.Verifier.
func (o *Own) Verify(ctx context.Context, ch channel.Channel, quick bool, hand func(check.Looked)) error {
	return o.Channel(ctx, ch, Selection{Quick: quick}, func(r Report) error {
		l := check.Looked{Attested: r.Verdict == OK}
		for _, f := range r.Failures {
			l.Wrong = append(l.Wrong, check.Wrong{Subdir: r.Subdir, File: r.File, Code: f.Code, Detail: f.Detail})
		}
		hand(l)
		return nil
	})
}
