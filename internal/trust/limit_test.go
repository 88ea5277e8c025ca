package trust

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/internal/fault"
	"sluice/internal/limit"
	"sluice/internal/standin"
)

// limited checks that an error is a refusal by the limits which says how long to wait.
func limited(t *testing.T, err error, wait time.Duration, fragment string) {
	t.Helper()
	if got, ok := errors.AsType[limit.WaitError](err); !ok || time.Duration(got) != wait {
		t.Errorf("%v: waits %v, want %v", err, time.Duration(got), wait)
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Code != fault.RateLimited || !strings.Contains(f.Detail, fragment) || !strings.HasSuffix(f.Detail, fmt.Sprintf("try again in %d s.", limit.WaitError(wait).Seconds())) {
		t.Errorf("%v: no refusal with %q", err, fragment)
	}
}

// Row 79, refused: what one repository is told and what is written of it is bounded, and nobody else is.
func TestRefusalsOfARepositoryAreLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add()
	wrong := w.claims()
	wrong["workflow_ref"] = "acme/forge/.github/workflows/other.yml@refs/heads/main"
	wrong["job_workflow_ref"] = wrong["workflow_ref"]
	bad := w.sign(wrong)
	for range refusalsAtOnce {
		w.mustRefuse(bad, fault.WorkflowMismatch, "other.yml")
	}
	before := len(w.log.String())
	for range 50 {
		_, _, err := w.x.Exchange(t.Context(), bad)
		limited(t, err, refusalEvery, "100 tokens of acme/forge were refused, this one for workflow_mismatch")
	}
	if n := len(w.store.refusals); n != refusalsAtOnce {
		t.Errorf("%d refusals are kept, want %d", n, refusalsAtOnce)
	}
	if lines := strings.Count(w.log.String()[before:], "\n"); lines != linesAtOnce {
		t.Errorf("the flood has %d lines, want %d", lines, linesAtOnce)
	}
	w.mustPass(w.sign(w.claims())) // that is the same repository, after its owner mended it
	other := w.service.Start(standin.Run{Owner: "acme", Repository: "other"}).Claims(audience)
	w.mustRefuse(w.sign(other), fault.NoPublisher, "acme/other")
	w.clock.advance(refusalEvery)
	w.mustRefuse(bad, fault.WorkflowMismatch, "other.yml")
	_, _, err := w.x.Exchange(t.Context(), bad)
	limited(t, err, refusalEvery, "refused")
}

// Row 79, granted.
func TestExchangesOfARepositoryAreLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add()
	w.add(func(p *Publisher) { p.Repository = "other" })
	for range exchangesAtOnce {
		w.mustPass(w.sign(w.claims()))
	}
	tok := w.sign(w.claims())
	_, _, err := w.x.Exchange(t.Context(), tok)
	limited(t, err, exchangeEvery, "acme/forge may exchange 256 tokens at once, and 120 a minute after that")
	if len(w.store.tokens) != exchangesAtOnce || len(w.store.refusals) != 0 {
		t.Errorf("%d tokens and %d refusals, want %d and none", len(w.store.tokens), len(w.store.refusals), exchangesAtOnce)
	}
	w.mustPass(w.sign(w.service.Start(standin.Run{Owner: "acme", Repository: "other"}).Claims(audience)))
	w.clock.advance(exchangeEvery)
	w.mustPass(tok) // it was not used up
}

// Row 79, forged: garbage is told less after a while and not logged, but shuts nobody out.
func TestUnprovenTokensAreLimitedByAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add()
	good := w.sign(w.claims())
	forged := good[:strings.LastIndexByte(good, '.')] + ".AAAA"
	from := WithClient(t.Context(), "2001:db8::1")
	for range unprovenAtOnce {
		if _, _, err := w.x.Exchange(from, forged); !fault.Is(err, fault.BadSignature) {
			t.Fatal(err)
		}
	}
	before := len(w.log.String())
	for _, ctx := range []context.Context{from, WithClient(t.Context(), "2001:db8::2")} { // the same host may have both
		_, _, err := w.x.Exchange(ctx, forged)
		limited(t, err, unprovenEvery, "they come from your address")
	}
	if lines := strings.Count(w.log.String()[before:], "\n"); lines != 2 {
		t.Errorf("%d lines, want 2", lines)
	}
	if _, _, err := w.x.Exchange(WithClient(t.Context(), "2001:db8:1::1"), forged); !fault.Is(err, fault.BadSignature) {
		t.Errorf("another address: %v", err)
	}
	if _, _, err := w.x.Exchange(from, good); err != nil {
		t.Errorf("a good token from the same address: %v", err)
	}
	if len(w.store.refusals) != 0 {
		t.Errorf("%d refusals are kept of tokens that prove nothing", len(w.store.refusals))
	}
}

func TestUnprovenTokensAreLimitedInAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add()
	from := func(i int) context.Context { return WithClient(t.Context(), fmt.Sprintf("10.0.%d.%d", i/256, i%256)) }
	for i := range allUnprovenAtOnce {
		if _, _, err := w.x.Exchange(from(i), "x"); !fault.Is(err, fault.MalformedToken) {
			t.Fatal(err)
		}
	}
	_, _, err := w.x.Exchange(from(allUnprovenAtOnce), "x")
	limited(t, err, allUnprovenEvery, "they come from many addresses")
	if _, _, err := w.x.Exchange(from(0), w.sign(w.claims())); err != nil {
		t.Errorf("a good token: %v", err)
	}
}

// An issuer that is away is not the callers' fault: they are told so, however many they are.
func TestOutagesAreNotLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add()
	tok := w.sign(w.claims())
	w.net.set("127.0.0.1:9000", nil)
	for range unprovenAtOnce + 1 {
		if _, _, err := w.x.Exchange(WithClient(t.Context(), "10.0.0.1"), tok); !fault.Is(err, fault.IssuerUnavailable) {
			t.Fatal(err)
		}
	}
}
