package trust

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/standin"
	"sluice/internal/token"
)

const (
	serverURL = "https://conda.acme.dev"
	audience  = "conda.acme.dev"
)

// clock is a hand-set clock.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 23, 14, 6, 9, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// network answers requests for hosts by handlers, without sockets, and counts them.
type network struct {
	mu    sync.Mutex
	hosts map[string]http.Handler
	now   func() time.Time // for Date headers; nil: none
	count int
}

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	h, ok := n.hosts[r.URL.Host]
	n.count++
	now := n.now
	n.mu.Unlock()
	if !ok {
		return nil, errors.New("no such host: " + r.URL.Host)
	}
	w := httptest.NewRecorder()
	if now != nil {
		w.Header().Set("Date", now().UTC().Format(http.TimeFormat))
	}
	h.ServeHTTP(w, r)
	res := w.Result()
	res.Request = r
	return res, r.Context().Err()
}

func (n *network) requests() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.count
}

// set changes what answers for a host; nil takes it off the net.
func (n *network) set(host string, h http.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if h == nil {
		delete(n.hosts, host)
		return
	}
	n.hosts[host] = h
}

// memory is a Store and Refusals in memory, for this package's tests alone: the database has its own suite.
type memory struct {
	mu         sync.Mutex
	now        func() time.Time
	publishers map[int64]Publisher
	spent      map[string]Mint // by issuer and replay key
	tokens     map[token.Hash]PublishToken
	keys       map[string][]byte
	keysAt     map[string]time.Time
	refusals   []Refusal
	failing    error  // what every call answers when set
	beforeMint func() // called once before the next mint, to change things under it
}

func newMemory(now func() time.Time) *memory {
	return &memory{now: now, publishers: map[int64]Publisher{}, spent: map[string]Mint{}, tokens: map[token.Hash]PublishToken{},
		keys: map[string][]byte{}, keysAt: map[string]time.Time{}}
}

func (m *memory) Candidates(_ context.Context, c Candidate) ([]Publisher, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Publisher
	for _, p := range m.publishers {
		owner := p.AnyRepository && (RepositoryKey(p.Owner) == c.OwnerKey || p.OwnerID != "" && p.OwnerID == c.OwnerID)
		if p.Issuer == c.Issuer && (owner || RepositoryKey(p.FullName()) == c.RepositoryKey || p.RepositoryID != "" && p.RepositoryID == c.RepositoryID) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b Publisher) int { return cmp.Compare(a.ID, b.ID) })
	return out, m.failing
}

func (m *memory) Mint(_ context.Context, mint Mint) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != nil {
		return 0, m.failing
	}
	if hook := m.beforeMint; hook != nil {
		m.beforeMint = nil
		hook()
	}
	run := mint.Token.Run
	maps.DeleteFunc(m.spent, func(_ string, s Mint) bool { return !m.now().Before(s.ReplayUntil) }) // the sweep
	if first, ok := m.spent[run.Issuer+" "+mint.ReplayKey]; ok {
		return 0, Reused(first.Token.CreatedAt, first.Token.Run)
	}
	pinned := map[int64]Publisher{}
	for _, g := range mint.Token.Grants {
		p, ok := m.publishers[g.PublisherID]
		if !ok || p.Version != g.PublisherVersion || p.RepositoryID != "" && p.RepositoryID != run.RepositoryID ||
			p.OwnerID != "" && p.OwnerID != run.OwnerID {
			return 0, ErrStale
		}
		p.Owner, p.OwnerID = run.Owner, run.OwnerID
		if !p.AnyRepository {
			p.Repository, p.RepositoryID = run.Name(), run.RepositoryID
		}
		p.LastUsedAt, p.LastRun = mint.Token.CreatedAt, run
		pinned[p.ID] = p
	}
	maps.Copy(m.publishers, pinned)
	m.spent[run.Issuer+" "+mint.ReplayKey] = mint
	pt := mint.Token
	pt.ID = int64(len(m.tokens) + 1)
	m.tokens[pt.Hash] = pt
	return pt.ID, nil
}

func (m *memory) PublishToken(_ context.Context, h token.Hash) (PublishToken, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	pt, ok := m.tokens[h]
	if !ok {
		return pt, fault.New(fault.InvalidToken, "unknown")
	}
	return pt, m.failing
}

func (m *memory) LoadKeys(_ context.Context, issuer string) ([]byte, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keys[issuer], m.keysAt[issuer], m.failing
}

func (m *memory) SaveKeys(_ context.Context, issuer string, jwks []byte, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys[issuer], m.keysAt[issuer] = jwks, at
	return m.failing
}

func (m *memory) Refused(_ context.Context, r Refusal) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refusals = append(m.refusals, r)
	return nil
}

func (m *memory) publisher(id int64) Publisher {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.publishers[id]
}

// world is a server with one issuer and a place to put publishers.
type world struct {
	t       testing.TB
	clock   *clock
	net     *network
	store   *memory
	service *standin.Service
	x       *Exchange
	log     *logbook
}

// newWorld makes a server; change may alter its configuration.
func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, clock: newClock(), log: &logbook{}}
	w.net = &network{hosts: map[string]http.Handler{}, now: w.clock.now}
	w.store = newMemory(w.clock.now)
	w.service = w.issuer("127.0.0.1:9000")
	w.x = w.server(change...)
	return w
}

// issuer puts another token service on the net.
func (w *world) issuer(host string) *standin.Service {
	w.t.Helper()
	s, err := standin.New("http://"+host, w.clock.now)
	if err != nil {
		w.t.Fatal(err)
	}
	w.net.set(host, s)
	return s
}

// server makes an Exchange over the world's store: a replica of the others.
func (w *world) server(change ...func(*Config)) *Exchange {
	w.t.Helper()
	is, err := NewIssuer("github", w.service.URL())
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := Config{URL: serverURL, Audiences: []string{audience}, Issuers: []Issuer{is}, Store: w.store, Refusals: w.store,
		Log: slog.New(slog.NewTextHandler(w.log, nil)), Now: w.clock.now, Transport: w.net}
	for _, f := range change {
		f(&cfg)
	}
	x, err := NewExchange(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(x.running.Wait)
	return x
}

// logbook is a log that many may write.
type logbook struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// add stores a publisher of acme/forge, build.yml in channel tools; change may alter it.
func (w *world) add(change ...func(*Publisher)) Publisher {
	w.t.Helper()
	ch, err := conda.ParseChannel("tools")
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := NewPublisher(PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml"},
		[]Issuer{w.x.cfg.Issuers[0]}, ch, 7, "mara", w.clock.now())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range change {
		f(&p)
	}
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	p.ID = int64(len(w.store.publishers) + 1)
	w.store.publishers[p.ID] = p
	return p
}

// claims are those of a run of acme/forge, build.yml.
func (w *world) claims() map[string]any {
	return w.service.Start(standin.Run{}).Claims(audience)
}

// sign makes a token of claims.
func (w *world) sign(claims map[string]any) string {
	w.t.Helper()
	tok, err := w.service.Sign(nil, claims)
	if err != nil {
		w.t.Fatal(err)
	}
	return tok
}

// mustPass exchanges a token that has to be taken.
func (w *world) mustPass(idToken string) (token.Token, PublishToken) {
	w.t.Helper()
	tok, pt, err := w.x.Exchange(w.t.Context(), idToken)
	if err != nil {
		w.t.Fatalf("refused: %v", err)
	}
	return tok, pt
}

// mustRefuse exchanges a token that has to be refused with the code and a sentence that holds the fragment, and
// holds the sentence to the form of all refusals.
func (w *world) mustRefuse(idToken string, code fault.Code, fragment string) *fault.Error {
	w.t.Helper()
	tok, _, err := w.x.Exchange(w.t.Context(), idToken)
	return checkRefusal(w.t, err, tok, idToken, code, fragment)
}

func checkRefusal(t testing.TB, err error, tok token.Token, idToken string, code fault.Code, fragment string) *fault.Error {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		t.Fatalf("error %v (token %v), want a refusal %s", err, tok, code)
	}
	if !tok.IsZero() {
		t.Errorf("a token came beside the refusal")
	}
	if f.Code != code || !strings.Contains(f.Detail, fragment) {
		t.Errorf("refused with %s: %s\nwant %s with %q", f.Code, f.Detail, code, fragment)
	}
	if len(f.Detail) > fault.MaxDetail || !strings.Contains(f.Detail, "["+string(f.Code)+"]: ") || !strings.HasSuffix(f.Detail, ".") {
		t.Errorf("sentence of %d bytes has not the form \"what [code]: why. Do.\": %s", len(f.Detail), f.Detail)
	}
	if len(idToken) > 40 && strings.Contains(f.Detail, idToken[len(idToken)-20:]) {
		t.Errorf("the sentence repeats the token: %s", f.Detail)
	}
	return f
}

// sharedService is a token service with a standing clock, made once.
var sharedService = sync.OnceValue(func() *standin.Service {
	s, err := standin.New("http://127.0.0.1:9000", newClock().now)
	if err != nil {
		panic(err)
	}
	return s
})

// serving is a network with one token service.
func serving(s *standin.Service, c *clock) *network {
	return &network{hosts: map[string]http.Handler{"127.0.0.1:9000": s}, now: c.now}
}

// shared makes a world that shares the keys of all others of its kind: making keys is what costs time.
func shared(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, clock: newClock(), log: &logbook{}, service: sharedService()}
	w.net = serving(w.service, w.clock)
	w.store = newMemory(w.clock.now)
	w.x = w.server()
	return w
}
