package server_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/account"
	"sluice/internal/attest/attesttest"
	"sluice/internal/audit"
	"sluice/internal/blob"
	"sluice/internal/channel"
	"sluice/internal/check"
	"sluice/internal/cijob"
	"sluice/internal/conda/build"
	"sluice/internal/config"
	"sluice/internal/curate"
	"sluice/internal/exporting"
	"sluice/internal/index"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
)

// attested is a world whose server counts the attestations of an instance of its own. Its clock is the real one, for that
// of the instance is.
type attested struct {
	*world
	instance *attesttest.Instance
}

func attestedBoth(t *testing.T, run func(t *testing.T, w *attested)) {
	t.Helper()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, newAttested(t, servertest.Options{Postgres: name == "postgres"}))
		})
	}
}

func newAttested(t *testing.T, o servertest.Options) *attested {
	t.Helper()
	a := &attested{&world{}, attesttest.New(t)}
	root := filepath.Join(t.TempDir(), "ours.json")
	if err := os.WriteFile(root, a.instance.Root, 0o600); err != nil {
		t.Fatal(err)
	}
	o.Configure = func(c *config.Config) { c.UploadMax, c.SigstoreRoots = uploadMax, []string{root} }
	a.start(t, o)
	return a
}

// start starts the server, and makes people and a channel.
func (w *attested) start(t *testing.T, o servertest.Options) {
	t.Helper()
	w.Server = servertest.New(t, o)
	w.ann = w.robot(t, "ann")
	w.forge = w.Channel(t, w.ann, "forge", channel.Public)
	w.publisher = w.Publisher(t, w.forge, trust.PublisherSpec{Packages: []string{"tide*"}})
	w.annUploads = w.Token(t, w.ann, nil, account.Upload)
}

// run is a job with its publish token, and its certificate's extensions.
func (w *attested) run(t *testing.T, r standin.Run) (token string, extensions map[int]string) {
	t.Helper()
	r.Owner, r.Repository = "acme", "forge"
	j := w.CI.Start(r)
	job := cijob.New(j.Env())
	id, err := job.IdentityToken(t.Context(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	if token, err = job.Mint(t.Context(), w.URL, id); err != nil {
		t.Fatal(err)
	}
	return token, w.Certificate(j)
}

// sign attests a file for a channel.
func (w *attested) sign(extensions map[int]string, file string, body []byte, target string) []byte {
	return w.instance.Sign(attesttest.Signing{
		PayloadType: "application/vnd.in-toto+json", Statement: attesttest.Statement(file, sha256.Sum256(body), target),
		URIs: []string{extensions[9]}, Extensions: extensions, At: time.Now(),
	})
}

func bundlePart(b []byte) part { return part{"attestation", nil, b} }

func list(bundles ...[]byte) []byte {
	var parts []string
	for _, b := range bundles {
		parts = append(parts, string(b))
	}
	return []byte("[" + strings.Join(parts, ",") + "]")
}

func TestAttestedUpload(t *testing.T) {
	t.Parallel()
	attestedBoth(t, func(t *testing.T, w *attested) {
		tok, extensions := w.run(t, standin.Run{})
		file, body := packageOf(t, "tide", nil)
		here := w.URL + "/forge"
		first := w.sign(extensions, file, body, here)
		// The attestation may stand before the file.
		if status, said := w.do(t, w.post(t, "forge", tok, bundlePart(first), filePart(file, "", body))); status != http.StatusOK {
			t.Fatalf("%d %s", status, said)
		}
		one := w.sidecar(t, file, 1)
		// The same again is nothing new; another one is added, and the first file stays.
		second := w.sign(extensions, file, body, here)
		for _, again := range [][]byte{first, list(first, second), second} {
			if status, said := w.do(t, w.post(t, "forge", tok, filePart(file, "", body), bundlePart(again))); status != http.StatusOK || !strings.Contains(said, "already") {
				t.Fatalf("again: %d %s", status, said)
			}
		}
		two := w.sidecar(t, file, 2)
		if one == two || !strings.HasPrefix(two, strings.TrimSuffix(one, "]\n")) {
			t.Errorf("the second file does not go on from the first:\n%s\n%s", one, two)
		}
		sum := fmt.Sprintf("%x", sha256.Sum256([]byte(one)))
		if status, header, got := w.Get(t, "/forge/noarch/"+file+".sigs."+sum, ""); status != http.StatusOK || got != one || !strings.Contains(header.Get("Cache-Control"), "immutable") {
			t.Errorf("the first file: %d %v", status, header)
		}
		for _, path := range []string{".sigs.", ".sigs." + strings.ToUpper(sum), ".sigs." + strings.Repeat("0", 64), ".sigs." + sum + "0", ".sigs.sigs", ".sig"} {
			if status, _, _ := w.Get(t, "/forge/noarch/"+file+path, ""); status != http.StatusNotFound {
				t.Errorf("%s: %d", path, status)
			}
		}
		w.bundles(t, file, first, second)
		w.consistent(t)
		w.exported(t, file, one, two)
	})
}

// consistent has the index compared with the artifacts.
func (w *attested) consistent(t *testing.T) {
	t.Helper()
	r, err := check.New(w.DB, w.folder(t)).Channel(t.Context(), w.forge, check.Options{})
	if err != nil || r.Differences() != 0 {
		t.Errorf("the index differs: %v, %v", r, err)
	}
}

func (w *attested) folder(t *testing.T) *blob.Folder {
	t.Helper()
	root, err := os.OpenRoot(w.Data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	blobs, err := blob.NewFolder(root, w.DB.Referenced)
	if err != nil {
		t.Fatal(err)
	}
	return blobs
}

// exported has the channel written as files, twice, and compares those of the attestations.
func (w *attested) exported(t *testing.T, file, one, two string) {
	t.Helper()
	dir := t.TempDir()
	for range 2 {
		_, err := exporting.Run(t.Context(), exporting.Config{
			Channel: w.forge, Store: w.DB, Index: index.New(w.DB, 1<<20), Blobs: w.folder(t), Dir: dir, Prune: true, Progress: &exporting.Progress{},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"": two, fmt.Sprintf(".%x", sha256.Sum256([]byte(one))): one, fmt.Sprintf(".%x", sha256.Sum256([]byte(two))): two} {
		if got, err := os.ReadFile(filepath.Join(dir, "noarch", file+".sigs"+name)); err != nil || string(got) != want {
			t.Errorf("exported %s: %v, %q", name, err, got)
		}
	}
}

// sidecar reads the file of n attestations, which the record names, from both addresses.
func (w *attested) sidecar(t *testing.T, file string, n int) string {
	t.Helper()
	status, header, body := w.Get(t, "/forge/noarch/"+file+".sigs", "")
	var bundles []json.RawMessage
	if err := json.Unmarshal([]byte(body), &bundles); status != http.StatusOK || err != nil || len(bundles) != n || header.Get("Cache-Control") != "no-cache" ||
		header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d, %d bundles, %v: %v", status, len(bundles), err, header)
	}
	if _, _, other := w.Get(t, "/forge/noarch/"+file+".v0.sigs", ""); other != body {
		t.Errorf("prefix.dev's name of it has %q", other)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(body)))
	index, err := servertest.ReadIndex(t.Context(), w.URL+"/forge/noarch", "")
	if err != nil {
		t.Fatal(err)
	}
	if got := index.Records[file]; !strings.Contains(got, `"attestations_sha256":"`+sum+`"`) {
		t.Errorf("the record says %s of a file with SHA-256 %s", got, sum)
	}
	return body
}

// bundles compares what the API gives of each attestation.
func (w *attested) bundles(t *testing.T, file string, want ...[]byte) {
	t.Helper()
	_, _, body := w.Get(t, "/api/v1/channels/forge/packages/noarch/"+file, "")
	var found struct {
		Attestations []struct {
			Ordinal   int    `json:"ordinal"`
			Fit       string `json:"fit"`
			Target    string `json:"target_channel"`
			BundleURL string `json:"bundle_url"`
			Signer    struct {
				Repository string `json:"repository"`
			} `json:"signer"`
		} `json:"attestations"`
	}
	if err := json.Unmarshal([]byte(body), &found); err != nil || len(found.Attestations) != len(want) {
		t.Fatalf("the API has %s: %v", body, err)
	}
	for i, a := range found.Attestations {
		if a.Ordinal != i+1 || a.Fit != "run" || a.Target != w.URL+"/forge" || !strings.HasSuffix(a.Signer.Repository, "/acme/forge") {
			t.Errorf("attestation %d is %+v", i+1, a)
		}
		status, header, got := w.Get(t, strings.TrimPrefix(a.BundleURL, w.URL), "")
		if status != http.StatusOK || header.Get("Content-Type") != "application/vnd.dev.sigstore.bundle.v0.3+json" || compact(t, []byte(got)) != compact(t, want[i]) {
			t.Errorf("bundle %d: %d %v", i+1, status, header)
		}
	}
}

func compact(t *testing.T, b []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// An attestation that is refused refuses the upload, whole.
func TestAttestationRefusals(t *testing.T) {
	t.Parallel()
	attestedBoth(t, func(t *testing.T, w *attested) {
		tok, extensions := w.run(t, standin.Run{})
		_, otherRun := w.run(t, standin.Run{})
		file, body := packageOf(t, "tide", nil)
		here := w.URL + "/forge"
		good := w.sign(extensions, file, body, here)
		changed := func(number int, text string) map[int]string {
			m := maps.Clone(extensions)
			m[number] = text
			return m
		}
		strange := attesttest.New(t)
		for _, tt := range []struct {
			name   string
			part   part
			status int
			says   string
		}{
			{"not JSON", bundlePart([]byte("{")), 422, "Not a sigstore bundle"},
			{"empty", bundlePart(nil), 400, "empty"},
			{"no bundle", bundlePart([]byte("[]")), 422, "empty"},
			{"nine", bundlePart(list(good, good, good, good, good, good, good, good, good)), 422, "at most 8"},
			{"large", bundlePart([]byte(`{"x":"` + strings.Repeat("x", 300<<10) + `"}`)), 413, "at most"},
			{"huge", bundlePart([]byte(`{"x":"` + strings.Repeat("x", 1100<<10) + `"}`)), 413, "most that is taken"},
			{"another channel", bundlePart(w.sign(extensions, file, body, w.URL+"/other")), 422, `"` + here + `" is wanted`},
			{"another file", bundlePart(w.sign(extensions, "tide-2.0-0.conda", body, here)), 422, "tide-2.0-0.conda"},
			{"other bytes", bundlePart(w.sign(extensions, file, []byte("x"), here)), 422, "another file"},
			{"another run", bundlePart(w.sign(otherRun, file, body, here)), 422, "run_id"},
			{"another repository", bundlePart(w.sign(changed(15, "4711"), file, body, here)), 422, "repository_id"},
			{"another workflow", bundlePart(w.sign(changed(18, strings.Replace(extensions[18], "build.yml", "evil.yml", 1)), file, body, here)), 422, "workflow_ref"},
			{"another issuer", bundlePart(w.sign(changed(8, "https://issuer.example.com"), file, body, here)), 422, "SIGNER"},
			{"another instance", bundlePart(strange.Sign(attesttest.Signing{
				PayloadType: "application/vnd.in-toto+json", Statement: attesttest.Statement(file, sha256.Sum256(body), here), URIs: []string{extensions[9]}, Extensions: extensions, At: time.Now(),
			})), 422, "instance ours"},
			{"one good and one bad", bundlePart(list(good, w.sign(otherRun, file, body, here))), 422, "another run"},
		} {
			status, said := w.do(t, w.post(t, "forge", tok, filePart(file, "", body), tt.part))
			if tt.says == "SIGNER" {
				tt.says = "certificate"
			}
			if status != tt.status || !strings.Contains(said, tt.says) {
				t.Errorf("%s: %d %s", tt.name, status, said)
			}
		}
		if status, said := w.do(t, w.post(t, "forge", tok, filePart(file, "", body), bundlePart(good), bundlePart(good))); status != 400 {
			t.Errorf("two parts: %d %s", status, said)
		}
		if status, _, _ := w.Get(t, "/forge/noarch/"+file, ""); status != http.StatusNotFound {
			t.Errorf("something was stored: %d", status)
		}
		// By a person: what a run of a publisher signed, and nothing else.
		_, evil := w.run(t, standin.Run{})
		for k, v := range evil {
			evil[k] = strings.ReplaceAll(v, "build.yml", "evil.yml")
		}
		if status, said := w.do(t, w.post(t, "forge", w.annUploads, filePart(file, "", body), bundlePart(w.sign(evil, file, body, here)))); status != 422 || !strings.Contains(said, "no trusted publisher") {
			t.Errorf("a person with another workflow's: %d %s", status, said)
		}
		other, otherBody := packageOf(t, "other", nil)
		if status, said := w.do(t, w.post(t, "forge", w.annUploads, filePart(other, "", otherBody), bundlePart(w.sign(extensions, other, otherBody, here)))); status != 422 {
			t.Errorf("a person with a package that the publisher may not publish: %d %s", status, said)
		}
		if status, said := w.do(t, w.post(t, "forge", w.annUploads, filePart(file, "", body), bundlePart(good))); status != http.StatusOK {
			t.Fatalf("a person: %d %s", status, said)
		}
		w.sidecar(t, file, 1)
	})
}

// Attestations live and die with the file, and are those of its bytes alone.
func TestAttestationsOfChangedFiles(t *testing.T) {
	t.Parallel()
	attestedBoth(t, func(t *testing.T, w *attested) {
		tok, extensions := w.run(t, standin.Run{})
		file, body := packageOf(t, "tide", nil)
		here := w.URL + "/forge"
		if status, said := w.do(t, w.post(t, "forge", tok, filePart(file, "", body), bundlePart(w.sign(extensions, file, body, here)))); status != http.StatusOK {
			t.Fatalf("%d %s", status, said)
		}
		keep := &curate.Curator{Store: w.DB}
		change := func(kind curate.Kind) {
			t.Helper()
			if _, err := keep.Do(t.Context(), audit.Actor{Kind: audit.Operator}, w.forge, curate.Selection{Name: "tide"}, curate.Change{Kind: kind, Reason: "a test"}); err != nil {
				t.Fatal(err)
			}
		}
		sigs := func(want int) {
			t.Helper()
			if status, _, _ := w.Get(t, "/forge/noarch/"+file+".sigs", ""); status != want {
				t.Errorf("attestations: %d, want %d", status, want)
			}
		}
		before := w.sidecar(t, file, 1)
		change(curate.Yank)
		sigs(http.StatusOK)
		change(curate.Unyank)
		change(curate.Delete)
		sigs(http.StatusNotFound)
		change(curate.Restore)
		if after := w.sidecar(t, file, 1); after != before {
			t.Error("they came back as others")
		}
		w.consistent(t)

		// Other bytes begin without any; those of the old bytes are not theirs.
		if _, err := w.Channels.Change(t.Context(), audit.Actor{Kind: audit.Operator}, w.forge, channel.Revision{Replaceable: new(true)}); err != nil {
			t.Fatal(err)
		}
		_, other := packageOf(t, "tide", func(p *build.Package) { p.Files = map[string][]byte{"share/x": []byte("y")} })
		force := w.post(t, "forge", tok, filePart(file, "", other))
		force.URL.RawQuery = "force=true"
		if status, said := w.do(t, force); status != http.StatusOK {
			t.Fatalf("%d %s", status, said)
		}
		sigs(http.StatusNotFound)
		if status, _, _ := w.Get(t, fmt.Sprintf("/forge/noarch/%s.sigs.%x", file, sha256.Sum256([]byte(before))), ""); status != http.StatusNotFound {
			t.Errorf("the attestations of the old bytes: %d", status)
		}
		index, err := servertest.ReadIndex(t.Context(), here+"/noarch", "")
		if err != nil || strings.Contains(index.Records[file], "attestations_sha256") {
			t.Errorf("the record of the new bytes: %s, %v", index.Records[file], err)
		}
		w.consistent(t)
	})
}

// At most 16 stand beside a file, however many come at once.
func TestManyAttestations(t *testing.T) {
	t.Parallel()
	attestedBoth(t, func(t *testing.T, w *attested) {
		tok, extensions := w.run(t, standin.Run{})
		file, body := packageOf(t, "tide", nil)
		if status, said := w.do(t, w.post(t, "forge", tok, filePart(file, "", body))); status != http.StatusOK {
			t.Fatalf("%d %s", status, said)
		}
		var taken, refused atomic.Int32
		var all sync.WaitGroup
		for range 20 {
			req := w.post(t, "forge", tok, filePart(file, "", body), bundlePart(w.sign(extensions, file, body, w.URL+"/forge")))
			all.Go(func() {
				switch status, said := w.do(t, req); {
				case status == http.StatusOK:
					taken.Add(1)
				case status == 422 && strings.Contains(said, "at most"), status == 422 && strings.Contains(said, "A file may have"):
					refused.Add(1)
				default:
					t.Errorf("%d %s", status, said)
				}
			})
		}
		all.Wait()
		if taken.Load() != 16 || refused.Load() != 4 {
			t.Errorf("%d were taken, %d refused", taken.Load(), refused.Load())
		}
		w.sidecar(t, file, 16)
		w.consistent(t)
	})
}
