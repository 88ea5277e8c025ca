package trust

import (
	"time"

	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/token"
)

// A Grant is what a publish token may do by one publisher: publish names that fit Packages into one channel.
// Several grants of one token are a union, never a product: the names of one channel's publisher say nothing
// in another channel.
type Grant struct {
	// PublisherID and PublisherVersion are the rule as it was when the token was minted.
	PublisherID, PublisherVersion int64
	// ChannelID decides where; Channel is its name for people.
	ChannelID int64
	Channel   conda.Channel
	// Packages are the names; empty means every package of the channel.
	Packages []conda.Pattern
	// Gone says that the publisher was changed or removed, or its channel removed, since the mint.
	Gone bool
}

// Allows reports whether the grant covers a package of that name.
func (g Grant) Allows(name string) bool { return !g.Gone && allows(g.Packages, name) }

// A PublishToken is what is stored of a minted token.
type PublishToken struct {
	ID   int64
	Hash token.Hash
	// CreatedAt and ExpiresAt bound its life. An upload whose headers came in time may finish.
	CreatedAt, ExpiresAt time.Time
	// RevokedAt is when it was taken back, RevokedWhy the reason as the end of "it was revoked: "; zero while it lives.
	RevokedAt  time.Time
	RevokedWhy string
	// Run is the run that it was minted for.
	Run Provenance
	// Grants are what it may do, the most specific publisher first: where several cover an upload, the first
	// one is named in the provenance.
	Grants []Grant
}

// Check refuses a token that is past its end (fault.Expired) or was taken back (fault.Revoked).
func (t PublishToken) Check(now time.Time) error {
	switch {
	case !t.RevokedAt.IsZero():
		return refuse(fault.Revoked, "Publish token was revoked", t.RevokedWhy, "Run the job again to get a new one")
	case !now.Before(t.ExpiresAt):
		return refuse(fault.Expired, "Publish token is expired",
			"it ended "+ago(now.Sub(t.ExpiresAt))+" and lived "+span(t.ExpiresAt.Sub(t.CreatedAt)),
			"Run the job again, or upload fewer files in one run")
	}
	return nil
}

// Covers refuses a channel that no grant names (fault.WrongChannel) or whose publishers are all gone since
// the mint (fault.Revoked). The refusal lists the token's own channels and no others.
func (t PublishToken) Covers(channelID int64) error {
	found, gone := false, false
	for _, g := range t.Grants {
		if g.ChannelID == channelID {
			found, gone = found || !g.Gone, gone || g.Gone
		}
	}
	switch {
	case found:
		return nil
	case gone:
		return refuse(fault.Revoked, "Publish token was revoked",
			"the trusted publisher that it rests on was changed or removed after it was made", "Run the job again")
	}
	return refuse(fault.WrongChannel, "Publish token is for another channel",
		"the publishers that this run satisfies are in "+t.channels()+", not here",
		"Add a publisher for "+shown(t.Run.Repository)+" to this channel, or upload to the right one")
}

// Grant returns the first grant that covers a package of that name in the channel. It refuses as Covers does,
// and with fault.PackageNotAllowed when the channel is covered and the name is not.
func (t PublishToken) Grant(channelID int64, name string) (Grant, error) {
	if err := t.Covers(channelID); err != nil {
		return Grant{}, err
	}
	var patterns []conda.Pattern
	for _, g := range t.Grants {
		if g.ChannelID != channelID || g.Gone {
			continue
		}
		if g.Allows(name) {
			return g, nil
		}
		patterns = append(patterns, g.Packages...)
	}
	return Grant{}, refuse(fault.PackageNotAllowed, "Package name is not allowed",
		"the file is of package "+shown(name)+", the trusted publisher may publish "+shownPatterns(patterns),
		"Add the name to the publisher's packages, or rename the package")
}

// channels lists the names of the channels that the token is for.
func (t PublishToken) channels() string {
	var names []string
	seen := map[int64]bool{}
	for _, g := range t.Grants {
		if !seen[g.ChannelID] {
			seen[g.ChannelID] = true
			names = append(names, g.Channel.String())
		}
	}
	return cut(list(names, "and"), 160)
}
