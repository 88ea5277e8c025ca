package db_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sluice/internal/access"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/fault"
	"sluice/internal/trust"
)

// mintToken mints a publish token by all of the publishers, for run 55 unless change says otherwise.
func (f *fixture) mintToken(t testing.TB, jti string, change func(m *trust.Mint), publishers ...trust.Publisher) trust.PublishToken {
	t.Helper()
	m := f.mint(publishers[0], jti)
	for _, p := range publishers[1:] {
		m.Token.Grants = append(m.Token.Grants, f.mint(p, jti).Token.Grants...)
	}
	if change != nil {
		change(&m)
	}
	must(f.Mint(t.Context(), m))(t)
	return must(f.PublishToken(t.Context(), m.Token.Hash))(t)
}

// upload publishes a file of 100 bytes as a run does that came with the token. by is whose it is then.
func (f *fixture) upload(t testing.TB, tok trust.PublishToken, subdir, filename string, sum byte) (by int64, err error) {
	t.Helper()
	c := f.commit(t, subdir, filename, sum)
	right, err := (&access.Access{}).MayUpload(t.Context(), access.Principal{Publish: &tok}, f.channel)
	if err != nil {
		return 0, err
	}
	if c.Grants, err = right.Grants(c.Record.Name, c.Record.Subdir); err != nil {
		return 0, err
	}
	c.Right = right
	if _, err := f.Publish(t.Context(), c); err != nil {
		return 0, err
	}
	return must(f.File(t.Context(), f.channel.ID, c.Record.Subdir, c.File))(t).PublisherID, nil
}

// attempt is an upload and what must come of it.
type attempt struct {
	file string
	sum  byte
	code fault.Code // "" when it is taken
	says string
}

func (f *fixture) attempts(t *testing.T, tok trust.PublishToken, list []attempt) {
	t.Helper()
	for _, a := range list {
		subdir, name, _ := strings.Cut(a.file, "/")
		_, err := f.upload(t, tok, subdir, name, a.sum)
		if a.code == "" && err != nil || a.code != "" && (!fault.Is(err, a.code) || !strings.Contains(err.Error(), a.says)) {
			t.Errorf("%s: %v, want %q %q", a.file, err, a.code, a.says)
		}
	}
}

var forgeRule = trust.PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml"}

// rule is forgeRule, changed.
func rule(change func(s *trust.PublisherSpec)) trust.PublisherSpec {
	s := forgeRule
	change(&s)
	return s
}

func TestLimitsOfARun(t *testing.T) {
	for name, tt := range map[string]struct {
		limits   trust.Limits
		attempts []attempt
		next     string // what the next run may
	}{
		"files": {trust.Limits{Files: 2}, []attempt{
			{"noarch/a-1-0.conda", 1, "", ""}, {"noarch/a-1-0.conda", 1, "", ""}, {"noarch/b-1-0.conda", 2, "", ""},
			{"noarch/c-1-0.conda", 3, fault.RunLimit, "come to 3 files"}, {"noarch/b-1-0.conda", 2, "", ""},
		}, "c-1-0.conda"},
		"bytes": {trust.Limits{Bytes: 299}, []attempt{
			{"noarch/a-1-0.conda", 1, "", ""}, {"linux-64/a-1-0.conda", 2, "", ""}, {"noarch/a-2-0.conda", 3, fault.RunLimit, "come to 300 bytes"},
		}, "a-2-0.conda"},
		"names": {trust.Limits{Names: 1}, []attempt{
			{"noarch/a-1-0.conda", 1, "", ""}, {"noarch/a-2-0.conda", 2, "", ""}, {"noarch/b-1-0.conda", 3, fault.RunLimit, "come to 2 new package names"},
			{"noarch/a-3-0.conda", 4, "", ""},
		}, "b-1-0.conda"},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, f *fixture) {
				p := f.add(t, rule(func(s *trust.PublisherSpec) { s.PerRun = tt.limits }))
				f.attempts(t, f.mintToken(t, "a", nil, p), tt.attempts)
				// Another token of the same run, another attempt of it: the same account.
				again := f.mintToken(t, "b", func(m *trust.Mint) { m.Token.Run.RunAttempt = "2" }, p)
				if _, err := f.upload(t, again, "noarch", tt.next, 9); !fault.Is(err, fault.RunLimit) {
					t.Errorf("a second attempt of the run: %v", err)
				}
				next := f.mintToken(t, "c", func(m *trust.Mint) { m.Token.Run.RunID = "56" }, p)
				if _, err := f.upload(t, next, "noarch", tt.next, 9); err != nil {
					t.Errorf("the next run: %v", err)
				}
			})
		})
	}
}

// What a run does at once, by several tokens, is counted as if it came one after the other.
func TestLimitsHoldUnderConcurrency(t *testing.T) {
	for name, limits := range map[string]trust.Limits{"files": {Files: 7}, "bytes": {Bytes: 799}, "names": {Names: 7}} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, f *fixture) {
				p := f.add(t, rule(func(s *trust.PublisherSpec) { s.PerRun = limits }))
				tokens := []trust.PublishToken{f.mintToken(t, "a", nil, p), f.mintToken(t, "b", nil, p)}
				var taken, refused atomic.Int32
				var wg sync.WaitGroup
				for i := range 20 {
					wg.Go(func() {
						subdir := []string{"noarch", "linux-64", "osx-arm64"}[i%3]
						switch _, err := f.upload(t, tokens[i%2], subdir, fmt.Sprintf("p%d-1-0.conda", i), byte(i+1)); {
						case err == nil:
							taken.Add(1)
						case fault.Is(err, fault.RunLimit):
							refused.Add(1)
						default:
							t.Error(err)
						}
					})
				}
				wg.Wait()
				if taken.Load() != 7 || refused.Load() != 13 {
					t.Errorf("%d taken, %d refused", taken.Load(), refused.Load())
				}
				if n := len(f.files(t, "noarch")) + len(f.files(t, "linux-64")) + len(f.files(t, "osx-arm64")); n != 7 {
					t.Errorf("%d files are there", n)
				}
			})
		})
	}
}

func TestANewNameTakesARight(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		f.publish(t, f.commit(t, "noarch", "old-1-0.conda", 1))
		old := f.add(t, rule(func(s *trust.PublisherSpec) { s.NewNames = new(false) }))
		f.attempts(t, f.mintToken(t, "a", nil, old), []attempt{
			{"noarch/old-2-0.conda", 2, "", ""},
			{"linux-64/old-2-0.conda", 3, "", ""}, // another subdir is no other name
			{"noarch/new-1-0.conda", 4, fault.NewNameNotAllowed, "channel forge has no package new yet"},
		})
		f.publish(t, f.commit(t, "noarch", "new-1-0.conda", 5))
		f.attempts(t, f.mintToken(t, "b", nil, old), []attempt{{"noarch/new-2-0.conda", 6, "", ""}})
	})
}

func TestSubdirsAndPackagesOfAGrant(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		p := f.add(t, rule(func(s *trust.PublisherSpec) {
			s.Packages, s.Subdirs = []string{"tide*"}, []string{"noarch", "linux-64"}
		}))
		f.attempts(t, f.mintToken(t, "a", nil, p), []attempt{
			{"noarch/tide-1-0.conda", 1, "", ""},
			{"linux-64/tidelib-1-0.conda", 2, "", ""},
			{"osx-64/tide-1-0.conda", 3, fault.SubdirNotAllowed, "for osx-64"},
			{"noarch/ebb-1-0.conda", 4, fault.PackageNotAllowed, "tide*"},
			{"osx-64/ebb-1-0.conda", 5, fault.PackageNotAllowed, ""},
		})
	})
}

// A token of two publishers uses the second when the first has no room, and says whose the file is.
func TestTheSecondGrantIsUsedWhenTheFirstHasNoRoom(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		f.publish(t, f.commit(t, "noarch", "old-1-0.conda", 1))
		narrow := f.add(t, rule(func(s *trust.PublisherSpec) {
			s.Conditions.Environment, s.PerRun, s.NewNames = "release", trust.Limits{Files: 2}, new(false)
		}))
		wide := f.add(t, rule(func(s *trust.PublisherSpec) { s.PerRun = trust.Limits{Files: 2} }))
		tok := f.mintToken(t, "a", nil, narrow, wide)
		for i, tt := range []struct {
			file string
			by   int64
			code fault.Code
		}{
			{"old-2-0.conda", narrow.ID, ""}, {"new-1-0.conda", wide.ID, ""}, {"old-3-0.conda", narrow.ID, ""},
			{"old-4-0.conda", wide.ID, ""}, {"old-5-0.conda", 0, fault.RunLimit},
		} {
			if by, err := f.upload(t, tok, "noarch", tt.file, byte(i+2)); by != tt.by || tt.code == "" && err != nil || tt.code != "" && !fault.Is(err, tt.code) {
				t.Errorf("%s is of publisher %d, %v; want %d %s", tt.file, by, err, tt.by, tt.code)
			}
		}
	})
}

// Each change takes the right away between the decision and the commit, and from the next request.
func TestAChangeStopsARunAtOnce(t *testing.T) {
	for name, change := range map[string]func(p *trust.Publisher) trust.ChangeKind{
		"changed":      func(p *trust.Publisher) trust.ChangeKind { p.IdleDays = 9; return trust.Changed },
		"switched off": func(p *trust.Publisher) trust.ChangeKind { p.DisabledAt = newClock().now(); return trust.Changed },
		"removed":      func(*trust.Publisher) trust.ChangeKind { return trust.Removed },
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, f *fixture) {
				p, other := f.addPublisher(t), f.add(t, rule(func(s *trust.PublisherSpec) { s.Conditions.Environment = "release" }))
				tok, two := f.mintToken(t, "a", nil, p), f.mintToken(t, "b", nil, p, other)
				f.attempts(t, tok, []attempt{{"noarch/a-1-0.conda", 1, "", ""}})
				after := p
				kind := change(&after)
				must(f.ChangePublishers(t.Context(), f.channel.ID, []trust.Change{{Kind: kind, Publisher: after, Event: event(audit.PublisherChanged, p)}}))(t)
				// The token as it was read before: a request under way.
				f.attempts(t, tok, []attempt{{"noarch/a-2-0.conda", 2, fault.Revoked, "nothing was stored"}})
				// What rests on another publisher as well goes on by that.
				if by, err := f.upload(t, two, "noarch", "a-2-0.conda", 2); err != nil || by != other.ID {
					t.Errorf("by the other publisher: %d, %v", by, err)
				}
				// The next request.
				tok = must(f.PublishToken(t.Context(), tok.Hash))(t)
				f.attempts(t, tok, []attempt{{"noarch/a-3-0.conda", 3, fault.Revoked, "changed or removed after it was made"}})
			})
		})
	}
}

func TestAPublisherPastItsEndLetsNobodyIn(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		p := f.add(t, rule(func(s *trust.PublisherSpec) { s.ExpiresAt = f.clock.now().Add(60e9) }))
		m := f.mint(p, "a")
		tok := f.mintToken(t, "a", nil, p)
		f.clock.advance(60e9 - 1000)
		f.attempts(t, must(f.PublishToken(t.Context(), tok.Hash))(t), []attempt{{"noarch/a-1-0.conda", 1, "", ""}})
		f.clock.advance(1000)
		f.attempts(t, must(f.PublishToken(t.Context(), tok.Hash))(t), []attempt{{"noarch/a-2-0.conda", 2, fault.Revoked, ""}})
		m.ReplayKey, m.Token.CreatedAt = "jti:b", f.clock.now()
		if _, err := f.Mint(t.Context(), m); err == nil {
			t.Error("minted for a publisher past its end")
		}
	})
}

func TestATrustedReaderReads(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		reader := f.add(t, rule(func(s *trust.PublisherSpec) { s.Right = "read" }))
		tok := f.mintToken(t, "a", nil, reader)
		private := f.channel
		private.Visibility = channel.Private
		other := private
		other.ID++
		may := &access.Access{}
		if err := may.MayRead(t.Context(), access.Principal{Publish: &tok}, private); err != nil {
			t.Errorf("reads its channel: %v", err)
		}
		if err := may.MayRead(t.Context(), access.Principal{Publish: &tok}, other); !fault.Is(err, fault.NotFound) {
			t.Errorf("reads another private channel: %v", err)
		}
		f.attempts(t, tok, []attempt{{"noarch/a-1-0.conda", 1, fault.NotPermitted, "may only read"}})
		// Beside a publisher it lends nothing to it, and takes nothing from it.
		p := f.addPublisher(t, "tide")
		both := f.mintToken(t, "b", nil, reader, p)
		f.attempts(t, both, []attempt{{"noarch/tide-1-0.conda", 1, "", ""}, {"noarch/ebb-1-0.conda", 2, fault.PackageNotAllowed, "tide"}})
	})
}
