package provider

import (
	"net"
	"net/url"
	"strings"
)

// local reports whether an issuer is a stand-in on this machine, which shows the pages itself.
func local(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// instance is the address that an instance of a self-hosted service has, given its issuer's without what the service
// adds to it. It may have a path. It is "" for an address that no link may begin with.
func instance(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && !local(u) || address != u.Scheme+"://"+u.Host+u.EscapedPath() {
		return ""
	}
	return address
}

// withoutScheme is an address as some services write it into names: host, port and path.
func withoutScheme(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	return rest
}

// pasted takes the path out of an address on the instance, for cloning or for looking at; without the query, and
// without slashes around. An address on another host stays whole, for what it names is not there.
func pasted(s, instance string) string {
	s = trimQuery(strings.TrimSpace(s))
	host, root, _ := strings.Cut(withoutScheme(instance), "/")
	path, whole := s, false
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		at, below, _ := strings.Cut(rest, "/")
		at = at[strings.LastIndexByte(at, '@')+1:]
		path, whole = below, !foldEqual(at, host) && (scheme != "ssh" || !foldEqual(withoutPort(at), withoutPort(host)))
	} else if rest, ok := strings.CutPrefix(s, "git@"); ok {
		at, below, _ := strings.Cut(rest, ":")
		path, whole = below, !foldEqual(at, withoutPort(host))
	}
	if whole {
		return s
	}
	path = strings.Trim(path, "/ ")
	for at, below, ok := strings.Cut(path, "/"); ok && strings.Contains(host, ".") && foldEqual(at, host); at, below, ok = strings.Cut(path, "/") {
		path = below
	}
	if path != s && root != "" {
		path = strings.TrimPrefix(path+"/", root+"/")
	}
	return strings.Trim(path, "/ ")
}

func withoutPort(host string) string {
	name, _, _ := strings.Cut(host, ":")
	return name
}
