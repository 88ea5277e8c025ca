// Package address holds mail addresses as values. A string goes in, a value comes out that can stand in a header
// and in an SMTP command as it is. It must not know who has an address, or what is sent there.
package address

import (
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"regexp"
	"strconv"
	"strings"
)

// Max bounds an address, in bytes (RFC 5321 §4.5.3.1.3, with its brackets taken off).
const Max = 254

// maxLocal bounds what stands before the @, in bytes (RFC 5321 §4.5.3.1.1).
const maxLocal = 64

// Address is a bare mail address in ASCII, such as ann@example.com. It is personal, so it prints as "(address)":
// logs and errors cannot hold it by accident. The zero value is no address.
type Address struct{ s string }

// atoms is a local part without quotes: neither blanks nor brackets nor line ends can be in it (RFC 5322 §3.2.3).
// domain is a host name of labels (RFC 1123 §2.1).
var (
	atoms  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$")
	domain = regexp.MustCompile(`^(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
)

// Parse takes a bare address. Its error says in a sentence without a stop what to write instead, and does not
// repeat what came.
func Parse(s string) (Address, error) {
	local, host, _ := strings.Cut(s, "@")
	switch {
	case len(s) > Max || len(local) > maxLocal:
		return Address{}, fmt.Errorf("a mail address has at most %d bytes, %d of them before the @", Max, maxLocal)
	case !ascii(host) && ascii(local):
		return Address{}, errors.New("write the part after the @ in its ASCII form, which begins with xn--")
	case !ascii(s):
		return Address{}, errors.New("a mail address is taken in ASCII letters only")
	}
	parsed, err := mail.ParseAddress(s)
	if err != nil || parsed.Address != s || !atoms.MatchString(local) || !domain.MatchString(host) {
		return Address{}, errors.New("write a bare mail address, such as ann@example.com")
	}
	return Address{s}, nil
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > '~' })
}

// IsZero reports whether a is no address.
func (a Address) IsZero() bool { return a.s == "" }

// Reveal returns the address itself, or "".
func (a Address) Reveal() string { return a.s }

// String hides the address.
func (a Address) String() string {
	if a.s == "" {
		return ""
	}
	return "(address)"
}

// GoString keeps %#v from showing the address.
func (a Address) GoString() string { return strconv.Quote(a.String()) }

// LogValue keeps loggers from showing the address.
func (a Address) LogValue() slog.Value { return slog.StringValue(a.String()) }

// MarshalText keeps encoders from showing the address.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }
