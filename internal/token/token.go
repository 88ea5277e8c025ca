// Package token knows the shape of every bearer string that Sluice hands out: how one is made, how it
// is told from a typo without asking anybody, and what of it may be stored. It is a leaf: it must not
// know who holds a token, what a token may do, or how long it lives.
package token

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Kind says what a token is for. It is the beginning of the token, so it is known before any lookup.
type Kind string

// The kinds of tokens. Their characters survive in paths (/t/TOKEN/…): conda cuts a path token at
// anything but letters, digits and '-', and libmamba refuses '_' after the second character.
const (
	// Publish is the short-lived token that an identity token is exchanged for.
	Publish Kind = "sluice-pub-"
	// API is a person's or a robot's long-lived token.
	API Kind = "sluice-api-"
	// Session is the value of a signed-in browser's cookie.
	Session Kind = "sluice-ses-"
	// Setup is the secret of the one-time link that makes the first account.
	Setup Kind = "sluice-set-"
)

var kinds = []Kind{Publish, API, Session, Setup}

const (
	alphabet  = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	bodyLen   = 40 // 40 characters of base62 carry 238 bits
	checkLen  = 6  // 62^6 > 2^32, so a CRC-32 fits
	prefixLen = len(API)
	// Len is the length of every token, in bytes.
	Len = prefixLen + bodyLen + checkLen
)

// Pattern is a regular expression that finds tokens of every kind, for secret scanners.
const Pattern = `sluice-(pub|api|ses|set)-[0-9A-Za-z]{46}`

// looksLike finds tokens of ours even where a character was lost or the case was changed, in which form
// Pattern would not, and the JWTs that identity tokens are. What String shows of a token is shorter.
var looksLike = regexp.MustCompile(`(?i:(sluice-(?:pub|api|ses|set)-)[0-9a-z]{9,})|(ey[JK])[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]*`)

// Scrub replaces everything in s that looks like a bearer string by its beginning, so that s can be logged,
// kept, or said to whoever may publish what is said to them.
func Scrub(s string) string {
	if !mayHold(s) {
		return s
	}
	return looksLike.ReplaceAllString(s, "$1$2…")
}

// mayHold is false for most strings in which looksLike finds nothing: those of every request's line in the log, where
// the regular expression would cost more than the rest of the line.
func mayHold(s string) bool {
	const ours = "sluice-"
	for i := range len(s) {
		switch c := s[i]; {
		case c >= utf8.RuneSelf: // some letters are another case of an ASCII one
			return true
		case c == 'e' && i+1 < len(s) && s[i+1] == 'y':
			return true
		case c == '-' && i+1 >= len(ours) && strings.EqualFold(s[i+1-len(ours):i+1], ours):
			return true
		}
	}
	return false
}

// Hash is what is stored of a token: its SHA-256. A slow hash would add nothing to 238 random bits.
type Hash [sha256.Size]byte

// Token is a bearer string, just made or just parsed. It prints as its kind and first four
// characters, so that a stray log line gives nothing away; Reveal gives the whole.
// The zero value is not a token.
type Token struct {
	kind  Kind
	value string
}

// New makes a token from the system's random source, which never fails.
func New(k Kind) Token {
	b := make([]byte, 0, Len)
	b = append(b, k...)
	var buf [64]byte
	for len(b) < prefixLen+bodyLen {
		_, _ = rand.Read(buf[:]) // crypto/rand.Read never returns an error
		for _, c := range buf {
			// 248 is the greatest multiple of 62 in a byte: what lies above would favour some characters.
			if c < 248 && len(b) < prefixLen+bodyLen {
				b = append(b, alphabet[c%62])
			}
		}
	}
	return Token{kind: k, value: string(append(b, check(b)...))}
}

// Parse takes a bearer string. It tells typos and foreign strings from tokens by prefix, length,
// alphabet and checksum alone; its error says which of these failed and never repeats the string.
func Parse(s string) (Token, error) {
	for _, k := range kinds {
		if !strings.HasPrefix(s, string(k)) {
			continue
		}
		if len(s) != Len {
			return Token{}, fmt.Errorf("a %s… token has %d characters, this one has %d", k, Len, len(s))
		}
		for _, c := range []byte(s[prefixLen:]) {
			if strings.IndexByte(alphabet, c) < 0 {
				return Token{}, fmt.Errorf("a %s… token holds only letters and digits", k)
			}
		}
		if string(check([]byte(s[:prefixLen+bodyLen]))) != s[prefixLen+bodyLen:] {
			return Token{}, fmt.Errorf("the checksum of this %s… token is wrong: a character was lost or changed", k)
		}
		return Token{kind: k, value: s}, nil
	}
	return Token{}, fmt.Errorf("this is not a token of this server: its tokens begin with %s or %s", API, Publish)
}

// check is the CRC-32 of b in six base62 digits, so that a scanner can confirm a token offline.
func check(b []byte) []byte {
	sum := crc32.ChecksumIEEE(b)
	out := make([]byte, checkLen)
	for i := checkLen - 1; i >= 0; i-- {
		out[i] = alphabet[sum%62]
		sum /= 62
	}
	return out
}

// Kind says what t is for.
func (t Token) Kind() Kind { return t.kind }

// IsZero reports whether t is no token at all.
func (t Token) IsZero() bool { return t.value == "" }

// Reveal returns the bearer string itself. Its callers hand it to its holder once; they never log or store it.
func (t Token) Reveal() string { return t.value }

// Hash returns what may be stored of t.
func (t Token) Hash() Hash { return sha256.Sum256([]byte(t.value)) }

// Hint returns the four characters after the prefix: enough for a holder to tell tokens apart.
func (t Token) Hint() string {
	if t.IsZero() {
		return ""
	}
	return t.value[prefixLen : prefixLen+4]
}

// String returns the kind and hint, never the whole.
func (t Token) String() string {
	if t.IsZero() {
		return "no token"
	}
	return string(t.kind) + t.Hint() + "…"
}

// GoString keeps %#v from printing the fields.
func (t Token) GoString() string { return t.String() }

// MarshalText keeps encoders and loggers from printing the fields.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
