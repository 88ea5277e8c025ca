package standin

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // x5t is defined by SHA-1, RFC 7515 §4.1.7
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"maps"
	"strings"
)

// key is one signing key.
type key struct {
	id      string
	private *rsa.PrivateKey
}

func newKey(private *rsa.PrivateKey) key {
	sum := sha256.Sum256(private.N.Bytes())
	return key{id: strings.ToUpper(hex.EncodeToString(sum[:20])), private: private}
}

// jwk is the public half as RFC 7517 writes it.
func (k key) jwk() map[string]string {
	e := binary.BigEndian.AppendUint32(nil, uint32(k.private.E)) // always 65537
	return map[string]string{
		"kty": "RSA", "alg": "RS256", "use": "sig", "kid": k.id,
		"n": b64(k.private.N.Bytes()), "e": b64(e[1:]),
	}
}

// Sign makes a token of any claims: tests say with it what a real service never would. Members of header replace
// those of the usual one; nil takes one away.
func (s *Service) Sign(header, claims map[string]any) (string, error) {
	s.mu.Lock()
	k := s.keys[len(s.keys)-1]
	s.mu.Unlock()
	h := map[string]any{"typ": "JWT", "alg": "RS256", "kid": k.id}
	if s.kind == GitHub {
		thumb := sha1.Sum([]byte(k.id)) //nolint:gosec // see the import
		h["x5t"] = b64(thumb[:])
	}
	maps.Copy(h, header)
	maps.DeleteFunc(h, func(_ string, v any) bool { return v == nil })
	first, err := json.Marshal(h)
	if err != nil {
		return "", err
	}
	second, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	return k.sign(b64(first) + "." + b64(second))
}

// SignRaw signs two JSON texts as they are, which need not even be JSON.
func (s *Service) SignRaw(header, claims string) (string, error) {
	s.mu.Lock()
	k := s.keys[len(s.keys)-1]
	s.mu.Unlock()
	return k.sign(b64([]byte(strings.ReplaceAll(header, "KID", k.id))) + "." + b64([]byte(claims)))
}

// sign appends the RS256 signature (RFC 7518 §3.3) of input to it.
func (k key) sign(input string) (string, error) {
	sum := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(rand.Reader, k.private, crypto.SHA256, sum[:])
	return input + "." + b64(sig), err
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
