package channel

import (
	"context"
	"strings"
	"unicode/utf8"

	"sluice/internal/attest/policy"
	"sluice/internal/audit"
	"sluice/internal/fault"
)

// A Revision is what an owner changes of a channel. What is nil stays as it is.
type Revision struct {
	Visibility    *Visibility
	Description   *string
	PublisherOnly *bool
	Replaceable   *bool
	RefuseV3      *bool
	// Attestations is all that is demanded of them: what is not said is not demanded. Expect is the state of what was demanded
	// when somebody thought of that (policy.Policy.State); "": whatever it was.
	Attestations *policy.Policy
	Expect       string
}

// Fits refuses, with fault.Conflict, a revision that expects a channel to demand something else.
func (r Revision) Fits(c Channel) error {
	if r.Expect == "" || r.Expect == c.Attestations.State() {
		return nil
	}
	return fault.New(fault.Conflict, "Somebody else has changed what channel %s demands of attestations since you looked, and nothing was saved: look at it again, and change what it is now.", c.Name)
}

// Change revises a channel that was read as c, and returns what it became. Nothing is written where nothing
// changes. Errors: fault.InvalidField for a description that is too long and for a policy that says something impossible, fault.Conflict when somebody else changed
// the channel since it was read, or what is demanded is not as expected, fault.NotFound when it is gone.
func (s *Channels) Change(ctx context.Context, by audit.Actor, c Channel, r Revision) (Channel, error) {
	after := c
	var what []string
	if r.Visibility != nil && *r.Visibility != c.Visibility {
		after.Visibility = *r.Visibility
		what = append(what, "made it "+string(after.Visibility))
	}
	if r.Description != nil {
		after.Description = strings.TrimSpace(*r.Description)
		if err := checkDescription(after.Description); err != nil {
			return c, err
		}
		if after.Description != c.Description {
			what = append(what, "described it anew")
		}
	}
	if r.PublisherOnly != nil && *r.PublisherOnly != c.PublisherOnly {
		after.PublisherOnly = *r.PublisherOnly
		what = append(what, either(after.PublisherOnly, "it takes uploads from trusted publishers only", "it takes uploads with API tokens, too"))
	}
	if r.Replaceable != nil && *r.Replaceable != c.Replaceable {
		after.Replaceable = *r.Replaceable
		what = append(what, either(after.Replaceable, "published files can be replaced by force", "published files cannot be replaced"))
	}
	if r.RefuseV3 != nil && *r.RefuseV3 != c.RefuseV3 {
		after.RefuseV3 = *r.RefuseV3
		what = append(what, either(after.RefuseV3, "it refuses packages that need repodata of revision 3", "it takes packages that need repodata of revision 3"))
	}
	if r.Attestations != nil {
		if err := r.Fits(c); err != nil {
			return c, err
		}
		if err := r.Attestations.Check(); err != nil {
			return c, err
		}
		after.Attestations = *r.Attestations
		what = append(what, policy.Changes(c.Attestations, after.Attestations)...)
	}
	if len(what) == 0 {
		return c, nil
	}
	name := c.Name.String()
	return after, s.Store.ChangeChannel(ctx, c, after, audit.Event{
		At: s.Now(), Kind: audit.ChannelChanged, Actor: by, ChannelID: c.ID, Channel: name, Subject: name,
		Sentence: "changed channel " + name + ": " + strings.Join(what, ", "), RequestID: audit.Request(ctx),
	})
}

func either(on bool, yes, no string) string {
	if on {
		return yes
	}
	return no
}

func checkDescription(s string) error {
	if len(s) > MaxDescription || !utf8.ValidString(s) {
		return fault.New(fault.InvalidField, "a description has at most %d bytes of UTF-8, this one has %d", MaxDescription, len(s))
	}
	return nil
}
