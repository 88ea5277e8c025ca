// Package fault holds refusals: what Sluice says when it will not do what it was asked.
//
// A refusal is a value with a stable code and one sentence for the caller. The package is a leaf: it
// must not know of HTTP, of databases, or of any room that refuses. Which HTTP status a code becomes
// stands in one table, in server/reply.
package fault

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxDetail bounds the sentence of a refusal, in bytes. The rattler clients cut the body of a refused
// upload at 512 characters, so nothing longer reaches the person who must act on it.
const MaxDetail = 500

// A Code names one kind of refusal. A code never changes its meaning once it is released: programs
// compare it, and people search for it.
type Code string

// Error is a refusal. The zero value is not valid; use New or Wrap.
type Error struct {
	// Code is the kind of refusal.
	Code Code
	// Detail is what the caller reads: one line, at most MaxDetail bytes, naming the fix, holding no secret.
	Detail string
	// Differences are the single points in which what came differs from what was wanted, in the order
	// in which a person would check them. Empty for most refusals.
	Differences []Difference

	cause error
}

// Difference is one point in which a caller's claim differs from a rule.
type Difference struct {
	// Claim is the name of the claim, as the caller's issuer spells it.
	Claim string `json:"claim"`
	// Got is the value that came; empty when the claim is absent.
	Got string `json:"got"`
	// Want is the value that the rule asks for.
	Want string `json:"want"`
}

// New makes a refusal. The sentence is made by fmt.Sprintf, put on one line, freed of control and
// format characters, and cut to MaxDetail bytes.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: OneLine(fmt.Sprintf(format, args...), MaxDetail)}
}

// Wrap makes a refusal with a cause. The cause is for the log and for errors.Is; the caller never sees it.
func Wrap(cause error, code Code, format string, args ...any) *Error {
	e := New(code, format, args...)
	e.cause = cause
	return e
}

// With returns a copy of e that lists the differences d.
func (e *Error) With(d []Difference) *Error {
	c := *e
	c.Differences = d
	return &c
}

// Error returns the code, the sentence and the cause: a text for logs, not for callers.
func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s (%v)", e.Code, e.Detail, e.cause)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Detail)
}

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.cause }

// CodeOf returns the code of the first refusal in err's chain, or Internal when there is none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}

// Is reports whether err is, or wraps, a refusal with the given code.
func Is(err error, code Code) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == code
}

// OneLine makes s safe to show on one line of a terminal, a log or a page: control, format and
// otherwise unprintable characters (newlines, escapes, bidirectional marks, zero-width characters)
// and invalid UTF-8 are shown as their code points, and the result is cut to max bytes with an ellipsis.
func OneLine(s string, max int) string {
	if len(s) <= max && strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s) && b.Len() <= max; {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, "\\x%02x", s[i])
		case r == ' ' || unicode.IsGraphic(r) && !unicode.Is(unicode.Zs, r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "<U+%04X>", r)
		}
		i += n
	}
	out := b.String()
	if len(out) <= max {
		return out
	}
	const ellipsis = "…"
	cut := max - len(ellipsis)
	for cut > 0 && !utf8.RuneStart(out[cut]) {
		cut--
	}
	return out[:cut] + ellipsis
}
