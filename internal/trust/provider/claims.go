package provider

import (
	"cmp"
	"encoding/json"

	"sluice/internal/fault"
)

// maxClaim bounds one claim that Sluice reads, in bytes. A git ref may be 1 KiB long on some servers; what is
// longer is no name of anything.
const maxClaim = 1500

// reader takes single claims, and keeps the first refusal.
type reader struct {
	claims Claims
	// update is how a claim that is missing comes into the token, where there is more to say than that an old server
	// must be updated.
	update string
	err    error
}

// required takes a claim that must be there and not be empty.
func (r *reader) required(into *string, name string, ok func(string) bool) {
	r.optional(into, name, ok)
	if r.err == nil && *into == "" {
		r.err = fault.New(fault.MissingClaim, "Claim is missing [%s]: the token has no %s, without which no publisher can be compared. "+
			"Use a token straight from the CI service; %s.", fault.MissingClaim, name, cmp.Or(r.update, "an old server of it must be updated"))
	}
}

// optional takes a claim that may be absent or null.
func (r *reader) optional(into *string, name string, ok func(string) bool) {
	v, present := r.claims[name]
	if r.err != nil || !present || v == nil {
		return
	}
	s, isString := v.(string)
	if !isString {
		r.err = fault.New(fault.BadClaim, "Claim has the wrong type [%s]: the token's %s is %s, it must be a string. "+
			"Use a token straight from the CI service.", fault.BadClaim, name, jsonType(v))
		return
	}
	if s != "" && !ok(s) {
		r.err = fault.New(fault.BadClaim, "Claim has an impossible value [%s]: the token's %s is %s. "+
			"Use a token straight from the CI service.", fault.BadClaim, name, fault.OneLine(s, 90))
		return
	}
	*into = s
}

// truth takes an optional boolean, or its word: services write either. What is absent is false.
func (r *reader) truth(name string) bool {
	switch v := r.claims[name].(type) {
	case nil:
	case bool:
		return v
	case string:
		if v == "true" || v == "false" {
			return v == "true"
		}
		r.refuseType(name, v)
	default:
		r.refuseType(name, v)
	}
	return false
}

func (r *reader) refuseType(name string, v any) {
	if r.err == nil {
		r.err = fault.New(fault.BadClaim, "Claim has the wrong type [%s]: the token's %s is %s, it must be true or false. "+
			"Use a token straight from the CI service.", fault.BadClaim, name, jsonType(v))
	}
}

// number takes an optional claim that is a string, or a number without sign and fraction, as it stands.
func (r *reader) number(into *string, name string, ok func(string) bool) {
	if n, isNumber := r.claims[name].(json.Number); isNumber && digits(n.String()) && r.err == nil {
		*into = n.String()
		return
	}
	r.optional(into, name, ok)
}

func text(s string) bool { return len(s) <= maxClaim }

// digits reports whether s is an id: 1 to 20 decimal digits.
func digits(s string) bool { return within(s, 20, func(c byte) bool { return '0' <= c && c <= '9' }) }

// hexSHA reports whether s is a git commit: 40 (SHA-1) to 64 (SHA-256) lower-case hexadecimal digits.
func hexSHA(s string) bool {
	return len(s) >= 40 && within(s, 64, func(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' })
}

// within reports whether s has 1 to max bytes and each is ok.
func within(s string, max int, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return s != "" && len(s) <= max
}

func jsonType(v any) string {
	switch v.(type) {
	case bool:
		return "true or false"
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a text"
	}
	return "a number"
}

// foldEqual compares as the services compare names: ASCII letters without case, everything else byte for byte.
// strings.EqualFold would take the Kelvin sign for k.
func foldEqual(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func alnum(c byte) bool { return 'a' <= lower(c) && lower(c) <= 'z' || '0' <= c && c <= '9' }
