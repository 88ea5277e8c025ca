package artifact

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxWhy bounds a FormatError's sentence in bytes: clients cut what they show at 512 characters, and the
// server may put words of its own before it.
const maxWhy = 400

// FormatError refuses a file.
type FormatError struct {
	// Why is one sentence for whoever uploaded the file: the place inside it, what is wrong there, and
	// the fix where there is one. At most 400 bytes, no control characters.
	Why string
	// Limit says that the file may be a good one and is only beyond a limit of this server.
	Limit bool

	placed bool // Why names its place already
}

func (e *FormatError) Error() string { return e.Why }

// bad makes a FormatError.
func bad(format string, args ...any) *FormatError {
	return &FormatError{Why: sentence(fmt.Sprintf(format, args...))}
}

// over makes a FormatError for a limit.
func over(format string, args ...any) *FormatError {
	e := bad(format, args...)
	e.Limit = true
	return e
}

// within puts the place before the sentence of a FormatError that does not name one yet.
func within(place string, err error) error {
	e, ok := errors.AsType[*FormatError](err)
	if !ok || e.placed {
		return err
	}
	return &FormatError{Why: sentence(place + ": " + e.Why), Limit: e.Limit, placed: true}
}

// sentence drops what is not printable from s and cuts it.
func sentence(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	return cut(s, maxWhy, "...")
}

// cut shortens s to at most max bytes, mark included, without splitting a character.
func cut(s string, max int, mark string) string {
	if len(s) <= max {
		return s
	}
	n := max - len(mark)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + mark
}

// quote shows a string of the package's own, in ASCII.
func quote(s string) string { return cut(strconv.QuoteToASCII(s), 100, `..."`) }
