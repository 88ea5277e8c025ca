package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/trust"
)

// publisherJSON is a trusted publisher: which runs may publish what here without a key.
type publisherJSON struct {
	ID              int64     `json:"id" minimum:"1" example:"3" doc:"Its number, never used again after its removal."`
	Provider        string    `json:"provider" example:"github" doc:"The kind of CI service."`
	Issuer          string    `json:"issuer" format:"uri" example:"https://token.actions.githubusercontent.com" doc:"Who signs the identity tokens of its runs."`
	RepositoryOwner string    `json:"repository_owner" example:"acme" doc:"The user or organisation that owns the repository."`
	Repository      string    `json:"repository" example:"forge" doc:"The repository's name, without its owner."`
	Workflow        string    `json:"workflow" example:"build.yml" doc:"File name of the workflow."`
	Environment     string    `json:"environment,omitempty" example:"release" doc:"The deployment environment that the job must name; absent: any job."`
	Packages        []string  `json:"packages" nullable:"false" example:"libtide*" doc:"The names that it may publish; none: every package of the channel."`
	Sentence        string    `json:"sentence" example:"Runs of build.yml in acme/forge with environment release may publish libtide* of forge" doc:"The whole rule, for people."`
	Weak            string    `json:"weak,omitempty" example:"Any branch can publish, because no environment is named." doc:"Why more runs than meant could use it; absent when it is narrow enough."`
	OwnerID         string    `json:"repository_owner_id,omitempty" example:"583231" doc:"The owner's unchangeable number, pinned at the first use."`
	RepositoryID    string    `json:"repository_id,omitempty" example:"41881900" doc:"The repository's unchangeable number, pinned at the first use."`
	CreatedAt       time.Time `json:"created_at" example:"2026-08-20T12:00:00Z" doc:"When the rule was made."`
	CreatedBy       string    `json:"created_by" example:"ann" doc:"Who made it."`
	LastUsedAt      time.Time `json:"last_used_at,omitzero" example:"2026-08-20T12:00:00Z" doc:"When a run last got a token by it; absent before the first use."`
	LastRun         *runJSON  `json:"last_run,omitempty" doc:"That run."`
}

// newPublisherJSON is what makes a publisher.
type newPublisherJSON struct {
	Provider        string   `json:"provider,omitempty" maxLength:"40" example:"github" doc:"The kind of CI service; github when absent."`
	Issuer          string   `json:"issuer,omitempty" maxLength:"300" example:"https://token.actions.githubusercontent.com" doc:"Which of several configured issuers of the provider; the first of them when absent."`
	RepositoryOwner string   `json:"repository_owner,omitempty" maxLength:"300" example:"acme" doc:"The user or organisation that owns the repository. May be absent when repository holds both, or an address."`
	Repository      string   `json:"repository" minLength:"1" maxLength:"300" example:"forge" doc:"The repository's name. It need not exist yet."`
	Workflow        string   `json:"workflow" minLength:"1" maxLength:"500" example:"build.yml" doc:"File name of the workflow, in .github/workflows."`
	Environment     string   `json:"environment,omitempty" maxLength:"300" example:"release" doc:"The deployment environment that the job must name. Strongly advised: without it any branch can publish."`
	Packages        []string `json:"packages,omitempty" nullable:"false" maxItems:"200" maxLength:"200" example:"libtide*" doc:"Package names, or beginnings with one * at the end; every package of the channel when absent."`
}

type publishersOutput struct {
	Body struct {
		Publishers []publisherJSON `json:"trusted_publishers" nullable:"false" doc:"Oldest first."`
	} `nameHint:"PublisherList"`
}

type publisherInput struct {
	Channel string `path:"channel" example:"forge" doc:"Name of the channel."`
	ID      int64  `path:"id" minimum:"1" example:"3" doc:"Number of the publisher."`
}

type publisherOutput struct{ Body publisherJSON }

type addPublisherInput struct {
	Channel string `path:"channel" example:"forge" doc:"Name of the channel."`
	Body    newPublisherJSON
}

type addedPublisher struct {
	Location string `header:"Location" doc:"Where the publisher is found in this API."`
	Body     publisherJSON
}

func (s *service) publisherRoutes() {
	const path = "/channels/{channel}/trusted-publishers"
	tags := []string{"trusted publishers"}
	add(s, huma.Operation{
		OperationID: "list-trusted-publishers", Method: http.MethodGet, Path: path, Tags: tags,
		Summary: "List who may publish to a channel without a key", Description: "For members of the channel.",
	}, s.listPublishers)
	add(s, huma.Operation{
		OperationID: "add-trusted-publisher", Method: http.MethodPost, Path: path, Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Let the runs of a workflow publish to a channel", Description: "For owners of the channel. Addresses and paths are taken where names are asked for.",
	}, s.addPublisher)
	add(s, huma.Operation{
		OperationID: "get-trusted-publisher", Method: http.MethodGet, Path: path + "/{id}", Tags: tags,
		Summary: "Show a trusted publisher", Description: "For members of the channel.",
	}, s.getPublisher)
	add(s, huma.Operation{
		OperationID: "remove-trusted-publisher", Method: http.MethodDelete, Path: path + "/{id}", Tags: tags,
		Summary: "Remove a trusted publisher", Description: "For owners of the channel. Every publish token that rests on it ends at once.",
	}, s.removePublisher)
}

func (s *service) listPublishers(ctx context.Context, in *channelInput) (*publishersOutput, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayInside)
	if err != nil {
		return nil, err
	}
	list, err := s.Publishers.Store.Publishers(ctx, ch.ID)
	out := &publishersOutput{}
	out.Body.Publishers = each(list, publisherOf)
	return out, err
}

func (s *service) getPublisher(ctx context.Context, in *publisherInput) (*publisherOutput, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayInside)
	if err != nil {
		return nil, err
	}
	p, err := s.Publishers.Store.Publisher(ctx, ch.ID, in.ID)
	return &publisherOutput{Body: publisherOf(p)}, err
}

func (s *service) addPublisher(ctx context.Context, in *addPublisherInput) (*addedPublisher, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayManage)
	if err != nil {
		return nil, err
	}
	b := in.Body
	p, err := s.Publishers.Add(ctx, caller.From(ctx).Actor(), ch, trust.PublisherSpec{
		Provider: b.Provider, Issuer: b.Issuer, Owner: b.RepositoryOwner, Repository: b.Repository,
		Workflow: b.Workflow, Environment: b.Environment, Packages: b.Packages,
	})
	if err != nil {
		return nil, inOurWords(err)
	}
	return &addedPublisher{Location: Prefix + "/channels/" + ch.Name.String() + "/trusted-publishers/" + strconv.FormatInt(p.ID, 10), Body: publisherOf(p)}, nil
}

func (s *service) removePublisher(ctx context.Context, in *publisherInput) (*struct{}, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayManage)
	if err != nil {
		return nil, err
	}
	return nil, s.Publishers.Remove(ctx, caller.From(ctx).Actor(), ch, in.ID)
}

// inOurWords names the fields of a refused publisher as the body does: forms say owner, the API repository_owner.
func inOurWords(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	d := slices.Clone(f.Differences)
	for i := range d {
		if d[i].Claim == "owner" {
			d[i].Claim = "repository_owner"
		}
	}
	return f.With(d)
}

func publisherOf(p trust.Publisher) publisherJSON {
	return publisherJSON{
		ID: p.ID, Provider: p.Provider, Issuer: p.Issuer, RepositoryOwner: p.Owner, Repository: p.Repository, Workflow: p.Workflow,
		Environment: p.Environment, Packages: each(p.Packages, conda.Pattern.String), Sentence: p.Sentence(), Weak: p.Weak(),
		OwnerID: p.OwnerID, RepositoryID: p.RepositoryID, CreatedAt: p.CreatedAt, CreatedBy: p.CreatedBy,
		LastUsedAt: p.LastUsedAt, LastRun: runOf(p.LastRun),
	}
}
