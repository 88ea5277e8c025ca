package db_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/fault"
	"sluice/internal/mail"
	"sluice/internal/mail/address"
)

// writes gives an account a mail address.
func (f *fixture) writes(t *testing.T, name, to string) {
	t.Helper()
	e := audit.Event{At: f.clock.now(), Kind: audit.AccountChanged, Subject: name, Actor: audit.Actor{Kind: audit.User, Name: name}}
	if err := f.SetMailAddress(t.Context(), name, must(address.Parse(to))(t), e); err != nil {
		t.Fatal(err)
	}
}

// owner makes an account with an address that owns the channel.
func (f *fixture) owner(t *testing.T, name string) account.User {
	t.Helper()
	u := must(f.CreateUser(t.Context(), userNamed(name), "", noSetup, audit.Event{}))(t)
	if err := f.SetMember(t.Context(), f.channel.ID, name, channel.Owner, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	f.writes(t, name, name+"@example.com")
	return u
}

func (f *fixture) append(t *testing.T, e audit.Event) {
	t.Helper()
	if e.At.IsZero() {
		e.At = f.clock.now()
	}
	if err := f.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) added(sentence string) audit.Event {
	return audit.Event{Kind: audit.PublisherAdded, ChannelID: f.channel.ID, Channel: "forge", Subject: "acme/forge", Sentence: sentence}
}

func (f *fixture) lookAlike(code fault.Code, repository string) audit.Event {
	return audit.Event{Kind: audit.MintRefused, ChannelID: f.channel.ID, Channel: "forge", Subject: repository, Code: string(code), Sentence: "refused " + repository}
}

// claim takes the next letter and says what it tells, and to whom: "ann: a, b".
func (f *fixture) claim(t *testing.T) (mail.Letter, string) {
	t.Helper()
	l, ok, err := f.ClaimLetter(t.Context(), f.clock.now().Add(5*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return l, ""
	}
	var told []string
	for _, e := range l.Events {
		told = append(told, e.Sentence)
	}
	if l.To.Reveal() != l.Account+"@example.com" {
		t.Errorf("a letter to %s goes to %s", l.Account, l.To.Reveal())
	}
	return l, l.Account + ": " + strings.Join(told, ", ")
}

// all claims every letter that is due, as sent.
func (f *fixture) all(t *testing.T) []string {
	t.Helper()
	var out []string
	for l, told := f.claim(t); told != ""; l, told = f.claim(t) {
		out = append(out, told)
		if err := f.LetterSent(t.Context(), l.Claim); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(out)
	return out
}

func (f *fixture) wants(t *testing.T, want ...string) {
	t.Helper()
	if got := f.all(t); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestWhoIsTold(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		f.append(t, f.added("nobody has an address"))
		f.wants(t)
		f.writes(t, "ann", "ann@example.com")
		f.owner(t, "bob")
		shut := f.owner(t, "shut")
		if err := f.SetDisabled(t.Context(), shut.Name, f.clock.now(), audit.Event{}); err != nil {
			t.Fatal(err)
		}
		f.owner(t, "cid")
		if err := f.SetMember(t.Context(), f.channel.ID, "cid", channel.Maintainer, audit.Event{}); err != nil {
			t.Fatal(err)
		}
		f.append(t, f.added("added"))
		other := f.added("elsewhere")
		other.ChannelID = f.channel.ID + 1
		f.append(t, other)
		f.append(t, audit.Event{Kind: audit.Uploaded, ChannelID: f.channel.ID, Subject: "x", Sentence: "uploaded"})
		f.append(t, f.lookAlike(fault.WorkflowMismatch, "acme/forge"))
		f.append(t, f.lookAlike(fault.IDMismatch, "acme/forge"))
		f.wants(t, "ann: added, refused acme/forge", "bob: added, refused acme/forge")
		f.wants(t)

		revoked := audit.Event{Kind: audit.APITokenRevoked, Subject: "cid/laptop", Sentence: "revoked", Actor: audit.Actor{Kind: audit.User, Name: "cid"}}
		f.append(t, revoked)
		f.wants(t)
		revoked.Actor.Name = "ann"
		f.append(t, revoked)
		f.wants(t, "cid: revoked")

		// A token that was found is one event for its account and one for each channel. Who is both reads each once.
		found := audit.Event{Kind: audit.APITokenRevoked, Subject: "bob/laptop", Sentence: "found", Actor: audit.Actor{Kind: audit.Anonymous}}
		f.append(t, found)
		found.ChannelID, found.Channel, found.Sentence = f.channel.ID, "forge", "found in forge"
		f.append(t, found)
		f.wants(t, "ann: found in forge", "bob: found, found in forge")
		f.clock.advance(time.Second)
		f.append(t, found)
		f.wants(t, "ann: found in forge", "bob: found in forge")
	})
}

func TestALookAlikeIsToldOnceADay(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		f.writes(t, "ann", "ann@example.com")
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { f.append(t, f.lookAlike(fault.IDMismatch, []string{"acme/forge", "Acme/forge"}[i%2])) })
		}
		wg.Wait()
		if got := f.all(t); len(got) != 1 || strings.Contains(got[0], ", ") {
			t.Errorf("20 refusals at once are told as %q", got)
		}
		f.append(t, f.lookAlike(fault.OwnerChanged, "acme/forge"))
		f.append(t, f.lookAlike(fault.IDMismatch, "acme/other"))
		f.wants(t, "ann: refused acme/forge, refused acme/other")
		f.clock.advance(mail.OnceIn - time.Minute)
		f.append(t, f.lookAlike(fault.IDMismatch, "acme/forge"))
		f.wants(t)
		f.clock.advance(time.Minute)
		f.append(t, f.lookAlike(fault.IDMismatch, "acme/forge"))
		f.append(t, f.lookAlike(fault.IDMismatch, "acme/forge"))
		f.wants(t, "ann: refused acme/forge")
	})
}

func TestAFailedLetterComesBack(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		f.writes(t, "ann", "ann@example.com")
		f.append(t, f.added("first"))
		l, told := f.claim(t)
		if told != "ann: first" || l.Tries != 0 {
			t.Fatalf("%q after %d tries", told, l.Tries)
		}
		if n := must(f.LetterFailed(t.Context(), l.Claim, "no", f.clock.now().Add(time.Minute)))(t); n != 0 {
			t.Errorf("%d events were given up at once", n)
		}
		f.append(t, f.added("second"))
		f.wants(t, "ann: second")
		f.clock.advance(time.Minute)
		if l, told = f.claim(t); told != "ann: first" || l.Tries != 1 {
			t.Fatalf("%q after %d tries", told, l.Tries)
		}
		f.clock.advance(mail.GiveUp)
		if n := must(f.LetterFailed(t.Context(), l.Claim, "no", f.clock.now().Add(time.Minute)))(t); n != 1 {
			t.Errorf("%d events were given up, want 1", n)
		}
		f.clock.advance(time.Hour)
		f.wants(t)
	})
}

// A letter whose sender died is due again when its lease is over, and not before.
func TestALeaseEnds(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		f.writes(t, "ann", "ann@example.com")
		f.append(t, f.added("once"))
		dead, _ := f.claim(t)
		f.clock.advance(5*time.Minute - time.Second)
		f.wants(t)
		f.clock.advance(time.Second)
		again, told := f.claim(t)
		if told != "ann: once" || again.Claim == dead.Claim {
			t.Fatalf("told %q", told)
		}
		// The dead one wakes up: what it says of its claim changes nothing of the other's.
		if err := f.LetterSent(t.Context(), dead.Claim); err != nil {
			t.Fatal(err)
		}
		f.clock.advance(5 * time.Minute)
		f.wants(t, "ann: once")
	})
}

func TestWhoMayNotKnowAnyMoreIsNotTold(t *testing.T) {
	for name, change := range map[string]func(*testing.T, *fixture) error{
		"removed": func(t *testing.T, f *fixture) error {
			return f.RemoveMember(t.Context(), f.channel.ID, "bob", audit.Event{})
		},
		"no owner any more": func(t *testing.T, f *fixture) error {
			return f.SetMember(t.Context(), f.channel.ID, "bob", channel.Maintainer, audit.Event{})
		},
		"shut": func(t *testing.T, f *fixture) error {
			return f.SetDisabled(t.Context(), "bob", f.clock.now(), audit.Event{})
		},
		"no address": func(t *testing.T, f *fixture) error {
			return f.SetMailAddress(t.Context(), "bob", address.Address{}, audit.Event{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, f *fixture) {
				f.owner(t, "bob")
				f.writes(t, "ann", "ann@example.com")
				f.append(t, f.added("added"))
				if err := change(t, f); err != nil {
					t.Fatal(err)
				}
				f.wants(t, "ann: added")
			})
		})
	}
}

func TestAnAccountGetsSoManyLettersAnHour(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		f.owner(t, "bob")
		f.writes(t, "ann", "ann@example.com")
		for range mail.MaxPerHour {
			f.append(t, f.added("one"))
			f.wants(t, "ann: one", "bob: one")
		}
		if err := f.RemoveMember(t.Context(), f.channel.ID, "bob", audit.Event{}); err != nil {
			t.Fatal(err)
		}
		for range mail.MaxEntries + 7 {
			f.append(t, f.added("more"))
		}
		f.wants(t)
		f.clock.advance(time.Hour + time.Second)
		l, told := f.claim(t)
		if len(l.Events) != mail.MaxEntries || l.More != 7 {
			t.Errorf("%d events and %d more: %q", len(l.Events), l.More, told)
		}
		if err := f.LetterSent(t.Context(), l.Claim); err != nil {
			t.Fatal(err)
		}
		f.wants(t)
	})
}

// Two servers look at once: each event is told once.
func TestTwoClaimsNeverTakeTheSame(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		const owners = 12
		for i := range owners {
			f.owner(t, fmt.Sprintf("o%02d", i))
		}
		f.append(t, f.added("added"))
		var mu sync.Mutex
		var told []string
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range owners {
					if l, what := f.claim(t); what != "" {
						mu.Lock()
						told = append(told, l.Account)
						mu.Unlock()
					}
				}
			})
		}
		wg.Wait()
		slices.Sort(told)
		if len(told) != owners || len(slices.Compact(told)) != owners {
			t.Errorf("claimed %q", told)
		}
	})
}

func TestAddressesAreKeptAndForgotten(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		if a := must(f.MailAddress(t.Context(), "ann"))(t); !a.IsZero() {
			t.Errorf("a new account has the address %q", a.Reveal())
		}
		f.writes(t, "ann", "ann@example.com")
		f.writes(t, "ann", "ann@example.com") // no change, no event
		if a := must(f.MailAddress(t.Context(), "ann"))(t); a.Reveal() != "ann@example.com" {
			t.Errorf("kept %q", a.Reveal())
		}
		events := must(f.Events(t.Context(), audit.Query{Kinds: []audit.Kind{audit.AccountChanged}, Limit: 10}))(t)
		if len(events) != 1 {
			t.Errorf("%d events: %+v", len(events), events)
		}
		for _, err := range []error{
			f.SetMailAddress(t.Context(), "eve", address.Address{}, audit.Event{}), second(f.MailAddress(t.Context(), "eve")),
		} {
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("no such account: %v", err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestOldMailsAreSwept(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		f.writes(t, "ann", "ann@example.com")
		f.append(t, f.added("sent"))
		f.wants(t, "ann: sent")
		f.append(t, f.added("waits"))
		f.clock.advance(mail.OnceIn + time.Second)
		if n := must(f.Sweep(t.Context()))(t); n != 1 {
			t.Errorf("swept %d rows, want the one that was sent", n)
		}
		f.clock.advance(mail.Keep)
		if n := must(f.Sweep(t.Context()))(t); n != 1 {
			t.Errorf("swept %d rows, want the one that nobody sent", n)
		}
		f.wants(t)
	})
}

func TestNotices(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		sentences := func() []string {
			var out []string
			for _, e := range must(f.Notices(t.Context(), f.channel.ID))(t) {
				out = append(out, e.Sentence)
			}
			return out
		}
		if got := sentences(); got != nil {
			t.Errorf("a new channel has %q", got)
		}
		f.append(t, f.added("old"))
		f.clock.advance(30 * 24 * time.Hour)
		f.append(t, f.added("added"))
		f.append(t, f.lookAlike(fault.IDMismatch, "acme/forge"))
		f.append(t, f.lookAlike(fault.IDMismatch, "acme/other"))
		f.append(t, f.lookAlike(fault.IDMismatch, "acme/forge"))
		f.append(t, f.lookAlike(fault.WorkflowMismatch, "acme/forge"))
		f.append(t, audit.Event{Kind: audit.Uploaded, ChannelID: f.channel.ID, Sentence: "uploaded"})
		f.append(t, audit.Event{Kind: audit.APITokenRevoked, ChannelID: f.channel.ID, Subject: "ann/x", Sentence: "revoked"})
		elsewhere := f.added("elsewhere")
		elsewhere.ChannelID++
		f.append(t, elsewhere)
		if got, want := sentences(), []string{"refused acme/forge", "refused acme/other", "added"}; !slices.Equal(got, want) {
			t.Errorf("notices %q, want %q", got, want)
		}
		for i := range 25 {
			f.append(t, f.added(fmt.Sprint(i)))
		}
		if got := sentences(); len(got) != 20 || got[0] != "24" || got[19] != "5" {
			t.Errorf("of many: %q", got)
		}
	})
}
