package standin

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
)

// discovery is the document of OpenID Connect Discovery 1.0 §3, with the members that GitHub's has.
func (s *Service) discovery(w http.ResponseWriter, r *http.Request) {
	t, err := s.kind.traits()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeJSON(w, map[string]any{
		"issuer": s.issuer, "jwks_uri": s.keysURL(),
		"subject_types_supported": []string{"public", "pairwise"}, "response_types_supported": []string{"id_token"},
		"claims_supported": t.claims(s), "id_token_signing_alg_values_supported": []string{"RS256"}, "scopes_supported": []string{"openid"},
	})
}

// KeysAt publishes the keys at another host ("127.0.0.1:9001") and there alone, as Google does. Whoever serves the
// handler serves it there too.
func (s *Service) KeysAt(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keysHost = host
}

func (s *Service) keysURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keysHost != "" {
		return "http://" + s.keysHost + s.keysPath
	}
	return s.root + s.keysPath
}

func (s *Service) jwks(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keysHost != "" && s.keysHost != r.Host {
		http.NotFound(w, r)
		return
	}
	set := []map[string]string{}
	for _, k := range s.keys {
		set = append(set, k.jwk())
	}
	writeJSON(w, map[string]any{"keys": set})
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
