package trust

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// maxKeys bounds a key set; real ones hold two to eight.
const maxKeys = 100

// families are the signature algorithms that can be configured, with the kind of key each needs. Symmetric ones
// and none are not among them: their "public" key would be the secret.
var families = map[string]string{
	"RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
	"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519",
}

// publicKey is one usable key of an issuer.
type publicKey struct {
	id, alg, family string
	key             any // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// fits reports whether the key is the one that a header names.
func (k publicKey) fits(kid, alg string) bool {
	return k.id == kid && (k.alg == "" || k.alg == alg) && k.family == families[alg]
}

// parseKeys reads a JWK set (RFC 7517 §5). Keys that cannot be used are left out, each with an entry in skipped:
// one bad key must not spoil the set. No keys at all is an error.
func parseKeys(data []byte) (keys []publicKey, skipped []error, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, nil, fmt.Errorf("key set is not JSON of the right form: %w", err)
	}
	if len(set.Keys) == 0 || len(set.Keys) > maxKeys {
		return nil, nil, fmt.Errorf("key set has %d keys, want 1 to %d", len(set.Keys), maxKeys)
	}
	for i, raw := range set.Keys {
		k, err := parseKey(raw)
		if err != nil {
			skipped = append(skipped, fmt.Errorf("key %d: %w", i, err))
			continue
		}
		keys = append(keys, k)
	}
	return keys, skipped, nil
}

// publicJWK holds the members of a JWK that Sluice reads. Certificates are left alone: a set is as good as the
// connection that it came by.
type publicJWK struct {
	Kty    string   `json:"kty"`
	Kid    string   `json:"kid,omitempty"`
	Alg    string   `json:"alg,omitempty"`
	Use    string   `json:"use,omitempty"`
	KeyOps []string `json:"key_ops,omitempty"`
	Crv    string   `json:"crv,omitempty"`
	N      string   `json:"n,omitempty"`
	E      string   `json:"e,omitempty"`
	X      string   `json:"x,omitempty"`
	Y      string   `json:"y,omitempty"`
}

func parseKey(raw []byte) (publicKey, error) {
	var j publicJWK
	if err := json.Unmarshal(raw, &j); err != nil {
		return publicKey{}, err
	}
	switch {
	case j.Use != "" && j.Use != "sig":
		return publicKey{}, fmt.Errorf("is for %q", shown(j.Use))
	case len(j.KeyOps) > 0 && !slices.Contains(j.KeyOps, "verify"):
		return publicKey{}, errors.New("is not for verifying")
	case j.Kid == "":
		return publicKey{}, errors.New("has no kid")
	case j.Kty != "RSA" && j.Kty != "EC" && j.Kty != "OKP":
		return publicKey{}, fmt.Errorf("is of the kind %q", shown(j.Kty))
	}
	plain, err := json.Marshal(j) // without private or unknown members, which the library would read
	if err != nil {
		return publicKey{}, err
	}
	var k jose.JSONWebKey
	if err := k.UnmarshalJSON(plain); err != nil {
		return publicKey{}, err
	}
	family, err := strongFamily(k.Key)
	return publicKey{id: j.Kid, alg: j.Alg, family: family, key: k.Key}, err
}

// strongFamily names the kind of a key, and refuses weak ones.
func strongFamily(key any) (string, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < 2048 || n > 8192 {
			return "", fmt.Errorf("RSA of %d bits, want 2048 to 8192", n)
		}
		if k.E < 65537 || k.E%2 == 0 || k.E >= 1<<32 {
			return "", errors.New("RSA with a public exponent that is even, small or huge")
		}
		return "RSA", nil
	case *ecdsa.PublicKey:
		return k.Curve.Params().Name, nil
	case ed25519.PublicKey:
		return "Ed25519", nil
	}
	return "", errors.New("is of no usable kind")
}

// verifySignature checks the token's signature with each key that may have made it, over the bytes as received.
func verifySignature(t *idToken, keys []publicKey) bool {
	jws, err := jose.ParseSignedCompact(t.raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(t.alg)})
	if err != nil {
		return false
	}
	return slices.ContainsFunc(keys, func(k publicKey) bool {
		_, err := jws.Verify(k.key)
		return err == nil
	})
}
