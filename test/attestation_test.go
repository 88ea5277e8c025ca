package test

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/attest/attesttest"
	"sluice/internal/cli"
	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/internal/config"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
	"sluice/test/clients"
)

// A package that the real client uploads with an attestation is served with it, and whoever gets both can check it; a copy
// that was changed does not pass.
func TestAttestedByTheClient(t *testing.T) {
	t.Parallel()
	instance := attesttest.New(t)
	root := filepath.Join(t.TempDir(), "trusted_root.json")
	if err := os.WriteFile(root, instance.Root, 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, servertest.New(t, servertest.Options{Configure: func(c *config.Config) { c.SigstoreRoots = []string{root} }}))
	w.Publisher(t, w.forge, trust.PublisherSpec{})
	p := pack(t, build.Package{Name: "tide", Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic", License: "MIT"}, conda.ExtConda)
	dir := t.TempDir()
	file, bundle := filepath.Join(dir, p.file), filepath.Join(dir, "bundle.json")
	job := w.CI.Start(standin.Run{Environment: "release"})
	certificate := w.Certificate(job)
	raw := instance.Sign(attesttest.Signing{
		PayloadType: "application/vnd.in-toto+json", Statement: attesttest.Statement(p.file, sha256.Sum256(p.body), w.channelURL(w.forge)),
		URIs: []string{certificate[9]}, Extensions: certificate, At: time.Now(),
	})
	write := func(name string, b []byte) {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(file, p.body)
	write(bundle, raw)
	u := clients.NewUser(t).With(variables(job.Env()))
	if ran := w.upload(t, u, "--attestation", bundle, file); ran.Status != 0 {
		t.Fatal(ran)
	}

	got := t.TempDir()
	for _, name := range []string{p.file, p.file + ".sigs"} {
		status, _, body := w.Get(t, "/forge/noarch/"+name, "")
		if status != http.StatusOK {
			t.Fatalf("%s: %d", name, status)
		}
		write(filepath.Join(got, name), []byte(body))
	}
	check := func(args ...string) (int, string) {
		var out bytes.Buffer
		line := []string{"attestation", "check", filepath.Join(got, p.file), "--trusted-root", root, "--issuer", certificate[8]}
		return cli.Run(t.Context(), append(line, args...), cli.Streams{In: strings.NewReader(""), Out: &out, Err: &out}), out.String()
	}
	// What the page of the package tells people to type.
	as := []string{"--identity", certificate[9], "--channel", w.channelURL(w.forge)}
	_, _, page := w.Get(t, "/channels/forge/packages/tide", "")
	for _, part := range append([]string{"1 of 1 file carries an attestation", "sluice attestation check", "tide-1.0-0.conda</code>", strings.TrimPrefix(certificate[21], certificate[12]+"/")}, as...) {
		if !strings.Contains(page, part) {
			t.Errorf("the page does not say %q", part)
		}
	}
	if code, said := check(as...); code != 0 || !strings.Contains(said, certificate[21]) {
		t.Errorf("what was attested: %d %s", code, said)
	}
	if code, said := check("--repository", "https://github.com/acme/other"); code != 3 || !strings.Contains(said, "signer_mismatch") {
		t.Errorf("somebody else: %d %s", code, said)
	}
	write(filepath.Join(got, p.file), append(p.body, 'x'))
	if code, said := check(as...); code != 3 || !strings.Contains(said, "wrong_artifact") {
		t.Errorf("a copy that was changed: %d %s", code, said)
	}
}
