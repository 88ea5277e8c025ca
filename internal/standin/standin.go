// Package standin is a local stand-in for the token services of CI services, and for the pages that a run's links
// lead to. It speaks the real protocols over HTTP: discovery, keys, and whatever a job of the service asks for an
// identity token; where jobs ask a program, it writes that program. Tokens have the claims of the real ones, by
// name and by type, also those that a server must not trust or keep. `sluice demo` and the tests share it.
//
// Whoever can reach it can have any job that was started here vouched for, so it listens on loopback only. It
// must not know of the server that takes its tokens.
package standin

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"
)

// Service is one token service. It is an http.Handler, safe for concurrent use.
type Service struct {
	kind     Kind
	root     string // scheme and host
	site     string // what the addresses of pages begin with
	issuer   string
	now      func() time.Time
	mux      *http.ServeMux
	servers  []*http.Server // none when somebody else serves the handler
	keysPath string

	mu       sync.Mutex // guards what follows
	keysHost string     // where alone the keys are; empty: wherever the service is
	keys     []key      // published keys, the signing one last
	jobs     []any      // pointers to jobs, the oldest first
	nextID   int
}

// New makes a stand-in for GitHub, as NewAs does.
func New(address string, now func() time.Time) (*Service, error) { return NewAs(GitHub, address, now) }

// NewAs makes a stand-in for a service of the kind whose site is at the address, such as "http://127.0.0.1:9000".
// The caller serves it there. A path in the address is the beginning of a site that is not at its host's root;
// for GitHub it is that of the issuer alone: "/_services/token" of an Enterprise Server, "/SLUG" of an enterprise
// with an issuer of its own.
func NewAs(kind Kind, address string, now func() time.Time) (*Service, error) {
	t, err := kind.traits()
	if err != nil {
		return nil, err
	}
	address = strings.TrimSuffix(address, "/")
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || address != u.Scheme+"://"+u.Host+u.Path ||
		u.Path != "" && path.Clean(u.Path) != u.Path || strings.ContainsAny(u.Path, "{}") {
		return nil, fmt.Errorf("stand-in address %q is not one such as http://127.0.0.1:9000 or http://127.0.0.1:9000/path", address)
	}
	s := &Service{kind: kind, root: u.Scheme + "://" + u.Host, site: address, issuer: address + t.issuerPath,
		keysPath: u.Path + t.issuerPath + t.keysPath, now: now, mux: http.NewServeMux(), nextID: 1}
	if kind == GitHub {
		s.site = s.root
	}
	if err := s.Rotate(); err != nil {
		return nil, err
	}
	s.handle("GET", s.issuer+"/.well-known/openid-configuration", s.discovery)
	s.handle("GET", s.root+s.keysPath, s.jwks)
	t.routes(s)
	return s, nil
}

// handle registers a handler for an address of this service.
func (s *Service) handle(method, address string, h http.HandlerFunc) {
	s.mux.HandleFunc(method+" "+strings.TrimPrefix(address, s.root), h)
}

// Listen makes a stand-in for GitHub and serves it, as ListenAs does.
func Listen(address string, now func() time.Time) (*Service, error) {
	return ListenAs(GitHub, address, now)
}

// ListenAs makes a stand-in and serves it on a loopback address such as "127.0.0.1:9000", which may have a path
// (see NewAs); port 0 takes a free one. The keys of Google are on another free port, as they are on another host
// in the world. Close ends it.
func ListenAs(kind Kind, address string, now func() time.Time) (*Service, error) {
	hostport, below, _ := strings.Cut(address, "/")
	host, _, err := net.SplitHostPort(hostport)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("stand-in address %q is not a loopback address such as 127.0.0.1:9000", address)
	}
	ln, err := take(hostport)
	if err != nil {
		return nil, err
	}
	s, err := NewAs(kind, "http://"+ln.Addr().String()+"/"+below, now)
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	s.serve(ln)
	if kind == Google {
		keys, err := take(net.JoinHostPort(host, "0"))
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.KeysAt(keys.Addr().String())
		s.serve(keys)
	}
	return s, nil
}

func take(address string) (net.Listener, error) {
	ln, err := net.Listen("tcp", address) //nolint:noctx // a loopback address is taken, or not, at once
	if err != nil {
		return nil, fmt.Errorf("start the stand-in for the token service: %w", err)
	}
	return ln, nil
}

func (s *Service) serve(ln net.Listener) {
	server := &http.Server{Handler: s, ReadHeaderTimeout: 5 * time.Second}
	s.servers = append(s.servers, server)
	go func() { _ = server.Serve(ln) }() // ends with Close; its error is always ErrServerClosed then
}

// Close stops serving.
func (s *Service) Close() error {
	var err error
	for _, server := range s.servers {
		err = errors.Join(err, server.Close())
	}
	return err
}

// URL is the issuer.
func (s *Service) URL() string { return s.issuer }

// Site is what the addresses of the pages begin with on which runs are shown. Often it is the issuer.
func (s *Service) Site() string { return s.site }

// ServeHTTP serves discovery, keys, tokens and pages.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }
