package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"sluice/internal/account"
	"sluice/internal/remote"
)

type apiTokenCommand struct {
	List   apiTokenListCommand   `cmd:"" help:"List your API tokens."`
	Create apiTokenCreateCommand `cmd:"" help:"Make an API token and print it, once."`
	Revoke apiTokenRevokeCommand `cmd:"" help:"Revoke one of your API tokens; it ends at once."`
}

// remoteToken is what is read of an API token in the API's answers.
type remoteToken struct {
	ID         int64     `json:"id"`
	Name       string    `json:"name"`
	Begins     string    `json:"begins"`
	Scopes     []string  `json:"scopes"`
	Channel    string    `json:"channel"`
	State      string    `json:"state"`
	ExpiresAt  time.Time `json:"expires_at"`
	LastUsedAt time.Time `json:"last_used_at"`
}

type apiTokenListCommand struct{ remoteFlags }

// Run prints a line for each token.
func (c *apiTokenListCommand) Run(ctx context.Context, s Streams) error {
	type list struct {
		Tokens []remoteToken `json:"tokens"`
	}
	return consult(ctx, s, c.remoteFlags, at("tokens"), func(w io.Writer, answer list) error {
		var rows [][]string
		for _, t := range answer.Tokens {
			rows = append(rows, []string{
				strconv.FormatInt(t.ID, 10), t.State, t.Begins + "…", strings.Join(t.Scopes, ","), orAny(t.Channel), day(t.ExpiresAt), orNever(t.LastUsedAt), t.Name,
			})
		}
		return table(w, "You have no API token.", []string{"NUMBER", "STATE", "BEGINS", "SCOPES", "CHANNEL", "ENDS", "LAST USED", "NAME"}, rows)
	})
}

func orAny(channel string) string {
	if channel == "" {
		return "any"
	}
	return channel
}

func orNever(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return day(t)
}

type apiTokenCreateCommand struct {
	remoteFlags
	Channel string `placeholder:"NAME" help:"Limit the token to this channel."`
	Scope   string `default:"read" placeholder:"LIST" help:"What it may do, separated by commas: read, upload, manage (default read)."`
	Expires string `default:"90d" placeholder:"DAYS" help:"How long it lives, in whole days, at most 365d (default 90d)."`
	Name    string `required:"" placeholder:"TEXT" help:"What to call it, so that you know it again."`
}

// Run prints the token alone, so that a script can take it; what a person should know goes to the other stream.
func (c *apiTokenCreateCommand) Run(ctx context.Context, s Streams) error {
	in, err := c.body()
	if err != nil {
		return err
	}
	post := func(ctx context.Context, cl *remote.Client, answer any) error {
		return cl.Post(ctx, remote.Path("tokens"), in, answer)
	}
	type made struct {
		Token string      `json:"token"`
		About remoteToken `json:"about"`
	}
	return consult(ctx, s, c.remoteFlags, post, func(w io.Writer, answer made) error {
		_, _ = fmt.Fprintf(s.Err, "API token %d, until %s. Keep it: it is not shown again.\n", answer.About.ID, answer.About.ExpiresAt.UTC().Format("2 Jan 2006"))
		_, err := fmt.Fprintln(w, shown(answer.Token))
		return err
	})
}

// newToken is the body that makes a token.
type newToken struct {
	Name          string          `json:"name"`
	Scopes        []account.Scope `json:"scopes"`
	Channel       string          `json:"channel,omitempty"`
	ExpiresInDays int             `json:"expires_in_days"`
}

func (c *apiTokenCreateCommand) body() (newToken, error) {
	life, err := parseLife(c.Expires)
	if err != nil {
		return newToken{}, err
	}
	days := int(life / (24 * time.Hour))
	if life%(24*time.Hour) != 0 || days == 0 {
		return newToken{}, fmt.Errorf("--expires %s: a token lives whole days here: write 90d", c.Expires)
	}
	scopes, err := account.ParseScopes(c.Scope)
	if err != nil {
		return newToken{}, err
	}
	return newToken{Name: c.Name, Scopes: scopes, Channel: c.Channel, ExpiresInDays: days}, nil
}

type apiTokenRevokeCommand struct {
	remoteFlags
	Number int64 `arg:"" help:"Number of the token, as sluice token list shows it."`
}

// Run revokes the token.
func (c *apiTokenRevokeCommand) Run(ctx context.Context, s Streams) error {
	return c.remove(ctx, s, fmt.Sprintf("Revoked API token %d.", c.Number), "tokens", strconv.FormatInt(c.Number, 10))
}
