package trust

import (
	"slices"
	"strings"

	"sluice/internal/fault"
)

// checkHeader holds the token's header to what the issuer may use, and sets keyID and alg.
func (t *idToken) checkHeader(is Issuer) error {
	for _, name := range []string{"jwk", "jku", "x5u", "x5c", "crit", "b64"} {
		if _, ok := t.header[name]; ok {
			return refuse(fault.HeaderNotAllowed, "Header is not allowed", "the token's header has "+name+
				", and keys come from the issuer's discovery only", "Send the CI service's identity token just as it came")
		}
	}
	alg, _ := t.header["alg"].(string)
	if !slices.Contains(is.Algorithms, alg) {
		return refuse(fault.AlgNotAllowed, "Algorithm is not allowed", "token is signed with "+shown(alg)+", tokens of "+is.URL+
			" must use "+list(is.Algorithms, "or"), "An operator may allow other asymmetric algorithms for this issuer")
	}
	if typ, ok := t.header["typ"]; ok {
		if s, _ := typ.(string); foldASCII(s) != "jwt" {
			return refuse(fault.WrongType, "Token is of the wrong type", "its typ is "+shown(s)+", an identity token has JWT or none",
				"Send an ID token, not an access or logout token")
		}
	}
	kid, _ := t.header["kid"].(string)
	if !usableKeyID(kid) {
		return refuse(fault.BadKid, "Key id is missing or unusable", "the token's header needs a kid of at most 256 plain characters",
			"Send the CI service's identity token just as it came")
	}
	t.keyID, t.alg = kid, alg
	return nil
}

// usableKeyID takes what issuers use: hexadecimal, base64 of both alphabets, words. A kid is only ever compared,
// but what looks like a path or a query is somebody's attempt, and better named as such.
func usableKeyID(kid string) bool {
	const extra = "-_.~+/=:@"
	for i := range len(kid) {
		c := kid[i] | 0x20
		if !('a' <= c && c <= 'z' || '0' <= kid[i] && kid[i] <= '9' || strings.IndexByte(extra, kid[i]) >= 0) {
			return false
		}
	}
	return kid != "" && len(kid) <= 256 && !strings.Contains(kid, "..")
}
