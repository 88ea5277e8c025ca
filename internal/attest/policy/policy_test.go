package policy_test

import (
	"testing"
	"time"

	"sluice/internal/attest"
	"sluice/internal/attest/fulcio"
	"sluice/internal/attest/policy"
	"sluice/internal/fault"
)

const harbour = "https://conda.example.com/harbour"

// signature is one of build.yml in acme/forge that satisfies every demand.
func signature(change ...func(*policy.Signature)) policy.Signature {
	s := policy.Signature{Fit: policy.ByRun, Verdict: attest.Verdict{
		Profile: "sigstore", Predicate: attest.PredicateType, Serial: "0abc", Target: attest.Target{URL: harbour},
		Times: []time.Time{time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}, Log: attest.LogEntry{Index: "1000", LogID: "c0ffee"},
		Signer: fulcio.Signer{
			Identity: "https://github.com/acme/forge/.github/workflows/build.yml@refs/heads/main", Issuer: "https://token.actions.githubusercontent.com",
			RepositoryID: "1234", Run: "https://github.com/acme/forge/actions/runs/77/attempts/1",
		},
	}}
	for _, f := range change {
		f(&s)
	}
	return s
}

func changed(f func(*policy.Policy)) policy.Policy {
	p := policy.Default()
	f(&p)
	return p
}

func TestCounts(t *testing.T) {
	t.Parallel()
	other := func(s *policy.Signature) { s.Fit = policy.ByOther }
	aimed := func(url string) func(*policy.Signature) {
		return func(s *policy.Signature) { s.Target = attest.Target{URL: url} }
	}
	slsa := func(s *policy.Signature) { s.Predicate, s.Target = "https://slsa.dev/provenance/v1", attest.Target{} }
	denied := func(d policy.Denial) policy.Policy {
		return changed(func(p *policy.Policy) { p.Denied = []policy.Denial{d} })
	}
	day := func(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }
	for _, tt := range []struct {
		name   string
		policy policy.Policy
		s      policy.Signature
		want   fault.Code
	}{
		{"the usual", policy.Default(), signature(), ""},
		{"an API token's, by a publisher", policy.Default(), signature(func(s *policy.Signature) { s.Fit = policy.ByPublisher }), ""},
		{"somebody else", policy.Default(), signature(other), fault.SignerMismatch},
		{"no fit at all", policy.Default(), signature(func(s *policy.Signature) { s.Fit = "" }), fault.SignerMismatch},
		{"somebody else, by publishers", changed(func(p *policy.Policy) { p.Signer = policy.SignedByPublisher }), signature(other), fault.SignerMismatch},
		{"anybody", changed(func(p *policy.Policy) { p.Signer = policy.SignedByAnybody }), signature(other), ""},
		{"provenance", policy.Default(), signature(slsa), fault.NotStatement},
		{"no longer trusted", changed(func(p *policy.Policy) { p.Signer = policy.SignedByAnybody }), signature(func(s *policy.Signature) {
			s.Distrust = &attest.Distrust{Code: fault.LogUnknown, Sentence: "Its log is unknown."}
		}), fault.LogUnknown},
		{"another channel", policy.Default(), signature(aimed("https://conda.example.com/other")), fault.TargetMismatch},
		{"an alias", changed(func(p *policy.Policy) { p.Aliases = []string{"https://old.example.com/harbour"} }), signature(aimed("https://old.example.com/harbour")), ""},
		{"an alias where only this address counts", changed(func(p *policy.Policy) {
			p.Target, p.Aliases = policy.TargetExact, []string{"https://old.example.com/harbour"}
		}), signature(aimed("https://old.example.com/harbour")), fault.TargetMismatch},
		{"any channel", changed(func(p *policy.Policy) { p.Target = policy.TargetIgnored }), signature(aimed("https://conda.example.com/other")), ""},
		{"no channel", policy.Default(), signature(aimed("")), ""},
		{"no channel where one is needed", changed(func(p *policy.Policy) { p.AllowAbsent = false }), signature(aimed("")), fault.TargetMismatch},
		{"another instance", changed(func(p *policy.Policy) { p.Instances = []string{"acme"} }), signature(), fault.CertificateUntrusted},
		{"one of the instances", changed(func(p *policy.Policy) { p.Instances = []string{"acme", "sigstore"} }), signature(), ""},
		{"denied by identity", denied(policy.Denial{Identity: "https://github.com/acme/forge/"}), signature(), fault.SignerDenied},
		{"not denied by identity", denied(policy.Denial{Identity: "https://github.com/acme/forged/"}), signature(), ""},
		{"denied by id", denied(policy.Denial{RepositoryID: "1234", Issuer: "https://token.actions.githubusercontent.com"}), signature(), fault.SignerDenied},
		{"the same id elsewhere", denied(policy.Denial{RepositoryID: "1234", Issuer: "https://gitlab.com"}), signature(), ""},
		{"denied run", denied(policy.Denial{Run: "https://github.com/acme/forge/actions/runs/77"}), signature(), fault.SignerDenied},
		{"the beginning of a run's number", denied(policy.Denial{Run: "https://github.com/acme/forge/actions/runs/7"}), signature(), ""},
		{"another attempt", denied(policy.Denial{Run: "https://github.com/acme/forge/actions/runs/77/attempts/2"}), signature(), ""},
		{"denied certificate", denied(policy.Denial{Serial: "0abc"}), signature(), fault.SignerDenied},
		{"denied entries", denied(policy.Denial{LogID: "c0ffee", LogFrom: 1000, LogTo: 1000}), signature(), fault.SignerDenied},
		{"denied entries, and a place that nothing proves", denied(policy.Denial{LogID: "c0ffee", LogFrom: 900, LogTo: 999}), signature(func(s *policy.Signature) { s.Log.Index = "" }), fault.SignerDenied},
		{"a place that nothing proves in another log", denied(policy.Denial{LogID: "c0ffe0", LogFrom: 900}), signature(func(s *policy.Signature) { s.Log.Index = "" }), ""},
		{"entries before", denied(policy.Denial{LogID: "c0ffee", LogFrom: 900, LogTo: 999}), signature(), ""},
		{"entries of another log", denied(policy.Denial{LogID: "c0ffe0"}), signature(), ""},
		{"denied since", denied(policy.Denial{Identity: "https://github.com/acme/forge/", From: day(20)}), signature(), fault.SignerDenied},
		{"signed before", denied(policy.Denial{Identity: "https://github.com/acme/forge/", From: day(21)}), signature(), ""},
		{"signed after", denied(policy.Denial{Identity: "https://github.com/acme/forge/", Until: day(20)}), signature(), ""},
		{"a denial that says nothing", denied(policy.Denial{Why: "all"}), signature(), ""},
	} {
		if got := fault.CodeOf(tt.policy.Counts(tt.s, harbour)); tt.want == "" && tt.policy.Counts(tt.s, harbour) != nil || tt.want != "" && got != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, tt.policy.Counts(tt.s, harbour), tt.want)
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	required := changed(func(p *policy.Policy) { p.Mode = policy.Required })
	some := changed(func(p *policy.Policy) { p.Mode, p.RequiredFor = policy.RequiredFor, []string{"tide", "lib*"} })
	bad := signature(func(s *policy.Signature) { s.Fit = policy.ByOther })
	for _, tt := range []struct {
		name   string
		policy policy.Policy
		pkg    string
		have   []policy.Signature
		want   bool
	}{
		{"none needed", policy.Default(), "tide", nil, true},
		{"none there", required, "tide", nil, false},
		{"one that counts", required, "tide", []policy.Signature{signature()}, true},
		{"one that does not", required, "tide", []policy.Signature{bad}, false},
		{"one of both", required, "tide", []policy.Signature{signature(), bad}, true},
		{"by name", some, "tide", nil, false},
		{"by beginning", some, "libtide", nil, false},
		{"another name", some, "tidelib", nil, true},
	} {
		err := tt.policy.Judge(tt.pkg, tt.have, harbour)
		if (err == nil) != tt.want || err != nil && !fault.Is(err, fault.AttestationRequired) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	if err := policy.Default().Check(); err != nil {
		t.Error(err)
	}
	for name, f := range map[string]func(*policy.Policy){
		"mode":             func(p *policy.Policy) { p.Mode = "sometimes" },
		"signer":           func(p *policy.Policy) { p.Signer = "" },
		"target":           func(p *policy.Policy) { p.Target = "all" },
		"regress":          func(p *policy.Policy) { p.NoRegress = "never" },
		"no names":         func(p *policy.Policy) { p.Mode = policy.RequiredFor },
		"bad name":         func(p *policy.Policy) { p.RequiredFor = []string{"a*b"} },
		"alias with slash": func(p *policy.Policy) { p.Aliases = []string{harbour + "/"} },
		"alias with token": func(p *policy.Policy) { p.Aliases = []string{"https://a:b@example.com/x"} },
		"empty denial":     func(p *policy.Policy) { p.Denied = []policy.Denial{{Why: "x"}} },
		"id without host":  func(p *policy.Policy) { p.Denied = []policy.Denial{{RepositoryID: "1"}} },
		"serial":           func(p *policy.Policy) { p.Denied = []policy.Denial{{Serial: "0X"}} },
		"range":            func(p *policy.Policy) { p.Denied = []policy.Denial{{LogID: "aa", LogFrom: 2, LogTo: 1}} },
		"times": func(p *policy.Policy) {
			p.Denied = []policy.Denial{{Serial: "aa", From: time.Unix(2, 0), Until: time.Unix(1, 0)}}
		},
	} {
		if err := changed(f).Check(); !fault.Is(err, fault.InvalidField) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whether one is needed changes nothing of which signatures count; everything else does.
func TestCountsLike(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(*policy.Policy){
		"mode":       func(p *policy.Policy) { p.Mode = policy.Required },
		"names":      func(p *policy.Policy) { p.Mode, p.RequiredFor = policy.RequiredFor, []string{"tide"} },
		"no regress": func(p *policy.Policy) { p.NoRegress = policy.RegressRefused },
		"statements": func(p *policy.Policy) { p.OtherStatements = false },
	} {
		if p := changed(f); !p.CountsLike(policy.Default()) || !policy.Default().CountsLike(p) {
			t.Errorf("%s changes what counts", name)
		}
	}
	for name, f := range map[string]func(*policy.Policy){
		"signer":    func(p *policy.Policy) { p.Signer = policy.SignedByAnybody },
		"target":    func(p *policy.Policy) { p.Target = policy.TargetIgnored },
		"aliases":   func(p *policy.Policy) { p.Aliases = []string{"https://old.example.com/harbour"} },
		"absent":    func(p *policy.Policy) { p.AllowAbsent = false },
		"instances": func(p *policy.Policy) { p.Instances = []string{"acme"} },
		"denied":    func(p *policy.Policy) { p.Denied = []policy.Denial{{Serial: "aa"}} },
	} {
		if changed(f).CountsLike(policy.Default()) {
			t.Errorf("%s changes nothing", name)
		}
	}
}

// Every change is another state, and the same said again is the same.
func TestState(t *testing.T) {
	t.Parallel()
	seen := map[string]string{policy.Default().State(): "the usual"}
	for name, f := range map[string]func(*policy.Policy){
		"mode":    func(p *policy.Policy) { p.Mode = policy.Required },
		"names":   func(p *policy.Policy) { p.RequiredFor = []string{"a, b"} },
		"2 names": func(p *policy.Policy) { p.RequiredFor = []string{"a", "b"} },
		"denied":  func(p *policy.Policy) { p.Denied = []policy.Denial{{Serial: "aa", Why: "x"}} },
		"why":     func(p *policy.Policy) { p.Denied = []policy.Denial{{Serial: "aa", Why: "y"}} },
	} {
		state := changed(f).State()
		if other, ok := seen[state]; ok || state != changed(f).State() || len(state) != 32 {
			t.Errorf("%s has the state %q, as %s", name, state, other)
		}
		seen[state] = name
	}
}
