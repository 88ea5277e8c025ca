package attest

import (
	"net/url"
	"strings"

	"sluice/internal/fault"
)

// maxTarget bounds the address of a channel in a statement, by CEP 27's schema.
const maxTarget = 2083

// Target is the channel for which a statement was made.
type Target struct {
	// URL is as the statement has it; empty where it names none.
	URL string `json:"url,omitempty"`
}

// targetOf reads a predicate of CEP 27. One that is absent or null names no channel; an object has to.
func targetOf(predicate any) (Target, error) {
	if predicate == nil {
		return Target{}, nil
	}
	obj, ok := predicate.(map[string]any)
	if !ok {
		return Target{}, fault.New(fault.StatementMalformed, "The predicate of the signed statement is neither an object nor null.")
	}
	target, ok := obj["targetChannel"].(string)
	if !ok {
		return Target{}, fault.New(fault.StatementMalformed, "The predicate of the signed statement has no targetChannel that is a text.")
	}
	if _, err := channelURL(target); err != nil {
		return Target{}, err
	}
	return Target{target}, nil
}

// CheckTarget refuses what no statement could name as its channel: fault.TargetInvalid.
func CheckTarget(s string) error {
	_, err := channelURL(s)
	return err
}

// channelURL reads the address of a channel as CEP 27 wants it.
func channelURL(s string) (*url.URL, error) {
	bad := func(why string) error {
		return fault.New(fault.TargetInvalid, "The attestation's targetChannel %q %s: write the channel's address as the server shows it.", fault.OneLine(s, 200), why)
	}
	if len(s) > maxTarget {
		return nil, bad("is longer than 2083 characters")
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, bad("is no http or https address")
	case u.User != nil:
		return nil, bad("holds credentials")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		return nil, bad("has a query or a fragment")
	case strings.HasSuffix(u.Path, "/"):
		return nil, bad("ends with a slash")
	}
	return u, nil
}

// Is reports whether the target is the channel at an address. Scheme and host are compared without case and with their default
// ports filled in, as rattler does; the rest to the byte. A target that names no channel is none, and so is an address
// that is not one.
func (t Target) Is(channel string) bool {
	a, err := channelURL(t.URL)
	if err != nil {
		return false
	}
	b, err := channelURL(strings.TrimRight(channel, "/"))
	return err == nil && a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b) && a.EscapedPath() == b.EscapedPath()
}

func port(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case u.Scheme == "http":
		return "80"
	default:
		return "443"
	}
}
