package server

import (
	"strings"
	"testing"

	"sluice/internal/config"
)

// Instances have the names of their files, and no two have the same.
func TestInstancesOfAConfiguration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		roots []string
		want  string
	}{
		{[]string{"/etc/a/ours.json", "/etc/b/ours.json"}, "/etc/a/ours.json and /etc/b/ours.json are both the instance ours"},
		{[]string{config.PublicSigstore, "/etc/sigstore.json"}, "public and /etc/sigstore.json are both the instance sigstore"},
		{[]string{config.PublicSigstore, config.PublicSigstore}, "are both the instance sigstore"},
	} {
		if _, err := instancesOf(t.Context(), Parts{Config: config.Config{SigstoreRoots: tt.roots}}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q", tt.roots, err, tt.want)
		}
	}
	for root, want := range map[string]string{"/etc/acme.json": "acme", "/etc/acme.trusted_root.json": "acme.trusted_root", config.PublicSigstore: "sigstore"} {
		if s, err := SigstoreSource(config.Config{SigstoreTUF: "https://tuf.example.com"}, root); err != nil || s.Name != want || (s.File == "") != (root == config.PublicSigstore) || (s.Repository == nil) != (s.File != "") {
			t.Errorf("%s: %+v, %v", root, s, err)
		}
	}
	if s, err := SigstoreSource(config.Config{}, config.PublicSigstore); err != nil || s.Repository != nil || s.Start == nil {
		t.Errorf("off: %+v, %v", s, err)
	}
}
