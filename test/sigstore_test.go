package test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/attest/attesttest"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/internal/config"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
	"sluice/test/clients"
	"sluice/test/process"
	"sluice/test/sigstore"
)

// signing is a world whose server trusts a sigstore of its own, which certifies the jobs of the world's CI service.
type signing struct {
	*world
	own *sigstore.Instance
}

func newSigning(t *testing.T) *signing {
	t.Helper()
	s := &signing{}
	s.world = newWorld(t, servertest.New(t, servertest.Options{Configure: func(c *config.Config) {
		s.own = sigstore.Start(t, c.Issuers["github"].URL)
		c.SigstoreRoots = []string{write(t, t.TempDir(), "own.json", s.own.Root)}
	}}))
	return s
}

// write makes a file in a folder, and returns its path.
func write(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestAttestedBySigstore follows an attestation all the way: a job has it made by the servers of a sigstore, the client
// uploads it, and whoever downloads the package checks it as the page of the package says, or with the clients in Python.
func TestAttestedBySigstore(t *testing.T) {
	t.Parallel()
	w := newSigning(t)
	w.Publisher(t, w.forge, trust.PublisherSpec{})
	address := w.channelURL(w.forge)
	trustConfig := write(t, t.TempDir(), "trust.json", w.own.Config)
	for _, signer := range []struct {
		name string
		sign func(job *standin.Job, u *clients.User, p parcel, file string) (bundle string)
	}{
		{"python", func(_ *standin.Job, u *clients.User, _ parcel, file string) string {
			bundle := filepath.Join(t.TempDir(), "bundle.json")
			u.Drive(t, "attest.py", "sign", file, "--channel", address, "--output", bundle, "--trust-config", trustConfig).Into(t, &struct{}{})
			return bundle
		}},
		{"golang", func(job *standin.Job, _ *clients.User, p parcel, _ string) string {
			token, err := job.Token(sigstore.Audience)
			if err != nil {
				t.Fatal(err)
			}
			made := w.own.Sign(t, token, "application/vnd.in-toto+json", attesttest.Statement(p.file, sha256.Sum256(p.body), address))
			return write(t, t.TempDir(), "bundle.json", []byte(made[0]))
		}},
	} {
		p := pack(t, build.Package{Name: signer.name, Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic", License: "MIT"}, conda.ExtConda)
		job := w.CI.Start(standin.Run{Environment: "release"})
		u := clients.NewUser(t).With(variables(job.Env()))
		file := write(t, t.TempDir(), p.file, p.body)
		if ran := w.upload(t, u, "--attestation", signer.sign(job, u, p, file), file); ran.Status != 0 {
			t.Fatalf("%s: %s", signer.name, ran)
		}
		w.checkedAsThePageSays(t, p, job, "")
		w.checkedInPython(t, p)
		w.visibility(t, channel.Private)
		w.checkedAsThePageSays(t, p, job, w.key)
		w.visibility(t, channel.Public)
	}
}

// visibility lets anybody read the channel, or members alone.
func (w *signing) visibility(t *testing.T, v channel.Visibility) {
	t.Helper()
	req := w.request(t, http.MethodPatch, "/api/v1/channels/forge", w.key, fmt.Appendf(nil, `{"visibility": %q}`, v))
	req.Header.Set("Content-Type", "application/json")
	if status, _, said := servertest.Do(t, req); status != http.StatusOK {
		t.Fatalf("%d %s", status, said)
	}
}

var typed = regexp.MustCompile(`(?s)<code class="prompt">(.*?)</code>`)

// checkedAsThePageSays types the lines that the page of the package hands out to whoever has a token, or none.
func (w *signing) checkedAsThePageSays(t *testing.T, p parcel, job *standin.Job, token string) {
	t.Helper()
	name, _, _ := strings.Cut(p.file, "-")
	_, _, text := w.Get(t, "/channels/forge/packages/"+name, token)
	if !strings.Contains(text, job.PageURL()) {
		t.Errorf("the page of %s does not lead to the run %s", name, job.PageURL())
	}
	var lines []string
	for _, m := range typed.FindAllStringSubmatch(text, -1) {
		line := strings.TrimSpace(html.UnescapeString(m[1]))
		if strings.HasPrefix(line, "curl ") || strings.HasPrefix(line, "sluice attestation check ") || strings.HasPrefix(line, "cosign ") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 5 {
		t.Fatalf("the page of %s hands out %q", name, lines)
	}
	bySluice, byCosign := lines[2], lines[4]
	dir := t.TempDir()
	write(t, dir, "trusted_root.json", w.own.Root)
	path := []string{filepath.Dir(process.Program(t)), sigstore.Programs(t), os.Getenv("PATH")}
	u := clients.NewUser(t).In(dir).With(map[string]string{"PATH": strings.Join(path, string(os.PathListSeparator)), "SLUICE_TOKEN": token})
	ran := u.Run(t, "sh", "-e", "-c", strings.Join(lines, "\n"))
	if ran.Status != 0 || !strings.Contains(ran.Stdout, "Attestation 1 of 1 holds") || !strings.Contains(ran.String(), "Verified OK") {
		t.Errorf("%q: %s", lines, ran)
	}
	if ran := u.Run(t, "sh", "-c", strings.Replace(byCosign, "/acme/", "/evil/", 1)); ran.Status == 0 || !strings.Contains(ran.String(), "no matching CertificateIdentity") {
		t.Errorf("somebody else, by cosign: %s", ran)
	}
	write(t, dir, p.file, append(p.body, 'x'))
	if ran := u.Run(t, "sh", "-c", bySluice); ran.Status != 3 || !strings.Contains(ran.String(), "wrong_artifact") {
		t.Errorf("a copy that was changed: %s", ran)
	}
	if ran := u.Run(t, "sh", "-c", byCosign); ran.Status == 0 || !strings.Contains(ran.String(), "artifact digest") {
		t.Errorf("a copy that was changed, by cosign: %s", ran)
	}
}

// checkedInPython has sigstore and conda-sigstore verify what is served, and a copy of the package that was changed.
func (w *signing) checkedInPython(t *testing.T, p parcel) {
	t.Helper()
	status, _, sigs := w.Get(t, "/forge/noarch/"+p.file+".sigs", "")
	var bundles []json.RawMessage
	if err := json.Unmarshal([]byte(sigs), &bundles); status != http.StatusOK || err != nil || len(bundles) != 1 {
		t.Fatalf("%s.sigs: %d %v %s", p.file, status, err, sigs)
	}
	var index struct {
		Packages map[string]struct {
			Attestations string `json:"attestations_sha256"`
		} `json:"packages.conda"`
	}
	_, _, text := w.Get(t, "/forge/noarch/repodata.json", "")
	if err := json.Unmarshal([]byte(text), &index); err != nil {
		t.Fatal(err)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(sigs)))
	if index.Packages[p.file].Attestations != sum {
		t.Errorf("the record of %s has attestations_sha256 %q, want %s", p.file, index.Packages[p.file].Attestations, sum)
	}
	if _, _, same := w.Get(t, "/forge/noarch/"+p.file+".sigs."+sum, ""); same != sigs {
		t.Errorf("%s.sigs.%s is %q, want the same as without the hash", p.file, sum, same)
	}
	roots := map[string]json.RawMessage{"own": w.own.Root}
	served := clientCase{Name: "served", Root: "own", Bundle: string(bundles[0]), File: p.file, SHA256: fmt.Sprintf("%x", sha256.Sum256(p.body)), Channel: w.channelURL(w.forge)}
	changed := served
	changed.Name, changed.SHA256 = "changed", fmt.Sprintf("%x", sha256.Sum256(append(p.body, 'x')))
	for name, verdicts := range inPython(t, roots, served, changed) {
		for client, why := range verdicts {
			if accepted := why == ""; accepted != (name == "served") {
				t.Errorf("%s of %s, %s: %q", name, p.file, client, why)
			}
		}
	}
}

// clientCase is a bundle that the clients in Python are asked about; see clients/attest.py.
type clientCase struct {
	Name    string `json:"name"`
	Root    string `json:"root"`
	Bundle  string `json:"bundle"`
	File    string `json:"file"`
	SHA256  string `json:"sha256"`
	Channel string `json:"channel"`
}

// inPython is what sigstore and conda-sigstore say of each case, by the names of case and client: why not, or nothing.
func inPython(t *testing.T, roots map[string]json.RawMessage, cases ...clientCase) map[string]map[string]string {
	t.Helper()
	var answer struct {
		Verdicts map[string]map[string]string
	}
	clients.NewUser(t).DriveWith(t, map[string]any{"roots": roots, "cases": cases}, "attest.py", "verify").Into(t, &answer)
	if len(answer.Verdicts) != len(cases) {
		t.Fatalf("%d verdicts on %d cases", len(answer.Verdicts), len(cases))
	}
	for name, verdicts := range answer.Verdicts {
		if len(verdicts) != 2 {
			t.Fatalf("%s: the verdicts of %d clients", name, len(verdicts))
		}
	}
	return answer.Verdicts
}
