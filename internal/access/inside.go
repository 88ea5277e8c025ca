package access

import (
	"context"

	"sluice/internal/account"
	"sluice/internal/channel"
	"sluice/internal/fault"
)

// Insider reports whether p is a member of ch, who may see the names of people there. An API token that was
// made for something else does not turn its bearer into a member.
func (a *Access) Insider(ctx context.Context, p Principal, ch channel.Channel) (bool, error) {
	if t := p.APIToken; t != nil && (t.ChannelID != 0 && t.ChannelID != ch.ID || !t.Has(account.Read) && !t.Has(account.Manage)) {
		return false, nil
	}
	r, err := a.Role(ctx, p, ch)
	return r != channel.None, err
}

// MayInside decides whether p may see what only members of ch see: which rules let whom publish. Errors are
// those of MayRead, and on public channels fault.Unauthenticated or fault.NotPermitted.
func (a *Access) MayInside(ctx context.Context, p Principal, ch channel.Channel) error {
	if err := a.MayRead(ctx, p, ch); err != nil {
		return err
	}
	in, err := a.Insider(ctx, p, ch)
	switch {
	case err != nil || in:
		return err
	case p.Anonymous():
		return a.nobody(p, "Sign in, or send an API token of a member of channel %s with the scope read.", ch.Name)
	case p.APIToken != nil:
		return fault.New(fault.NotPermitted, "Only members of channel %s, by a token with the scope read, may see this. Ask an owner of the channel.", ch.Name)
	default:
		return fault.New(fault.NotPermitted, "Only members of channel %s may see this. Ask an owner of the channel.", ch.Name)
	}
}

// UploadKeys counts the stored keys that could publish to ch: API tokens that MayUpload would let in now.
func (a *Access) UploadKeys(ctx context.Context, ch channel.Channel) (int, error) {
	return a.Keys.UploadKeys(ctx, ch.ID, a.Now())
}

// MaxUploadTokens bounds what UploadTokens lists.
const MaxUploadTokens = 200

// UploadTokens lists the API tokens that could publish to ch if it takes any, newest first, for its owners to tidy up.
func (a *Access) UploadTokens(ctx context.Context, ch channel.Channel) ([]account.APIToken, error) {
	return a.Keys.UploadTokens(ctx, ch.ID, a.Now(), MaxUploadTokens)
}
