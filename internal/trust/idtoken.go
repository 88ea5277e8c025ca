package trust

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"sluice/internal/fault"
	"sluice/internal/strictjson"
	"sluice/internal/trust/provider"
)

// maxToken bounds an identity token, in bytes. GitHub's have some 1.5 KiB.
const maxToken = 16 << 10

// idToken is an identity token taken apart. Nothing in it is proven until its signature is checked.
type idToken struct {
	raw    string
	header map[string]any
	claims provider.Claims
	// issuer is the claim iss, keyID and alg are of the header; the latter two are set by checkHeader.
	issuer, keyID, alg string
}

// parseToken takes a compact JWS (RFC 7515 §7.1) apart and reads its two objects strictly.
func parseToken(raw string) (*idToken, error) {
	if len(raw) > maxToken {
		return nil, refuse(fault.TooLarge, "Token is too large", fmt.Sprintf("it has %d bytes, a token may have %d", len(raw), maxToken),
			"Send the identity token of the CI service")
	}
	parts, err := split(raw)
	if err != nil {
		return nil, err
	}
	t := &idToken{raw: raw}
	if t.header, err = part("header", parts[0], "alg", "kid", "typ", "crit", "jwk", "jku", "x5u", "x5c", "b64"); err != nil {
		return nil, err
	}
	if t.claims, err = part("payload", parts[1], "iss", "sub", "aud", "exp", "nbf", "iat", "jti"); err != nil {
		return nil, err
	}
	if _, err := decode("signature", parts[2]); err != nil {
		return nil, err
	}
	iss, ok := t.claims["iss"].(string)
	if !ok {
		return nil, malformed("the payload has no iss that is a string")
	}
	t.issuer = iss
	return t, nil
}

// malformed refuses what is no compact JWS. The sentence never repeats any of it.
func malformed(why string) *fault.Error {
	return refuse(fault.MalformedToken, "Token cannot be read", why, "Send the CI service's identity token (a JWT) just as it came")
}

func split(raw string) ([]string, error) {
	if kind := otherToken(raw); kind != "" {
		return nil, malformed("this is " + kind + ", not an identity token")
	}
	if strings.ContainsAny(raw, " \t\r\n") {
		return nil, malformed("there is white space in or around it: strip the newline")
	}
	parts := strings.Split(raw, ".")
	switch {
	case strings.HasPrefix(raw, "{"):
		return nil, malformed("it is JSON; only the compact form is taken")
	case len(parts) == 5:
		return nil, malformed("it has five parts and so is encrypted; a signed token has three")
	case len(parts) != 3:
		return nil, malformed(fmt.Sprintf("it has %d parts between dots; a signed token has three", len(parts)))
	}
	return parts, nil
}

// otherToken names a secret of another kind that was sent by mistake, or returns "".
func otherToken(raw string) string {
	for _, k := range []struct{ prefix, kind string }{
		{"sluice-pub-", "a publish token of Sluice"}, {"sluice-api-", "an API token of Sluice"}, {"sluice-", "a token of Sluice"},
		{"ghs_", "a GITHUB_TOKEN or another access token of GitHub"}, {"ghp_", "an access token of GitHub"},
		{"gho_", "an access token of GitHub"}, {"ghu_", "an access token of GitHub"}, {"ghr_", "a refresh token of GitHub"},
		{"github_pat_", "an access token of GitHub"}, {"glpat-", "an access token of GitLab"},
		{"Bearer ", "an Authorization header"},
	} {
		if strings.HasPrefix(raw, k.prefix) {
			return k.kind
		}
	}
	return ""
}

// part decodes and reads one of the two objects. Members named like one of names but for the case are refused.
func part(name, encoded string, names ...string) (map[string]any, error) {
	data, err := decode(name, encoded)
	if err != nil {
		return nil, err
	}
	obj, err := strictjson.Object(data)
	if err != nil {
		return nil, malformed("the " + name + " " + err.Error())
	}
	if key := strictjson.ForeignCase(obj, names...); key != "" {
		return nil, malformed("the " + name + " has the duplicate or misspelt member " + shown(key))
	}
	return obj, nil
}

// decode is base64url without padding and with zero last bits, so that each token has one spelling. The
// decoder of the library skips line ends, hence the look at each character.
func decode(name, s string) ([]byte, error) {
	if s == "" {
		return nil, malformed("its " + name + " is empty")
	}
	for _, c := range s {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return nil, malformed(fmt.Sprintf("its %s is not base64url: it holds %s", name, fault.OneLine(string(c), 12)))
		}
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, malformed("its " + name + " is not base64url: a character is missing, or one too many")
	}
	return b, nil
}

// signingInput is what the signature covers.
func (t *idToken) signingInput() string { return t.raw[:strings.LastIndexByte(t.raw, '.')] }

// hashPrefix finds a token in the log without giving it away.
func hashPrefix(raw string) string {
	sum := sha256.Sum256([]byte(raw))
	return hex.EncodeToString(sum[:8])
}
