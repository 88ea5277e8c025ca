package web

import (
	"net/url"
	"strings"

	"sluice/internal/server/web/page"
)

// maxNext bounds the address to go back to after signing in, in bytes.
const maxNext = 2000

// safeNext returns next where it is a path of this server, with its query, and the home page where it is
// anything else: signing in must not send people to another site, however the address is spelt.
func safeNext(next string) string {
	u, err := url.Parse(next) // refuses control characters, which browsers would leave out
	switch {
	case err != nil || len(next) > maxNext,
		u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "",
		!strings.HasPrefix(u.Path, "/") || strings.Contains(u.Path, "//") || strings.ContainsFunc(u.Path, func(r rune) bool { return r < ' ' || r == '\\' }),
		u.Path == page.SignInPath || u.Path == page.SetupPath || u.Path == page.SignOutPath:
		return page.HomePath
	}
	u.Fragment = ""
	return u.String()
}
