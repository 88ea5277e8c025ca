// Package api is the JSON API under /api/v1: what people's programs and the command line do with channels,
// members, trusted publishers, packages, tokens and the audit log. Each handler parses its input, asks
// access, calls the room that owns the matter, and says the result in JSON; the OpenAPI document is made
// from the same Go types. It must not decide who may do what, and it holds no rule of any room.
//
// The protocols of the conda clients (minting, upload, channel files) are not here: they answer in plain
// text and by other statuses.
package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"sluice/internal/access"
	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/channel"
	"sluice/internal/check"
	"sluice/internal/curate"
	"sluice/internal/publish"
	"sluice/internal/server/caller"
	"sluice/internal/trust"
)

// Prefix is what every path of the API begins with.
const Prefix = "/api/v1"

// Deps are the rooms that the API speaks for. All are required.
type Deps struct {
	// URL is the server's public address, without a trailing slash.
	URL string
	// Version is the server's version.
	Version string
	// Audiences are what identity tokens may be made for, the server's own first.
	Audiences []string
	// Issuers tells how the keys of every issuer stand now; never nil.
	Issuers func() []Issuer
	// Sigstore tells how the keys of every instance of sigstore stand now; never nil.
	Sigstore   func() []Instance
	Roots      Roots
	Access     *access.Access
	Channels   *channel.Channels
	Accounts   *account.Accounts
	Publishers *trust.Publishers
	Exchange   Trier
	Catalog    *catalog.Catalog
	Publish    *publish.Uploads
	Curator    *curate.Curator
	// DeleteUndo is how long what was deleted can be restored.
	DeleteUndo time.Duration
	Checks     *check.Jobs
	Audit      audit.Log
	Now        func() time.Time
}

// service is the API at work.
type service struct {
	Deps
	huma huma.API
	// failed is how every operation answers what it will not or cannot do.
	failed *huma.Response
	// document is the OpenAPI document.
	document []byte
}

// New makes the API. Its paths begin with Prefix; it finds its callers by itself, and answers 404 and 405 as
// problems. Whoever mounts it guards against requests that pages of other sites make with the user's cookie.
func New(d Deps) http.Handler {
	mux := http.NewServeMux()
	s := newService(d, mux)
	who := caller.Finder{Access: d.Access, HTTPS: https(d.URL)}
	return who.Middleware(s.refuse, s.door(mux))
}

// newService puts every operation into mux and writes the document.
func newService(d Deps, mux humago.Mux) *service {
	s := &service{Deps: d}
	s.huma = humago.New(mux, s.config())
	s.failed = s.problemResponse()
	s.routes()
	s.document = s.finish()
	return s
}

func https(address string) bool { return strings.HasPrefix(address, "https://") }

// routes lists everything that the API can do.
func (s *service) routes() {
	s.channelRoutes()
	s.channelChangeRoutes()
	s.memberRoutes()
	s.publisherRoutes()
	s.tryRoute()
	s.providerRoutes()
	s.packageRoutes()
	s.artifactRoutes()
	s.checkRoutes()
	s.auditRoutes()
	s.tokenRoutes()
	s.userRoutes()
	s.trustedRootRoutes()
	s.serverRoutes()
}
