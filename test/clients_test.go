package test

import (
	"maps"
	"slices"
	"testing"

	"sluice/internal/conda/version"
	"sluice/test/clients"
)

// TestClientVersions tells which clients the tests ran with, and that they are none of those which ask for
// identity tokens for another server than theirs.
func TestClientVersions(t *testing.T) {
	t.Parallel()
	var got struct{ Clients map[string]string }
	clients.NewUser(t).Drive(t, "about.py").Into(t, &got)
	for _, name := range slices.Sorted(maps.Keys(got.Clients)) {
		t.Logf("%s: %s", name, got.Clients[name])
	}
	if v := got.Clients["py-rattler-build"]; version.Compare(v, "0.67.0") < 0 {
		t.Errorf("py-rattler-build is %q, want 0.67.0 or newer", v)
	}
}
