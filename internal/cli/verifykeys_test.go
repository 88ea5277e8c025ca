package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sluice/internal/attest/attesttest"
)

// Somebody who looks at a channel from afar asks for the newest keys of the public instance, once a day, and never believes less
// than in an earlier run.
func TestVerifyAsksForKeys(t *testing.T) {
	f := newAttestedFile(t)
	if code, printed := run(t, "attestation", "add", "forge", f.bundle, "noarch/"+f.name); code != 0 {
		t.Fatal(printed)
	}
	trusted, err := os.ReadFile(f.root)
	if err != nil {
		t.Fatal(err)
	}
	repo := attesttest.NewRepository(t)
	repo.Publish(attesttest.New(t).Root)
	old := repo.State()
	first := filepath.Join(t.TempDir(), "root.json")
	if err := os.WriteFile(first, repo.First, 0o600); err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	t.Setenv("HOME", cache)
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("SLUICE_SIGSTORE_TUF", repo.URL)
	look := func(what string, code int, says ...string) {
		t.Helper()
		got, printed := run(t, "verify", "--from", f.URL+"/forge", "tide", "--sigstore-tuf-root", first)
		if got != code || strings.Contains(printed, "could not be had") != strings.Contains(strings.Join(says, ""), "could not be had") {
			t.Errorf("%s ends with %d: %s", what, got, printed)
		}
		for _, s := range says {
			if !strings.Contains(printed, s) {
				t.Errorf("%s: no %q in %s", what, s, printed)
			}
		}
	}

	repo.Leave(true)
	look("nobody answers, and nothing is known", 1, "no keys could be had from "+repo.URL+" (")
	repo.Leave(false)
	look("another root", 3, "[log_unknown]")
	repo.Publish(trusted)
	look("a newer one, which an unknown log makes ask for", 0, ": 1 ok, ")
	asked := repo.Requests()
	repo.Leave(true)
	if look("within a day", 0, ": 1 ok, "); repo.Requests() != asked {
		t.Error("the repository was asked again")
	}
	daysAgo(t, "CheckedAt", 2)
	look("nobody answers", 0, ": 1 ok, ", "The newest keys of sigstore could not be had from "+repo.URL+" (", "): those that it told on ", " count, which hold until ")
	repo.Leave(false)
	repo.Restore(old)
	look("an older one", 0, ": 1 ok, ", "could not be had", "count, which hold until ")
	daysAgo(t, "ValidUntil", 1)
	look("one that is over", 0, ": 1 ok, ", "could not be had", "count, though they were to hold until ")

	t.Setenv("SLUICE_SIGSTORE_TUF", "http://127.0.0.1:1")
	for tuf, says := range map[string]string{"http://127.0.0.1:1": "could not be had from http://127.0.0.1:1 (", "off": "[log_unknown]"} {
		code, printed := run(t, "verify", "--from", f.URL+"/forge", "tide", "--sigstore-tuf", tuf)
		if code != 3 || !strings.Contains(printed, says) || strings.Contains(printed, "those of this program count") != (tuf != "off") {
			t.Errorf("%s: %d, %s", tuf, code, printed)
		}
	}
	policy := filepath.Join(filepath.Dir(f.root), "policy.toml")
	if err := os.WriteFile(policy, []byte("instances = [\"ours.json\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, printed := run(t, "verify", "--from", f.URL+"/forge", "tide", "--policy", policy); code != 0 || strings.Contains(printed, "could not be had") {
		t.Errorf("an instance that is a file: %d, %s", code, printed)
	}
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	repo.Publish(trusted)
	t.Setenv("SLUICE_SIGSTORE_TUF", repo.URL)
	look("no folder to keep anything in", 0, "The keys of sigstore are not kept for the next run: ", ": 1 ok, ")
}

// daysAgo moves a time in what was kept of repositories so many days before today.
func daysAgo(t *testing.T, what string, days int) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(cache, "sluice", "tuf", "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().AddDate(0, 0, -days).UTC().Format(time.RFC3339)
	text = regexp.MustCompile(`"`+what+`":"[^"]*"`).ReplaceAll(text, []byte(`"`+what+`":"`+at+`"`))
	if err := os.WriteFile(files[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
}
