package cli_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A channel with an attested file is verified on its server's machine, and by somebody who reads it from afar and keeps a policy
// of what was found.
func TestVerifyAttested(t *testing.T) {
	f := newAttestedFile(t)
	if code, printed := run(t, "attestation", "add", "forge", f.bundle, "noarch/"+f.name); code != 0 {
		t.Fatal(printed)
	}
	if err := os.WriteFile(filepath.Join(f.Data, "sluice-format"), []byte("1\n"), 0o600); err != nil { // as a server that was started by the command leaves it
		t.Fatal(err)
	}
	dir := filepath.Dir(f.root)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	here := []string{"verify", "forge", "--data", f.Data, "--url", f.URL, "--all"}
	afar := []string{"verify", "--from", f.URL + "/forge", "tide"}
	policy := write("policy.toml", "require = true\ninstances = [\"ours.json\"]\n")
	code, printed := run(t, append(afar, "--policy", policy, "--print-policy")...)
	found := write("found.toml", strings.Split(printed, f.URL)[0])
	if !strings.Contains(printed, "\nrequire = true\ninstances = ['ours.json']\n\n[[signer]]\npackages = ['tide']\n") || code != 0 {
		t.Fatalf("the printed policy: %d, %s", code, printed)
	}
	other := write("other.toml", "instances = [\"ours.json\"]\n[[signer]]\npackages = [\"*\"]\nissuer = \""+f.CI.URL()+"\"\nrepository = \""+f.CI.URL()+"/acme/other\"\n")
	for _, tt := range []struct {
		code int
		says string
		args []string
	}{
		{0, "noarch/" + f.name + ": signed by " + f.signer, append(here, "--sigstore-root", f.root)},
		{3, "[log_unknown]", here},
		{3, "[log_unknown]", afar},
		{0, "Anybody can sign: say with --policy FILE", append(afar, "--policy", policy)},
		{0, ": 1 ok, 0 not attested, 0 failed", append(afar, "--policy", found)},
		{3, "/acme/forge\", and the policy wants", append(afar, "--policy", other)},
	} {
		if code, printed := run(t, tt.args...); code != tt.code || !strings.Contains(printed, tt.says) {
			t.Errorf("%q ends with %d: %s", tt.args, code, printed)
		}
	}
}

// A file that is named by mistake is not read to its end.
func TestVerifyLargeList(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image.txt")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 32<<20+1)); err != nil {
		t.Fatal(err)
	}
	if code, printed := run(t, "verify", path); code != 1 || !strings.Contains(printed, "image.txt is larger than 33554432 bytes") {
		t.Errorf("%d, %s", code, printed)
	}
}
