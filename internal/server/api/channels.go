package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sluice/internal/channel"
	"sluice/internal/server/caller"
)

// channelJSON is a channel.
type channelJSON struct {
	Name        string `json:"name" example:"forge" doc:"The channel's name, one segment of its address."`
	URL         string `json:"url" format:"uri" example:"https://conda.example.org/forge" doc:"The address that conda clients take."`
	Visibility  string `json:"visibility" enum:"public,private" example:"public" doc:"Who may read: anybody, or members and tokens made for them."`
	Description string `json:"description" example:"Tools of the tide group" doc:"For people; plain text."`
	// PublisherOnly is no secret: an upload with an API token is told so, too.
	PublisherOnly bool      `json:"publisher_only" example:"false" doc:"Whether only trusted publishers bring packages: true refuses uploads with API tokens."`
	Replaceable   bool      `json:"replaceable" example:"false" doc:"Whether other bytes may take the place of a published file, by an upload with force=true."`
	RefuseV3      bool      `json:"refuse_v3" example:"false" doc:"Whether packages are refused that only readers of repodata revision 3 can use."`
	CreatedAt     time.Time `json:"created_at" example:"2026-08-20T12:00:00Z" doc:"When it was made."`
	// The rest stands only in the answer for one channel.
	CreatedBy string      `json:"created_by,omitempty" example:"ann" doc:"Who made it; members see it, in the answer for one channel."`
	Role      string      `json:"role,omitempty" enum:"owner,maintainer,reader" example:"owner" doc:"What the caller is here, in the answer for one channel; absent for those who are no members."`
	Totals    *totalsJSON `json:"totals,omitempty" doc:"What lies in it, in the answer for one channel."`
	// Attestations is no secret: an upload that does not satisfy it is told so, too.
	Attestations *demandJSON `json:"attestations,omitempty" doc:"What the channel demands of attestations, in the answer for one channel."`
}

// totalsJSON sums up a channel.
type totalsJSON struct {
	Packages        int       `json:"packages" minimum:"0" example:"12" doc:"How many package names it holds."`
	Artifacts       int       `json:"artifacts" minimum:"0" example:"190" doc:"How many files it holds."`
	ByCI            int       `json:"by_ci" minimum:"0" example:"184" doc:"How many of them came by a trusted publisher, without a stored key."`
	Attested        int       `json:"attested" minimum:"0" example:"171" doc:"How many of those by_ci have attestations, each checked when it came."`
	Imported        int       `json:"imported" minimum:"0" example:"2" doc:"How many were imported from another channel."`
	LastPublishedAt time.Time `json:"last_published_at,omitzero" example:"2026-08-20T12:00:00Z" doc:"When the last file came; absent for an empty channel."`
}

// newChannelJSON is what makes a channel.
type newChannelJSON struct {
	Name        string `json:"name" minLength:"1" maxLength:"128" example:"forge" doc:"Lower-case letters, digits, '_', '.' and '-'; not a reserved word and no subdir."`
	Visibility  string `json:"visibility,omitempty" enum:"public,private" example:"public" doc:"Who may read; public when absent."`
	Description string `json:"description,omitempty" maxLength:"500" example:"Tools of the tide group" doc:"For people; plain text of at most 500 bytes."`
}

type channelInput struct {
	Channel string `path:"channel" example:"forge" doc:"Name of the channel."`
}

type channelsOutput struct {
	Body struct {
		Channels []channelJSON `json:"channels" nullable:"false" doc:"By name."`
	} `nameHint:"ChannelList"`
}

type channelOutput struct{ Body channelJSON }

func (s *service) channelRoutes() {
	tags := []string{"channels"}
	add(s, open(huma.Operation{
		OperationID: "list-channels", Method: http.MethodGet, Path: "/channels", Tags: tags,
		Summary: "List the channels that the caller may read",
	}), s.listChannels)
	add(s, huma.Operation{
		OperationID: "create-channel", Method: http.MethodPost, Path: "/channels", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Make a channel", Description: "The caller becomes its owner. It takes an account, or its API token with the scope manage.",
	}, s.createChannel)
	add(s, open(huma.Operation{
		OperationID: "get-channel", Method: http.MethodGet, Path: "/channels/{channel}", Tags: tags,
		Summary: "Show a channel",
	}), s.getChannel)
}

func (s *service) listChannels(ctx context.Context, _ *struct{}) (*channelsOutput, error) {
	readable, err := s.Access.Readable(ctx, caller.From(ctx), s.Channels.Store)
	if err != nil {
		return nil, err
	}
	out := &channelsOutput{}
	out.Body.Channels = each(readable, s.channelOf)
	return out, nil
}

type createChannelInput struct{ Body newChannelJSON }

type createdChannel struct {
	Location string `header:"Location" doc:"Where the channel is found in this API."`
	Body     channelJSON
}

func (s *service) createChannel(ctx context.Context, in *createChannelInput) (*createdChannel, error) {
	visibility, err := channel.ParseVisibility(in.Body.Visibility)
	if err != nil {
		return nil, err
	}
	me, err := s.self(ctx)
	if err != nil {
		return nil, err
	}
	ch, err := s.Channels.Create(ctx, caller.From(ctx).Actor(), me.ID, in.Body.Name, visibility, in.Body.Description)
	if err != nil {
		return nil, err
	}
	body, err := s.channelDetail(ctx, ch)
	return &createdChannel{Location: Prefix + "/channels/" + ch.Name.String(), Body: body}, err
}

func (s *service) getChannel(ctx context.Context, in *channelInput) (*channelOutput, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayRead)
	if err != nil {
		return nil, err
	}
	body, err := s.channelDetail(ctx, ch)
	return &channelOutput{Body: body}, err
}

func (s *service) channelOf(ch channel.Channel) channelJSON {
	return channelJSON{
		Name: ch.Name.String(), URL: s.URL + "/" + ch.Name.String(), Visibility: string(ch.Visibility),
		Description: ch.Description, PublisherOnly: ch.PublisherOnly, Replaceable: ch.Replaceable, RefuseV3: ch.RefuseV3, CreatedAt: ch.CreatedAt,
	}
}

// channelDetail is a channel with what takes a question more.
func (s *service) channelDetail(ctx context.Context, ch channel.Channel) (channelJSON, error) {
	out := s.channelOf(ch)
	out.Attestations = demandOf(ch.Attestations)
	totals, err := s.Catalog.Store.Totals(ctx, ch.ID)
	if err != nil {
		return out, err
	}
	out.Totals = &totalsJSON{Packages: totals.Packages, Artifacts: totals.Artifacts, ByCI: totals.ByCI, Attested: totals.Attested, Imported: totals.Imported, LastPublishedAt: totals.LastAt}
	role, err := s.Access.Role(ctx, caller.From(ctx), ch)
	if err != nil {
		return out, err
	}
	out.Role = string(role)
	if in, err := s.Access.Insider(ctx, caller.From(ctx), ch); err != nil || !in {
		return out, err
	}
	out.CreatedBy = ch.CreatedBy
	return out, nil
}
