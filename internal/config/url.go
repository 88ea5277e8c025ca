package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

func (c Config) checkURL() error {
	listens := checkListen(c.Listen) == nil // if not, that is the mistake: URL would have followed it
	switch {
	case c.URL == "" && !listens:
		return nil
	case c.URL == "":
		return fmt.Errorf("it is not set, and %q may be reached from other machines: set --url to the address "+
			"that people and CI jobs use, such as https://conda.example.com. "+
			"Its host is the audience that CI identity tokens must name, so it cannot be guessed", c.Listen)
	}
	_, err := Origin(c.URL)
	return err
}

// Origin is the one spelling of a server's public address: lower case, without the scheme's own port and without
// a slash at the end. Its error says why s is none: it must be https, or http on loopback, and have no path.
func Origin(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil {
		return "", errors.New("it is not a URL; write it like https://conda.example.com")
	}
	if err := checkOrigin(u); err != nil {
		return "", err
	}
	switch {
	case u.User != nil:
		return "", errors.New("it must not hold a user name or password")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", fmt.Errorf("%q must end after host and port", s)
	case u.Path != "" && u.Path != "/":
		return "", fmt.Errorf("%q has a path: clients ask for upload tokens at the root of the host, "+
			"so the server needs a host name (or a port) of its own", s)
	}
	return normalURL(s), nil
}

// checkOrigin holds for our own URL and for issuers alike: https, or plain http on loopback.
func checkOrigin(u *url.URL) error {
	host := u.Hostname()
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%q must begin with https://", u.Redacted())
	case host == "":
		return fmt.Errorf("%q names no host", u.Redacted())
	case !isHost(host):
		return fmt.Errorf("%q has a host that cannot stand in a URL; write a foreign name in its ASCII form, xn--…", u.Redacted())
	case u.Scheme == "http" && !isLoopback(host):
		return fmt.Errorf("%q is plain http, over which tokens could be read on the way; "+
			"use https (http is for 127.0.0.1, [::1] and localhost)", u.Redacted())
	}
	return nil
}

func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	for _, c := range s {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_') {
			return false
		}
	}
	return !strings.HasPrefix(s, ".") && !strings.HasSuffix(s, ".")
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

func hostOf(listen string) string {
	host, _, _ := net.SplitHostPort(listen) // "" counts as reachable from anywhere
	return host
}

// normalURL is the one spelling of a public URL: lower case, no port that the scheme implies, no slash at
// the end. What cannot be parsed is returned as it is, for Validate to refuse.
func normalURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return s
	}
	u.Host = strings.ToLower(u.Host)
	if u.Scheme == "http" && u.Port() == "80" || u.Scheme == "https" && u.Port() == "443" {
		u.Host = strings.TrimSuffix(u.Host, portSuffix(u))
	}
	if u.Path == "/" {
		u.Path = ""
	}
	return u.String()
}

func portSuffix(u *url.URL) string {
	if p := u.Port(); p != "" {
		return ":" + p
	}
	return ""
}
