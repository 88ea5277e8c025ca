package attest

import (
	"time"

	"sluice/internal/fault"
)

// Distrust is what a second look at a stored attestation found: the root that gave the verdict was replaced, and by the
// new one the bundle does not pass. The verdict stays as it was.
type Distrust struct {
	// Root is the SHA-256 of the trusted root that refused, in hex.
	Root string `json:"trusted_root_sha256"`
	// At is when it was found out.
	At time.Time `json:"at"`
	// Code and Sentence are the refusal.
	Code     fault.Code `json:"code"`
	Sentence string     `json:"sentence"`
}
