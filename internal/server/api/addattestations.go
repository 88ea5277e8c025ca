package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sluice/internal/publish"
	"sluice/internal/server/caller"
)

type addAttestationsInput struct {
	Channel  string `path:"channel" example:"forge" doc:"Name of the channel."`
	Subdir   string `path:"subdir" example:"noarch" doc:"The folder of the file."`
	Filename string `path:"filename" example:"libtide-1.2.0-0.conda" doc:"The file name."`
	// RawBody is kept as it came: what is signed must not be written anew.
	RawBody []byte `contentType:"application/json"`
}

// addedJSON is what became of attestations that were sent for a file that is there.
type addedJSON struct {
	Added      int       `json:"added" minimum:"0" example:"1" doc:"How many of them are new."`
	Ordinals   []int     `json:"ordinals" nullable:"false" example:"[2]" doc:"Which of the file's attestations each of them is, in the order in which they were sent."`
	Generation int64     `json:"generation,omitzero" example:"412" doc:"The generation of the index that shows them; absent when nothing is new."`
	UploadedAt time.Time `json:"uploaded_at" example:"2026-08-20T12:00:00Z" doc:"When the file was published here, which stays."`
}

type addAttestationsOutput struct {
	Status int
	Body   addedJSON
}

func (s *service) addAttestationsRoute() {
	add(s, huma.Operation{
		OperationID: "add-attestations", Method: http.MethodPost, Path: "/channels/{channel}/packages/{subdir}/{filename}/attestations", Tags: []string{"packages"},
		Summary: "Add attestations to a file that is there",
		Description: "The body is one sigstore bundle or an array of up to 8. Who may upload the file may add: a publish token whose publisher covers its name and subdir, " +
			"or a maintainer with the scope upload. All of them are added or none; those that are there already are no refusal. What is there stays, byte for byte.",
		DefaultStatus: http.StatusCreated, Responses: map[string]*huma.Response{"200": {Description: "All of them were there already; nothing changed."}},
		RequestBody: &huma.RequestBody{Required: true, Description: "A sigstore bundle of version 0.3, or an array of them.", Content: map[string]*huma.MediaType{
			"application/json": {Schema: &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeObject}, {Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeObject}}}}},
		}},
		SkipValidateBody: true, // attest reads it, strictly
	}, s.addAttestations)
}

func (s *service) addAttestations(ctx context.Context, in *addAttestationsInput) (*addAttestationsOutput, error) {
	ch, err := s.channel(ctx, in.Channel)
	if err != nil {
		return nil, err
	}
	right, err := s.Access.MayAttest(ctx, caller.From(ctx), ch)
	if err != nil {
		return nil, err
	}
	subdir, filename, err := namesOf(in.Subdir, in.Filename)
	if err != nil {
		return nil, err
	}
	out, err := s.Publish.AddAttestations(ctx, ch, right, subdir, filename, in.RawBody)
	if err != nil {
		return nil, err
	}
	return added(out), nil
}

func added(out publish.Outcome) *addAttestationsOutput {
	status := http.StatusOK
	if out.Added > 0 {
		status = http.StatusCreated
	}
	return &addAttestationsOutput{Status: status, Body: addedJSON{Added: out.Added, Ordinals: out.Ordinals, Generation: out.Generation, UploadedAt: out.IndexedAt}}
}
