package api

import (
	"context"
	"slices"
	"time"

	"sluice/internal/access"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/trust"
)

// meJSON is who is calling.
type meJSON struct {
	Kind  string     `json:"kind" enum:"user,publisher" example:"user" doc:"An account, or a CI run with a publish token."`
	Name  string     `json:"name" example:"ann" doc:"The account, or the repository of the run."`
	Admin bool       `json:"admin" doc:"Administrators may do everything on this server."`
	Token *tokenJSON `json:"token,omitempty" doc:"The API token that the caller came with; absent for a signed-in browser."`
	Run   *runPass   `json:"publish_token,omitempty" doc:"The publish token that the caller came with."`
}

// runPass is a publish token.
type runPass struct {
	Provenance *provenanceJSON `json:"provenance" doc:"The run that it was made for."`
	Channels   []string        `json:"channels" nullable:"false" example:"forge" doc:"The channels that it may upload to."`
	ExpiresAt  time.Time       `json:"expires_at" example:"2026-08-20T12:30:00Z" doc:"When it ends."`
}

type meOutput struct{ Body meJSON }

func (s *service) getMe(ctx context.Context, _ *struct{}) (*meOutput, error) {
	p := caller.From(ctx)
	if p.Anonymous() {
		if p.Rejected != nil {
			return nil, p.Rejected
		}
		return nil, fault.New(fault.Unauthenticated, "Nobody is signed in: send an API token as Bearer, or as the password of Basic.")
	}
	return &meOutput{Body: s.meOf(p)}, nil
}

func (s *service) meOf(p access.Principal) meJSON {
	if p.Publish != nil {
		return meJSON{Kind: "publisher", Name: p.Publish.Run.Repository, Run: passOf(*p.Publish)}
	}
	me := meJSON{Kind: "user", Name: p.User.Name, Admin: p.User.Admin}
	if p.APIToken != nil {
		me.Token = new(s.tokenOf(*p.APIToken))
	}
	return me
}

func passOf(t trust.PublishToken) *runPass {
	names := []string{}
	for _, g := range t.Grants {
		if n := g.Channel.String(); !g.Gone && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return &runPass{Provenance: provenanceOf(t.Run), Channels: names, ExpiresAt: t.ExpiresAt}
}
