// Package conda holds the words of the channel format as values: package names, file names, subdirs,
// channels, labels, records. Strings go in, values that cannot be wrong come out. The grammar is that
// of CEP 26 and CEP 33, narrowed where a legal string would be dangerous in a path or never reachable.
//
// It must not know of HTTP, SQL, files on disk, or the codes of our refusals.
package conda

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Upper bounds of CEP 26, in bytes; every accepted string is ASCII, so also in characters.
const (
	MaxName     = 64
	MaxVersion  = 64
	MaxBuild    = 64
	MaxFilename = 211
	MaxSubdir   = 32
	MaxChannel  = 128
	MaxLabel    = 128
)

// maxShown bounds the quoted string in a SyntaxError's text, so that an unprintable Got, which grows
// fourfold when quoted, still leaves room for the reason.
const maxShown = MaxFilename + 2

// SyntaxError says which rule of the format a string offends. Error reads as one sentence:
// `channel name "conda" is reserved: clients drop it from paths`.
type SyntaxError struct {
	// What was to be read: "file name", "subdir", "channel name", "label", "package name", "version",
	// "build string", "package pattern", "dependency" or "patch".
	What string
	// Got is the string, cut to MaxFilename bytes. It may hold anything: quote it before showing it.
	Got string
	// Why is the rest of the sentence, beginning with a verb. It holds no unprintable characters.
	Why string
}

// Error returns the sentence, with Got quoted, free of control characters.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s %s %s", e.What, shown(e.Got), e.Why)
}

// refuse makes the SyntaxError of one string.
func refuse(what, got, why string, args ...any) *SyntaxError {
	return &SyntaxError{What: what, Got: cut(got, MaxFilename), Why: fmt.Sprintf(why, args...)}
}

// shown quotes s as plain ASCII, at most maxShown bytes of it.
func shown(s string) string {
	q := strconv.QuoteToASCII(s)
	if len(q) <= maxShown {
		return q
	}
	return q[:maxShown-4] + `..."`
}

// cut shortens s to at most n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// lower reports whether c is a lower-case ASCII letter or a digit, the core of every grammar here.
func lower(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

// upper reports whether c is an upper-case ASCII letter.
func upper(c byte) bool { return 'A' <= c && c <= 'Z' }

// bounded refuses the empty string and strings longer than max bytes.
func bounded(what, s string, max int) *SyntaxError {
	switch {
	case s == "":
		return refuse(what, s, "is empty")
	case len(s) > max:
		return refuse(what, s, "is longer than %d characters", max)
	}
	return nil
}

// only refuses a string with a byte that ok does not take, naming the first one.
func only(what, s, allowed string, ok func(byte) bool) *SyntaxError {
	for i := range len(s) {
		if !ok(s[i]) {
			r, _ := utf8.DecodeRuneInString(s[i:])
			return refuse(what, s, "holds %s; allowed are %s", strconv.QuoteRuneToASCII(r), allowed)
		}
	}
	return nil
}
