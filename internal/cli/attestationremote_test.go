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

// attestedFile is a server, which counts an instance of sigstore of its own, with a file in its channel forge that a CI run
// published, and an attestation of that file which the server does not have.
type attestedFile struct {
	*servertest.Server
	name, bundle string
	// root is the file of the instance's trusted root, signer the identity of the run.
	root, signer string
}

// newAttestedFile starts the server, and sets its address and a token that may upload as those of the commands.
func newAttestedFile(t *testing.T) attestedFile {
	t.Helper()
	instance := attesttest.New(t)
	dir := t.TempDir()
	f := attestedFile{root: filepath.Join(dir, "ours.json"), bundle: filepath.Join(dir, "bundle.json")}
	if err := os.WriteFile(f.root, instance.Root, 0o600); err != nil {
		t.Fatal(err)
	}
	f.Server = servertest.New(t, servertest.Options{Configure: func(c *config.Config) { c.SigstoreRoots = []string{f.root} }})
	ann := f.User(t, "ann", false)
	ch := f.Channel(t, ann, "forge", channel.Public)
	f.Publisher(t, ch, trust.PublisherSpec{})
	t.Setenv("SLUICE_SIGSTORE_TUF", "off") // tests ask nobody outside
	t.Setenv("SLUICE_SERVER", f.URL)
	t.Setenv("SLUICE_TOKEN", f.Token(t, ann, nil, account.Upload))

	p := build.Package{Name: "tide", Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic"}
	body, err := p.Conda()
	if err != nil {
		t.Fatal(err)
	}
	f.name = p.Stem() + ".conda"
	job := f.CI.Start(standin.Run{Owner: "acme", Repository: "forge"})
	if _, err := cijob.New(job.Env()).Upload(t.Context(), f.URL, "forge", f.PublishToken(t), f.name, body); err != nil {
		t.Fatal(err)
	}
	certificate := f.Certificate(job)
	f.signer = certificate[9]
	err = os.WriteFile(f.bundle, instance.Sign(attesttest.Signing{
		PayloadType: "application/vnd.in-toto+json", Statement: attesttest.Statement(f.name, sha256.Sum256(body), f.URL+"/forge"),
		URIs: []string{f.signer}, Extensions: certificate, At: time.Now(),
	}), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// run is what a command prints, and its exit code.
func run(t *testing.T, args ...string) (code int, printed string) {
	t.Helper()
	var out, said servertest.Log
	code = cli.Run(t.Context(), args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &said})
	return code, out.String() + said.String()
}

// Attestations are added and listed from afar.
func TestAttestationFromAfar(t *testing.T) {
	f := newAttestedFile(t)
	file, bundle := f.name, f.bundle
	for _, tt := range []struct {
		code int
		says string
		args []string
	}{
		{0, "noarch/" + file + " has no attestation.", []string{"list", "forge", "noarch/" + file}},
		{0, "Added 1 to the attestations of noarch/" + file, []string{"add", "forge", bundle, "noarch/" + file}},
		{0, "Nothing to do: noarch/" + file, []string{"add", "forge", bundle, "noarch/" + file}},
		{0, f.signer, []string{"list", "forge", "noarch/" + file}},
		{0, `"added":0`, []string{"add", "forge", bundle, "noarch/" + file, "--json"}},
		{1, "write SUBDIR/FILE", []string{"add", "forge", bundle, file}},
		{1, "404 not_found", []string{"add", "forge", bundle, "noarch/none-1-0.conda"}},
		{1, "Not a sigstore bundle", []string{"add", "forge", f.root + "x", "noarch/" + file}},
	} {
		if strings.HasSuffix(tt.args[2], "x") {
			if err := os.WriteFile(tt.args[2], []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		code, printed := run(t, append([]string{"attestation"}, tt.args...)...)
		if code != tt.code || !strings.Contains(printed, tt.says) {
			t.Errorf("%q ends with %d: %s", tt.args, code, printed)
		}
	}
}
