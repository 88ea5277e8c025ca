// Package caller finds out, once for each request, who is calling: it reads the credential from the
// headers, asks access whose it is, and carries the principal in the request's context. It must not know
// what anybody may do, nor refuse anybody: a credential that is not taken is remembered with its reason.
package caller

import (
	"context"
	"net/http"
	"strings"

	"sluice/internal/access"
	"sluice/internal/fault"
)

type key struct{}

// With returns a context that carries p.
func With(ctx context.Context, p access.Principal) context.Context {
	return context.WithValue(ctx, key{}, p)
}

// From returns the principal that ctx carries, the anonymous one where there is none.
func From(ctx context.Context) access.Principal {
	p, _ := ctx.Value(key{}).(access.Principal)
	return p
}

// CookieName is the name of the session's cookie. Under https it has the prefix __Host-, with which
// browsers take it only from this very host, over https and for every path (RFC 6265bis, section 4.1.3.2):
// another host of the same domain cannot plant a session. Plain http, on loopback, cannot have it.
func CookieName(https bool) string {
	if https {
		return "__Host-sluice_session"
	}
	return "sluice_session"
}

// Finder finds principals.
type Finder struct {
	Access *access.Access
	// HTTPS says that the public address begins with https, which decides the name of the cookie.
	HTTPS bool
}

// Find returns the principal of a request: of its Authorization header (Bearer, or the password of Basic,
// whatever the user name) when it has one, else of the session's cookie. A header that is not taken does
// not fall back to the cookie: whoever sends one means it. The error is for failures of ours.
func (f Finder) Find(r *http.Request) (access.Principal, error) {
	if h := r.Header.Get("Authorization"); h != "" {
		s, ok := bearer(r, h)
		if !ok {
			return access.Principal{Rejected: fault.New(fault.InvalidToken,
				"The Authorization header cannot be read: send Bearer and a token, or Basic with the token as password.")}, nil
		}
		return f.Access.Bearer(r.Context(), s)
	}
	if c, err := r.Cookie(CookieName(f.HTTPS)); err == nil && c.Value != "" {
		return f.Access.Cookie(r.Context(), c.Value)
	}
	return access.Principal{}, nil
}

// Credential is the token that came with a request, as Bearer or as the password of Basic; "" when none that
// can be read came. It is for the clients' protocols, which know no cookies.
func Credential(r *http.Request) string {
	s, ok := bearer(r, r.Header.Get("Authorization"))
	if !ok {
		return ""
	}
	return s
}

// bearer takes the token out of an Authorization header. The scheme is read in any letter case (RFC 9110,
// section 11.1).
func bearer(r *http.Request, header string) (string, bool) {
	if _, password, ok := r.BasicAuth(); ok {
		return strings.TrimSpace(password), password != ""
	}
	scheme, s, _ := strings.Cut(header, " ")
	s = strings.TrimSpace(s)
	return s, strings.EqualFold(scheme, "Bearer") && s != ""
}

// Middleware puts the principal into the context of each request for next. fail answers when finding it
// failed through our fault, in whatever form suits the routes behind it.
func (f Finder) Middleware(fail func(http.ResponseWriter, *http.Request, error), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := f.Find(r)
		if err != nil {
			fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(With(r.Context(), p)))
	})
}
