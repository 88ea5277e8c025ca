package trust

import (
	"context"
	"errors"
	"strings"

	"sluice/internal/fault"
	"sluice/internal/strictjson"
	"sluice/internal/trust/provider"
)

// A Trial is what would become of an identity token, told to people who may read a channel's publishers. Nothing is
// minted, spent or written down.
type Trial struct {
	// Run is what the token or the claims say.
	Run Provenance
	// Proven says that a token came whose signature is good.
	Proven bool
	// Problems are why the token would be refused whatever the publishers say.
	Problems []*fault.Error
	// Results are the channel's publishers, the nearest first.
	Results []Result
}

// Granted reports whether the token would be exchanged for one that is good in the channel.
func (t Trial) Granted() bool {
	return t.Proven && len(t.Problems) == 0 && len(t.Results) > 0 && t.Results[0].Granted()
}

// A Result is one publisher held against the run.
type Result struct {
	Publisher Publisher
	provider.Verdict
	// End is why the publisher lets nobody in, or nil.
	End *fault.Error
}

// Granted reports whether the publisher would let the run in.
func (r Result) Granted() bool { return r.Verdict.Granted() && r.End == nil }

// Try holds what was pasted against publishers of one channel: an identity token, or the JSON object of its
// claims. A claims object may lack iss; issuer then says whose they are, and it may be empty when only one is
// configured. Why a token would be refused is no error but a Problem. Errors: fault.InvalidField and fault.TooLarge
// for claims that are none.
func (x *Exchange) Try(ctx context.Context, pasted, issuer string, publishers []Publisher) (Trial, error) {
	pasted = strings.TrimSpace(pasted)
	if strings.HasPrefix(pasted, "{") {
		return x.tryClaims(pasted, issuer, publishers)
	}
	var out Trial
	t, err := parseToken(pasted)
	if err != nil {
		err = out.note(err)
		return out, err
	}
	k, ok := x.issuers[t.issuer]
	if !ok {
		err = out.note(x.unknownIssuer(t.issuer))
		return out, err
	}
	if err := x.tryToken(ctx, &out, t, k); err != nil {
		return out, err
	}
	err = x.tryRun(&out, k, t.claims, publishers)
	return out, err
}

// tryToken notes everything that is wrong with the token itself.
func (x *Exchange) tryToken(ctx context.Context, out *Trial, t *idToken, k *issuerKeys) error {
	if err := t.checkHeader(k.Issuer); err != nil {
		return out.note(err)
	}
	if _, err := x.checkStated(t, k, x.cfg.Now()); err != nil {
		if err := out.note(err); err != nil {
			return err
		}
	}
	keys, err := k.find(ctx, t.keyID, t.alg)
	if err != nil {
		return out.note(err)
	}
	if out.Proven = verifySignature(t, keys); !out.Proven {
		return out.note(badSignature(k))
	}
	return nil
}

// note keeps a refusal as a problem, and returns any other error.
func (t *Trial) note(err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		t.Problems = append(t.Problems, f)
		return nil
	}
	return err
}

func (x *Exchange) tryClaims(pasted, issuer string, publishers []Publisher) (Trial, error) {
	if len(pasted) > maxToken {
		return Trial{}, fault.New(fault.TooLarge, "The claims may have at most %d bytes.", maxToken)
	}
	claims, err := strictjson.Object([]byte(pasted))
	if err != nil {
		return Trial{}, fault.New(fault.InvalidField, "token: what was pasted %v. Paste an identity token, or the JSON object of its claims.", err)
	}
	if iss, ok := claims["iss"].(string); ok {
		issuer = iss
	}
	if issuer == "" && len(x.cfg.Issuers) == 1 {
		issuer = x.cfg.Issuers[0].URL
	}
	var out Trial
	k, ok := x.issuers[issuer]
	if !ok {
		err := out.note(x.unknownIssuer(issuer))
		return out, err
	}
	err = x.tryRun(&out, k, claims, publishers)
	return out, err
}

func (x *Exchange) tryRun(out *Trial, k *issuerKeys, claims provider.Claims, publishers []Publisher) error {
	run, err := k.Provider.Read(claims)
	run.Issuer = k.URL
	out.Run = run
	if err != nil {
		return out.note(err)
	}
	for _, c := range x.compareAll(k.Provider, publishers, run, x.cfg.Now()) {
		out.Results = append(out.Results, Result{Publisher: c.Publisher, Verdict: c.Verdict, End: c.end})
	}
	if len(out.Results) == 0 {
		out.Problems = append(out.Problems, refuse(fault.NoPublisher, "No publisher of this channel names this repository",
			"the run is of "+shown(run.Repository), "Add one for it"))
	}
	return nil
}
