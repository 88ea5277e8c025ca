// Package server wires the rooms to HTTP: which handler answers which path, and what runs beside them. It
// must not decide anything that a room decides; its only subject is what belongs where.
package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"sluice/internal/access"
	"sluice/internal/account"
	"sluice/internal/attest"
	"sluice/internal/attest/instance"
	"sluice/internal/attest/recheck"
	"sluice/internal/audit"
	"sluice/internal/blob"
	"sluice/internal/catalog"
	"sluice/internal/channel"
	"sluice/internal/check"
	"sluice/internal/conda/artifact"
	"sluice/internal/config"
	"sluice/internal/curate"
	"sluice/internal/db"
	"sluice/internal/fault"
	"sluice/internal/index"
	"sluice/internal/mail"
	"sluice/internal/publish"
	"sluice/internal/revoke"
	"sluice/internal/server/api"
	"sluice/internal/server/files"
	"sluice/internal/server/gate"
	"sluice/internal/server/oauth"
	"sluice/internal/server/reply"
	"sluice/internal/server/upload"
	"sluice/internal/server/web"
	"sluice/internal/trust"
	"sluice/internal/verify"
)

// Parts is what a server stands on. All fields are required.
type Parts struct {
	Config config.Config
	DB     *db.DB
	Blobs  blob.Store
	Log    *slog.Logger
	Now    func() time.Time
	// Version is the program's own, for pages and the API document.
	Version string
}

// Server is a wired server that does not listen yet.
type Server struct {
	Accounts   *account.Accounts
	Channels   *channel.Channels
	Publishers *trust.Publishers

	parts    Parts
	exchange *trust.Exchange
	// instances have what checks attestations, and keep its keys fresh.
	instances *instance.Instances
	handler   http.Handler
	mails     *mail.Sender // nil when no mails are sent
	checks    *check.Jobs
}

// formMargin is what a multipart form adds to the package in it, in bytes: its attestations, and what is around them.
const formMargin = attest.MaxPart + 1<<20

// New wires the rooms. It reads the database and fetches nothing. Its clock ticks in microseconds, as the
// database keeps time: what is answered when something is made is what is read later.
func New(ctx context.Context, p Parts) (*Server, error) {
	now := p.Now
	p.Now = func() time.Time { return now().Truncate(time.Microsecond) }
	issuers, err := issuersOf(p.Config)
	if err != nil {
		return nil, err
	}
	instances, err := instancesOf(ctx, p)
	if err != nil {
		return nil, err
	}
	exchange, err := trust.NewExchange(ctx, trust.Config{
		URL: p.Config.URL, Audiences: p.Config.AllAudiences(), Issuers: issuers, Life: p.Config.PublishTokenLife,
		Store: p.DB, Refusals: p.DB, Log: p.Log, Now: p.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("trusted publishing: %w", err)
	}
	checker := check.New(p.DB, p.Blobs)
	s := &Server{
		parts: p, exchange: exchange, instances: instances,
		// A password's hash takes 64 MiB; half the cores leave the other half to uploads.
		Accounts:   &account.Accounts{Store: p.DB, Tokens: p.DB, Addresses: p.DB, Log: p.DB, Now: p.Now, Passwords: account.NewPasswords(max(1, runtime.NumCPU()/2))},
		Channels:   &channel.Channels{Store: p.DB, Now: p.Now},
		Publishers: &trust.Publishers{Store: p.DB, Issuers: issuers, Now: p.Now},
		checks:     check.NewJobs(checker, &verify.Own{Store: p.DB, Blobs: p.Blobs, Packages: checker, Attest: instances.Checker, URL: p.Config.URL}, p.DB, p.Log, p.Now),
	}
	if via, ok := p.Config.MailServer(); ok {
		s.mails = &mail.Sender{Outbox: p.DB, SMTP: mail.SMTP{Server: via, From: p.Config.MailFrom}, Site: s.site(), Log: p.Log, Now: p.Now}
	}
	s.handler = s.gate().Wrap(s.routes())
	return s, nil
}

// Handler is the whole server.
func (s *Server) Handler() http.Handler { return s.handler }

func (s *Server) gate() *gate.Gate {
	return &gate.Gate{
		Log: s.parts.Log, Refuse: reply.Error, BodyMax: int64(s.parts.Config.UploadMax) + formMargin, Stall: s.parts.Config.StallTimeout,
		Carry: audit.WithRequest, // so that the audit log names the request that an event belongs to
	}
}

// routes is every path there is. The clients' paths take any method, because they answer a wrong one by
// themselves: after a 405 a client sends its whole file again. Everything that is nothing else is a file.
func (s *Server) routes() http.Handler {
	may := &access.Access{Roles: s.parts.DB, Sessions: s.parts.DB, API: s.parts.DB, Publishes: s.parts.DB, Keys: s.parts.DB, Now: s.parts.Now}
	uploads := publish.New(publish.Config{
		Blobs: s.parts.Blobs, Store: s.parts.DB, Log: s.parts.Log, Now: s.parts.Now, Limits: artifact.DefaultLimits(),
		MaxSize: int64(s.parts.Config.UploadMax), URL: s.parts.Config.URL, Attest: s.instances.Checker, Signers: s.Publishers,
	})
	up := &upload.Uploads{Exchange: s.exchange, Access: may, Channels: s.parts.DB, Audit: s.parts.DB, Log: s.parts.Log, Publish: uploads}
	curator := &curate.Curator{Store: s.parts.DB, URL: s.parts.Config.URL}
	pages := web.New(web.Deps{
		URL: s.parts.Config.URL, Version: s.parts.Version, Access: may, Accounts: s.Accounts, Channels: s.Channels,
		Publishers: s.Publishers, Exchange: s.exchange, Catalog: &catalog.Catalog{Store: s.parts.DB}, Audit: s.parts.DB, Log: s.parts.Log, Now: s.parts.Now,
		Checks: s.checks, Curator: curator, DeleteUndo: s.parts.Config.DeleteUndo, Mails: s.mails != nil,
	})
	programs := api.New(api.Deps{
		URL: s.parts.Config.URL, Version: s.parts.Version, Access: may, Accounts: s.Accounts, Channels: s.Channels,
		Publishers: s.Publishers, Exchange: s.exchange, Catalog: &catalog.Catalog{Store: s.parts.DB}, Publish: uploads, Audit: s.parts.DB, Now: s.parts.Now,
		Checks: s.checks, Curator: curator, DeleteUndo: s.parts.Config.DeleteUndo, Audiences: s.parts.Config.AllAudiences(), Issuers: s.issuers,
		Sigstore: s.sigstore, Roots: s.parts.DB,
	})
	std := &oauth.OAuth{URL: s.parts.Config.URL, Exchange: s.exchange, Revocations: revoke.New(s.parts.DB, s.parts.Now)}
	mux := http.NewServeMux()
	mux.HandleFunc(upload.MintPath, up.Mint)
	mux.HandleFunc(upload.AudiencePath, up.Audience)
	mux.HandleFunc(oauth.TokenPath, std.Token)
	mux.HandleFunc(oauth.RevokePath, std.Revoke)
	mux.HandleFunc(oauth.MetadataPath, std.Metadata)
	mux.HandleFunc(upload.UploadPath, up.Upload)
	mux.HandleFunc(strings.TrimSuffix(upload.UploadPath, "/"), up.Upload) // or ServeMux redirects it
	mux.Handle("/api/v1/", sameSite(programs))
	for _, path := range web.Paths() {
		mux.Handle(path, pages)
	}
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { reply.Text(w, http.StatusOK, "alive") })
	mux.HandleFunc("/readyz", s.ready)
	mux.Handle("/", &files.Files{
		Channels: s.parts.DB, Access: may, Index: index.New(s.parts.DB, int64(s.parts.Config.IndexMemory)), Artifacts: s.parts.DB, Blobs: s.parts.Blobs,
		HTTPS: strings.HasPrefix(s.parts.Config.URL, "https://"),
	})
	return mux
}

// sameSite refuses requests that a page of another site makes with the user's cookie.
func sameSite(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply.Error(w, r, fault.New(fault.CrossSite, "Another site tried to act in your name here; nothing was done. If it was you, open this server's own page and try again."))
	}))
	return guard.Handler(next)
}

// issuers tells how the keys of every issuer stand, in the order of the settings.
func (s *Server) issuers() []api.Issuer {
	provider := map[string]string{}
	for _, is := range s.Publishers.Issuers {
		provider[is.URL] = is.Provider.Traits().Name
	}
	out := []api.Issuer{}
	for _, h := range s.exchange.Health() {
		out = append(out, api.Issuer{
			Provider: provider[h.URL], Issuer: h.URL, Usable: h.Usable, Keys: h.Keys, FetchedAt: h.FetchedAt, Stale: h.LastError != "", ClockSkew: h.Skew.Seconds(),
		})
	}
	return out
}

// readiness is the answer of /readyz. Anybody may read it, so it says what is wrong and never how.
type readiness struct {
	Ready    bool           `json:"ready"`
	Problem  string         `json:"problem,omitempty"`
	Issuers  []api.Issuer   `json:"issuers"`
	Sigstore []api.Instance `json:"sigstore"`
}

// readyTime bounds the check of the database.
const readyTime = 5 * time.Second

// ready answers whether uploads would succeed: the database takes writes. How the issuers and the instances of sigstore stand
// is told, too, but one that is away makes nothing here unready: the clients retry, and everything else goes on.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTime)
	defer cancel()
	answer, status := readiness{Ready: true, Issuers: s.issuers(), Sigstore: s.sigstore()}, http.StatusOK
	if err := s.parts.DB.Ping(ctx); err != nil {
		s.parts.Log.LogAttrs(ctx, slog.LevelError, "not ready", slog.Any("cause", err))
		answer.Ready, answer.Problem, status = false, "the database cannot be written", http.StatusServiceUnavailable
	}
	w.Header().Set("Cache-Control", "no-store")
	reply.JSON(w, status, answer)
}

// sweepEvery is how often what has had its time is removed.
const sweepEvery = 10 * time.Minute

// Run does what goes on beside the requests, until ctx ends: it keeps the keys of issuers and of sigstore fresh, looks again at attestations
// when those change, sweeps the database,
// tells owners of publishers that end, removes the bytes of what was deleted, checks channels when their owners ask for
// it, and sends mails. It returns when all of it has ended.
func (s *Server) Run(ctx context.Context) {
	var jobs sync.WaitGroup
	jobs.Go(func() { s.exchange.Run(ctx) })
	jobs.Go(func() { s.instances.Run(ctx) })
	jobs.Go(func() { s.lookAgain(ctx) })
	jobs.Go(func() { s.sweep(ctx) })
	jobs.Go(func() { s.purge(ctx) })
	jobs.Go(func() { s.checks.Run(ctx) })
	if s.mails != nil {
		jobs.Go(func() { s.mails.Run(ctx) })
	}
	jobs.Wait()
}

// lookAgain looks at stored attestations a second time when the keys that they were checked by have changed.
func (s *Server) lookAgain(ctx context.Context) {
	looks := recheck.Looks{Store: s.parts.DB, Checker: s.instances.Checker, Changed: s.instances.Changed(), Log: s.parts.Log, Now: s.parts.Now}
	looks.Run(ctx)
}

func (s *Server) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if rows, err := s.parts.DB.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.parts.Log.LogAttrs(ctx, slog.LevelError, "sweep failed", slog.Any("cause", err))
		} else if rows > 0 {
			s.parts.Log.LogAttrs(ctx, slog.LevelDebug, "swept", slog.Int64("rows", rows))
		}
		if n, err := s.parts.DB.NoticeEnds(ctx); err != nil && ctx.Err() == nil {
			s.parts.Log.LogAttrs(ctx, slog.LevelError, "ends of publishers not announced", slog.Any("cause", err))
		} else if n > 0 {
			s.parts.Log.LogAttrs(ctx, slog.LevelInfo, "announced ends of publishers", slog.Int("notices", n))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// purge removes the bytes of what was deleted or replaced, at the start and then every sweepEvery.
func (s *Server) purge(ctx context.Context) {
	p := curate.Purger{Graves: s.parts.DB, Blobs: s.parts.Blobs, Log: s.parts.Log, Now: s.parts.Now, Undo: s.parts.Config.DeleteUndo}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := p.Run(ctx); err != nil && ctx.Err() == nil {
			s.parts.Log.LogAttrs(ctx, slog.LevelError, "purge failed", slog.Any("cause", err))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
