// Package web serves the pages that people look at. A handler finds out what the reader may see, asks the
// rooms for it, and fills the view of a page; markup and styles are in page and static. It must not decide
// who may do what.
package web

import (
	"log/slog"
	"net/http"
	"time"

	"sluice/internal/access"
	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/channel"
	"sluice/internal/trust"
)

// Deps is what the pages stand on. All fields are required.
type Deps struct {
	// URL is the public address, without a slash at its end.
	URL string
	// Version is the program's.
	Version    string
	Access     *access.Access
	Accounts   *account.Accounts
	Channels   *channel.Channels
	Publishers *trust.Publishers
	Catalog    *catalog.Catalog
	Audit      audit.Log
	Log        *slog.Logger
	Now        func() time.Time
}

// Paths are the patterns, for the server's ServeMux, of everything that New serves. None holds a method.
func Paths() []string {
	return []string{"/{$}", "/channels", "/channels/", "/search", "/account/", "/setup", "/sign-in", "/sign-out", "/static/"}
}

// New makes the handler of all pages.
func New(Deps) http.Handler { return http.NotFoundHandler() }
