package server_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/attest/policy"
	"sluice/internal/audit"
	"sluice/internal/curate"
	"sluice/internal/standin"
)

// page is a page as a reader without an account gets it, its blanks drawn together.
func (w *attested) page(t *testing.T, path string) string {
	t.Helper()
	status, _, body := w.Get(t, path, "")
	if status != http.StatusOK {
		t.Fatalf("%s: %d", path, status)
	}
	return strings.Join(strings.Fields(body), " ")
}

// The pages of a package tell what counts by what the channel demands now: of which files, versions and signers.
func TestAttestedPages(t *testing.T) {
	t.Parallel()
	attestedBoth(t, func(t *testing.T, w *attested) {
		tok, extensions := w.run(t, standin.Run{})
		_, foreign := w.run(t, standin.Run{})
		here := w.URL + "/forge"
		for _, v := range []string{"0.8", "1.0", "1.1", "1.2", "0.9"} {
			file, body := version(t, v)
			var bundles [][]byte
			if strings.HasPrefix(v, "1.") && v != "1.2" {
				bundles = append(bundles, w.sign(extensions, file, body, here))
			}
			if status, said := w.send(t, tok, file, body, bundles...); status != http.StatusOK {
				t.Fatalf("%s: %d %s", v, status, said)
			}
			if v == "1.1" {
				w.add(t, file, w.annUploads, w.sign(foreign, file, body, here), http.StatusCreated)
			}
		}
		const versions = "/channels/forge/packages/tide/versions"
		for _, tt := range []struct {
			path      string
			has, lack []string
		}{
			{versions + "/1.0", []string{"1 of 1 file carries an attestation.", "attested", extensions[21][len(w.CI.URL()+"/acme/forge/"):]}, []string{"another run than", "not attested", "attestation missing", "published earlier"}},
			{versions + "/1.1", []string{"Attestation 2 of 2", "Signed by another run than the one that uploaded it.", "/noarch/tide-1.1-0.conda/attestations/2\""}, []string{"not attested", "attestation missing", "does not count"}},
			{versions + "/1.2", []string{"The only file carries no attestation.", "Versions published earlier do, 1.1 the last.", "Not attested, unlike the version before.", "attestation missing", "Earlier files of tide are attested, this one is not."}, []string{"Signed by"}},
			// What came before is a question of time, not of numbers.
			{versions + "/0.8", []string{"No file of this version carries an attestation.", "not attested"}, []string{"attestation missing", "published earlier"}},
			{versions + "/0.9", []string{"Versions published earlier do, 1.1 the last.", "attestation missing"}, []string{"unlike the version before"}},
			{versions, []string{`aria-label="1.1, noarch, by CI, attestation verified"`, `aria-label="1.2, noarch, by CI"`}, nil},
		} {
			page := w.page(t, tt.path)
			for _, s := range tt.has {
				if !strings.Contains(page, s) {
					t.Errorf("%s does not say %q", tt.path, s)
				}
			}
			for _, s := range tt.lack {
				if strings.Contains(page, s) {
					t.Errorf("%s says %q", tt.path, s)
				}
			}
		}

		// What is denied counts no longer, and the page says so and why.
		w.demand(t, func(p *policy.Policy) { p.Denied = []policy.Denial{{Run: extensions[21], Why: "taken over"}} })
		page := w.page(t, versions+"/1.0")
		for _, s := range []string{"The only file carries no attestation that counts here.", "does not count", "Does not count here.", "taken over"} {
			if !strings.Contains(page, s) {
				t.Errorf("a denied signature: the page does not say %q", s)
			}
		}
		// The other signature of 1.1 is of another run, and still counts.
		if page := w.page(t, versions); !strings.Contains(page, `aria-label="1.1, noarch, by CI, attestation verified"`) || !strings.Contains(page, `aria-label="1.0, noarch, by CI"`) {
			t.Error("the versions do not show which of them still count")
		}
	})
}

// drawn are the marks that lists draw beside a text, as those hear them who do not see them.
var drawn = regexp.MustCompile(`<span class="vh">(by CI|by CI, attestation verified|with an API token|imported), </span>`)

// lists fails unless the first mark of each list is this one: the newest file's of the only package, and the newest release's; and
// unless so many artifacts are counted, so many of them by CI, and so many of those with attestations.
func (w *attested) lists(t *testing.T, when, want, counts string) {
	t.Helper()
	totals, err := w.DB.Totals(t.Context(), w.forge.ID)
	if got := fmt.Sprintf("%d/%d/%d", totals.Artifacts, totals.ByCI, totals.Attested); err != nil || got != counts {
		t.Errorf("%s: %s artifacts, by CI and attested, want %s: %v", when, got, counts, err)
	}
	for _, path := range []string{"/channels/forge", "/search?q=tide", "/"} {
		got := "none"
		if m := drawn.FindStringSubmatch(w.page(t, path)); m != nil {
			got = m[1]
		}
		if got != want {
			t.Errorf("%s, %s: the mark is %q, want %q", when, path, got, want)
		}
	}
}

// Lists mark what counts by what the channel demands now, whenever it came, of the newest file that is there.
func TestAttestedLists(t *testing.T) {
	t.Parallel()
	attestedBoth(t, func(t *testing.T, w *attested) {
		const disc, ring = "by CI, attestation verified", "by CI"
		tok, extensions := w.run(t, standin.Run{})
		publish := func(v, token string, signed bool) (later []byte) {
			file, body := version(t, v)
			bundle := w.sign(extensions, file, body, w.URL+"/forge")
			var with [][]byte
			if signed {
				with = [][]byte{bundle}
			}
			if status, said := w.send(t, token, file, body, with...); status != http.StatusOK {
				t.Fatalf("%s: %d %s", v, status, said)
			}
			return bundle
		}
		keep := func(kind curate.Kind, v string) {
			c := &curate.Curator{Store: w.DB}
			if _, err := c.Do(t.Context(), audit.Actor{Kind: audit.Operator}, w.forge, curate.Selection{Name: "tide", Version: v}, curate.Change{Kind: kind, Reason: "a test"}); err != nil {
				t.Fatal(err)
			}
		}
		publish("1.0", tok, true)
		w.lists(t, "attested", disc, "1/1/1")
		later := publish("1.1", tok, false)
		w.lists(t, "not attested, as the one before was", ring, "2/2/1")
		w.add(t, "tide-1.1-0.conda", w.annUploads, later, http.StatusCreated)
		w.lists(t, "attested later", disc, "2/2/2")
		file, body := version(t, "1.1")
		w.add(t, file, w.annUploads, w.sign(extensions, file, body, w.URL+"/forge"), http.StatusCreated)
		w.lists(t, "attested twice", disc, "2/2/2")
		publish("1.2", tok, false)
		w.lists(t, "not attested", ring, "3/3/2")
		keep(curate.Delete, "1.2")
		w.lists(t, "deleted, and the one before is attested", disc, "2/2/2")
		keep(curate.Yank, "1.1")
		keep(curate.Yank, "1.0")
		w.lists(t, "all yanked", disc, "2/2/2")
		keep(curate.Unyank, "1.0")
		w.demand(t, func(p *policy.Policy) { p.Denied = []policy.Denial{{Run: extensions[21], Why: "taken over"}} })
		w.lists(t, "denied", ring, "2/2/2")
		w.demand(t, func(p *policy.Policy) { p.Denied = []policy.Denial{} })
		w.lists(t, "no longer denied", disc, "2/2/2")
		publish("1.3", w.annUploads, true)
		w.lists(t, "by a key, with what a run has signed", "with an API token", "3/2/2")
		w.consistent(t)
	})
}
