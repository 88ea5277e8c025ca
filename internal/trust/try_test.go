package trust

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sluice/internal/fault"
	"sluice/internal/standin"
)

func (w *world) try(pasted, issuer string) Trial {
	w.t.Helper()
	var publishers []Publisher
	for id := range int64(len(w.store.publishers)) {
		publishers = append(publishers, w.store.publisher(id+1))
	}
	got, err := w.x.Try(w.t.Context(), pasted, issuer, publishers)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

func (t Trial) codes() string {
	var out []string
	for _, p := range t.Problems {
		out = append(out, string(p.Code))
	}
	return strings.Join(out, " ")
}

func TestTryATokenSpendsNothing(t *testing.T) {
	t.Parallel()
	w := shared(t)
	far := w.add(func(p *Publisher) { p.Workflow, p.Environment = "release.yml", "release" })
	p := w.add()
	tok := w.sign(w.claims())
	for range 2 {
		got := w.try(" "+tok+"\n", "")
		if !got.Granted() || !got.Proven || got.codes() != "" || got.Run.Repository != "acme/forge" {
			t.Fatalf("= %+v", got)
		}
		if len(got.Results) != 2 || got.Results[0].Publisher.ID != p.ID || !got.Results[0].Granted() || got.Results[1].Publisher.ID != far.ID {
			t.Fatalf("results = %+v", got.Results)
		}
		var wrong []string
		for _, d := range got.Results[1].Differences() {
			wrong = append(wrong, d.Field+" "+d.Got+" "+d.Want)
		}
		if s := strings.Join(wrong, ", "); s != "workflow build.yml release.yml, environment  release" {
			t.Errorf("the far one differs in %q", s)
		}
	}
	if w.store.publisher(p.ID).Pinned() || len(w.store.spent)+len(w.store.tokens)+len(w.store.refusals) != 0 || strings.Contains(w.log.String(), tok[:40]) {
		t.Errorf("a trial left something behind: %+v, log %s", w.store, w.log)
	}
	w.mustPass(tok)
}

// Each row changes one thing of a token that would be granted.
func TestTryTellsWhatIsWrongWithAToken(t *testing.T) {
	t.Parallel()
	w := shared(t)
	w.add()
	claims := func(change func(c map[string]any)) string {
		c := w.claims()
		change(c)
		return w.sign(c)
	}
	now := w.clock.now().Unix()
	good := claims(func(map[string]any) {})
	for _, tt := range []struct {
		name, pasted, codes string
		proven, fits        bool
	}{
		{"nothing changed", good, "", true, true},
		{"expired", claims(func(c map[string]any) { c["iat"], c["exp"] = now-900, now-600 }), "expired", true, true},
		{"wrong audience", claims(func(c map[string]any) { c["aud"] = "prefix.dev" }), "wrong_audience", true, true},
		{"forged", good[:len(good)-8] + "AAAAAAAA", "bad_signature", false, true},
		{"forged, and wrong besides", func() string {
			s := claims(func(c map[string]any) { c["aud"] = "prefix.dev" })
			return s[:len(s)-8] + "AAAAAAAA"
		}(), "wrong_audience bad_signature", false, true},
		{"unknown issuer", claims(func(c map[string]any) { c["iss"] = "https://ci.example" }), "unknown_issuer", false, false},
		{"no token", "hello", "malformed_token", false, false},
		{"another secret", "ghp_0123456789", "malformed_token", false, false},
		{"another repository", claims(func(c map[string]any) {
			c["repository"], c["workflow_ref"] = "acme/other", "acme/other/.github/workflows/build.yml@refs/heads/main"
		}), "no_publisher", true, false},
		{"a claim missing", claims(func(c map[string]any) { delete(c, "repository_id") }), "missing_claim", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := w.try(tt.pasted, "")
			if got.codes() != tt.codes || got.Proven != tt.proven || got.Granted() != (tt.codes == "") {
				t.Errorf("problems %q, proven %v, granted %v: %+v", got.codes(), got.Proven, got.Granted(), got.Problems)
			}
			if fits := len(got.Results) == 1 && got.Results[0].Granted(); fits != tt.fits {
				t.Errorf("fits the publisher: %v, want %v", fits, tt.fits)
			}
			for _, p := range got.Problems {
				if strings.Contains(p.Detail, tt.pasted[max(0, len(tt.pasted)-20):]) {
					t.Errorf("the sentence repeats what was pasted: %s", p.Detail)
				}
			}
		})
	}
}

func TestTryClaims(t *testing.T) {
	t.Parallel()
	w := shared(t)
	w.add()
	object := func(change func(c map[string]any)) string {
		c := w.claims()
		change(c)
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	none := func(map[string]any) {}
	noIssuer := func(c map[string]any) { delete(c, "iss") }
	for _, tt := range []struct {
		name, pasted, issuer, codes string
		fits                        bool
	}{
		{"with iss", object(none), "", "", true},
		{"iss goes before the one named", object(none), "https://ci.example", "", true},
		{"without iss, the only issuer", object(noIssuer), "", "", true},
		{"without iss, the named one", object(noIssuer), w.service.URL(), "", true},
		{"without iss, an unknown one", object(noIssuer), "https://ci.example", "unknown_issuer", false},
		{"of an unknown issuer", object(func(c map[string]any) { c["iss"] = "https://ci.example" }), w.service.URL(), "unknown_issuer", false},
		{"of another workflow", object(func(c map[string]any) {
			c["workflow_ref"], c["job_workflow_ref"] = "acme/forge/.github/workflows/x.yml@refs/heads/main", "acme/forge/.github/workflows/x.yml@refs/heads/main"
		}), "", "", false},
		{"of a wrong type", object(func(c map[string]any) { c["repository"] = 7 }), "", "bad_claim", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := w.try(tt.pasted, tt.issuer)
			if fits := len(got.Results) == 1 && got.Results[0].Granted(); got.codes() != tt.codes || fits != tt.fits {
				t.Errorf("problems %q, fits %v: %+v", got.codes(), fits, got)
			}
			if got.Proven || got.Granted() {
				t.Error("claims prove nothing")
			}
		})
	}
	for pasted, code := range map[string]fault.Code{
		`{"iss": 1`:        fault.InvalidField,
		`{"a": 1, "a": 2}`: fault.InvalidField,
		`{"a": "` + strings.Repeat("x", maxToken) + `"}`: fault.TooLarge,
	} {
		if _, err := w.x.Try(t.Context(), pasted, "", nil); !fault.Is(err, code) {
			t.Errorf("%.20s: %v, want %s", pasted, err, code)
		}
	}
}

func TestTryAPublisherThatIsOff(t *testing.T) {
	t.Parallel()
	w := shared(t)
	w.add(func(p *Publisher) { p.DisabledAt = w.clock.now().Add(-time.Hour) })
	got := w.try(w.sign(w.claims()), "")
	if got.Granted() || len(got.Results) != 1 || got.Results[0].Granted() || got.Results[0].End == nil || got.Results[0].End.Code != fault.PublisherDisabled {
		t.Errorf("= %+v", got)
	}
}

func TestTryAKeyThatCannotBeHad(t *testing.T) {
	t.Parallel()
	w := shared(t)
	w.add()
	tok := w.sign(w.service.Start(standin.Run{}).Claims(audience))
	w.net.set("127.0.0.1:9000", nil)
	got := w.try(tok, "")
	if got.codes() != string(fault.IssuerUnavailable) || got.Proven || len(got.Results) != 1 {
		t.Errorf("= %+v", got)
	}
}
