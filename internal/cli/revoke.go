package cli

import (
	"context"
	"errors"
	"fmt"
)

type tokenRevokeCommand struct {
	configFlags
	AllOf    string `name:"all-of" required:"" placeholder:"NAME" help:"Account whose API tokens end."`
	Sessions bool   `help:"Sign the account out everywhere, too."`
}

// Run ends the account's API tokens. A server that is running takes none of them any more from its next request on.
func (c *tokenRevokeCommand) Run(ctx context.Context, s Streams) (err error) {
	accounts, done, err := openAccounts(ctx, c.configFlags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	tokens, sessions, err := accounts.RevokeAll(ctx, operator, c.AllOf, c.Sessions)
	if err != nil {
		return err
	}
	said := fmt.Sprintf("Revoked %s of %s", count(tokens, "API token"), c.AllOf)
	if c.Sessions {
		said += " and ended " + count(sessions, "session")
	}
	_, err = fmt.Fprintln(s.Out, said+".")
	return err
}

// count is a number of things in words: "1 session", "2 sessions".
func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
