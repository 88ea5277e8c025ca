package cli_test

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/account"
	"sluice/internal/attest/attesttest"
	"sluice/internal/channel"
	"sluice/internal/cijob"
	"sluice/internal/cli"
	"sluice/internal/conda/build"
	"sluice/internal/config"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
)

// Attestations are added and listed from afar.
func TestAttestationFromAfar(t *testing.T) {
	instance := attesttest.New(t)
	dir := t.TempDir()
	root := filepath.Join(dir, "ours.json")
	if err := os.WriteFile(root, instance.Root, 0o600); err != nil {
		t.Fatal(err)
	}
	s := servertest.New(t, servertest.Options{Configure: func(c *config.Config) { c.SigstoreRoots = []string{root} }})
	ann := s.User(t, "ann", false)
	ch := s.Channel(t, ann, "forge", channel.Public)
	s.Publisher(t, ch, trust.PublisherSpec{})
	t.Setenv("SLUICE_SERVER", s.URL)
	t.Setenv("SLUICE_TOKEN", s.Token(t, ann, nil, account.Upload))

	p := build.Package{Name: "tide", Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic"}
	body, err := p.Conda()
	if err != nil {
		t.Fatal(err)
	}
	file := p.Stem() + ".conda"
	job := s.CI.Start(standin.Run{Owner: "acme", Repository: "forge"})
	if _, err := cijob.New(job.Env()).Upload(t.Context(), s.URL, "forge", s.PublishToken(t), file, body); err != nil {
		t.Fatal(err)
	}
	certificate := s.Certificate(job)
	bundle := filepath.Join(dir, "bundle.json")
	err = os.WriteFile(bundle, instance.Sign(attesttest.Signing{
		PayloadType: "application/vnd.in-toto+json", Statement: attesttest.Statement(file, sha256.Sum256(body), s.URL+"/forge"),
		URIs: []string{certificate[9]}, Extensions: certificate, At: time.Now(),
	}), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		code int
		says string
		args []string
	}{
		{0, "noarch/" + file + " has no attestation.", []string{"list", "forge", "noarch/" + file}},
		{0, "Added 1 to the attestations of noarch/" + file, []string{"add", "forge", bundle, "noarch/" + file}},
		{0, "Nothing to do: noarch/" + file, []string{"add", "forge", bundle, "noarch/" + file}},
		{0, certificate[9], []string{"list", "forge", "noarch/" + file}},
		{0, `"added":0`, []string{"add", "forge", bundle, "noarch/" + file, "--json"}},
		{1, "write SUBDIR/FILE", []string{"add", "forge", bundle, file}},
		{1, "404 not_found", []string{"add", "forge", bundle, "noarch/none-1-0.conda"}},
		{1, "Not a sigstore bundle", []string{"add", "forge", root + "x", "noarch/" + file}},
	} {
		if strings.HasSuffix(tt.args[2], "x") {
			if err := os.WriteFile(tt.args[2], []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var out, said servertest.Log
		code := cli.Run(t.Context(), append([]string{"attestation"}, tt.args...), cli.Streams{In: strings.NewReader(""), Out: &out, Err: &said})
		if code != tt.code || !strings.Contains(out.String()+said.String(), tt.says) {
			t.Errorf("%q ends with %d: %s%s", tt.args, code, out.String(), said.String())
		}
	}
}
