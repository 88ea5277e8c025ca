package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sluice/internal/audit"
	"sluice/internal/server/caller"
)

// eventJSON is one line of the audit log.
type eventJSON struct {
	ID        int64             `json:"id" minimum:"1" example:"4711" doc:"Rises with every event."`
	At        time.Time         `json:"at" example:"2026-08-20T12:00:00Z" doc:"When it happened."`
	Kind      string            `json:"kind" example:"artifact.uploaded" doc:"What happened; kinds never change their meaning."`
	Refused   bool              `json:"refused" doc:"Says that it was not done."`
	Code      string            `json:"code,omitempty" example:"workflow_mismatch" doc:"Why it was refused."`
	Actor     actorJSON         `json:"actor" doc:"Who did it."`
	Channel   string            `json:"channel,omitempty" example:"forge" doc:"The channel's name at that time; absent for what concerns the whole server."`
	Subject   string            `json:"subject,omitempty" example:"noarch/libtide-1.2.0-0.conda" doc:"What it was done to."`
	Sentence  string            `json:"sentence" example:"uploaded noarch/libtide-1.2.0-0.conda" doc:"What happened, for people."`
	Facts     map[string]string `json:"facts,omitempty" doc:"Claims of the run and digests, by name."`
	RequestID string            `json:"request_id,omitempty" example:"K7QX2M4A" doc:"Finds the request in the server's log."`
}

// actorJSON is who did something.
type actorJSON struct {
	Kind  string `json:"kind" enum:"anonymous,user,publisher,operator" example:"publisher" doc:"What sort of caller."`
	Name  string `json:"name,omitempty" example:"acme/forge" doc:"The account, or the repository of the run."`
	Means string `json:"means,omitempty" example:"build.yml of acme/forge, run 1234 attempt 1" doc:"How the actor proved itself."`
}

type auditQuery struct {
	Kind   []string `query:"kind" maxItems:"20" maxLength:"40" pattern:"^[a-z_.]+$" example:"artifact.uploaded" doc:"Only events of these kinds, separated by commas."`
	Before int64    `query:"before" minimum:"1" doc:"Only events with a lower id: the next_before of the page before."`
	Limit  int      `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"How many at most."`
}

type channelAuditInput struct {
	Channel string   `path:"channel" example:"forge" doc:"Name of the channel."`
	Kind    []string `query:"kind" maxItems:"20" maxLength:"40" pattern:"^[a-z_.]+$" example:"artifact.uploaded" doc:"Only events of these kinds, separated by commas."`
	Before  int64    `query:"before" minimum:"1" doc:"Only events with a lower id: the next_before of the page before."`
	Limit   int      `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"How many at most."`
}

type auditOutput struct {
	Body struct {
		Events     []eventJSON `json:"events" nullable:"false" doc:"Newest first."`
		NextBefore int64       `json:"next_before,omitzero" doc:"Asks for older events; absent on the last page."`
	} `nameHint:"EventList"`
}

func (s *service) auditRoutes() {
	tags := []string{"audit"}
	add(s, huma.Operation{
		OperationID: "list-channel-events", Method: http.MethodGet, Path: "/channels/{channel}/audit", Tags: tags,
		Summary: "Read the audit log of a channel", Description: "For owners and maintainers of the channel.",
	}, s.channelAudit)
	add(s, huma.Operation{
		OperationID: "list-events", Method: http.MethodGet, Path: "/audit", Tags: tags,
		Summary: "Read the audit log of the server", Description: "For administrators.",
	}, s.serverAudit)
}

func (s *service) channelAudit(ctx context.Context, in *channelAuditInput) (*auditOutput, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayAudit)
	if err != nil {
		return nil, err
	}
	return s.events(ctx, ch.ID, auditQuery{Kind: in.Kind, Before: in.Before, Limit: in.Limit})
}

func (s *service) serverAudit(ctx context.Context, in *auditQuery) (*auditOutput, error) {
	if err := s.Access.MayAdminister(caller.From(ctx)); err != nil {
		return nil, err
	}
	return s.events(ctx, 0, *in)
}

// events reads a page of the log; channelID 0 stands for the whole server.
func (s *service) events(ctx context.Context, channelID int64, q auditQuery) (*auditOutput, error) {
	found, err := s.Audit.Events(ctx, audit.Query{
		ChannelID: channelID, Before: q.Before, Limit: q.Limit + 1, Kinds: each(q.Kind, func(k string) audit.Kind { return audit.Kind(k) }),
	})
	if err != nil {
		return nil, err
	}
	out := &auditOutput{}
	if len(found) > q.Limit {
		found = found[:q.Limit]
		out.Body.NextBefore = found[q.Limit-1].ID
	}
	out.Body.Events = each(found, eventOf)
	return out, nil
}

func eventOf(e audit.Event) eventJSON {
	return eventJSON{
		ID: e.ID, At: e.At, Kind: string(e.Kind), Refused: e.Kind.Refused(), Code: e.Code,
		Actor:   actorJSON{Kind: string(e.Actor.Kind), Name: e.Actor.Name, Means: e.Actor.Means},
		Channel: e.Channel, Subject: e.Subject, Sentence: e.Sentence, Facts: e.Facts, RequestID: e.RequestID,
	}
}
