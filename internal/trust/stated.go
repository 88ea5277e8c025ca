package trust

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"time"

	"sluice/internal/fault"
)

// stated is what a token states of itself: when, for whom, once.
type stated struct {
	expires   time.Time
	audience  string
	jti       string
	replayKey string
}

// checkStated holds the token's own statements to the rules of trusted-publishing.md §3.7 to §3.9. It needs no
// key and no network, so it comes before both.
func (x *Exchange) checkStated(t *idToken, is *issuerKeys, now time.Time) (stated, error) {
	var s stated
	var err error
	if s.expires, err = x.checkTimes(t, is, now); err != nil {
		return s, err
	}
	if s.audience, err = x.checkAudience(t, is); err != nil {
		return s, err
	}
	if s.jti, err = checkJTI(t, is.Provider.Traits().NeedsJTI); err != nil {
		return s, err
	}
	s.replayKey = "jti:" + s.jti
	if s.jti == "" {
		// Of what is signed, not of the whole token: the same statement may be signed in many encodings.
		sum := sha256.Sum256([]byte(t.signingInput()))
		s.replayKey = "sha256:" + hex.EncodeToString(sum[:])
	}
	return s, nil
}

func (x *Exchange) checkTimes(t *idToken, is *issuerKeys, now time.Time) (time.Time, error) {
	exp, err := timeClaim(t, "exp", true)
	if err != nil {
		return exp, err
	}
	iat, err := timeClaim(t, "iat", true)
	if err != nil {
		return exp, err
	}
	nbf, err := timeClaim(t, "nbf", false)
	if err != nil {
		return exp, err
	}
	leeway := x.cfg.Leeway
	switch {
	case !exp.After(iat):
		return exp, badTime("exp is not later than iat")
	case exp.Sub(iat) > is.MaxLifetime:
		return exp, refuse(fault.LifetimeTooLong, "Token lives too long", "it spans "+span(exp.Sub(iat))+
			", tokens of "+is.URL+" may span "+span(is.MaxLifetime), "Ask the CI service for a shorter one")
	case !now.Before(exp.Add(leeway)):
		return exp, refuse(fault.Expired, "Token is expired", "it ended "+ago(now.Sub(exp))+is.clockNote(),
			"Request it right before uploading; build in one job and publish in the next")
	}
	if start := latest(iat, nbf); now.Before(start.Add(-leeway)) {
		return exp, refuse(fault.NotYetValid, "Token is not valid yet", "it begins in "+span(start.Sub(now))+
			" by this server's clock"+is.clockNote(), "Set the clock that is wrong, then run the job again")
	}
	return exp, nil
}

// latest returns the later of two times.
func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func badTime(why string) error {
	return refuse(fault.BadTime, "Token has unusable times", why, "Send the CI service's identity token just as it came")
}

// Times outside these years are mistakes, not times (seconds since 1970; the start of 2000 and of 2100).
const minTime, maxTime = 946684800, 4102444800

// timeClaim reads a NumericDate (RFC 7519 §2), whole seconds, perhaps written as 1.7e9.
func timeClaim(t *idToken, name string, required bool) (time.Time, error) {
	v, ok := t.claims[name]
	if !ok && !required {
		return time.Time{}, nil
	}
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}, badTime(name + " is missing or no number")
	}
	f, err := n.Float64()
	if err != nil || f != math.Trunc(f) || f < minTime || f >= maxTime {
		return time.Time{}, badTime(name + " is no whole number of seconds between the years 2000 and 2100")
	}
	return time.Unix(int64(f), 0), nil
}

// checkAudience wants exactly one audience that is byte for byte one of ours, or one that the issuer may use. A token
// with a second audience could be used at that other service as well.
func (x *Exchange) checkAudience(t *idToken, is *issuerKeys) (string, error) {
	wanted := slices.Concat(x.cfg.Audiences, is.Audiences)
	aud := t.claims["aud"]
	if many, ok := aud.([]any); ok && len(many) == 1 {
		aud = many[0]
	}
	s, ok := aud.(string)
	if ok && slices.Contains(wanted, s) {
		return s, nil
	}
	got := shown(s)
	if !ok {
		got = "no single audience"
	}
	traits := is.Provider.Traits()
	do := "Ask the CI service for a token with exactly that audience"
	switch {
	case traits.AudienceHint != nil:
		do = traits.AudienceHint(x.cfg.Audiences[0])
	case s == legacyAudience:
		do = "rattler-build before 0.67 and pixi before 0.71 always ask for prefix.dev: update the client, or let the operator accept it with --audience prefix.dev"
	}
	return "", refuse(fault.WrongAudience, "Audience does not match",
		"token has "+got+", the server at "+x.cfg.URL+" wants "+list(wanted[:min(len(wanted), 3)], "or"), do)
}

// legacyAudience is what clients asked for, whatever the server, before they took its host name.
const legacyAudience = "prefix.dev"

func checkJTI(t *idToken, needed bool) (string, error) {
	v, present := t.claims["jti"]
	if !present && !needed {
		return "", nil
	}
	s, ok := v.(string)
	if !ok || s == "" || len(s) > 256 {
		return "", refuse(fault.BadJTI, "Token id is missing or unusable", "every token of this issuer has a jti, a string of 1 to 256 bytes",
			"Send the CI service's identity token just as it came")
	}
	return s, nil
}
