package attest

import _ "embed"

//go:embed roots/public-good.json
var publicGoodRoot []byte

// PublicGoodProfile is sigstore's public instance by the copy of its root that the program carries.
func PublicGoodProfile() (*Profile, error) {
	return NewProfile("sigstore", publicGoodRoot)
}
