package page

import (
	"net/url"
	"strings"
)

// Install is what the commands of an install box need to know.
type Install struct {
	// Channel is the channel's name.
	Channel string
	// Label is the one to install from; empty for the channel's own address.
	Label string
	// Private says that reading needs a token.
	Private bool
	// Package is the package to install; empty where none is known yet.
	Package string
	// Version pins the package; empty for the latest.
	Version string
}

// client is one program and the lines to type for it.
type client struct {
	name string
	// signIn comes before the lines where the channel is private.
	signIn []line
	lines  []line
}

// line is one command, or one line of a file; prompt tells which.
type line struct {
	prompt bool
	spans  []span
}

func command(spans ...span) line { return line{prompt: true, spans: spans} }

// clients lists the programs that install boxes speak to, in the order of their tabs.
func (in Install) clients(f Frame) []client {
	address := span{text: shell(f.URL + LabelPath(in.Channel, in.Label)), style: accent}
	spec := span{text: in.spec(), style: accent}
	list := []client{
		{name: "pixi", lines: []line{
			command(words("pixi workspace channel add "), address),
			command(words("pixi add "), spec),
		}},
		{name: "micromamba", lines: []line{
			command(words("micromamba install -c "), address, words(" -c conda-forge "), spec),
		}},
		{name: "conda", lines: []line{
			command(words("conda install -c "), address, words(" -c conda-forge "), spec),
		}},
	}
	if in.Private {
		in.addSignIn(list, f)
	}
	return list
}

// addSignIn says how each program learns a token. None of them puts it in the channel's address, where it
// would end up in lock files and logs. pixi and conda look a host up without its port.
func (in Install) addSignIn(list []client, f Frame) {
	token := span{text: "TOKEN", style: accent}
	host := hostname(f.URL)
	list[0].signIn = []line{command(words("pixi auth login "+shell(host)+" --token "), token)}
	list[1].signIn = []line{command(words("micromamba auth login "+shell(f.URL)+" --bearer "), token)}
	list[2].signIn = []line{{spans: []span{words("machine " + host + " login token password "), token}}}
}

// signInHint says where the lines of signIn go.
func (c client) signInHint() string {
	if c.name == "conda" {
		return "Once, add this line to ~/.netrc"
	}
	return "Sign in once"
}

func (in Install) spec() string {
	if in.Package == "" {
		return "PACKAGE"
	}
	if in.Version == "" {
		return shell(in.Package)
	}
	return shell(in.Package + "==" + in.Version)
}

// hostname is the host of an address without its port.
func hostname(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Hostname()
}

// shell quotes s for a POSIX shell where it needs it.
func shell(s string) string {
	s = show(s)
	safe := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._:/+=,@%", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !safe(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
