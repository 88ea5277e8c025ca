package verify_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/attest/policy"
	"sluice/internal/conda"
	"sluice/internal/exporting"
	"sluice/internal/importing"
	"sluice/internal/index"
	"sluice/internal/verify"
)

// web opens a channel as anybody may.
func web(t testing.TB, address string) *importing.Web {
	t.Helper()
	w, err := importing.OpenWeb(address, importing.Credential{})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// listed looks at all files of noarch.
func listed(f *verify.Foreign, w *importing.Web) func(context.Context, func(verify.Report) error) error {
	return func(ctx context.Context, hand func(verify.Report) error) error {
		all, err := verify.OpenWhole(ctx, w, []conda.Subdir{conda.Noarch()})
		if err != nil {
			return err
		}
		defer all.Close()
		return f.Files(ctx, all.Listed(ctx), hand)
	}
}

// terms reads a policy.
func terms(t testing.TB, text string) verify.Terms {
	t.Helper()
	out, err := verify.ReadTerms([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// published fills the channel: one file of a run of the repository, one of another branch of it, one without an attestation, one with
// another statement beside.
func (w *world) published(t *testing.T) map[string]file {
	t.Helper()
	files := map[string]file{}
	here := w.URL + "/forge"
	w.demand(t, func(p *policy.Policy) { p.Signer = policy.SignedByAnybody })
	for _, name := range []string{"tide-branch", "tide-good", "tide-plain", "tide-two"} {
		f := packageOf(t, name)
		files[name] = f
		switch name {
		case "tide-plain":
			w.publish(t, f)
		case "tide-two":
			w.publish(t, f, w.states(w.run, f), w.sign(w.run, f, here))
		case "tide-branch":
			w.publish(t, f, w.sign(copied(w.run, 14, "refs/heads/next"), f, here))
		default:
			w.publish(t, f, w.sign(w.run, f, here))
		}
	}
	return files
}

func TestForeign(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	files := w.published(t)
	channel := web(t, w.URL+"/forge")
	signer := func(more string) string {
		return fmt.Sprintf("require = true\n[[signer]]\npackages = [\"tide*\"]\nissuer = %q\n%s\n", w.run[8], more)
	}
	workflow, _, _ := strings.Cut(w.run[9], "@")
	for _, tt := range []struct {
		name, policy string
		want         []string
	}{
		{"nothing demanded", "", []string{"tide-branch ok", "tide-good ok", "tide-plain unattested", "tide-two ok"}},
		{"required", "require = true", []string{"tide-branch ok", "tide-good ok", "tide-plain failed attestation_required", "tide-two ok"}},
		{
			"by the repository's main", signer(fmt.Sprintf("repository = %q\nrepository_id = %q\nworkflow = %q\nref = \"refs/heads/main\"", w.run[12], w.run[15], workflow)),
			[]string{"tide-branch failed signer_mismatch", "tide-good ok", "tide-plain failed attestation_required", "tide-two ok"},
		},
		{
			"by another repository of a name that begins so", signer(fmt.Sprintf("repository = %q", w.run[12]+"d")),
			[]string{"tide-branch failed signer_mismatch", "tide-good failed signer_mismatch", "tide-plain failed attestation_required", "tide-two failed signer_mismatch"},
		},
		{
			"by a workflow whose name only begins so", signer(fmt.Sprintf("workflow = %q", strings.TrimSuffix(workflow, "l"))),
			[]string{"tide-branch failed signer_mismatch", "tide-good failed signer_mismatch", "tide-plain failed attestation_required", "tide-two failed signer_mismatch"},
		},
		{
			"of other packages", strings.Replace(signer(fmt.Sprintf("repository = %q", w.run[12])), "tide*", "lib*", 1),
			[]string{"tide-branch failed signer_mismatch", "tide-good failed signer_mismatch", "tide-plain failed attestation_required", "tide-two failed signer_mismatch"},
		},
		{
			"denied", fmt.Sprintf("[[denied]]\nrepository_id = %q\nissuer = %q\nwhy = \"taken over\"", w.run[15], w.run[8]),
			[]string{"tide-branch failed signer_denied", "tide-good failed signer_denied", "tide-plain unattested", "tide-two failed signer_denied"},
		},
	} {
		for _, quick := range []bool{false, true} {
			f := &verify.Foreign{Attest: w.checker(t), Terms: terms(t, tt.policy), Quick: quick}
			got, reports := look(t, listed(f, channel))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s, quick %v: %s", tt.name, quick, diff)
			}
			if want := int64(len(files["tide-branch"].body)); (reports[0].Bytes == want) == quick {
				t.Errorf("%s, quick %v: read %d of %d bytes", tt.name, quick, reports[0].Bytes, want)
			}
		}
	}
}

// export writes the channel into a folder.
func (w *world) export(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	_, err := exporting.Run(t.Context(), exporting.Config{
		Channel: w.forge, Store: w.DB, Index: index.New(w.DB, 1<<20), Blobs: w.blobs(t), Dir: dir, Progress: &exporting.Progress{},
	})
	w.check(t, err)
	return dir
}

// A channel that was exported, and then changed by somebody.
func TestForeignFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	files := w.published(t)
	f := func(name string) string { return files[name].name }
	good, bad := "tide-good", "tide-good failed "
	sigs := func(dir string) string {
		all, err := filepath.Glob(filepath.Join(dir, "noarch", f(good)+".sigs.*"))
		if err != nil || len(all) != 1 {
			t.Fatalf("%v, %v", all, err)
		}
		return all[0]
	}
	at := func(dir string) string { return filepath.Join(dir, "noarch", f(good)) }
	write := func(path string, b []byte) {
		w.check(t, os.Remove(path)) // it may be a link to the blob
		w.check(t, os.WriteFile(path, b, 0o600))
	}
	for name, tt := range map[string]struct {
		change func(dir string)
		target string
		want   string
	}{
		"as it was":             {func(string) {}, "target_channel = \"listed\"\naliases = [%q]", "tide-good ok"},
		"copied elsewhere":      {func(string) {}, "", bad + "target_mismatch"},
		"anywhere":              {func(string) {}, `target_channel = "ignore"`, "tide-good ok"},
		"the package is gone":   {func(dir string) { w.check(t, os.Remove(at(dir))) }, `target_channel = "ignore"`, bad + "blob.missing"},
		"the package is cut":    {func(dir string) { write(at(dir), files[good].body[:50]) }, `target_channel = "ignore"`, bad + "blob.changed"},
		"another package":       {func(dir string) { write(at(dir), files["tide-two"].body) }, `target_channel = "ignore"`, bad + "blob.changed"},
		"attestations are gone": {func(dir string) { w.check(t, os.Remove(sigs(dir))) }, `target_channel = "ignore"`, bad + "artifact.attestations"},
		"attestations changed":  {func(dir string) { write(sigs(dir), []byte("[]")) }, `target_channel = "ignore"`, bad + "artifact.attestations"},
		"attestations too long": {func(dir string) { write(sigs(dir), bytes.Repeat([]byte(" "), 2<<20)) }, `target_channel = "ignore"`, bad + "too_large"},
		"the index tells another MD5": {func(dir string) {
			w.check(t, os.Remove(filepath.Join(dir, "noarch", "repodata.json.zst")))
			path := filepath.Join(dir, "noarch", "repodata.json")
			text, err := os.ReadFile(path)
			w.check(t, err)
			write(path, bytes.ReplaceAll(text, fmt.Appendf(nil, "%x", md5.Sum(files[good].body)), fmt.Appendf(nil, "%x", [16]byte{1})))
		}, `target_channel = "ignore"`, bad + "blob.changed"},
		"another package, in the index as well": {func(dir string) {
			other := files["tide-two"].body
			write(at(dir), other)
			w.check(t, os.Remove(filepath.Join(dir, "noarch", "repodata.json.zst")))
			text, err := os.ReadFile(filepath.Join(dir, "noarch", "repodata.json"))
			w.check(t, err)
			before, after := sha256.Sum256(files[good].body), sha256.Sum256(other)
			text = bytes.ReplaceAll(text, fmt.Appendf(nil, "%x", before), fmt.Appendf(nil, "%x", after))
			text = bytes.ReplaceAll(text, fmt.Appendf(nil, "%x", md5.Sum(files[good].body)), fmt.Appendf(nil, "%x", md5.Sum(other)))
			text = bytes.ReplaceAll(text, fmt.Appendf(nil, `"size":%d`, len(files[good].body)), fmt.Appendf(nil, `"size":%d`, len(other)))
			write(filepath.Join(dir, "noarch", "repodata.json"), text)
		}, `target_channel = "ignore"`, bad + "artifact.unreadable wrong_artifact"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := w.export(t)
			tt.change(dir)
			server := httptest.NewServer(http.FileServer(http.Dir(dir)))
			defer server.Close()
			policy := tt.target
			if strings.Contains(policy, "%q") {
				policy = fmt.Sprintf(policy, w.URL+"/forge")
			}
			got, _ := look(t, listed(&verify.Foreign{Attest: w.checker(t), Terms: terms(t, policy)}, web(t, server.URL)))
			if !slices.Contains(got, tt.want) || len(got) != 4 {
				t.Errorf("%v, want %s", got, tt.want)
			}
		})
	}
}

// A digest of a lock file that the index does not have is held against the bytes.
func TestLockedBytes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	f := w.published(t)["tide-plain"]
	name, err := conda.ParseFilename(f.name)
	w.check(t, err)
	sum, old := sha256.Sum256(f.body), md5.Sum(f.body)
	for _, tt := range []struct {
		name      string
		told      conda.Record
		locked    [32]byte
		lockedMD5 [16]byte
		want      string
	}{
		{"as it is", conda.Record{}, sum, old, "tide-plain unattested"},
		{"other SHA-256 than the bytes", conda.Record{MD5: old}, [32]byte{1}, [16]byte{}, "tide-plain failed blob.changed"},
		{"other MD5 than the bytes", conda.Record{SHA256: sum}, [32]byte{}, [16]byte{1}, "tide-plain failed blob.changed"},
		{"the index tells the same MD5 and no SHA-256", conda.Record{MD5: old}, sum, old, "tide-plain unattested"},
		{"the index tells another MD5", conda.Record{SHA256: sum, MD5: old}, sum, [16]byte{1}, "tide-plain failed record.content"},
	} {
		claim := verify.Claim{Channel: web(t, w.URL+"/forge"), Subdir: conda.Noarch(), File: name, Listed: true, Record: &tt.told, Locked: tt.locked, LockedMD5: tt.lockedMD5}
		check := &verify.Foreign{Attest: w.checker(t), Terms: verify.DefaultTerms()}
		got, _ := look(t, func(ctx context.Context, hand func(verify.Report) error) error {
			return check.Files(ctx, func(yield func(verify.Claim, error) bool) { yield(claim, nil) }, hand)
		})
		if !slices.Equal(got, []string{tt.want}) {
			t.Errorf("%s: %v, want %s", tt.name, got, tt.want)
		}
	}
}

// What a lock file names is held against it, and against the index.
func TestLocked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	files := w.published(t)
	channel := web(t, w.URL+"/forge")
	claim := func(name string, locked [32]byte) *verify.Claim {
		f, err := conda.ParseFilename(name + "-1.0-0.conda")
		w.check(t, err)
		return &verify.Claim{Channel: channel, Subdir: conda.Noarch(), File: f, Locked: locked}
	}
	all := []*verify.Claim{
		claim("tide-two", sha256.Sum256(files["tide-two"].body)), claim("tide-good", [32]byte{1}), claim("tide-plain", [32]byte{}), claim("tide-away", [32]byte{2}),
	}
	w.check(t, verify.Locked(t.Context(), channel, conda.Noarch(), all))
	f := &verify.Foreign{Attest: w.checker(t), Terms: verify.DefaultTerms()}
	got, _ := look(t, func(ctx context.Context, hand func(verify.Report) error) error {
		return f.Files(ctx, func(yield func(verify.Claim, error) bool) {
			for _, c := range all {
				if !yield(*c, nil) {
					return
				}
			}
		}, hand)
	})
	want := []string{"tide-two ok", "tide-good failed record.content", "tide-plain unattested", "tide-away failed not_found blob.missing"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
