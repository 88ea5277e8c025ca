package trust

import (
	"slices"
	"strconv"
	"time"

	"sluice/internal/attest/policy"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/token"
)

// A Grant is what a publish token may do by one publisher in one channel: read it, or publish as well.
// Several grants of one token are a union, never a product: the names of one channel's publisher say nothing
// in another channel.
type Grant struct {
	// PublisherID and PublisherVersion are the rule as it was when the token was minted.
	PublisherID, PublisherVersion int64
	// ChannelID decides where; Channel is its name for people.
	ChannelID int64
	Channel   conda.Channel
	// Right is Publish or Read.
	Right Right
	// Packages are the names; empty means every package of the channel.
	Packages []conda.Pattern
	// Subdirs are where they may lie; empty means any.
	Subdirs []conda.Subdir
	// NewNames lets it create names, PerRun bounds what its run publishes by all its tokens.
	NewNames bool
	PerRun   Limits
	// Demand is what its uploads must bring of attestations, beyond what the channel demands.
	Demand policy.Demand
	// Gone says that the publisher was changed or removed, is switched off or past its end, or that its channel was
	// removed, since the mint.
	Gone bool
}

// Allows reports whether the grant covers a package of that name in that subdir.
func (g Grant) Allows(name string, subdir conda.Subdir) bool {
	return g.publishes() && allows(g.Packages, name) && (len(g.Subdirs) == 0 || slices.Contains(g.Subdirs, subdir))
}

func (g Grant) publishes() bool { return !g.Gone && g.Right == Publish }

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

// RunKey names the token's run among all of its issuer: what Limits count by. Attempts and jobs of one run have
// the same; where a service tells no run, every token has its own.
func (t PublishToken) RunKey() string {
	if t.Run.RunID == "" {
		return "token:" + strconv.FormatInt(t.ID, 10)
	}
	return "run:" + t.Run.RepositoryID + "/" + t.Run.RunID
}

// Covers refuses a channel in which no grant has the right (fault.WrongChannel, or fault.NotPermitted for a
// token that may only read there), or whose publishers are all gone since the mint (fault.Revoked). Publish covers
// Read. The refusal lists the token's own channels and no others.
func (t PublishToken) Covers(channelID int64, right Right) error {
	found, gone, reads := false, false, false
	for _, g := range t.Grants {
		if g.ChannelID != channelID {
			continue
		}
		may := right == Read || g.Right == Publish
		found, gone, reads = found || may && !g.Gone, gone || g.Gone, reads || !may
	}
	switch {
	case found:
		return nil
	case reads && !gone:
		return refuse(fault.NotPermitted, "Publish token may only read", "the publishers of this channel that the run satisfies are trusted readers",
			"An owner of the channel adds a trusted publisher for "+shown(t.Run.Repository))
	case gone:
		return refuse(fault.Revoked, "Publish token was revoked",
			"the trusted publisher that it rests on was changed or removed after it was made", "Run the job again")
	}
	return refuse(fault.WrongChannel, "Publish token is for another channel",
		"the publishers that this run satisfies are in "+t.channels()+", not here",
		"Add a publisher for "+shown(t.Run.Repository)+" to this channel, or upload to the right one")
}

// Covering returns the grants that cover a package of that name and subdir in the channel, the narrowest publisher
// first. It refuses as Covers does, and when there is none with fault.PackageNotAllowed or fault.SubdirNotAllowed.
func (t PublishToken) Covering(channelID int64, name string, subdir conda.Subdir) ([]Grant, error) {
	if err := t.Covers(channelID, Publish); err != nil {
		return nil, err
	}
	var covering, named []Grant
	var patterns []conda.Pattern
	for _, g := range t.Grants {
		if g.ChannelID != channelID || !g.publishes() {
			continue
		}
		if g.Allows(name, subdir) {
			covering = append(covering, g)
		}
		if allows(g.Packages, name) {
			named = append(named, g)
		}
		patterns = append(patterns, g.Packages...)
	}
	switch {
	case len(covering) > 0:
		return covering, nil
	case len(named) > 0:
		return nil, refuse(fault.SubdirNotAllowed, "Subdir is not allowed",
			"the file is for "+subdir.String()+", the trusted publisher may publish into "+Scope{Subdirs: named[0].Subdirs}.subdirWords(),
			"Add the subdir to the publisher, or build for another platform")
	}
	return nil, refuse(fault.PackageNotAllowed, "Package name is not allowed",
		"the file is of package "+shown(name)+", the trusted publisher may publish "+shownNames(patterns),
		"Add the name to the publisher's packages, or rename the package")
}

// MayCreate refuses a package name that the channel does not have yet to a grant that may not create any.
func (g Grant) MayCreate(name string) error {
	if g.NewNames {
		return nil
	}
	return refuse(fault.NewNameNotAllowed, "New package name is not allowed", "channel "+g.Channel.String()+" has no package "+shown(name)+
		" yet, and the trusted publisher may not create names", "An owner of the channel lets it, or uploads the first version")
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
