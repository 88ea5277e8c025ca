package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"sluice/internal/account"
	"sluice/internal/attest/policy"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/curate"
	"sluice/internal/fault"
	"sluice/internal/servertest"
	"sluice/internal/standin"
)

// change asks for a change of versions of tide, or a dry run of one, and returns what was said.
func (w *attested) change(t *testing.T, bearer, version, change string, dry bool) (int, string) {
	t.Helper()
	body := `{"change": {"reason": "a test", ` + change + `}, "select": {"name": "tide", "version": "` + version + `"}}`
	if dry {
		body = strings.Replace(body, `{"change"`, `{"dry_run": true, "change"`, 1)
	}
	req := w.request(t, http.MethodPost, "/api/v1/channels/forge/changes", strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Content-Type", "application/json")
	return w.do(t, req)
}

// What the channel would not take now does not come back into sight, by whichever way; what is in sight stays.
func TestShownAgain(t *testing.T) {
	t.Parallel()
	attestedBoth(t, func(t *testing.T, w *attested) {
		tok, own := w.run(t, standin.Run{})
		owner, here := w.Token(t, w.ann, nil, account.Read, account.Manage, account.Upload), w.URL+"/forge"
		put := func(v string, signed bool) []byte {
			t.Helper()
			file, body := version(t, v)
			var bundles [][]byte
			if signed {
				bundles = append(bundles, w.sign(own, file, body, here))
			}
			if status, said := w.send(t, tok, file, body, bundles...); status != http.StatusOK {
				t.Fatalf("%s: %d %s", v, status, said)
			}
			return body
		}
		does := func(v, change string) {
			t.Helper()
			for _, dry := range []bool{true, false} {
				if status, said := w.change(t, owner, v, change, dry); status != http.StatusOK || !strings.Contains(said, `"changed":1`) {
					t.Errorf("%s %s: %d %s", change, v, status, said)
				}
			}
		}
		refused := func(v, change string, says ...string) {
			t.Helper()
			for _, dry := range []bool{true, false} {
				status, said := w.change(t, owner, v, change, dry)
				for _, s := range says {
					if status != http.StatusUnprocessableEntity || !strings.Contains(said, s) {
						t.Errorf("%s %s: %d %s\nwant %q", change, v, status, said, s)
					}
				}
			}
		}
		// shown tells which versions solvers see in a label.
		shown := func(label, want string) {
			t.Helper()
			index, err := servertest.ReadIndex(t.Context(), here+label+"/noarch", "")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, v := range []string{"0.0", "0.1", "0.2", "0.3", "0.4", "0.5", "1.0", "1.1"} {
				if index.Records["tide-"+v+"-0.conda"] != "" {
					got = append(got, v)
				}
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%q shows %q, want %q", label, got, want)
			}
		}
		const yank, unyank, remove, restore = `"kind": "yank"`, `"kind": "unyank"`, `"kind": "delete"`, `"kind": "restore"`
		const takeOut, list, rc, move = `"kind": "take_out", "label": "main"`, `"kind": "list", "label": "main"`, `"kind": "list", "label": "rc"`, `"kind": "move", "label": "main", "to": "rc"`

		put("0.0", false)
		does("0.0", yank)
		first := put("0.1", false)
		for _, v := range []string{"0.2", "0.3", "0.4", "0.5"} {
			put(v, false)
		}
		put("1.0", true)
		does("0.1", yank)
		does("0.2", remove)
		does("0.3", takeOut)
		does("0.4", yank)
		does("0.4", remove)
		does("1.0", yank)
		w.demand(t, func(p *policy.Policy) { p.Mode = policy.Required })
		refused("0.1", unyank, `"code":"attestation_required"`, "noarch/tide-0.1-0.conda has no attestation", "channel forge takes tide only with one", "add one")
		refused("0.2", restore, `"code":"attestation_required"`, "noarch/tide-0.2-0.conda has no attestation", "restore it while the channel demands less")
		refused("0.3", list, `"code":"attestation_required"`)
		refused("0.3", rc, `"code":"attestation_required"`)
		refused("0.5", rc, `"code":"attestation_required"`)
		refused("0.5", move, `"code":"attestation_required"`)
		refused("0.*", list, "noarch/tide-0.3-0.conda has no attestation, and")
		refused("0.*", rc, "noarch/tide-0.3-0.conda has no attestation, and", "So it is with 1 more file.")
		shown("", "0.5")
		does("1.0", unyank)
		does("1.0", rc)
		shown("/label/rc", "1.0")
		does("0.4", restore) // as yanked as before
		refused("0.4", unyank, `"code":"attestation_required"`)
		does("0.5", yank)
		refused("0.5", unyank, `"code":"attestation_required"`)
		does("1.0", remove)
		does("1.0", restore)
		shown("", "1.0")

		// One that is added to a yanked file lets it come back, and one that is denied does not.
		w.add(t, "tide-0.1-0.conda", owner, w.sign(own, "tide-0.1-0.conda", first, here), http.StatusCreated)
		does("0.1", unyank)
		does("0.1", yank)
		w.demand(t, func(p *policy.Policy) {
			p.Mode, p.Denied = policy.Required, []policy.Denial{{Run: own[21], Why: "it was taken over"}}
		})
		refused("0.1", unyank, `"code":"attestation_required"`, "has no attestation that counts", "denied that: it was taken over")
		// Where others are needed, or none, all of them come back.
		w.demand(t, func(p *policy.Policy) { p.Mode, p.RequiredFor = policy.RequiredFor, []string{"lib*"} })
		does("0.1", unyank)
		w.demand(t, func(p *policy.Policy) { p.Mode = policy.Off })
		does("0.2", restore)
		does("0.3", list)
		shown("", "0.1 0.2 0.3 1.0")

		// A step back stays out of sight, and what is older than the first attestation of its package is none.
		put("1.1", false)
		does("1.1", yank)
		does("0.3", yank)
		w.demand(t, func(p *policy.Policy) { p.NoRegress = policy.RegressRefused })
		refused("1.1", unyank, `"code":"attestation_regressed"`, "noarch/tide-1.1-0.conda has no attestation", "tide 1.0 had one before")
		does("0.0", unyank)
		w.demand(t, func(*policy.Policy) {})
		does("1.1", unyank)
		shown("", "0.0 0.1 0.2 1.0 1.1")
		w.consistent(t)
	})
}

// meanwhile is a store before whose change something else comes.
type meanwhile struct {
	curate.Store
	comes func()
}

func (m meanwhile) Curate(ctx context.Context, ch channel.Channel, ids []int64, c curate.Change, e audit.Event) (curate.Outcome, error) {
	m.comes()
	return m.Store.Curate(ctx, ch, ids, c, e)
}

// What is demanded when the change is made counts, not what was when it was asked for.
func TestShownAgainMeanwhile(t *testing.T) {
	t.Parallel()
	attestedBoth(t, func(t *testing.T, w *attested) {
		tok, _ := w.run(t, standin.Run{})
		file, body := version(t, "1.0")
		if status, said := w.send(t, tok, file, body); status != http.StatusOK {
			t.Fatalf("%d %s", status, said)
		}
		do := func(kind curate.Kind, comes func(*policy.Policy)) error {
			keep := &curate.Curator{Store: meanwhile{w.DB, func() { w.demand(t, comes) }}, URL: w.URL}
			_, err := keep.Do(t.Context(), audit.Actor{Kind: audit.Operator}, w.forge, curate.Selection{Name: "tide"}, curate.Change{Kind: kind, Reason: "a test"})
			return err
		}
		required := func(p *policy.Policy) { p.Mode = policy.Required }
		if err := do(curate.Yank, required); err != nil {
			t.Errorf("a yank: %v", err)
		}
		w.demand(t, func(*policy.Policy) {})
		if err := do(curate.Unyank, required); !fault.Is(err, fault.AttestationRequired) {
			t.Errorf("what was demanded before let it through: %v", err)
		}
		if err := do(curate.Unyank, func(*policy.Policy) {}); err != nil {
			t.Errorf("what was demanded before holds it back: %v", err)
		}
	})
}
