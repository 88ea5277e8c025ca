package revoke

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/internal/fault"
	"sluice/internal/limit"
	"sluice/internal/token"
)

// book is a Store that remembers what it was asked.
type book struct {
	held []Held
	last Ending
	err  error
}

func (b *book) EndTokens(_ context.Context, held []Held, e Ending) error {
	b.held, b.last = append(b.held, held...), e
	return b.err
}

func TestDoneEndsPublishTokensAlone(t *testing.T) {
	t.Parallel()
	b := &book{}
	r := New(b, time.Now)
	pub := token.New(token.Publish)
	if err := r.Done(t.Context(), pub.Reveal()); err != nil || len(b.held) != 1 || b.held[0] != (Held{token.Publish, pub.Hash()}) || b.last.Found {
		t.Errorf("%+v %+v, %v", b.held, b.last, err)
	}
	b.held = nil
	for _, s := range []string{"", "x", token.New(token.API).Reveal(), token.New(token.Session).Reveal(), pub.Reveal() + "x", pub.Reveal()[1:]} {
		if err := r.Done(t.Context(), s); !fault.Is(err, fault.InvalidToken) || len(s) > 40 && strings.Contains(err.Error(), s[20:]) {
			t.Errorf("%q: %v", s, err)
		}
	}
	if b.held != nil {
		t.Errorf("ended %+v", b.held)
	}
}

func TestFoundTellsTheFormAlone(t *testing.T) {
	t.Parallel()
	b := &book{}
	r := New(b, time.Now)
	var found []string
	for _, k := range []token.Kind{token.Publish, token.API, token.Session, token.Setup} {
		found = append(found, token.New(k).Reveal())
	}
	typo := found[0][:20] + "!" + found[0][21:]
	problems, err := r.Found(t.Context(), "10.0.0.1", append(found, "x", typo, ""))
	if err != nil || len(b.held) != 4 || !b.last.Found {
		t.Fatalf("%+v %+v, %v", b.held, b.last, err)
	}
	for i, p := range problems {
		if (p == nil) != (i < 4) || p != nil && strings.Contains(p.Error(), typo[15:]) {
			t.Errorf("%d: %v", i, p)
		}
	}
	b.held = nil
	if _, err := r.Found(t.Context(), "10.0.0.1", []string{"x"}); err != nil || b.held != nil {
		t.Errorf("nothing of ours: %+v, %v", b.held, err)
	}
	for _, n := range []int{0, MaxFound + 1} {
		if _, err := r.Found(t.Context(), "10.0.0.1", make([]string, n)); !fault.Is(err, fault.BadRequest) {
			t.Errorf("%d tokens: %v", n, err)
		}
	}
	b.err = errors.New("away")
	if problems, err := r.Found(t.Context(), "10.0.0.1", found); err == nil || problems != nil {
		t.Errorf("while the store is away: %v, %v", problems, err)
	}
}

func TestReportsAreLimited(t *testing.T) {
	t.Parallel()
	now := time.Unix(1, 0)
	b := &book{}
	r := New(b, func() time.Time { return now })
	report := func(address string) error {
		_, err := r.Found(t.Context(), address, []string{token.New(token.API).Reveal()})
		return err
	}
	for i := range perAddress {
		if err := report("2001:db8::1"); err != nil {
			t.Fatalf("report %d: %v", i, err)
		}
	}
	err := report("2001:db8::2") // the same host may have both
	if wait, ok := errors.AsType[limit.WaitError](err); !fault.Is(err, fault.RateLimited) || !ok || time.Duration(wait) != everyAddress || len(b.held) != perAddress {
		t.Errorf("one more: %v, %d ended", err, len(b.held))
	}
	for i := range inAll - perAddress {
		if err := report(fmt.Sprintf("10.%d.%d.1", i/200, i%200)); err != nil {
			t.Fatalf("report from address %d: %v", i, err)
		}
	}
	if err := report("10.99.0.1"); !fault.Is(err, fault.RateLimited) {
		t.Errorf("one more from anywhere: %v", err)
	}
	now = now.Add(everyAddress)
	if err := report("2001:db8::1"); err != nil {
		t.Errorf("after the pause: %v", err)
	}
}
