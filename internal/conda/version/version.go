// Package version orders version strings as every conda client does (CEP 33). It knows nothing else of
// packages: which characters an upload may use is said in package conda.
package version

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Version is a version taken apart for comparison. Versions that compare as equal can be spelled
// differently ("1.1" and "1.1.0"), so a Version is compared by Compare and never by ==.
// The zero value is invalid and sorts before all others.
type Version struct {
	main  []part // the epoch is the first part
	local []part
}

// A part is what stands between two dots, cut into runs of digits and of other characters. It begins
// with a number, an inserted 0 where there is none, so that "1.a1" and "1.0a1" are the same.
type part []element

// An element is one run. Elements compare by kind, then by number, then by text.
type element struct {
	kind kind
	num  int
	text string
}

type kind int

// The kinds of elements, from low to high.
const (
	dev  kind = iota // "dev" as a whole run
	word             // any other letters
	number
	post // "post" as a whole run
)

// Parse takes s apart. It is lenient in case, and takes '-' for '_' where s has no '_', as the clients
// do for versions in specifications. The error is the rest of a sentence about s and begins with a verb.
func Parse(s string) (Version, error) {
	s = strings.ToLower(s)
	if strings.Contains(s, "-") {
		if strings.Contains(s, "_") {
			return Version{}, errors.New("mixes '-' and '_'")
		}
		s = strings.ReplaceAll(s, "-", "_")
	}
	epoch, rest, hasEpoch := strings.Cut(s, "!")
	if !hasEpoch {
		epoch, rest = "0", s
	}
	text, local, hasLocal := strings.Cut(rest, "+")
	if err := checkShape(s, epoch, text); err != nil {
		return Version{}, err
	}
	main, err := parseMain(epoch, text)
	if err != nil || !hasLocal {
		return Version{main: main}, err
	}
	parts, err := parseParts(nil, local)
	if err != nil {
		return Version{}, err
	}
	return Version{main: main, local: parts}, nil
}

// checkShape refuses what cannot be cut into epoch, main and local part.
func checkShape(s, epoch, text string) error {
	switch {
	case s == "":
		return errors.New("is empty")
	case strings.Count(s, "!") > 1:
		return errors.New("has more than one '!'")
	case strings.Count(s, "+") > 1:
		return errors.New("has more than one '+'")
	case epoch == "" || strings.Trim(epoch, "0123456789") != "":
		return errors.New("has an epoch (before '!') that is not a number")
	case text == "" || text == "_": // rattler cannot read the latter
		return errors.New("has nothing but an epoch, a local part or a '_'")
	}
	for i := range len(s) {
		if !strings.Contains("abcdefghijklmnopqrstuvwxyz0123456789._+!", s[i:i+1]) {
			return errors.New("holds " + strconv.QuoteToASCII(s[i:i+1]) + "; allowed are letters, digits, '.', '_', '+' and '!'")
		}
	}
	return nil
}

// parseMain parses epoch and main part. One '_' at the very end belongs to the last part's text, for
// versions such as openssl's, where 1.0.1_ comes before 1.0.1a. Behind letters the clients disagree: by
// CEP 33 and conda 1.0a comes before 1.0a_, as here, by rattler after it.
func parseMain(epoch, text string) ([]part, error) {
	text, tail := strings.CutSuffix(text, "_")
	parts, err := parseParts(nil, epoch)
	if err != nil {
		return nil, err
	}
	if !tail {
		return parseParts(parts, text)
	}
	head := text[:strings.LastIndexAny(text, "._")+1]
	if head != "" {
		if parts, err = parseParts(parts, head[:len(head)-1]); err != nil {
			return nil, err
		}
	}
	last, err := parsePart(text[len(head):] + "_")
	if err != nil {
		return nil, err
	}
	return append(parts, last), nil
}

// parseParts appends the parts of s to parts.
func parseParts(parts []part, s string) ([]part, error) {
	for p := range strings.SplitSeq(strings.ReplaceAll(s, "_", "."), ".") {
		if p == "" {
			return nil, errors.New("has an empty part between two separators or at an end")
		}
		next, err := parsePart(p)
		if err != nil {
			return nil, err
		}
		parts = append(parts, next)
	}
	return parts, nil
}

// parsePart cuts s, which is not empty, into runs.
func parsePart(s string) (part, error) {
	var p part
	if !digit(s[0]) {
		p = part{{kind: number}}
	}
	for s != "" {
		n := 1
		for n < len(s) && digit(s[n]) == digit(s[0]) {
			n++
		}
		e, err := parseRun(s[:n])
		if err != nil {
			return nil, err
		}
		p, s = append(p, e), s[n:]
	}
	return p, nil
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// parseRun makes the element of one run of digits or of other characters.
func parseRun(s string) (element, error) {
	switch {
	case s == "dev":
		return element{kind: dev}, nil
	case s == "post":
		return element{kind: post}, nil
	case !digit(s[0]):
		return element{kind: word, text: s}, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > math.MaxInt32 {
		return element{}, errors.New("holds a number above 2147483647, the most that every client can compare")
	}
	return element{kind: number, num: int(n)}, nil
}
