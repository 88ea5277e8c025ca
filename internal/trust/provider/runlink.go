package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// maxLink bounds an address that is made of claims, in bytes.
const maxLink = 2000

// runLink is a template of addresses: literal pieces and names of claims, by turns, a literal first and last.
type runLink struct {
	site  string // scheme and host, which no claim can change
	words []string
}

// parseRunLink reads a template such as "https://ci.acme.dev/job/{job}/{build}".
func parseRunLink(s string) (runLink, error) {
	var l runLink
	plain := s
	for rest := s; ; {
		literal, after, open := strings.Cut(rest, "{")
		l.words = append(l.words, literal)
		if strings.Contains(literal, "}") {
			return l, fmt.Errorf("%q has a } too many", s)
		}
		if !open {
			break
		}
		claim, next, closed := strings.Cut(after, "}")
		if !closed || !claimName(claim) {
			return l, fmt.Errorf("%q has a { that no name of a claim and } follow", s)
		}
		l.words = append(l.words, claim)
		plain = strings.Replace(plain, "{"+claim+"}", "x", 1)
		rest = next
	}
	u, err := url.Parse(plain)
	if err != nil || !safeLink(plain) || len(l.words) == 1 {
		return l, fmt.Errorf("%q is no address such as https://ci.acme.dev/job/{job}/{build}, with claims in its path", s)
	}
	l.site = u.Scheme + "://" + u.Host
	if !strings.HasPrefix(l.words[0], l.site+"/") {
		return l, errors.New("claims may stand in the path alone, not in the host")
	}
	return l, nil
}

// of fills the template from claims. It is "" when a claim is missing or is nothing for an address: each value is
// one segment or several, none empty, "." or "..".
func (l runLink) of(c Claims) string {
	var b strings.Builder
	for i, word := range l.words {
		if i%2 == 1 {
			word = escaped(c[word])
			if word == "" {
				return ""
			}
		}
		b.WriteString(word)
	}
	if s := b.String(); len(l.words) > 0 && l.covers(s) {
		return s
	}
	return ""
}

// covers reports whether an address is one that the template can make, as far as its safety goes.
func (l runLink) covers(s string) bool { return strings.HasPrefix(s, l.site+"/") && safeLink(s) }

// escaped is a claim's value as it may stand in a path, or "".
func escaped(v any) string {
	s, ok := v.(string)
	if n, number := v.(json.Number); number && digits(n.String()) {
		s, ok = n.String(), true
	}
	if !ok || len(s) > maxLink {
		return ""
	}
	segments := strings.Split(s, "/")
	for i, seg := range segments {
		if seg == "" || seg == "." || seg == ".." {
			return ""
		}
		segments[i] = url.PathEscape(seg)
	}
	return strings.Join(segments, "/")
}

// safeLink reports whether s is a plain address that may be linked: https, or http on this machine, a host in lower
// case, and a path without tricks.
func safeLink(s string) bool {
	u, err := url.Parse(s)
	if err != nil || !within(s, maxLink, func(c byte) bool { return '!' <= c && c <= '~' && !strings.ContainsRune("\\\"<>^`{|}", rune(c)) }) {
		return false
	}
	if u.Scheme != "https" && !local(u) {
		return false
	}
	if u.Hostname() == "" || u.User != nil || strings.ContainsAny(s, "?#") || u.Host != strings.ToLower(u.Host) || strings.Contains(u.Host, "%") {
		return false
	}
	segments := strings.Split(u.Path, "/")
	for i, seg := range segments {
		if seg == "." || seg == ".." || seg == "" && i > 0 && i < len(segments)-1 {
			return false
		}
	}
	return len(segments) > 1
}
