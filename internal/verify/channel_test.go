package verify_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/attest"
	"sluice/internal/attest/attesttest"
	"sluice/internal/attest/policy"
	"sluice/internal/check"
	"sluice/internal/conda"
	"sluice/internal/verify"
)

func TestChannel(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		files := map[string]file{}
		here := w.URL + "/forge"
		for _, name := range []string{"tide-good", "tide-flipped", "tide-gone", "tide-cut", "tide-sidecar", "tide-bundle", "tide-record", "tide-denied"} {
			f := packageOf(t, name)
			by := w.run
			if name == "tide-denied" {
				by = copied(w.run, 21, w.run[21]+"0")
			}
			files[name] = f
			w.publish(t, f, w.sign(by, f, here))
		}
		files["tide-plain"] = packageOf(t, "tide-plain")
		w.publish(t, files["tide-plain"])
		files["tide-two"] = packageOf(t, "tide-two")
		w.publish(t, files["tide-two"], w.sign(w.run, files["tide-two"], here), w.states(w.run, files["tide-two"]))
		own := w.own(t)
		all := func(s verify.Selection) func(context.Context, func(verify.Report) error) error {
			return func(ctx context.Context, hand func(verify.Report) error) error {
				return own.Channel(ctx, w.forge, s, hand)
			}
		}
		whole, reports := look(t, all(verify.Selection{}))
		if diff := cmp.Diff([]string{
			"tide-good ok", "tide-flipped ok", "tide-gone ok", "tide-cut ok", "tide-sidecar ok", "tide-bundle ok", "tide-record ok", "tide-denied ok",
			"tide-plain unattested", "tide-two ok",
		}, whole); diff != "" {
			t.Fatal(diff)
		}
		if r := reports[9]; len(r.Attestations) != 2 || !r.Attestations[0].Counts || r.Attestations[1].Counts || r.Attestations[1].Predicate == attest.PredicateType ||
			r.Bytes != int64(len(files["tide-two"].body)) || r.Signers()[0].Identity != w.run[9] {
			t.Errorf("two attestations: %+v", r)
		}

		flipped := bytes.Clone(files["tide-flipped"].body)
		flipped[len(flipped)/2] ^= 1
		w.rewrite(t, files["tide-flipped"], flipped)
		w.check(t, os.Remove(w.blob(files["tide-gone"])))
		w.rewrite(t, files["tide-cut"], files["tide-cut"].body[:100])
		const of = ` = (SELECT id FROM artifact WHERE name = $2)`
		w.hurt(t, `UPDATE artifact SET sidecar_sha256 = $1 WHERE name = $2`, bytes.Repeat([]byte{7}, 32), "tide-sidecar")
		w.hurt(t, `UPDATE attestation SET bundle = $1 WHERE artifact_id`+of, w.sign(w.run, files["tide-good"], here), "tide-bundle")
		w.hurt(t, `UPDATE record SET member = $1 WHERE name = $2`, []byte(`"tide-record-1.0-0.conda":{}`), "tide-record")
		w.demand(t, func(p *policy.Policy) { p.Denied = []policy.Denial{{Run: w.run[21] + "0", Why: "it was taken over"}} })
		damaged, reports := look(t, all(verify.Selection{}))
		want := []string{
			"tide-good ok", "tide-flipped failed blob.changed", "tide-gone failed blob.missing", "tide-cut failed blob.changed",
			"tide-sidecar failed record.content artifact.attestations", "tide-bundle failed artifact.attestations wrong_artifact", "tide-record failed record.content",
			"tide-denied failed signer_denied", "tide-plain unattested", "tide-two ok",
		}
		if diff := cmp.Diff(want, damaged); diff != "" {
			t.Error(diff)
		}
		if f := reports[7].Failures[0]; !strings.Contains(f.Detail, "it was taken over") {
			t.Errorf("denied: %+v", f)
		}
		if a := reports[5].Attestations[0]; a.Signer != nil || a.Counts || a.Code != "wrong_artifact" {
			t.Errorf("of what does not hold is told %+v", a)
		}
		// What is not read shows no changed bytes, if they are as many.
		want[1] = "tide-flipped ok"
		quick, reports := look(t, all(verify.Selection{Quick: true}))
		if diff := cmp.Diff(want, quick); diff != "" || reports[0].Bytes != 0 {
			t.Errorf("quick: %s, %d bytes", diff, reports[0].Bytes)
		}
		var good, bad int
		w.check(t, own.Verify(t.Context(), w.forge, false, func(l check.Looked) {
			if len(l.Wrong) == 0 {
				good++
			} else if bad++; l.Wrong[0].File == "" || l.Wrong[0].Code == "" || l.Wrong[0].Detail == "" {
				t.Errorf("as a job tells it: %+v", l)
			}
		}))
		if failed := strings.Count(strings.Join(damaged, " "), " failed "); failed == 0 || bad != failed || good != len(damaged)-failed {
			t.Errorf("a job finds %d good and %d bad files, of %v", good, bad, damaged)
		}
		// What a channel took over from another says nothing here, and takes nothing away from a file that needs nothing.
		own.URL = "https://other.example.com"
		if some, _ := look(t, all(verify.Selection{Names: []string{"tide-good"}})); len(some) != 1 || some[0] != "tide-good unattested" {
			t.Errorf("at another address, where none is needed: %v", some)
		}
		own.URL = w.URL
		w.demand(t, func(p *policy.Policy) { p.Mode = policy.Required })
		some, _ := look(t, all(verify.Selection{Subdirs: []conda.Subdir{conda.Noarch()}, Names: []string{"tide-plain", "tide-good"}}))
		if diff := cmp.Diff([]string{"tide-good ok", "tide-plain failed attestation_required"}, some); diff != "" {
			t.Error(diff)
		}
		own.URL = "https://other.example.com"
		if some, _ := look(t, all(verify.Selection{Names: []string{"tide-good"}})); len(some) != 1 || some[0] != "tide-good failed target_mismatch" {
			t.Errorf("at another address: %v", some)
		}
		stranger, err := attest.NewProfile("theirs", attesttest.New(t).Root)
		w.check(t, err)
		own.URL, own.Attest = w.URL, attest.NewChecker(stranger)
		if some, _ := look(t, all(verify.Selection{Names: []string{"tide-good"}})); len(some) != 1 || !strings.HasPrefix(some[0], "tide-good failed ") {
			t.Errorf("by other keys: %v", some)
		}
		own.Attest = attest.NewChecker(attest.AwaitedProfile("later"))
		if err := own.Channel(t.Context(), w.forge, verify.Selection{}, func(verify.Report) error { return nil }); err == nil {
			t.Error("without keys it was found out something")
		}
	})
}

// What the receiver of reports says ends it, and so does the caller's context.
func TestChannelEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	for _, name := range []string{"tide-a", "tide-b", "tide-c"} {
		w.publish(t, packageOf(t, name))
	}
	full, told := errors.New("the disk is full"), 0
	err := w.own(t).Channel(t.Context(), w.forge, verify.Selection{}, func(verify.Report) error { told++; return full })
	if !errors.Is(err, full) || told != 1 {
		t.Errorf("told %d times, and %v", told, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = w.own(t).Channel(ctx, w.forge, verify.Selection{}, func(verify.Report) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// rewrite changes the bytes of a file where they lie.
func (w *world) rewrite(t testing.TB, f file, body []byte) {
	t.Helper()
	at := w.blob(f)
	w.check(t, os.Chmod(at, 0o600))
	w.check(t, os.WriteFile(at, body, 0o600))
}

// copied is m with one value changed.
func copied(m map[int]string, key int, value string) map[int]string {
	out := maps.Clone(m)
	out[key] = value
	return out
}
