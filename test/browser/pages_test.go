package browser_test

import (
	"strings"
	"testing"

	"sluice/test/browser"
)

// TestBrowserPages opens the pages of a server with a history where scripts may run: none does, nothing is stopped by the
// policy, and no page takes more than itself and the style sheet.
func TestBrowserPages(t *testing.T) {
	f := newForge(t)
	s := story{browser.Open(t, true), f.Server, t}
	for _, p := range []struct {
		name, path, says string
		status           int64
	}{
		{"40-home", "/", "conda.acme.dev", 200},
		{"41-channel", "/channels/forge", "24 of 25 artifacts", 200},
		{"42-package", "/channels/forge/packages/ripgrep", "15.0.0 came the same way", 200},
		{"43-package-by-hand", "/channels/forge/packages/ripgrep/versions/13.0.0", "This server cannot say where it was built.", 200},
		{"44-package-after", "/channels/forge/packages/ripgrep/versions/14.0.3", "13.0.0 was uploaded with an API token; this version came from build.yml of acme/forge.", 200},
		{"45-versions", "/channels/forge/packages/ripgrep/versions", "1–6 of 6", 200},
		{"46-search", "/search?q=ripgrep", "forge / ripgrep", 200},
		{"47-no-channel", "/channels/none", "Signing in may help", 404},
		{"48-not-signed-in", "/channels/forge/audit", "Sign in to see this", 401},
		{"49-no-page", "/account/nothing", "There is nothing here", 404},
	} {
		s.Go(f.URL+p.path, p.status)
		s.Says(p.says)
		if n := s.Requests(); n > 2 {
			t.Errorf("%s took %d requests, want the page and its style sheet", p.path, n)
		}
		s.page(p.name)
	}
	s.Clean(strings.TrimPrefix(f.URL, "http://"))
}
