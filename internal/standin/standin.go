// Package standin is a local stand-in for GitHub's token service and for the pages that a run's links lead to.
// It speaks the real protocol over HTTP: discovery, keys, and the request endpoint that runners call. `sluice
// demo` and the tests share it.
//
// Whoever can reach it can have any job that was started here vouched for, so it listens on loopback only. It
// must not know of the server that takes its tokens.
package standin

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Service is one token service. It is an http.Handler, safe for concurrent use.
type Service struct {
	issuer string
	now    func() time.Time
	mux    *http.ServeMux
	server *http.Server // nil when somebody else serves the handler

	mu     sync.Mutex // guards what follows
	keys   []key      // published keys, the signing one last
	jobs   []*Job
	nextID int
}

// New makes a token service whose issuer and site are at the address, such as "http://127.0.0.1:9000". The
// caller serves it there.
func New(address string, now func() time.Time) (*Service, error) {
	s := &Service{issuer: strings.TrimSuffix(address, "/"), now: now, nextID: 1}
	if err := s.Rotate(); err != nil {
		return nil, err
	}
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("GET /.well-known/openid-configuration", s.discovery)
	s.mux.HandleFunc("GET /.well-known/jwks", s.jwks)
	s.mux.HandleFunc("GET /token", s.token)
	s.pages()
	return s, nil
}

// Listen makes a token service and serves it on a loopback address such as "127.0.0.1:9000"; port 0 takes a free
// one. Close ends it.
func Listen(address string, now func() time.Time) (*Service, error) {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("stand-in address %q is not a loopback address such as 127.0.0.1:9000", address)
	}
	ln, err := net.Listen("tcp", address) //nolint:noctx // a loopback address is taken, or not, at once
	if err != nil {
		return nil, fmt.Errorf("start the stand-in for the token service: %w", err)
	}
	s, err := New("http://"+ln.Addr().String(), now)
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = s.server.Serve(ln) }() // ends with Close; its error is always ErrServerClosed then
	return s, nil
}

// Close stops serving.
func (s *Service) Close() error {
	if s.server == nil {
		return nil
	}
	return s.server.Close()
}

// URL is the issuer, and the site on which runs are shown.
func (s *Service) URL() string { return s.issuer }

// ServeHTTP serves discovery, keys, tokens and pages.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// discovery is the document of OpenID Connect Discovery 1.0 §3, with the members that GitHub's has.
func (s *Service) discovery(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, map[string]any{
		"issuer": s.issuer, "jwks_uri": s.issuer + "/.well-known/jwks",
		"subject_types_supported": []string{"public", "pairwise"}, "response_types_supported": []string{"id_token"},
		"claims_supported": claimNames(), "id_token_signing_alg_values_supported": []string{"RS256"}, "scopes_supported": []string{"openid"},
	})
}

func (s *Service) jwks(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set := []map[string]string{}
	for _, k := range s.keys {
		set = append(set, k.jwk())
	}
	writeJSON(w, map[string]any{"keys": set})
}

// token is what ACTIONS_ID_TOKEN_REQUEST_URL leads to: the job's bearer token against an identity token for the
// audience that the query asks for.
func (s *Service) token(w http.ResponseWriter, r *http.Request) {
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	job := s.job(func(j *Job) bool { return j.request == bearer })
	if !ok || job == nil {
		http.Error(w, "the Bearer token is of no job that was started here", http.StatusUnauthorized)
		return
	}
	value, err := job.Token(r.URL.Query().Get("audience"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, map[string]any{"value": value})
}

// job returns the newest job for which is holds, or nil.
func (s *Service) job(is func(*Job) bool) *Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range slices.Backward(s.jobs) {
		if is(j) {
			return j
		}
	}
	return nil
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(v) // the client has gone when this fails
}

// Rotate makes a new signing key. The older ones stay published until Withdraw.
func (s *Service) Rotate() error {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("make a signing key: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, newKey(private))
	return nil
}

// Withdraw stops publishing every key but the signing one.
func (s *Service) Withdraw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = s.keys[len(s.keys)-1:]
}
