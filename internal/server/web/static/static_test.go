package static

import (
	"regexp"
	"strings"
	"testing"
)

func TestCSS(t *testing.T) {
	name, body := CSS()
	if !regexp.MustCompile(`^[0-9a-f]{16}\.css$`).MatchString(name) {
		t.Errorf("name = %q, want 16 hex digits and .css", name)
	}
	// A sheet that fetched anything would be a third request, and nothing but the sheet is allowed.
	for _, banned := range []string{"@import", "url(", "@font-face"} {
		if strings.Contains(string(body), banned) {
			t.Errorf("the style sheet has %q", banned)
		}
	}
	if len(body) > 40<<10 {
		t.Errorf("the style sheet has %d bytes, want at most 40 KiB", len(body))
	}
}
