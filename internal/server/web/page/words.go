package page

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice/internal/fault"
)

// maxText bounds one shown text, in bytes. Summaries and descriptions are one line on a page.
const maxText = 500

// show makes a text of unknown origin fit to be read: one line, bounded, and with every control,
// bidirectional or zero-width character spelt out.
func show(s string) string { return fault.OneLine(s, maxText) }

// ago says how long before now t was, in the words of people: "4 minutes ago", "yesterday, 18:20",
// "19 Nov", "19 Nov 2025". What lies more than a minute ahead of now is shown as a date, so that a clock
// that is wrong does not turn into "just now". Both are read in UTC.
func ago(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	switch d := now.Sub(t); {
	case d < -time.Minute:
		return stamp(t)
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return count(int64(d/time.Minute), "minute") + " ago"
	case d < 24*time.Hour:
		return count(int64(d/time.Hour), "hour") + " ago"
	case sameDay(t, now.AddDate(0, 0, -1)):
		return "yesterday, " + t.Format("15:04")
	case t.Year() == now.Year():
		return t.Format("2 Jan")
	default:
		return day(t)
	}
}

func sameDay(a, b time.Time) bool { return a.Year() == b.Year() && a.YearDay() == b.YearDay() }

// brief is a time to the minute, without what it shares with now: "13:40", "19 Nov, 08:51".
func brief(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	switch {
	case sameDay(t, now):
		return t.Format("15:04")
	case t.Year() == now.Year():
		return t.Format("2 Jan, 15:04")
	}
	return minute(t)
}

// stamp is a time to the second, for details and titles; all pages speak UTC.
func stamp(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04:05") }

// minute is a time to the minute.
func minute(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04") }

// day is a date.
func day(t time.Time) string { return t.UTC().Format("2 Jan 2006") }

// size is a number of bytes in powers of 1000 with one decimal: "1.9 MB". Below 1000 it is exact.
func size(n int64) string {
	if n < 1000 {
		return count(n, "byte")
	}
	v, unit := float64(n)/1000, 0
	// 999.95 would be printed as "1000.0", so the next unit begins there.
	for v >= 999.95 && unit < len(units)-1 {
		v /= 1000
		unit++
	}
	return fmt.Sprintf("%.1f %s", v, units[unit])
}

var units = [...]string{"kB", "MB", "GB", "TB", "PB"}

// number writes n with a comma between thousands: "9,862".
func number[N int | int64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	digits := len(strings.TrimPrefix(s, "-"))
	for i := len(s) - 3; digits > 3; i, digits = i-3, digits-3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// count is a number of things: "1 file", "2 files". The plural of every thing that pages count ends in s.
func count[N int | int64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return number(n) + " " + thing + "s"
}

// percent is n of total as a whole number that is 0 or 100 only when n is none or all.
func percent(n, total int) int {
	switch {
	case total <= 0 || n <= 0:
		return 0
	case n >= total:
		return 100
	}
	return min(max((n*100+total/2)/total, 1), 99)
}

// subdirs names up to three subdirs and counts more.
func subdirs(names []string) []span {
	if len(names) > 3 {
		return []span{words(count(len(names), "subdir"))}
	}
	var s []span
	for i, name := range names {
		if i > 0 {
			s = append(s, words(", "))
		}
		s = append(s, span{text: show(name), style: whole})
	}
	return s
}

// ident makes a part of an element's id.
func ident(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, s)
}

// capital begins a sentence.
func capital(s string) string {
	if s != "" && 'a' <= s[0] && s[0] <= 'z' {
		return string(s[0]-'a'+'A') + s[1:]
	}
	return s
}

// ended ends a sentence that somebody wrote.
func ended(s string) string {
	if s == "" || strings.ContainsAny(s[len(s)-1:], ".!?") {
		return s
	}
	return s + "."
}

// outside returns an address that leads off this server, fit for a link, or "" when s is not one: only
// http and https, a host in ASCII, no user name in front of it, and nothing that is not printable.
func outside(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || !printable(u.Host) {
		return ""
	}
	if clean := u.String(); printable(clean) {
		return clean
	}
	return ""
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// short is an address without what every address has.
func short(address string) string {
	_, rest, ok := strings.Cut(address, "://")
	if !ok {
		return address
	}
	return strings.TrimSuffix(strings.TrimPrefix(rest, "www."), "/")
}
