package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"sluice/internal/account"
	"sluice/internal/channel"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
)

// memberJSON is an account's role in a channel.
type memberJSON struct {
	Name string `json:"name" example:"ann" doc:"The account's name."`
	Role string `json:"role" enum:"owner,maintainer,reader" example:"maintainer" doc:"Owners change the channel, maintainers upload, readers read."`
}

// roleJSON is what makes a member.
type roleJSON struct {
	Role string `json:"role" enum:"owner,maintainer,reader" example:"maintainer" doc:"Owners change the channel, maintainers upload, readers read."`
}

type memberInput struct {
	Channel string `path:"channel" example:"forge" doc:"Name of the channel."`
	Name    string `path:"name" example:"ann" doc:"Name of the account."`
}

type setMemberInput struct {
	Channel string `path:"channel" example:"forge" doc:"Name of the channel."`
	Name    string `path:"name" example:"ann" doc:"Name of the account."`
	Body    roleJSON
}

type membersOutput struct {
	Body struct {
		Members []memberJSON `json:"members" nullable:"false" doc:"By name."`
	} `nameHint:"MemberList"`
}

type memberOutput struct{ Body memberJSON }

func (s *service) memberRoutes() {
	const path = "/channels/{channel}/members"
	tags := []string{"members"}
	add(s, huma.Operation{
		OperationID: "list-members", Method: http.MethodGet, Path: path, Tags: tags,
		Summary: "List a channel's members", Description: "For owners of the channel.",
	}, s.listMembers)
	add(s, huma.Operation{
		OperationID: "get-member", Method: http.MethodGet, Path: path + "/{name}", Tags: tags,
		Summary: "Show a member of a channel", Description: "For owners of the channel.",
	}, s.getMember)
	add(s, huma.Operation{
		OperationID: "set-member", Method: http.MethodPut, Path: path + "/{name}", Tags: tags,
		Summary: "Give an account a role in a channel", Description: "For owners of the channel. Who is a member already gets the new role. A channel keeps at least one owner.",
	}, s.setMember)
	add(s, huma.Operation{
		OperationID: "remove-member", Method: http.MethodDelete, Path: path + "/{name}", Tags: tags,
		Summary: "Take a member out of a channel", Description: "For owners of the channel. A channel keeps at least one owner.",
	}, s.removeMember)
}

func (s *service) listMembers(ctx context.Context, in *channelInput) (*membersOutput, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayManage)
	if err != nil {
		return nil, err
	}
	members, err := s.Channels.Store.Members(ctx, ch.ID)
	out := &membersOutput{}
	out.Body.Members = each(members, memberOf)
	return out, err
}

func (s *service) getMember(ctx context.Context, in *memberInput) (*memberOutput, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayManage)
	if err != nil {
		return nil, err
	}
	members, err := s.Channels.Store.Members(ctx, ch.ID)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		if m.Name == in.Name {
			return &memberOutput{Body: memberOf(m)}, nil
		}
	}
	return nil, fault.New(fault.NotFound, "%s is not a member of this channel.", fault.OneLine(in.Name, maxShown))
}

func (s *service) setMember(ctx context.Context, in *setMemberInput) (*memberOutput, error) {
	role, err := channel.ParseRole(in.Body.Role)
	if err != nil {
		return nil, err
	}
	ch, err := s.where(ctx, in.Channel, s.Access.MayManage)
	if err != nil {
		return nil, err
	}
	if err := noSuchName(in.Name); err != nil {
		return nil, err
	}
	if err := s.Channels.SetMember(ctx, caller.From(ctx).Actor(), ch, in.Name, role); err != nil {
		return nil, err
	}
	return &memberOutput{Body: memberJSON{Name: in.Name, Role: string(role)}}, nil
}

func (s *service) removeMember(ctx context.Context, in *memberInput) (*struct{}, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayManage)
	if err != nil {
		return nil, err
	}
	if err := noSuchName(in.Name); err != nil {
		return nil, err
	}
	return nil, s.Channels.RemoveMember(ctx, caller.From(ctx).Actor(), ch, in.Name)
}

// noSuchName refuses a name in a path that no account can have.
func noSuchName(name string) error {
	if account.CheckName(name) != nil {
		return fault.New(fault.NotFound, "There is no account %s here.", fault.OneLine(name, maxShown))
	}
	return nil
}

func memberOf(m channel.Member) memberJSON { return memberJSON{Name: m.Name, Role: string(m.Role)} }
