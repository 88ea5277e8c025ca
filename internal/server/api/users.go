package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sluice/internal/account"
	"sluice/internal/server/caller"
	"sluice/internal/token"
)

// userJSON is an account.
type userJSON struct {
	Name       string    `json:"name" example:"ann" doc:"The account's name."`
	Admin      bool      `json:"admin" doc:"Administrators may do everything on this server."`
	CreatedAt  time.Time `json:"created_at" example:"2026-08-20T12:00:00Z" doc:"When it was made."`
	DisabledAt time.Time `json:"disabled_at,omitzero" example:"2026-08-20T12:00:00Z" doc:"When it was disabled; absent while it is in use."`
}

// newUserJSON is what makes an account.
type newUserJSON struct {
	Name     string `json:"name" minLength:"1" maxLength:"39" example:"ann" doc:"Lower-case letters, digits and inner dashes."`
	Password string `json:"password,omitempty" minLength:"10" maxLength:"256" format:"password" doc:"Without one, the account cannot sign in."`
	Admin    bool   `json:"admin,omitempty" doc:"Makes an administrator."`
}

type usersOutput struct {
	Body struct {
		Users []userJSON `json:"users" nullable:"false" doc:"By name."`
	} `nameHint:"UserList"`
}

type createUserInput struct{ Body newUserJSON }

type createdUser struct{ Body userJSON }

func (s *service) userRoutes() {
	tags := []string{"users"}
	add(s, huma.Operation{
		OperationID: "list-users", Method: http.MethodGet, Path: "/users", Tags: tags,
		Summary: "List all accounts", Description: "For administrators.",
	}, s.listUsers)
	add(s, huma.Operation{
		OperationID: "create-user", Method: http.MethodPost, Path: "/users", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Make an account", Description: "For administrators.",
	}, s.createUser)
}

func (s *service) listUsers(ctx context.Context, _ *struct{}) (*usersOutput, error) {
	if err := s.Access.MayAdminister(caller.From(ctx)); err != nil {
		return nil, err
	}
	users, err := s.Accounts.Store.Users(ctx)
	out := &usersOutput{}
	out.Body.Users = each(users, userOf)
	return out, err
}

func (s *service) createUser(ctx context.Context, in *createUserInput) (*createdUser, error) {
	p := caller.From(ctx)
	if err := s.Access.MayAdminister(p); err != nil {
		return nil, err
	}
	u, err := s.Accounts.Create(ctx, p.Actor(), in.Body.Name, in.Body.Password, in.Body.Admin, token.Token{})
	return &createdUser{Body: userOf(u)}, err
}

func userOf(u account.User) userJSON {
	return userJSON{Name: u.Name, Admin: u.Admin, CreatedAt: u.CreatedAt, DisabledAt: u.DisabledAt}
}
