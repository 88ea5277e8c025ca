package trust

import (
	"fmt"
	"time"
)

// endNotice is how long before its end the owners are told of a publisher's end.
const endNotice = 14 * 24 * time.Hour

// Ending is when and why a publisher is off by itself.
type Ending struct {
	At time.Time
	// Notice is from when its owners should know.
	Notice time.Time
	// Idle says that it is for want of use; else it is the end that its owner gave it.
	Idle bool
}

// Ends is the end that comes first if nobody uses or changes the publisher.
func (p Publisher) Ends() Ending {
	at, span := p.idle()
	if !p.ExpiresAt.IsZero() && !p.ExpiresAt.After(at) {
		return Ending{At: p.ExpiresAt, Notice: p.ExpiresAt.Add(-endNotice)}
	}
	// Half the span at most: who publishes every night is not told so every night.
	return Ending{At: at, Notice: at.Add(-min(endNotice, span/2)), Idle: true}
}

// Before is the sentence that announces the end of the publisher with that number, and what keeps it on.
func (e Ending) Before(id int64) string {
	if e.Idle {
		return fmt.Sprintf("publisher %d will be switched off on %s, because nobody uses it: one run before then keeps it on, or an owner who switches it on anew", id, day(e.At))
	}
	return fmt.Sprintf("publisher %d will end on %s, as its owner set it: another end keeps it on", id, day(e.At))
}

// After is the sentence that says that the end is reached, and what puts the publisher on again.
func (e Ending) After(id int64) string {
	if e.Idle {
		return fmt.Sprintf("publisher %d was switched off on %s, because nobody used it: an owner switches it on again, or removes it", id, day(e.At))
	}
	return fmt.Sprintf("publisher %d ended on %s, as its owner set it: an owner gives it another end, or removes it", id, day(e.At))
}
