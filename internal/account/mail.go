package account

import (
	"context"

	"sluice/internal/audit"
	"sluice/internal/fault"
	"sluice/internal/mail/address"
)

// AddressStore keeps the mail addresses of accounts. One method is one transaction. An address is for its owner
// and for administrators alone, so no other method gives it away with the account.
type AddressStore interface {
	// MailAddress returns the address of the named account, the zero one when it has none; fault.NotFound
	// when there is no such account.
	MailAddress(ctx context.Context, name string) (address.Address, error)
	// SetMailAddress replaces it; the zero address removes it. Without a change nothing is written.
	// fault.NotFound when there is no such account.
	SetMailAddress(ctx context.Context, name string, a address.Address, e audit.Event) error
}

// SetMail gives the named account a mail address, or takes it away when text is empty. What cannot be an address is
// fault.InvalidField. The event names the account, and not the address.
func (a *Accounts) SetMail(ctx context.Context, by audit.Actor, name, text string) error {
	if text == "" {
		return a.Addresses.SetMailAddress(ctx, name, address.Address{}, a.changed(ctx, by, name, "removed the mail address of "+name))
	}
	to, err := address.Parse(text)
	if err != nil {
		return fault.Wrap(err, fault.InvalidField, "This address cannot be taken: %v.", err)
	}
	return a.Addresses.SetMailAddress(ctx, name, to, a.changed(ctx, by, name, "set a new mail address of "+name))
}
