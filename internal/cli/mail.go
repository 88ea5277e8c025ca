package cli

import (
	"context"
	"errors"
	"fmt"
)

type userMailCommand struct {
	configFlags
	Name    string `arg:"" help:"Name of the account."`
	Address string `arg:"" optional:"" help:"Bare mail address, such as ann@example.com; left out, the one that is kept is printed."`
	None    bool   `help:"Remove the address."`
}

// Run prints the address alone, or changes it.
func (c *userMailCommand) Run(ctx context.Context, s Streams) error {
	switch {
	case c.None && c.Address != "":
		return errors.New("give an address or --none, not both")
	case c.None:
		return c.change(ctx, s, "Removed the mail address of "+c.Name+".", func(a adminAccounts) error {
			return a.SetMail(ctx, operator, c.Name, "")
		})
	case c.Address != "":
		return c.change(ctx, s, "Set the mail address of "+c.Name+".", func(a adminAccounts) error {
			return a.SetMail(ctx, operator, c.Name, c.Address)
		})
	}
	return c.print(ctx, s)
}

func (c *userMailCommand) print(ctx context.Context, s Streams) (err error) {
	accounts, done, err := openAccounts(ctx, c.configFlags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	to, err := accounts.Addresses.MailAddress(ctx, c.Name)
	if err != nil {
		return err
	}
	if to.IsZero() {
		return fmt.Errorf("%s has no mail address: set one with: sluice admin user mail %s ADDRESS", c.Name, c.Name)
	}
	_, err = fmt.Fprintln(s.Out, to.Reveal())
	return err
}
