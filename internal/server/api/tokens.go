package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sluice/internal/account"
	"sluice/internal/server/caller"
	"sluice/internal/token"
)

// tokenJSON is an API token, without the bearer string.
type tokenJSON struct {
	ID         int64     `json:"id" minimum:"1" example:"7" doc:"Its number."`
	Name       string    `json:"name" example:"laptop" doc:"What its owner calls it."`
	Begins     string    `json:"begins" example:"sluice-api-Xk3f" doc:"The beginning of the bearer string, to tell tokens apart."`
	Scopes     []string  `json:"scopes" nullable:"false" enum:"read,upload,manage" example:"read" doc:"What it may be used for."`
	Channel    string    `json:"channel,omitempty" example:"forge" doc:"The one channel that it is limited to; absent: wherever its owner may."`
	State      string    `json:"state" enum:"live,ended,revoked" example:"live" doc:"Whether it is taken."`
	CreatedAt  time.Time `json:"created_at" example:"2026-08-20T12:00:00Z" doc:"When it was made."`
	ExpiresAt  time.Time `json:"expires_at" example:"2026-11-18T12:00:00Z" doc:"When it ends by itself."`
	LastUsedAt time.Time `json:"last_used_at,omitzero" example:"2026-08-20T12:00:00Z" doc:"When it was last used, to the minute; absent before the first use."`
	RevokedAt  time.Time `json:"revoked_at,omitzero" example:"2026-08-20T12:00:00Z" doc:"When it was revoked."`
	RevokedWhy string    `json:"revoked_why,omitempty" example:"somebody found it where it should not be, and reported it" doc:"Why, when somebody else than its owner did it."`
}

// madeTokenJSON is a token just made.
type madeTokenJSON struct {
	Token string    `json:"token" example:"sluice-api-Xk3f…" doc:"The bearer string. It is shown this once: nobody can read it again."`
	About tokenJSON `json:"about" doc:"What is kept of it."`
}

// newTokenJSON is what makes a token.
type newTokenJSON struct {
	Name          string   `json:"name" minLength:"1" maxLength:"80" example:"laptop" doc:"What you call it."`
	Scopes        []string `json:"scopes,omitempty" nullable:"false" maxItems:"3" enum:"read,upload,manage" example:"read" doc:"What it may be used for: read private channels, upload packages, manage channels and tokens. read when absent."`
	Channel       string   `json:"channel,omitempty" maxLength:"128" example:"forge" doc:"Limits it to one channel."`
	ExpiresInDays int      `json:"expires_in_days,omitempty" minimum:"1" maximum:"365" example:"90" doc:"How long it lives; 90 days when absent."`
}

type tokensOutput struct {
	Body struct {
		Tokens []tokenJSON `json:"tokens" nullable:"false" doc:"Newest first, ended and revoked ones too."`
	} `nameHint:"TokenList"`
}

type createTokenInput struct{ Body newTokenJSON }

type createdToken struct{ Body madeTokenJSON }

type tokenInput struct {
	ID int64 `path:"id" minimum:"1" example:"7" doc:"Number of the token."`
}

func (s *service) tokenRoutes() {
	tags := []string{"tokens"}
	add(s, huma.Operation{
		OperationID: "list-tokens", Method: http.MethodGet, Path: "/tokens", Tags: tags,
		Summary: "List the caller's own API tokens",
	}, s.listTokens)
	add(s, huma.Operation{
		OperationID: "create-token", Method: http.MethodPost, Path: "/tokens", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Make an API token", Description: "The bearer string is in this answer and nowhere else.",
	}, s.createToken)
	add(s, huma.Operation{
		OperationID: "revoke-token", Method: http.MethodDelete, Path: "/tokens/{id}", Tags: tags,
		Summary: "Revoke one of the caller's API tokens", Description: "It ends at once. Revoking it again changes nothing.",
	}, s.revokeToken)
}

func (s *service) listTokens(ctx context.Context, _ *struct{}) (*tokensOutput, error) {
	me, err := s.self(ctx)
	if err != nil {
		return nil, err
	}
	list, err := s.Accounts.Tokens.APITokens(ctx, me.ID)
	out := &tokensOutput{}
	out.Body.Tokens = each(list, s.tokenOf)
	return out, err
}

func (s *service) createToken(ctx context.Context, in *createTokenInput) (*createdToken, error) {
	scopes, err := account.ParseScopes(strings.Join(in.Body.Scopes, ","))
	if err != nil {
		return nil, err
	}
	me, err := s.self(ctx)
	if err != nil {
		return nil, err
	}
	n := account.NewToken{Name: in.Body.Name, Scopes: scopes, Life: time.Duration(in.Body.ExpiresInDays) * 24 * time.Hour}
	if in.Body.Channel != "" {
		ch, err := s.where(ctx, in.Body.Channel, s.Access.MayRead)
		if err != nil {
			return nil, err
		}
		n.ChannelID, n.Channel = ch.ID, ch.Name.String()
	}
	t, kept, err := s.Accounts.CreateToken(ctx, caller.From(ctx).Actor(), me, n)
	if err != nil {
		return nil, err
	}
	return &createdToken{Body: madeTokenJSON{Token: t.Reveal(), About: s.tokenOf(kept)}}, nil
}

func (s *service) revokeToken(ctx context.Context, in *tokenInput) (*struct{}, error) {
	me, err := s.self(ctx)
	if err != nil {
		return nil, err
	}
	return nil, s.Accounts.RevokeToken(ctx, caller.From(ctx).Actor(), me, in.ID)
}

func (s *service) tokenOf(t account.APIToken) tokenJSON {
	return tokenJSON{
		ID: t.ID, Name: t.Name, Begins: string(token.API) + t.Hint, Channel: t.Channel, State: state(t, s.Now()),
		Scopes:    each(t.Scopes, func(s account.Scope) string { return string(s) }),
		CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, LastUsedAt: t.LastUsedAt, RevokedAt: t.RevokedAt, RevokedWhy: t.RevokedWhy,
	}
}

func state(t account.APIToken, now time.Time) string {
	switch {
	case !t.RevokedAt.IsZero():
		return "revoked"
	case !now.Before(t.ExpiresAt):
		return "ended"
	default:
		return "live"
	}
}
