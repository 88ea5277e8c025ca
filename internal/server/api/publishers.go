package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sluice/internal/attest/policy"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/trust"
)

// publisherJSON is a trusted publisher: which runs may do what here without a key.
type publisherJSON struct {
	ID       int64  `json:"id" minimum:"0" example:"3" doc:"Its number, never used again after its removal; 0 in a plan, before it is stored."`
	Version  int64  `json:"version" minimum:"1" example:"1" doc:"Rises with every change that an owner makes. A change ends the publish tokens that rest on it."`
	Provider string `json:"provider" example:"github" doc:"The kind of CI service."`
	Issuer   string `json:"issuer" format:"uri" example:"https://token.actions.githubusercontent.com" doc:"Who signs the identity tokens of its runs."`
	RuleJSON
	ScopeJSON
	Packages   []string  `json:"packages" nullable:"false" example:"libtide*" doc:"The names that it may publish; none: every package of the channel."`
	Sentence   string    `json:"sentence" example:"Runs of build.yml in acme/forge with environment release may publish libtide* of forge" doc:"The whole rule, for people."`
	Weak       string    `json:"weak,omitempty" example:"Any branch can publish, because no environment is named." doc:"Why more runs than meant could use it; absent when it is narrow enough."`
	State      string    `json:"state" enum:"pending,active,disabled,expired" example:"active" doc:"Pending until a run uses it for the first time; disabled by an owner or because nobody used it; expired past its end."`
	Off        string    `json:"off,omitempty" example:"is switched off since 4 Nov 2026" doc:"Why it lets nobody in; absent while it does."`
	IdleEnd    time.Time `json:"idle_end" example:"2027-12-27T12:00:00Z" doc:"When it is switched off if nobody uses it."`
	CreatedAt  time.Time `json:"created_at" example:"2026-08-20T12:00:00Z" doc:"When the rule was made."`
	CreatedBy  string    `json:"created_by" example:"ann" doc:"Who made it."`
	LastUsedAt time.Time `json:"last_used_at,omitzero" example:"2026-08-20T12:00:00Z" doc:"When a run last got a token by it; absent before the first use."`
	LastRun    *runJSON  `json:"last_run,omitempty" doc:"That run."`
}

// RuleJSON says which runs a publisher means.
type RuleJSON struct {
	RepositoryOwner string   `json:"repository_owner,omitempty" maxLength:"300" example:"acme" doc:"Who owns the repository, where the service has owners: a user or organisation, a namespace. May be absent when repository holds both, or an address."`
	Repository      string   `json:"repository,omitempty" maxLength:"300" example:"forge" doc:"The repository's name, without its owner. It need not exist yet."`
	AnyRepository   bool     `json:"any_repository,omitempty" doc:"Means every repository of the owner; then repository is absent, and every entry of packages holds {repository}."`
	Workflow        string   `json:"workflow,omitempty" maxLength:"500" example:"build.yml" doc:"The workflow file: on GitHub its name in .github/workflows, on GitLab the path of the CI configuration."`
	Environment     string   `json:"environment,omitempty" maxLength:"300" example:"release" doc:"The deployment environment that the job must name; absent: any job. Strongly advised: without it any branch can publish."`
	Refs            []string `json:"refs,omitempty" nullable:"false" maxItems:"50" maxLength:"255" example:"refs/tags/v*" doc:"Full git refs, or globs on them: * stands for a part of a name, ** for anything. One must fit; absent: any."`
	ProtectedRef    bool     `json:"protected_ref,omitempty" doc:"Wants a ref that the service says is protected."`
	Events          []string `json:"events,omitempty" nullable:"false" maxItems:"50" maxLength:"100" example:"push" doc:"What may start the run, in place of the safe events of the service. Those that strangers or unreviewed code can fire are let in by naming them here, and only so."`
	HostedRunner    bool     `json:"hosted_runner,omitempty" doc:"Wants a machine of the service's own."`
	Reusable        string   `json:"reusable,omitempty" maxLength:"510" example:"acme/shared/.github/workflows/publish.yml" doc:"The reusable workflow that the job must live in, perhaps with @ and a full ref or commit; absent: the started file itself."`
	OwnerID         string   `json:"repository_owner_id,omitempty" maxLength:"255" example:"583231" doc:"The owner's unchangeable id, a number on most services, pinned at the first use if it is not given."`
	RepositoryID    string   `json:"repository_id,omitempty" maxLength:"255" example:"41881900" doc:"The repository's unchangeable id, a number on most services, pinned at the first use if it is not given."`
}

// ScopeJSON says what the runs may do, and until when.
type ScopeJSON struct {
	Right        string    `json:"right,omitempty" enum:"publish,read" example:"publish" doc:"Publish packages, or only read the private channel; publish when absent."`
	Subdirs      []string  `json:"subdirs,omitempty" nullable:"false" maxItems:"50" maxLength:"64" example:"noarch" doc:"Where packages may lie; any subdir when absent."`
	NewNames     *bool     `json:"new_names,omitempty" doc:"May create package names that the channel does not have; true when absent."`
	Files        int64     `json:"files_per_run,omitempty" minimum:"1" maximum:"1000000" example:"500" doc:"How many files one run may publish, all its attempts and jobs together; 500 when absent."`
	Bytes        int64     `json:"bytes_per_run,omitempty" minimum:"1" maximum:"109951162777600" example:"53687091200" doc:"How many bytes; 50 GiB when absent."`
	Names        int64     `json:"new_names_per_run,omitempty" minimum:"1" maximum:"1000000" example:"50" doc:"How many package names one run may create; 50 when absent."`
	Attestations string    `json:"attestations,omitempty" enum:"required" example:"required" doc:"Refuses what comes without an attestation that counts; absent: as the channel has it."`
	Signer       string    `json:"signer,omitempty" enum:"run,publisher" example:"run" doc:"Who may sign: the run that uploads, or also any run that a trusted publisher lets in; absent: as the channel has it. It cannot widen that."`
	ExpiresAt    time.Time `json:"expires_at,omitzero" example:"2027-08-20T12:00:00Z" doc:"When it ends; absent: never."`
	IdleDays     int       `json:"idle_days,omitempty" minimum:"1" maximum:"3650" example:"90" doc:"After how many days without use it is switched off; 30 before its first use and 400 after it when absent."`
}

// NewPublisherJSON is what makes a publisher.
type NewPublisherJSON struct {
	Provider string            `json:"provider,omitempty" maxLength:"40" example:"github" doc:"The kind of CI service, or the operator's name of an issuer; github when absent."`
	Issuer   string            `json:"issuer,omitempty" maxLength:"300" example:"https://token.actions.githubusercontent.com" doc:"Which of several configured issuers of the provider; the first of them when absent."`
	Fields   map[string]string `json:"fields,omitempty" doc:"The same as repository_owner, repository and workflow, by the names that the service itself has for them (GET /providers lists them): namespace, project, pipeline …"`
	RuleJSON
	ScopeJSON
	Packages []string `json:"packages,omitempty" nullable:"false" maxItems:"200" maxLength:"200" example:"libtide*" doc:"Package names, or beginnings with one * at the end; {repository} in one stands for the name of the run's repository. Every package of the channel when absent."`
}

// spec is the room's form of what came. Fields fill what the service calls otherwise.
func (b NewPublisherJSON) spec(issuers []trust.Issuer) (trust.PublisherSpec, error) {
	s := trust.PublisherSpec{
		Provider: b.Provider, Issuer: b.Issuer, Owner: b.RepositoryOwner, Repository: b.Repository, AnyRepository: b.AnyRepository, Workflow: b.Workflow,
		OwnerID: b.OwnerID, RepositoryID: b.RepositoryID, Right: b.Right, Packages: b.Packages, Subdirs: b.Subdirs, NewNames: b.NewNames,
		PerRun: trust.Limits{Files: b.Files, Bytes: b.Bytes, Names: b.Names}, Demand: policy.Demand{Attestations: policy.Mode(b.Attestations), Signer: policy.Signers(b.Signer)}, ExpiresAt: b.ExpiresAt, IdleDays: b.IdleDays,
		Conditions: trust.Conditions{
			Environment: b.Environment, Refs: b.Refs, ProtectedRef: b.ProtectedRef, Events: b.Events, HostedRunner: b.HostedRunner, Reusable: b.Reusable,
		},
	}
	return s, s.Fill(issuers, b.Fields)
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

type changePublisherInput struct {
	Channel string `path:"channel" example:"forge" doc:"Name of the channel."`
	ID      int64  `path:"id" minimum:"1" example:"3" doc:"Number of the publisher."`
	Body    struct {
		NewPublisherJSON
		Version int64 `json:"version,omitempty" minimum:"1" example:"1" doc:"The version that the change was made from; another one is refused. Absent: whatever it is now."`
	} `nameHint:"ChangedPublisher"`
}

type switchPublisherInput struct {
	Channel string `path:"channel" example:"forge" doc:"Name of the channel."`
	ID      int64  `path:"id" minimum:"1" example:"3" doc:"Number of the publisher."`
	Body    struct {
		Enabled bool `json:"enabled" doc:"Whether it lets its runs in. One that nobody used for long is on again for as long."`
	} `nameHint:"PublisherSwitch"`
}

type addPublisherInput struct {
	Channel string `path:"channel" example:"forge" doc:"Name of the channel."`
	Body    NewPublisherJSON
}

type addedPublisher struct {
	Location string `header:"Location" doc:"Where the publisher is found in this API."`
	Body     publisherJSON
}

func (s *service) publisherRoutes() {
	const path = "/channels/{channel}/trusted-publishers"
	tags := []string{"trusted publishers"}
	s.applyRoute(path, tags)
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
		OperationID: "change-trusted-publisher", Method: http.MethodPut, Path: path + "/{id}", Tags: tags,
		Summary: "Replace the rule of a trusted publisher", Description: "For owners of the channel. What is absent gets its usual value. Every publish token that rests on it ends at once.",
	}, s.changePublisher)
	add(s, huma.Operation{
		OperationID: "switch-trusted-publisher", Method: http.MethodPatch, Path: path + "/{id}", Tags: tags,
		Summary: "Switch a trusted publisher off or on", Description: "For owners of the channel. Off, it lets nobody in, and every publish token that rests on it ends at once.",
	}, s.switchPublisher)
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
	out.Body.Publishers = each(list, s.publisherOf)
	return out, err
}

func (s *service) getPublisher(ctx context.Context, in *publisherInput) (*publisherOutput, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayInside)
	if err != nil {
		return nil, err
	}
	p, err := s.Publishers.Store.Publisher(ctx, ch.ID, in.ID)
	return &publisherOutput{Body: s.publisherOf(p)}, err
}

func (s *service) addPublisher(ctx context.Context, in *addPublisherInput) (*addedPublisher, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayManage)
	if err != nil {
		return nil, err
	}
	spec, err := in.Body.spec(s.Publishers.Issuers)
	if err != nil {
		return nil, err
	}
	p, err := s.Publishers.Add(ctx, caller.From(ctx).Actor(), ch, spec)
	if err != nil {
		return nil, err
	}
	return &addedPublisher{Location: Prefix + "/channels/" + ch.Name.String() + "/trusted-publishers/" + strconv.FormatInt(p.ID, 10), Body: s.publisherOf(p)}, nil
}

func (s *service) changePublisher(ctx context.Context, in *changePublisherInput) (*publisherOutput, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayManage)
	if err != nil {
		return nil, err
	}
	spec, err := in.Body.spec(s.Publishers.Issuers)
	if err != nil {
		return nil, err
	}
	old, err := s.Publishers.Store.Publisher(ctx, ch.ID, in.ID)
	if err != nil {
		return nil, err
	}
	if in.Body.Version != 0 && in.Body.Version != old.Version {
		return nil, fault.New(fault.Conflict, "Publisher %d was changed meanwhile: it has version %d, not %d. Look at it again.", old.ID, old.Version, in.Body.Version)
	}
	by := caller.From(ctx).Actor()
	p, err := s.Publishers.Revise(by, ch, old, spec)
	if err != nil {
		return nil, err
	}
	p, err = s.Publishers.Save(ctx, by, old, p)
	return &publisherOutput{Body: s.publisherOf(p)}, err
}

func (s *service) switchPublisher(ctx context.Context, in *switchPublisherInput) (*publisherOutput, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayManage)
	if err != nil {
		return nil, err
	}
	p, err := s.Publishers.Switch(ctx, caller.From(ctx).Actor(), ch, in.ID, in.Body.Enabled)
	return &publisherOutput{Body: s.publisherOf(p)}, err
}

func (s *service) removePublisher(ctx context.Context, in *publisherInput) (*struct{}, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayManage)
	if err != nil {
		return nil, err
	}
	return nil, s.Publishers.Remove(ctx, caller.From(ctx).Actor(), ch, in.ID)
}

func (s *service) publisherOf(p trust.Publisher) publisherJSON {
	code, off := p.End(s.Now())
	state := "active"
	switch {
	case code == fault.PublisherExpired:
		state = "expired"
	case code != "":
		state = "disabled"
	case p.Pending():
		state = "pending"
	}
	return publisherJSON{
		ID: p.ID, Version: p.Version, Provider: p.Provider, Issuer: p.Issuer, Sentence: p.Sentence(), Weak: p.Weak(), State: state, Off: off, IdleEnd: p.IdleEnd(),
		CreatedAt: p.CreatedAt, CreatedBy: p.CreatedBy, LastUsedAt: p.LastUsedAt, LastRun: runOf(p.LastRun), Packages: each(p.Packages, trust.Pattern.String),
		RuleJSON: RuleJSON{
			RepositoryOwner: p.Owner, Repository: p.Repository, AnyRepository: p.AnyRepository, Workflow: p.Workflow, Environment: p.Environment, Refs: p.Refs,
			ProtectedRef: p.ProtectedRef, Events: p.Events, HostedRunner: p.HostedRunner, Reusable: p.Reusable, OwnerID: p.OwnerID, RepositoryID: p.RepositoryID,
		},
		ScopeJSON: ScopeJSON{
			Right: string(p.Right), Subdirs: each(p.Subdirs, conda.Subdir.String), NewNames: new(p.NewNames),
			Files: p.PerRun.Files, Bytes: p.PerRun.Bytes, Names: p.PerRun.Names, Attestations: string(p.Demand.Attestations), Signer: string(p.Demand.Signer), ExpiresAt: p.ExpiresAt, IdleDays: p.IdleDays,
		},
	}
}
