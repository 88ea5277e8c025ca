package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"sluice/internal/server/caller"
)

// The ways to prove who is calling, by their names in the document.
const (
	byBearer  = "bearer"
	byBasic   = "basic"
	bySession = "session"
)

// config sets huma up: JSON alone, no pages of its own, no links to schemas in the answers.
func (s *service) config() huma.Config {
	schemas := huma.NewMapRegistry("#/components/schemas/", schemaName)
	format := huma.Format{Marshal: marshal, Unmarshal: unmarshal}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Sluice", Version: s.Version,
				Description: "Channels, trusted publishers, packages, tokens and the audit log of a Sluice server. " +
					"Every refusal is application/problem+json; its code never changes its meaning.",
			},
			Servers:    []*huma.Server{{URL: s.URL}},
			Components: &huma.Components{Schemas: schemas, SecuritySchemes: s.securitySchemes()},
			Security:   needsCaller(),
		},
		Formats:                      map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{s.translate},
	}
}

func (s *service) securitySchemes() map[string]*huma.SecurityScheme {
	return map[string]*huma.SecurityScheme{
		byBearer: {Type: "http", Scheme: "bearer", Description: "An API token (sluice-api-…)."},
		byBasic:  {Type: "http", Scheme: "basic", Description: "An API token as the password, with any user name."},
		bySession: {
			Type: "apiKey", In: "cookie", Name: caller.CookieName(https(s.URL)),
			Description: "The cookie of a signed-in browser.",
		},
	}
}

func needsCaller() []map[string][]string {
	return []map[string][]string{{byBearer: {}}, {byBasic: {}}, {bySession: {}}}
}

// open marks an operation that answers anonymous callers, too: on public channels at least.
func open(op huma.Operation) huma.Operation {
	op.Security = append(needsCaller(), map[string][]string{})
	return op
}

// schemaName names a schema after its Go type, without the ending that keeps our types apart from the rooms'.
func schemaName(t reflect.Type, hint string) string {
	return strings.TrimSuffix(huma.DefaultSchemaNamer(t, hint), "JSON")
}

// add makes an operation. What do returns as an error is answered as a problem.
func add[I, O any](s *service, op huma.Operation, do func(context.Context, *I) (*O, error)) {
	op.Path = Prefix + op.Path
	op.MaxBodyBytes, op.BodyReadTimeout = -1, -1 // the door has read the body
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	op.Responses["default"] = s.failed
	huma.Register(s.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := do(ctx, in)
		if err != nil {
			return nil, &refused{err}
		}
		return out, nil
	})
}

// finish writes the document down, when all operations are there.
func (s *service) finish() []byte {
	doc := s.huma.OpenAPI()
	schemas := doc.Components.Schemas.Map()
	// huma registers its own shape of errors with every operation; no answer of ours has it.
	delete(schemas, "ErrorModel")
	delete(schemas, "ErrorDetail")
	requests := requestSchemas(doc)
	for name, schema := range schemas {
		if !requests[name] {
			schema.AdditionalProperties = nil // answers grow; who reads them must not mind
		}
	}
	b, err := json.Marshal(doc)
	if err != nil {
		panic(fmt.Sprintf("api: the OpenAPI document cannot be written: %v", err)) // a mistake in this package, seen at every start
	}
	return b
}

// requestSchemas are the names of the schemas of bodies that come in: there, unknown fields are refused.
func requestSchemas(doc *huma.OpenAPI) map[string]bool {
	out := map[string]bool{}
	for item := range maps.Values(doc.Paths) {
		for _, op := range []*huma.Operation{item.Post, item.Put, item.Patch} {
			if op == nil || op.RequestBody == nil {
				continue
			}
			for _, media := range op.RequestBody.Content {
				out[strings.TrimPrefix(media.Schema.Ref, "#/components/schemas/")] = true
			}
		}
	}
	return out
}

type documentOutput struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	Body        []byte
}

// documentRoute serves the document itself.
func (s *service) documentRoute() {
	const mediaType = "application/openapi+json"
	add(s, open(huma.Operation{
		OperationID: "get-openapi", Method: http.MethodGet, Path: "/openapi.json", Tags: []string{"server"},
		Summary: "This document",
		Responses: map[string]*huma.Response{"200": {
			Description: "The OpenAPI document", Content: map[string]*huma.MediaType{mediaType: {Schema: &huma.Schema{Type: huma.TypeObject}}},
		}},
	}), func(context.Context, *struct{}) (*documentOutput, error) {
		return &documentOutput{ContentType: mediaType, Body: s.document}, nil
	})
}
