package api

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sluice/internal/attest/instance"
	"sluice/internal/fault"
)

// Roots reads the trusted roots that the server has ever used.
type Roots interface {
	// TrustedRoots lists them without their bytes, by instance, the newest first.
	TrustedRoots(ctx context.Context) ([]instance.Root, error)
	// TrustedRoot returns one byte for byte; fault.NotFound when there never was one with that digest.
	TrustedRoot(ctx context.Context, sum [32]byte) ([]byte, error)
}

// Instance is how the keys of an instance of sigstore stand. It says that something is wrong, never why: that is the operator's.
type Instance struct {
	Name string `json:"name" example:"sigstore" doc:"What verdicts call it."`
	// Usable says that its attestations can be checked now.
	Usable     bool      `json:"usable" doc:"Whether its attestations can be checked now."`
	Root       string    `json:"trusted_root_sha256,omitempty" doc:"SHA-256 of the trusted root in use; absent while none could be had."`
	Source     string    `json:"source,omitempty" example:"tuf" doc:"Where that came from: program, tuf or file."`
	UsedAt     time.Time `json:"used_at,omitzero" example:"2026-08-01T00:00:00Z" doc:"Since when it is in use."`
	CheckedAt  time.Time `json:"checked_at,omitzero" example:"2026-08-20T11:55:00Z" doc:"When its TUF repository last answered; absent when never, or where there is none."`
	ValidUntil time.Time `json:"valid_until,omitzero" example:"2026-08-27T00:00:00Z" doc:"Until when that answer holds."`
	// Stale says that newer keys could not be had, and those at hand serve on.
	Stale bool `json:"stale,omitempty" doc:"Newer keys could not be had; those that are known serve on."`
}

// trustedRootJSON is a trusted root that the server has used.
type trustedRootJSON struct {
	Instance   string    `json:"instance" example:"sigstore" doc:"The instance of sigstore that it is of."`
	Number     int       `json:"number" minimum:"1" example:"3" doc:"Counts the roots of the instance; one that came back has a number of its own."`
	SHA256     string    `json:"sha256" doc:"SHA-256 of its bytes, as attestations name it."`
	Source     string    `json:"source" enum:"program,tuf,file" example:"tuf" doc:"Where it came from: the program carried it, a TUF repository told it, or the operator gave a file."`
	UsedAt     time.Time `json:"used_at" doc:"Since when it was in use."`
	ReplacedAt time.Time `json:"replaced_at,omitzero" doc:"Until when; absent for the one that is in use."`
	URL        string    `json:"url" format:"uri" doc:"The root itself."`
}

type trustedRootsOutput struct {
	Body struct {
		Roots []trustedRootJSON `json:"trust_roots" nullable:"false" doc:"By instance, the newest first."`
	}
}

type trustedRootInput struct {
	SHA256 string `path:"sha256" pattern:"^[0-9a-f]{64}$" example:"6494e21ea73fa7ee769f85f57d5a3e6a08725eae1e38c755fc3517c9e6bc0b66" doc:"SHA-256 of the root."`
}

type trustedRootOutput struct {
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	Body         []byte
}

func (s *service) trustedRootRoutes() {
	tags := []string{"server"}
	add(s, open(huma.Operation{
		OperationID: "list-trust-roots", Method: http.MethodGet, Path: "/trust-roots", Tags: tags,
		Summary: "List the trusted roots by which attestations were checked", Description: "For anybody. Each attestation names the root that gave its verdict.",
	}), s.listTrustedRoots)
	add(s, open(huma.Operation{
		OperationID: "get-trust-root", Method: http.MethodGet, Path: "/trust-roots/{sha256}", Tags: tags,
		Summary: "Get a trusted root: sigstore's trusted_root.json, byte for byte",
		Responses: map[string]*huma.Response{"200": {Description: "The trusted root.", Content: map[string]*huma.MediaType{
			"application/json": {Schema: &huma.Schema{Type: huma.TypeObject}},
		}}},
	}), s.getTrustedRoot)
}

func (s *service) listTrustedRoots(ctx context.Context, _ *struct{}) (*trustedRootsOutput, error) {
	list, err := s.Roots.TrustedRoots(ctx)
	if err != nil {
		return nil, err
	}
	out := &trustedRootsOutput{}
	out.Body.Roots = []trustedRootJSON{}
	for _, r := range list {
		sum := hex.EncodeToString(r.SHA256[:])
		out.Body.Roots = append(out.Body.Roots, trustedRootJSON{
			Instance: r.Instance, Number: r.Number, SHA256: sum, Source: string(r.Source), UsedAt: r.UsedAt, ReplacedAt: r.ReplacedAt, URL: s.URL + Prefix + "/trust-roots/" + sum,
		})
	}
	return out, nil
}

func (s *service) getTrustedRoot(ctx context.Context, in *trustedRootInput) (*trustedRootOutput, error) {
	sum, err := hex.DecodeString(in.SHA256)
	if err != nil || len(sum) != 32 {
		return nil, fault.New(fault.NotFound, "%q is no SHA-256 of 64 small hexadecimal digits.", fault.OneLine(in.SHA256, 80))
	}
	b, err := s.Roots.TrustedRoot(ctx, [32]byte(sum))
	return &trustedRootOutput{ContentType: "application/json", CacheControl: "public, max-age=31536000, immutable", Body: b}, err
}
