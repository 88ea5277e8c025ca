package conda

import "strings"

// Channel is a channel's name, one segment of its address: ^[a-z0-9_][a-z0-9_.-]*$ (CEP 26), at most
// MaxChannel bytes, not reserved, and not what a client would take for a subdir.
// The zero value is invalid. Channels compare with ==.
type Channel struct{ s string }

// ParseChannel reads a channel name. Every error is a *SyntaxError that says why the name cannot be had.
func ParseChannel(s string) (Channel, error) {
	const what = "channel name"
	if err := bounded(what, s, MaxChannel); err != nil {
		return Channel{}, err
	}
	// First of all, because some of our own paths (.well-known) are no channel names by grammar either.
	if why := reserved(s); why != "" {
		return Channel{}, refuse(what, s, "is reserved: %s", why)
	}
	if err := only(what, s, "lower-case letters, digits, '_', '.' and '-'", nameByte); err != nil {
		return Channel{}, err
	}
	if s[0] == '.' || s[0] == '-' {
		return Channel{}, refuse(what, s, "begins with %q; it must begin with a letter, a digit or an underscore", s[0])
	}
	return Channel{s}, nil
}

// reserved says why no channel may have the name s; "" when one may.
func reserved(s string) string {
	switch s {
	case "conda":
		return "clients drop it from paths"
	case "t":
		return "clients read a token from what follows it in a path"
	case "label":
		return "it stands before a label in a channel's address"
	case "get":
		return "another server's channel addresses begin with it, and clients know them"
	case ".well-known", "favicon.ico", "robots.txt":
		return "browsers and crawlers ask for it at every server"
	case "api", "static", "channels", "search", "account", "setup", "sign-in", "sign-out",
		"healthz", "readyz", "metrics", "docs":
		return "the server's own pages begin with it"
	}
	if looksLikeSubdir(s) {
		return "clients would take it for a subdir"
	}
	return ""
}

// String returns the name; "" for the zero value.
func (c Channel) String() string { return c.s }

// IsZero reports whether c is the zero value, which names no channel.
func (c Channel) IsZero() bool { return c.s == "" }

// Label is the name of a listing inside a channel: ^[a-zA-Z][0-9a-zA-Z_\-./]*$ (CEP 26), at most
// MaxLabel bytes. It may hold '/', and then stands in a path as several segments: none of them is empty,
// "." or "..", or no request could reach the label, and the last does not look like a subdir.
// The zero value is invalid. Labels compare with ==.
type Label struct{ s string }

// MainLabel is the label that a channel's plain address shows.
func MainLabel() Label { return Label{"main"} }

// ParseLabel reads a label. Every error is a *SyntaxError.
func ParseLabel(s string) (Label, error) {
	const what = "label"
	if err := bounded(what, s, MaxLabel); err != nil {
		return Label{}, err
	}
	if err := only(what, s, "letters, digits, '_', '-', '.' and '/'", labelByte); err != nil {
		return Label{}, err
	}
	if c := s[0]; !upper(c) && (!lower(c) || c <= '9') {
		return Label{}, refuse(what, s, "begins with %q; it must begin with a letter", c)
	}
	if s == "nolabel" {
		return Label{}, refuse(what, s, "is reserved: it stands for having no label")
	}
	if err := checkSegments(what, s); err != nil {
		return Label{}, err
	}
	return Label{s}, nil
}

func labelByte(c byte) bool { return nameByte(c) || upper(c) || c == '/' }

// checkSegments refuses what would not survive as a part of a path.
func checkSegments(what, s string) *SyntaxError {
	for seg := range strings.SplitSeq(s, "/") {
		if seg == "" || seg == "." || seg == ".." {
			return refuse(what, s, "has the path segment %q, which no address can hold", seg)
		}
	}
	if last := s[strings.LastIndexByte(s, '/')+1:]; looksLikeSubdir(last) {
		return refuse(what, s, "ends in %q, which clients would take for a subdir", last)
	}
	return nil
}

// String returns the label; "" for the zero value.
func (l Label) String() string { return l.s }

// IsZero reports whether l is the zero value, which names no label.
func (l Label) IsZero() bool { return l.s == "" }
