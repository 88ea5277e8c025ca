// Package static holds the style sheet of the pages. Its name carries a hash of its bytes, so it may be
// kept for ever by whoever has it. The package must not know what the pages say.
package static

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
)

//go:embed sluice.css
var sheet []byte

// CSS returns the style sheet and the name under which it is served below /static/: a new name for every
// change of its bytes. The caller must not change body.
func CSS() (name string, body []byte) {
	sum := sha256.Sum256(sheet)
	return hex.EncodeToString(sum[:8]) + ".css", sheet
}
