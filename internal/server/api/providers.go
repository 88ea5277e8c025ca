package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"sluice/internal/trust"
	"sluice/internal/trust/provider"
)

// providerJSON is one issuer that this server's operator trusts, and what a publisher of it is made of.
type providerJSON struct {
	Name          string      `json:"name" example:"github" doc:"What the operator calls the issuer."`
	Provider      string      `json:"provider" example:"github" doc:"The kind of CI service."`
	Title         string      `json:"title" example:"GitHub Actions" doc:"The service's name for people."`
	Issuer        string      `json:"issuer" format:"uri" example:"https://token.actions.githubusercontent.com" doc:"The issuer's address, as tokens spell it."`
	Fields        []fieldJSON `json:"fields" nullable:"false" doc:"What names a run, in the order of the form."`
	Events        []string    `json:"events,omitempty" nullable:"false" example:"push" doc:"The events that a publisher lets in when it names none; absent when tokens do not tell."`
	Environments  bool        `json:"environments" doc:"Tokens tell the deployment environment."`
	Refs          bool        `json:"refs" doc:"Tokens tell the git ref."`
	ProtectedRefs bool        `json:"protected_refs" doc:"Tokens tell whether the ref is protected."`
	HostedRunners bool        `json:"hosted_runners" doc:"Tokens tell whether the machine is the service's own."`
	Reusable      bool        `json:"reusable" doc:"A job can live in another file than the one that was started."`
	AnyRepository bool        `json:"any_repository" doc:"A publisher can mean every repository of an owner."`
}

// fieldJSON is one field of a publisher's form.
type fieldJSON struct {
	Name     string `json:"name" example:"repository_owner" doc:"What the field is called in a publisher's fields."`
	Slot     string `json:"slot" enum:"owner,repository,workflow,owner_id,repository_id" example:"owner" doc:"What it is to every service."`
	Label    string `json:"label" example:"Owner" doc:"The service's own word for people."`
	Example  string `json:"example" example:"acme" doc:"A likely value."`
	Optional bool   `json:"optional" doc:"Whether a publisher may leave it empty."`
}

type providersOutput struct {
	Body struct {
		Providers []providerJSON `json:"providers" nullable:"false" doc:"In the order in which forms offer them."`
	} `nameHint:"ProviderList"`
}

func (s *service) providerRoutes() {
	add(s, open(huma.Operation{
		OperationID: "list-providers", Method: http.MethodGet, Path: "/providers", Tags: []string{"trusted publishers"},
		Summary: "List the issuers whose runs can publish here, and what names a run of each",
	}), s.listProviders)
}

func (s *service) listProviders(context.Context, *struct{}) (*providersOutput, error) {
	out := &providersOutput{}
	out.Body.Providers = each(s.Publishers.Issuers, providerOf)
	return out, nil
}

func providerOf(is trust.Issuer) providerJSON {
	t := is.Provider.Traits()
	return providerJSON{
		Name: is.Name, Provider: t.Name, Title: t.Title, Issuer: is.URL, Events: t.Events, Environments: t.Environments, Refs: t.Refs,
		ProtectedRefs: t.ProtectedRefs, HostedRunners: t.Hosted != "", Reusable: t.Reusable, AnyRepository: t.OwnerWide,
		Fields: each(t.Fields, func(f provider.Field) fieldJSON {
			return fieldJSON{Name: f.Name, Slot: string(f.Slot), Label: f.Label, Example: f.Example, Optional: f.Optional}
		}),
	}
}
