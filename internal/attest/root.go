package attest

import _ "embed"

//go:embed roots/public-good.json
var publicGoodRoot []byte

// PublicGood is the name of sigstore's public instance.
const PublicGood = "sigstore"

// PublicGoodRoot is the copy of the trusted root of sigstore's public instance that the program carries.
func PublicGoodRoot() []byte { return publicGoodRoot }

// PublicGoodProfile is sigstore's public instance by that copy.
func PublicGoodProfile() (*Profile, error) {
	return NewProfile(PublicGood, publicGoodRoot)
}
