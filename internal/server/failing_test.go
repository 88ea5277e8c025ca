package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/internal/account"
	"sluice/internal/attest"
	"sluice/internal/attest/attesttest"
	"sluice/internal/attest/instance"
	"sluice/internal/attest/policy"
	"sluice/internal/attest/recheck"
	"sluice/internal/audit"
	"sluice/internal/curate"
	"sluice/internal/fault"
	"sluice/internal/standin"
)

// Before demands are saved an owner sees what is there and would fail them.
func TestFailing(t *testing.T) {
	t.Parallel()
	attestedBoth(t, func(t *testing.T, w *attested) {
		tok, own := w.run(t, standin.Run{})
		here, former := w.URL+"/forge", "https://old.example.com/forge"
		w.demand(t, func(p *policy.Policy) { p.Aliases = []string{former} })
		put := func(v string, by map[int]string, target string) {
			t.Helper()
			file, body := version(t, v)
			var bundles [][]byte
			if by != nil {
				bundles = append(bundles, w.sign(by, file, body, target))
			}
			if status, said := w.send(t, tok, file, body, bundles...); status != http.StatusOK {
				t.Fatalf("%s: %d %s", v, status, said)
			}
		}
		put("0.1", nil, "")
		put("0.2", nil, "")
		put("1.0", own, here)
		put("1.1", own, former)
		put("1.2", nil, "")
		keep := &curate.Curator{Store: w.DB}
		if _, err := keep.Do(t.Context(), audit.Actor{Kind: audit.Operator}, w.forge, curate.Selection{Name: "tide", Version: "0.2"}, curate.Change{Kind: curate.Delete, Reason: "a test"}); err != nil {
			t.Fatal(err)
		}
		owner := w.Token(t, w.ann, nil, account.Manage)
		for name, tt := range map[string]struct {
			body string
			want string
		}{
			"nothing":            {`{}`, `0 0`},
			"the usual but more": {`{"no_regress": "refuse"}`, `0 0`},
			"required":           {`{"mode": "required"}`, `2 0 tide-0.1 attestation_required tide-1.2 attestation_required`},
			"required for it":    {`{"mode": "required_for", "required_for": ["ti*"]}`, `2 0 tide-0.1 attestation_required tide-1.2 attestation_required`},
			"for its name":       {`{"mode": "required_for", "required_for": ["x", "tide"]}`, `2 0 tide-0.1 attestation_required tide-1.2 attestation_required`},
			"for another":        {`{"mode": "required_for", "required_for": ["tid", "ide*"]}`, `0 0`},
			"required, here":     {`{"mode": "required", "target_channel": "exact"}`, `2 1 tide-0.1 attestation_required tide-1.2 attestation_required tide-1.1 attestation_required`},
			"no alias":           {`{"aliases": []}`, `0 1 tide-1.1 target_mismatch`},
			"denied":             {fmt.Sprintf(`{"denied": [{"run": %q, "why": "taken over"}]}`, own[21]), `0 2 tide-1.0 signer_denied tide-1.1 signer_denied`},
			"another instance":   {`{"instances": ["acme"]}`, `0 2 tide-1.0 certificate_untrusted tide-1.1 certificate_untrusted`},
		} {
			if got := w.preview(t, owner, tt.body); got != tt.want {
				t.Errorf("%s: %s\nwant %s", name, got, tt.want)
			}
		}
		// What fails already is told apart from what would.
		w.demand(t, func(p *policy.Policy) { p.Mode, p.RequiredFor = policy.RequiredFor, []string{"ti*"} })
		for name, tt := range map[string]struct{ body, want string }{
			"the same":           {`{}`, `0 0, already 2 1 tide-0.1 attestation_required tide-1.2 attestation_required tide-1.1 attestation_required`},
			"required":           {`{"mode": "required"}`, `0 0, already 2 1 tide-0.1 attestation_required tide-1.2 attestation_required tide-1.1 attestation_required`},
			"with an alias":      {fmt.Sprintf(`{"aliases": [%q]}`, former), `0 0, already 2 0 tide-0.1 attestation_required tide-1.2 attestation_required`},
			"denied":             {fmt.Sprintf(`{"denied": [{"run": %q, "why": "taken over"}]}`, own[21]), `0 1 tide-1.0 attestation_required, already 2 1 tide-0.1 attestation_required tide-1.2 attestation_required tide-1.1 attestation_required`},
			"for another":        {`{"required_for": ["tid"]}`, `0 0`},
			"for another and it": {`{"required_for": ["tid", "tide"]}`, `0 0, already 2 1 tide-0.1 attestation_required tide-1.2 attestation_required tide-1.1 attestation_required`},
		} {
			if got := w.preview(t, owner, tt.body); got != tt.want {
				t.Errorf("required today, %s: %s\nwant %s", name, got, tt.want)
			}
		}
		w.demand(t, func(p *policy.Policy) { p.Aliases = []string{former} })
		// What counts for nothing says so where it is read.
		counts := func(want string) {
			t.Helper()
			status, _, said := w.Get(t, "/api/v1/channels/forge/packages/noarch/tide-1.0-0.conda", "")
			if status != http.StatusOK || !strings.Contains(said, want) {
				t.Errorf("%d %s\nwant %s", status, said, want)
			}
		}
		counts(`"counts":true,"target_channel"`)
		w.demand(t, func(p *policy.Policy) { p.Denied = []policy.Denial{{Run: own[21], Why: "taken over"}} })
		counts(`and the channel has denied that: taken over."`)
		counts(`"counts":false,"why":"The attestation was signed by`)
		w.demand(t, func(p *policy.Policy) { p.Aliases = []string{former} })
		// What is no longer trusted satisfies nothing, and what does not count is not hit by what is said against it.
		w.distrust(t)
		if got, want := w.preview(t, owner, `{"mode": "required"}`), `2 2 tide-0.1 attestation_required tide-1.2 attestation_required tide-1.0 attestation_required tide-1.1 attestation_required`; got != want {
			t.Errorf("no longer trusted: %s", got)
		}
		if got := w.preview(t, owner, `{"instances": ["acme"]}`); got != "0 0" {
			t.Errorf("no longer trusted, another instance: %s", got)
		}
	})
}

// preview asks what would fail, and returns the counts, and each file with its code, and the same of what fails already.
func (w *attested) preview(t *testing.T, bearer, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+"/api/v1/channels/forge/attestations/preview", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Content-Type", "application/json")
	status, said := w.do(t, req)
	type failures struct {
		Unattested  int `json:"unattested"`
		NotCounting int `json:"not_counting"`
		Files       []struct {
			Filename string `json:"filename"`
			Code     string `json:"code"`
		} `json:"files"`
	}
	var answer struct {
		failures

		Already failures `json:"already"`
	}
	if err := json.Unmarshal([]byte(said), &answer); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s", status, said)
	}
	say := func(f failures) string {
		out := fmt.Sprintf("%d %d", f.Unattested, f.NotCounting)
		for _, file := range f.Files {
			out += " " + strings.TrimSuffix(file.Filename, "-0.conda") + " " + file.Code
		}
		return out
	}
	if already := say(answer.Already); already != "0 0" {
		return say(answer.failures) + ", already " + already
	}
	return say(answer.failures)
}

// distrust has another root take the place of the instance's, by which no attestation passes.
func (w *attested) distrust(t *testing.T) {
	t.Helper()
	if _, err := w.DB.UseRoot(t.Context(), instance.Root{Instance: "ours", JSON: attesttest.New(t).Root, Source: instance.FromFile, UsedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	l, ok, err := w.DB.ClaimLook(t.Context(), time.Now().Add(time.Hour))
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	stored, err := w.DB.AttestationsAfter(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	s := recheck.Step{To: stored[len(stored)-1].ArtifactID, Done: true}
	for _, a := range stored {
		s.Found = append(s.Found, recheck.Finding{Stored: a, Distrust: &attest.Distrust{Code: fault.LogUnknown, Sentence: "No such log."}})
	}
	if saved, err := w.DB.SaveLook(t.Context(), l, s); err != nil || !saved {
		t.Fatal(saved, err)
	}
}
