package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"sluice/internal/fault"
	"sluice/internal/trust"
	"sluice/internal/trust/provider"
)

// Trier says what would become of an identity token; see trust.Exchange.
type Trier interface {
	Try(ctx context.Context, pasted, issuer string, publishers []trust.Publisher) (trust.Trial, error)
}

// attemptJSON is what is tried: a token or claims. Both are texts, because the names of claims are the service's own.
type attemptJSON struct {
	Token  string `json:"token,omitempty" maxLength:"20000" doc:"An identity token as the CI service gave it. It is not used up, not stored and not logged."`
	Claims string `json:"claims,omitempty" maxLength:"20000" doc:"In place of a token: the JSON object of its claims, as text. It proves nothing, and is compared all the same."`
	Issuer string `json:"issuer,omitempty" maxLength:"300" example:"https://token.actions.githubusercontent.com" doc:"Whose the claims are, when they have no iss; may be absent when the server trusts one issuer alone."`
}

type tryInput struct {
	Channel string `path:"channel" example:"forge" doc:"Name of the channel."`
	Body    attemptJSON
}

// trialJSON is what would become of it.
type trialJSON struct {
	Granted  bool            `json:"granted" doc:"An exchange of this token would give one that is good in this channel. Never true of claims alone."`
	Proven   bool            `json:"proven" doc:"A token came, and its issuer signed it."`
	Problems []refusalJSON   `json:"problems" nullable:"false" doc:"Why it would be refused, whatever the publishers say."`
	Run      *provenanceJSON `json:"run,omitempty" doc:"What it says of its run; absent when that cannot be read."`
	Results  []resultJSON    `json:"results" nullable:"false" doc:"The channel's publishers that have to do with the run, the nearest first."`
}

// refusalJSON is one refusal.
type refusalJSON struct {
	Code        string             `json:"code" example:"wrong_audience" doc:"The code that the exchange would answer."`
	Detail      string             `json:"detail" example:"Audience does not match [wrong_audience]: …" doc:"The sentence for people."`
	Differences []fault.Difference `json:"differences,omitempty" nullable:"false" doc:"The single points, if there are some."`
}

// resultJSON is one publisher held against the run.
type resultJSON struct {
	Publisher publisherJSON `json:"publisher" doc:"The publisher."`
	Granted   bool          `json:"granted" doc:"Every condition holds, and the publisher is on."`
	Code      string        `json:"code,omitempty" example:"id_mismatch" doc:"Why the run is not one of the publisher's own repository; absent when it is."`
	Off       *refusalJSON  `json:"off,omitempty" doc:"Why the publisher lets nobody in; absent while it does."`
	Points    []pointJSON   `json:"points" nullable:"false" doc:"Everything that was compared, in the order of the form; none when the repository is another one."`
}

// pointJSON is one comparison.
type pointJSON struct {
	Field string `json:"field" example:"workflow" doc:"What was compared."`
	Claim string `json:"claim" example:"workflow_ref" doc:"The claim that tells it."`
	Got   string `json:"got" example:"release.yml" doc:"What the run has; empty when the claim is absent."`
	Want  string `json:"want" example:"build.yml" doc:"What the publisher wants."`
	Holds bool   `json:"holds" doc:"Whether it fits."`
	Code  string `json:"code,omitempty" example:"workflow_mismatch" doc:"The refusal that this point alone would be; absent when it holds."`
	Hint  string `json:"hint,omitempty" example:"Run the job from build.yml" doc:"What usually mends it."`
	Final bool   `json:"final,omitempty" doc:"No publisher could allow it: the job must change."`
}

type tryOutput struct {
	Body trialJSON
}

func (s *service) tryRoute() {
	add(s, huma.Operation{
		OperationID: "try-token", Method: http.MethodPost, Path: "/channels/{channel}/trusted-publishers/try", Tags: []string{"trusted publishers"},
		Summary:     "Say rule by rule what would become of an identity token",
		Description: "For members of the channel. Nothing is minted, used up or written down: the same token can be exchanged afterwards.",
	}, s.tryToken)
}

func (s *service) tryToken(ctx context.Context, in *tryInput) (*tryOutput, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayInside)
	if err != nil {
		return nil, err
	}
	if (in.Body.Token == "") == (in.Body.Claims == "") {
		return nil, fault.New(fault.InvalidField, "token: send either token or claims.")
	}
	list, err := s.Publishers.Store.Publishers(ctx, ch.ID)
	if err != nil {
		return nil, err
	}
	trial, err := s.Exchange.Try(ctx, in.Body.Token+in.Body.Claims, in.Body.Issuer, list)
	return &tryOutput{Body: s.trialOf(trial)}, err
}

func (s *service) trialOf(t trust.Trial) trialJSON {
	return trialJSON{
		Granted: t.Granted(), Proven: t.Proven, Run: provenanceOf(t.Run),
		Problems: each(t.Problems, refusalOf), Results: each(t.Results, s.resultOf),
	}
}

func (s *service) resultOf(r trust.Result) resultJSON {
	out := resultJSON{Publisher: s.publisherOf(r.Publisher), Granted: r.Granted(), Code: string(r.Code), Points: each(r.Points, pointOf)}
	if r.End != nil {
		out.Off = new(refusalOf(r.End))
	}
	return out
}

func refusalOf(f *fault.Error) refusalJSON {
	return refusalJSON{Code: string(f.Code), Detail: f.Detail, Differences: f.Differences}
}

func pointOf(p provider.Point) pointJSON {
	return pointJSON{Field: p.Field, Claim: p.Claim, Got: p.Got, Want: p.Want, Holds: p.Code == "", Code: string(p.Code), Hint: p.Hint, Final: p.Final}
}
