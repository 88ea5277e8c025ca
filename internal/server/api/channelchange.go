package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sluice/internal/account"
	"sluice/internal/channel"
	"sluice/internal/server/caller"
	"sluice/internal/token"
)

// channelRevisionJSON is what an owner changes of a channel. What is absent stays.
type channelRevisionJSON struct {
	PublisherOnly *bool   `json:"publisher_only,omitempty" example:"true" doc:"Whether only trusted publishers bring packages: true refuses uploads with API tokens."`
	Replaceable   *bool   `json:"replaceable,omitempty" example:"false" doc:"Whether other bytes may take the place of a published file, by an upload with force=true. Lock files that name the file then break."`
	RefuseV3      *bool   `json:"refuse_v3,omitempty" example:"true" doc:"Whether packages are refused that only readers of repodata revision 3 can use. Those that are there stay."`
	Visibility    *string `json:"visibility,omitempty" enum:"public,private" example:"private" doc:"Who may read: anybody, or members and tokens made for them."`
	Description   *string `json:"description,omitempty" maxLength:"500" example:"Tools of the tide group" doc:"For people; plain text of at most 500 bytes."`
	// Attestations is merged over what is demanded.
	Attestations *demandJSON `json:"attestations,omitempty" doc:"What the channel demands of attestations. Of it, too, what is absent stays as it is."`
}

// uploadKeyJSON is an API token that could upload to a channel.
type uploadKeyJSON struct {
	Account    string    `json:"account" example:"ann" doc:"Whose token it is."`
	Name       string    `json:"name" example:"nightly-upload" doc:"What its owner calls it."`
	Begins     string    `json:"begins" example:"sluice-api-Xk3f" doc:"The beginning of the bearer string, to tell tokens apart."`
	Channel    string    `json:"channel,omitempty" example:"forge" doc:"The one channel that it is limited to; absent: wherever its owner may."`
	CreatedAt  time.Time `json:"created_at" example:"2026-08-20T12:00:00Z" doc:"When it was made."`
	ExpiresAt  time.Time `json:"expires_at" example:"2026-11-18T12:00:00Z" doc:"When it ends by itself."`
	LastUsedAt time.Time `json:"last_used_at,omitzero" example:"2026-08-20T12:00:00Z" doc:"When it was last used, to the minute; absent before the first use."`
}

type changeChannelInput struct {
	Channel string `path:"channel" example:"forge" doc:"Name of the channel."`
	Body    channelRevisionJSON
}

type uploadKeysOutput struct {
	Body struct {
		PublisherOnly bool            `json:"publisher_only" doc:"True: the channel takes none of them."`
		Keys          []uploadKeyJSON `json:"upload_keys" nullable:"false" doc:"Live API tokens with the scope upload of owners, maintainers and administrators, newest first, at most 200."`
	} `nameHint:"UploadKeyList"`
}

func (s *service) channelChangeRoutes() {
	tags := []string{"channels"}
	add(s, huma.Operation{
		OperationID: "change-channel", Method: http.MethodPatch, Path: "/channels/{channel}", Tags: tags,
		Summary: "Change a channel", Description: "For owners of the channel. What is absent stays as it is.",
	}, s.changeChannel)
	add(s, huma.Operation{
		OperationID: "list-upload-keys", Method: http.MethodGet, Path: "/channels/{channel}/upload-keys", Tags: tags,
		Summary: "List the API tokens that could upload to a channel", Description: "For owners of the channel, who want to know which stored keys trusted publishing has left over.",
	}, s.listUploadKeys)
	s.demandRoute()
}

func (s *service) changeChannel(ctx context.Context, in *changeChannelInput) (*channelOutput, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayManage)
	if err != nil {
		return nil, err
	}
	r := channel.Revision{Description: in.Body.Description, PublisherOnly: in.Body.PublisherOnly, Replaceable: in.Body.Replaceable, RefuseV3: in.Body.RefuseV3}
	if in.Body.Visibility != nil {
		v, err := channel.ParseVisibility(*in.Body.Visibility)
		if err != nil {
			return nil, err
		}
		r.Visibility = &v
	}
	if in.Body.Attestations != nil {
		r.Attestations, r.Expect = new(in.Body.Attestations.over(ch.Attestations)), in.Body.Attestations.Expect
	}
	if ch, err = s.Channels.Change(ctx, caller.From(ctx).Actor(), ch, r); err != nil {
		return nil, err
	}
	body, err := s.channelDetail(ctx, ch)
	return &channelOutput{Body: body}, err
}

func (s *service) listUploadKeys(ctx context.Context, in *channelInput) (*uploadKeysOutput, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayManage)
	if err != nil {
		return nil, err
	}
	list, err := s.Access.UploadTokens(ctx, ch)
	out := &uploadKeysOutput{}
	out.Body.PublisherOnly = ch.PublisherOnly
	out.Body.Keys = each(list, func(t account.APIToken) uploadKeyJSON {
		return uploadKeyJSON{
			Account: t.User, Name: t.Name, Begins: string(token.API) + t.Hint, Channel: t.Channel,
			CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, LastUsedAt: t.LastUsedAt,
		}
	})
	return out, err
}
