// Package servertest starts whole Sluice servers for tests: the real wiring, on a real listener, over a real
// database, beside a stand-in for the CI token service. Tests of any package may use it. It must not know
// more of a server than its parts and its HTTP address.
package servertest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/blob"
	"sluice/internal/channel"
	"sluice/internal/cijob"
	"sluice/internal/config"
	"sluice/internal/db"
	"sluice/internal/server"
	"sluice/internal/servertest/postgres"
	"sluice/internal/standin"
	"sluice/internal/token"
	"sluice/internal/trust"
)

// Server is a running server of one test. It ends with the test.
type Server struct {
	*server.Server
	// URL is its address, http://127.0.0.1:PORT.
	URL string
	// CI is the token service that it trusts.
	CI *standin.Service
	DB *db.DB
	// Address is that of its PostgreSQL database, postgres://…; empty on SQLite.
	Address string
	// Data is the folder with its packages.
	Data string
	// Log is everything that it logged.
	Log *Log
}

// Options change a server from the default. The zero value is SQLite with default settings.
type Options struct {
	// Postgres takes a PostgreSQL database in place of SQLite.
	Postgres bool
	// Configure changes the settings before they are used.
	Configure func(*config.Config)
	// Now is the clock; nil means the real one.
	Now func() time.Time
	// Idle leaves out what goes on beside the requests, for tests that do it step by step.
	Idle bool
}

// Both runs a test on a server with SQLite and on one with PostgreSQL.
func Both(t *testing.T, run func(t *testing.T, s *Server)) {
	t.Helper()
	for _, o := range []Options{{}, {Postgres: true}} {
		name := "sqlite"
		if o.Postgres {
			name = "postgres"
		}
		t.Run(name, func(t *testing.T) { run(t, New(t, o)) })
	}
}

// New starts a server.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{Data: t.TempDir(), Log: &Log{}}
	var err error
	if s.CI, err = standin.Listen("127.0.0.1:0", o.Now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.CI.Close() })
	if o.Postgres {
		s.Address = postgres.Database(t)
	}
	s.DB = open(t, s, o.Now)
	front := httptest.NewUnstartedServer(nil)
	s.URL = "http://" + front.Listener.Addr().String()
	cfg := Config(t, s.URL, s.CI.URL(), s.Data)
	if o.Configure != nil {
		o.Configure(&cfg)
	}
	log := slog.New(slog.NewTextHandler(s.Log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.Server, err = server.New(t.Context(), server.Parts{Config: cfg, DB: s.DB, Blobs: blobs(t, s), Log: log, Now: o.Now, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	front.Config.Handler = s.Handler()
	front.Start()
	t.Cleanup(front.Close)
	if o.Idle {
		return s
	}
	jobs, end := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(jobs) }()
	t.Cleanup(func() { end(); <-ended })
	return s
}

// Config is the settings of a server at url that trusts the issuer.
func Config(t testing.TB, url, issuer, data string) config.Config {
	t.Helper()
	text := func(s string) *config.Text { return new(config.Text(s)) }
	cfg, err := config.Load(config.Flags{
		Listen: text(strings.TrimPrefix(url, "http://")), Data: text(data), Issuer: map[string]string{"github": issuer}, SigstoreTUF: text("off"), // tests ask nobody outside
	}, func(string) string { return "" }, "")
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func open(t testing.TB, s *Server, now func() time.Time) *db.DB {
	t.Helper()
	var d *db.DB
	var err error
	if s.Address != "" {
		d, err = db.OpenPostgres(t.Context(), s.Address, now)
	} else {
		d, err = db.OpenSQLite(t.Context(), filepath.Join(s.Data, "sluice.db"), now)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func blobs(t testing.TB, s *Server) blob.Store {
	t.Helper()
	root, err := os.OpenRoot(s.Data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	b, err := blob.NewFolder(root, s.DB.Referenced)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// Password is the password of every account that User makes.
const Password = "correct horse battery"

var operator = audit.Actor{Kind: audit.Operator, Means: "test"}

// User makes an account.
func (s *Server) User(t testing.TB, name string, admin bool) account.User {
	t.Helper()
	u, err := s.Accounts.Create(t.Context(), operator, name, Password, admin, token.Token{})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// Token makes an API token of u and returns the bearer string; ch is nil for one that is not limited to a channel.
func (s *Server) Token(t testing.TB, u account.User, ch *channel.Channel, scopes ...account.Scope) string {
	t.Helper()
	n := account.NewToken{Name: "test", Scopes: scopes}
	if ch != nil {
		n.ChannelID, n.Channel = ch.ID, ch.Name.String()
	}
	tok, _, err := s.Accounts.CreateToken(t.Context(), operator, u, n)
	if err != nil {
		t.Fatal(err)
	}
	return tok.Reveal()
}

// Channel makes a channel that u owns.
func (s *Server) Channel(t testing.TB, u account.User, name string, v channel.Visibility) channel.Channel {
	t.Helper()
	ch, err := s.Channels.Create(t.Context(), audit.Actor{Kind: audit.User, Name: u.Name}, u.ID, name, v, "Made for a test.")
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// Publisher adds a publisher for build.yml of acme/forge unless the spec says otherwise.
func (s *Server) Publisher(t testing.TB, ch channel.Channel, spec trust.PublisherSpec) trust.Publisher {
	t.Helper()
	if spec.Repository == "" {
		spec.Owner, spec.Repository = "acme", "forge"
	}
	if spec.Workflow == "" {
		spec.Workflow = "build.yml"
	}
	p, err := s.Publishers.Add(t.Context(), operator, ch, spec)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Job starts a CI run; what is empty is that of build.yml of acme/forge on a push to main.
func (s *Server) Job(run standin.Run) *cijob.Job {
	if run.Repository == "" {
		run.Owner, run.Repository = "acme", "forge"
	}
	return cijob.New(s.CI.Start(run).Env())
}

// Certificate is what sigstore's authority writes of a job into its certificate: extensions by their numbers, the identity
// being that of 9.
func (s *Server) Certificate(j *standin.Job) map[int]string {
	site := s.CI.URL()
	run := fmt.Sprintf("%s/%s/actions/runs/%d/attempts/%d", site, j.FullName(), j.RunID, j.Attempt)
	return map[int]string{
		8: s.CI.URL(), 9: site + "/" + j.JobWorkflow, 10: j.SHA, 11: j.Runner, 12: site + "/" + j.FullName(), 13: j.SHA, 14: j.Ref, 15: j.RepositoryID,
		16: site + "/" + j.Owner, 17: j.OwnerID, 18: site + "/" + j.WorkflowRef(), 19: j.SHA, 20: j.Event, 21: run, 22: j.Visibility, 24: "repo:" + j.FullName(),
	}
}

// PublishToken mints a token as a fresh run of build.yml of acme/forge.
func (s *Server) PublishToken(t testing.TB) string {
	t.Helper()
	job := s.Job(standin.Run{})
	id, err := job.IdentityToken(t.Context(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	tok, err := job.Mint(t.Context(), s.URL, id)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// Get fetches a path with an optional bearer token and returns the status, the headers and the body.
func (s *Server) Get(t testing.TB, path, bearer string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	return Do(t, req)
}

// Do sends a request without following redirects.
func Do(t testing.TB, req *http.Request) (int, http.Header, string) {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(body)
}
