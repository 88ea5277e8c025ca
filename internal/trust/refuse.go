package trust

import (
	"fmt"
	"strings"
	"time"

	"sluice/internal/fault"
)

// shownLen bounds one claim inside a sentence, so that a long one cannot push the fix out of it.
const shownLen = 90

// refuse makes the one form of all refusals of this room: what [code]: got against want. Do.
func refuse(code fault.Code, what, why, do string) *fault.Error {
	return fault.New(code, "%s [%s]: %s. %s.", what, code, strings.TrimSuffix(why, "."), strings.TrimSuffix(do, "."))
}

// shown is a value from outside as it may stand in a sentence.
func shown(s string) string {
	if s == "" {
		return "(empty)"
	}
	return cut(s, shownLen)
}

func cut(s string, n int) string { return fault.OneLine(s, n) }

// ago says a duration in the past in words that a person reads at once.
func ago(d time.Duration) string { return span(d) + " ago" }

// span rounds a duration to its two largest units.
func span(d time.Duration) string {
	switch d = d.Abs(); {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
