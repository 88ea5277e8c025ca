package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/fault"
	"sluice/internal/token"
)

type adminCommand struct {
	User struct {
		Add      userAddCommand      `cmd:"" help:"Make an account."`
		Password userPasswordCommand `cmd:"" help:"Give an account a new password, and sign it out everywhere."`
		Disable  userDisableCommand  `cmd:"" help:"Shut an account: it cannot sign in, and its API tokens are not taken."`
		Enable   userEnableCommand   `cmd:"" help:"Open a shut account again."`
		Mail     userMailCommand     `cmd:"" help:"Print, set or remove the mail address of an account."`
	} `cmd:"" help:"Accounts."`
	Token struct {
		Create tokenCreateCommand `cmd:"" help:"Make an API token and print it, once."`
		Revoke tokenRevokeCommand `cmd:"" help:"End all API tokens of an account at once."`
	} `cmd:"" help:"API tokens."`
}

// operator is who works on the data itself.
var operator = audit.Actor{Kind: audit.Operator, Means: "command line"}

// passwordFlag says where a password comes from when nobody is to be asked.
type passwordFlag struct {
	PasswordStdin bool `name:"password-stdin" xor:"password" help:"Read the password from standard input, one line."`
}

type userAddCommand struct {
	configFlags
	passwordFlag
	Name       string `arg:"" help:"Name of the account: lower-case letters, digits, dashes."`
	Admin      bool   `help:"The account may do everything on this server."`
	NoPassword bool   `name:"no-password" xor:"password" help:"The account cannot sign in, only use tokens made for it."`
}

// Run makes the account. Without a terminal and without a flag that says where the password comes from, it
// refuses: an account without a password by accident helps nobody.
func (c *userAddCommand) Run(ctx context.Context, s Streams) (err error) {
	if err := account.CheckName(c.Name); err != nil {
		return err
	}
	password := ""
	if !c.NoPassword {
		if password, err = c.password(ctx, s, ", or --no-password"); err != nil {
			return err
		}
	}
	accounts, done, err := openAccounts(ctx, c.configFlags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	if _, err := accounts.Create(ctx, operator, c.Name, password, c.Admin, token.Token{}); err != nil {
		return err
	}
	kind := "account"
	if c.Admin {
		kind = "administrator"
	}
	_, err = fmt.Fprintf(s.Out, "Made the %s %s in %s.\n", kind, c.Name, accounts.data.place())
	return err
}

// password reads a password, from standard input or by asking for it. otherwise names what else could be
// done where there is nobody to ask.
func (c *passwordFlag) password(ctx context.Context, s Streams, otherwise string) (string, error) {
	switch in, isFile := s.In.(*os.File); {
	case c.PasswordStdin:
		line, err := bufio.NewReader(io.LimitReader(s.In, account.MaxPassword+2)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password: %w", err)
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			return "", errors.New("no password came on standard input")
		}
		return line, nil
	case isFile && term.IsTerminal(int(in.Fd())):
		return ask(ctx, in, s.Err)
	default:
		return "", errors.New("there is no terminal to ask for a password: use --password-stdin" + otherwise)
	}
}

type userPasswordCommand struct {
	configFlags
	passwordFlag
	Name string `arg:"" help:"Name of the account."`
}

// Run sets the password.
func (c *userPasswordCommand) Run(ctx context.Context, s Streams) error {
	password, err := c.password(ctx, s, "")
	if err != nil {
		return err
	}
	return c.change(ctx, s, "Set the password of "+c.Name+" and ended its sessions.", func(a adminAccounts) error {
		return a.SetPassword(ctx, operator, c.Name, password)
	})
}

type userDisableCommand struct {
	configFlags
	Name string `arg:"" help:"Name of the account."`
}

// Run shuts the account.
func (c *userDisableCommand) Run(ctx context.Context, s Streams) error {
	return c.change(ctx, s, "Shut the account "+c.Name+". Open it again with: sluice admin user enable "+c.Name, func(a adminAccounts) error {
		return a.SetDisabled(ctx, operator, c.Name, true)
	})
}

type userEnableCommand struct {
	configFlags
	Name string `arg:"" help:"Name of the account."`
}

// Run opens the account again.
func (c *userEnableCommand) Run(ctx context.Context, s Streams) error {
	return c.change(ctx, s, "Opened the account "+c.Name+" again.", func(a adminAccounts) error {
		return a.SetDisabled(ctx, operator, c.Name, false)
	})
}

// change opens the data, changes an account and says so.
func (f configFlags) change(ctx context.Context, s Streams, done string, do func(adminAccounts) error) (err error) {
	accounts, shut, err := openAccounts(ctx, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shut()) }()
	if err := do(accounts); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.Out, done)
	return err
}

type tokenCreateCommand struct {
	configFlags
	User    string `required:"" placeholder:"NAME" help:"Account that the token belongs to."`
	Channel string `placeholder:"NAME" help:"Limit the token to this channel."`
	Scope   string `default:"read" placeholder:"LIST" help:"What it may do, separated by commas: read, upload, manage (default read)."`
	Expires string `default:"90d" placeholder:"TIME" help:"How long it lives, at most 365d (default 90d)."`
	Name    string `default:"made on the command line" placeholder:"TEXT" help:"What to call it, so that its owner knows it again."`
}

// Run prints the token alone, so that a script can take it; what a person should know goes to the other stream.
func (c *tokenCreateCommand) Run(ctx context.Context, s Streams) (err error) {
	life, err := parseLife(c.Expires)
	if err != nil {
		return err
	}
	scopes, err := account.ParseScopes(c.Scope)
	if err != nil {
		return err
	}
	accounts, done, err := openAccounts(ctx, c.configFlags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	u, _, err := accounts.Store.UserByName(ctx, c.User)
	if fault.Is(err, fault.NotFound) {
		return fmt.Errorf("there is no account %s: make it with: sluice admin user add %s", c.User, c.User)
	} else if err != nil {
		return err
	}
	n := account.NewToken{Name: c.Name, Scopes: scopes, Life: life}
	if c.Channel != "" {
		if n.ChannelID, err = accounts.channelID(ctx, c.Channel); err != nil {
			return err
		}
		n.Channel = c.Channel
	}
	t, kept, err := accounts.CreateToken(ctx, operator, u, n)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(s.Err, "API token of %s, until %s. Keep it: it is not shown again.\n", c.User, kept.ExpiresAt.UTC().Format("2 Jan 2006"))
	_, err = fmt.Fprintln(s.Out, t.Reveal())
	return err
}

// adminAccounts is the accounts of opened data.
type adminAccounts struct {
	*account.Accounts
	data *data
}

func (a adminAccounts) channelID(ctx context.Context, name string) (int64, error) {
	ch, err := a.data.channel(ctx, name)
	return ch.ID, err
}

func openAccounts(ctx context.Context, f configFlags) (adminAccounts, func() error, error) {
	d, err := f.openData(ctx)
	if err != nil {
		return adminAccounts{}, nil, err
	}
	a := &account.Accounts{Store: d.db, Tokens: d.db, Addresses: d.db, Log: d.db, Now: time.Now, Passwords: account.NewPasswords(1)}
	return adminAccounts{Accounts: a, data: d}, d.Close, nil
}
