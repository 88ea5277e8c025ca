package page

import "time"

// KeysView is what stored keys could publish to a channel.
type KeysView struct {
	// Count is how many API tokens can publish here now.
	Count int
	// Only says that the channel takes uploads from trusted publishers only.
	Only bool
	// Left are the API tokens that can, or could if Only were not: for owners.
	Left []UploadKey
	// MaySwitch says that the reader may say who uploads here.
	MaySwitch bool
}

// UploadKey is an API token of somebody who may publish.
type UploadKey struct {
	// Account is whose it is, Name what they call it, Hint its beginning.
	Account, Name, Hint string
	// LastUsed is zero before the first use.
	LastUsed, Ends time.Time
}

func (k KeysView) words() string {
	if k.Count == 1 {
		return "API token can publish here"
	}
	return "API tokens can publish here"
}
