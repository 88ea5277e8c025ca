// Package audit holds what happened: every decision that a channel's owner or the server's operator may
// have to answer for, as one append-only list of events. It says what an event is; it must not know how
// decisions are made, and it never holds a secret or a raw identity token.
package audit

import (
	"context"
	"time"
)

// Kind says what happened. Kinds are stable: people filter and export by them.
type Kind string

// The kinds of events.
const (
	TokenMinted   Kind = "publish_token.minted"
	MintRefused   Kind = "publish_token.refused"
	TokenRevoked  Kind = "publish_token.revoked"
	Uploaded      Kind = "artifact.uploaded"
	UploadRefused Kind = "artifact.refused"
	// Attested: attestations were added to an artifact that was there.
	Attested Kind = "artifact.attested"
	// What owners and maintainers do with artifacts that are there. One event may be about many.
	Yanked   Kind = "artifact.yanked"
	Unyanked Kind = "artifact.unyanked"
	Deleted  Kind = "artifact.deleted"
	Restored Kind = "artifact.restored"
	Purged   Kind = "artifact.purged"
	Listed   Kind = "artifact.listed"
	TakenOut Kind = "artifact.taken_out"
	Moved    Kind = "artifact.moved"
	Patched  Kind = "artifact.patched"
	// Imported: an operator brought artifacts from another channel.
	Imported Kind = "channel.imported"
	// IndexRepaired: the index of a channel was found to differ from its artifacts, and made anew.
	IndexRepaired Kind = "index.repaired"
	// AttestationsDistrusted: attestations that are there do not pass by the newest keys of the instance of sigstore;
	// AttestationsTrusted: they do again. One event may be about many.
	AttestationsDistrusted Kind = "attestations.distrusted"
	AttestationsTrusted    Kind = "attestations.trusted"
	PublisherAdded         Kind = "publisher.added"
	PublisherRemoved       Kind = "publisher.removed"
	PublisherPinned        Kind = "publisher.pinned"
	PublisherRenamed       Kind = "publisher.renamed"
	// PublisherChanged: an owner changed the rule, or switched it on or off.
	PublisherChanged Kind = "publisher.changed"
	// PublisherNews: a run came from a ref, an event or a runner that the publisher has not seen before.
	PublisherNews Kind = "publisher.news"
	// PublisherExpiring: the publisher will be off soon, because it ends or nobody uses it.
	PublisherExpiring Kind = "publisher.expiring"
	// PublisherDisabled: the publisher is off now for one of these reasons.
	PublisherDisabled Kind = "publisher.disabled"
	APITokenCreated   Kind = "api_token.created"
	APITokenRevoked   Kind = "api_token.revoked"
	ChannelCreated    Kind = "channel.created"
	ChannelChanged    Kind = "channel.changed"
	MemberSet         Kind = "member.set"
	MemberRemoved     Kind = "member.removed"
	AccountCreated    Kind = "account.created"
	AccountChanged    Kind = "account.changed"
	SignedIn          Kind = "account.signed_in"
	SignInRefused     Kind = "account.sign_in_refused"
	SessionRevoked    Kind = "session.revoked"
	SetupRevoked      Kind = "setup_link.revoked"
)

// Refused reports whether k says that something was not done.
func (k Kind) Refused() bool {
	return k == MintRefused || k == UploadRefused || k == SignInRefused
}

// ActorKind says what sort of caller acted.
type ActorKind string

// The sorts of callers.
const (
	Anonymous ActorKind = "anonymous"
	User      ActorKind = "user"
	Publisher ActorKind = "publisher"
	Operator  ActorKind = "operator"
)

// Actor is who did it.
type Actor struct {
	Kind ActorKind
	// Name is the account's name, "owner/repository" of a publisher's run, or empty.
	Name string
	// Means is how the actor proved itself, for people: `API token "laptop"`, "session", "run 1234".
	Means string
}

// Event is one line of the log. It is complete in itself: it still reads well when the channel,
// the publisher or the account that it names is gone.
type Event struct {
	// ID is given by the store and rises with every event.
	ID int64
	// At is when it happened; the store sets it when it is zero.
	At    time.Time
	Kind  Kind
	Actor Actor
	// ChannelID is 0 for what concerns the server as a whole.
	ChannelID int64
	// Channel is the channel's name at that time.
	Channel string
	// Subject is what it was done to: a file, a publisher, an account.
	Subject string
	// Sentence says what happened, in one line for people.
	Sentence string
	// Code is the refusal's code; empty for what was done.
	Code string
	// Facts are the claims of the run, by an allow-list: repository, workflow, ref, sha, run_id ….
	Facts map[string]string
	// Checks are the points in which a run was held against the channel's publisher that it came nearest to, in the
	// order of the publisher's form. Only exchanges have them.
	Checks []Check
	// RequestID finds the lines of the server's log that belong to it.
	RequestID string
}

// Check is one point of a publisher's rule, held against a run.
type Check struct {
	// Field is the point, Claim what it is called in the run's token.
	Field string `json:"field"`
	Claim string `json:"claim"`
	// Got is what the token said, Want what the publisher asks for.
	Got  string `json:"got"`
	Want string `json:"want"`
	// Code is why it does not hold; empty when it does.
	Code string `json:"code,omitempty"`
}

// Query asks for events, newest first.
type Query struct {
	// ChannelID limits to one channel; 0 asks for every event of the server.
	ChannelID int64
	// NoChannel limits to events of no channel.
	NoChannel bool
	// Kinds limits to these kinds; none asks for all.
	Kinds []Kind
	// Before is the ID below which to begin; 0 begins with the newest.
	Before int64
	// Limit is the number of events at most, 1 to 1000.
	Limit int
}

// Log is what keeps events.
type Log interface {
	// Append stores e durably.
	Append(ctx context.Context, e Event) error
	// Events returns the events that q asks for, newest first.
	Events(ctx context.Context, q Query) ([]Event, error)
}

type requestKey struct{}

// WithRequest returns a context that carries the id of the request being served, for the events made under it.
func WithRequest(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// Request returns the id of the request being served, or "" outside of one.
func Request(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}
