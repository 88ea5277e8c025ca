// Package web serves the pages that people look at. A handler finds out what the reader may see, asks the
// rooms for it, and fills the view of a page; markup and styles are in page and static. It must not decide
// who may do what.
package web

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"sluice/internal/access"
	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/channel"
	"sluice/internal/check"
	"sluice/internal/curate"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/server/gate"
	"sluice/internal/server/web/page"
	"sluice/internal/server/web/static"
	"sluice/internal/trust"
)

// Deps is what the pages stand on. All fields are required but Mails.
type Deps struct {
	// URL is the public address, without a slash at its end.
	URL string
	// Version is the program's.
	Version    string
	Access     *access.Access
	Accounts   *account.Accounts
	Channels   *channel.Channels
	Publishers *trust.Publishers
	Exchange   Trier
	Catalog    *catalog.Catalog
	Curator    *curate.Curator
	// DeleteUndo is how long what was deleted can be restored.
	DeleteUndo time.Duration
	Checks     *check.Jobs
	Audit      audit.Log
	// Mails says that this server sends mails.
	Mails bool
	Log   *slog.Logger
	Now   func() time.Time
}

// Paths are the patterns, for the server's ServeMux, of everything that New serves. None holds a method.
func Paths() []string {
	return []string{"/{$}", "/channels", "/channels/", "/search", "/account/", "/setup", "/sign-in", "/sign-out", staticPath}
}

const staticPath = "/static/"

// site is the pages at work.
type site struct {
	Deps
	// https says that the public address is one, host is its host with the port.
	https bool
	host  string
	// style is the path of the style sheet.
	style string
	tries *tries
}

// New makes the handler of all pages. It finds its callers by itself, refuses what pages of other sites send in
// a user's name, and answers everything, refusals too, with a page.
func New(d Deps) http.Handler {
	s := &site{Deps: d, https: strings.HasPrefix(d.URL, "https://"), tries: newTries()}
	_, s.host, _ = strings.Cut(d.URL, "://")
	name, _ := static.CSS()
	s.style = staticPath + name
	mux := http.NewServeMux()
	for path, take := range s.routes() {
		mux.Handle(path, s.methods(take))
	}
	mux.Handle("/", http.HandlerFunc(s.nothing))
	who := caller.Finder{Access: d.Access, HTTPS: s.https}
	return gate.Pages(who.Middleware(s.fail, s.sameSite(mux)))
}

// sameSite refuses requests that a page of another site makes with the user's cookie.
func (s *site) sameSite(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, fault.New(fault.CrossSite, "Another site tried to act in your name here; nothing was done. If it was you, open the page here and try again."))
	}))
	return guard.Handler(next)
}

// takes are the handlers of a path: show answers GET and HEAD, act answers POST. Either may be nil.
type takes struct{ show, act handler }

// routes is every page there is.
func (s *site) routes() map[string]takes {
	const channelPath = "/channels/{channel}"
	const packagePath = channelPath + "/packages/{package}"
	const publishersPath = channelPath + "/publishers"
	return map[string]takes{
		"/{$}":              {show: s.home},
		"/channels":         {show: s.goHome},
		page.SearchPath:     {show: s.search},
		page.SetupPath:      {show: s.setup, act: s.makeFirst},
		page.SignInPath:     {show: s.signIn, act: s.doSignIn},
		page.SignOutPath:    {act: s.signOut},
		page.NewChannelPath: {show: s.newChannel, act: s.makeChannel},

		page.TokensPath:                  {show: s.tokens, act: s.makeToken},
		page.TokensPath + "/{id}/revoke": {show: s.askRevoke, act: s.revoke},
		page.MailPath:                    {act: s.setMail},

		channelPath:                          {show: s.channel},
		channelPath + "/audit":               {show: s.audit},
		channelPath + "/attestations":        {show: s.demand, act: s.setDemand},
		channelPath + "/attestations/denied": {act: s.deny},
		channelPath + "/check":               {show: s.check, act: s.startCheck},
		packagePath:                          {show: s.latest},
		packagePath + "/versions":            {show: s.versions},
		packagePath + "/versions/{version}":  {show: s.version},
		publishersPath:                       {show: s.publishers, act: s.addPublisher},
		publishersPath + "/{id}":             {show: s.publishers},
		publishersPath + "/{id}/workflow":    {show: s.workflow},
		publishersPath + "/{id}/remove":      {show: s.askRemove, act: s.removePublisher},
		publishersPath + "/new":              {show: s.newRule, act: s.addRule},
		publishersPath + "/try":              {show: s.askTry, act: s.try},
		publishersPath + "/{id}/edit":        {show: s.editRule, act: s.saveRule},
		publishersPath + "/{id}/switch":      {act: s.switchRule},
		publishersPath + "/{id}/narrow":      s.proposed(s.narrowed),

		publishersPath + "/{id}/allow/{event}": s.proposed(s.allowing),
		publishersPath + "/{id}/move/{event}":  s.proposed(s.moved),
		channelPath + "/uploads":               {act: s.switchUploads},
		channelPath + "/files":                 {show: s.files},
		channelPath + "/files/change":          {show: s.askCuration, act: s.curate},
		staticPath + "{name}":                  {show: s.sheet},
	}
}
