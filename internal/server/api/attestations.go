package api

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sluice/internal/attest"
	"sluice/internal/attest/policy"
	"sluice/internal/catalog"
	"sluice/internal/channel"
	"sluice/internal/fault"
)

// signerJSON is whom a certificate names, as it says it; what it does not say is absent.
type signerJSON struct {
	Identity          string `json:"identity" format:"uri" example:"https://github.com/acme/forge/.github/workflows/build.yml@refs/heads/main" doc:"The name in the certificate."`
	Issuer            string `json:"issuer" format:"uri" example:"https://token.actions.githubusercontent.com" doc:"Who issued the identity token for it."`
	BuildSigner       string `json:"build_signer,omitempty" doc:"The file that holds the job."`
	BuildSignerDigest string `json:"build_signer_digest,omitempty" doc:"Its commit."`
	Runner            string `json:"runner,omitempty" example:"github-hosted" doc:"Where the job ran."`
	Repository        string `json:"repository,omitempty" example:"https://github.com/acme/forge" doc:"The source repository."`
	Commit            string `json:"commit,omitempty" doc:"The commit that was built."`
	Ref               string `json:"ref,omitempty" example:"refs/heads/main" doc:"The full git ref."`
	RepositoryID      string `json:"repository_id,omitempty" example:"41881900" doc:"The repository's unchangeable number."`
	Owner             string `json:"owner,omitempty" example:"https://github.com/acme" doc:"Its owner."`
	OwnerID           string `json:"owner_id,omitempty" example:"583231" doc:"The owner's unchangeable number."`
	BuildConfig       string `json:"build_config,omitempty" doc:"The workflow that was started."`
	BuildConfigDigest string `json:"build_config_digest,omitempty" doc:"Its commit."`
	Trigger           string `json:"trigger,omitempty" example:"push" doc:"What started the run."`
	Run               string `json:"run,omitempty" doc:"The run's page."`
	Visibility        string `json:"visibility,omitempty" example:"public" doc:"Of the repository at that time."`
	Environment       string `json:"environment,omitempty" example:"release" doc:"The deployment environment."`
	Subject           string `json:"subject,omitempty" doc:"The sub of the identity token."`
}

// attestationJSON is what was found out of an attestation when it came.
type attestationJSON struct {
	Ordinal   int           `json:"ordinal" minimum:"1" example:"1" doc:"Counts those of the file, in the order in which they were added."`
	Predicate string        `json:"predicate_type" example:"https://schemas.conda.org/attestations-publish-1.schema.json" doc:"The type of what it states; that of CEP 27 says that the file was published."`
	Signer    signerJSON    `json:"signer" doc:"Whom its certificate names."`
	Fit       string        `json:"fit" enum:"run,publisher,other" example:"run" doc:"Who signed: the run that uploaded, a run that a trusted publisher of the channel lets in, or somebody other."`
	Counts    bool          `json:"counts" example:"true" doc:"Whether it satisfies what the channel demands today."`
	Why       string        `json:"why,omitempty" doc:"Why it does not; absent where it counts."`
	Target    string        `json:"target_channel,omitempty" format:"uri" example:"https://conda.example.org/forge" doc:"The channel that it was made for; absent when it names none: then it could stand in any."`
	SignedAt  time.Time     `json:"signed_at" doc:"When a log or a timestamp authority saw the signature."`
	LogIndex  string        `json:"log_index,omitempty" example:"456119071" doc:"Its entry in the transparency log."`
	LogID     string        `json:"log_id,omitempty" doc:"The key of that log, as SHA-256 in hexadecimal."`
	Instance  string        `json:"instance" example:"sigstore" doc:"The instance of sigstore by which it was checked."`
	Root      string        `json:"trusted_root_sha256" doc:"SHA-256 of the trusted root with which it was checked."`
	Signature string        `json:"signature_sha256" doc:"SHA-256 of the signature."`
	AddedAt   time.Time     `json:"added_at" doc:"When it was checked and added."`
	Distrust  *distrustJSON `json:"no_longer_trusted,omitempty" doc:"Present where the instance's keys have changed since, and the attestation does not pass by the new ones: it satisfies no demand any more. The rest is as it was found when it came."`
	BundleURL string        `json:"bundle_url" format:"uri" doc:"The bundle, byte for byte as it was kept."`
}

// distrustJSON is what a second look at an attestation found.
type distrustJSON struct {
	Root     string    `json:"trusted_root_sha256" doc:"SHA-256 of the trusted root by which it does not pass."`
	At       time.Time `json:"at" doc:"When that was found out."`
	Code     string    `json:"code" example:"log_unknown" doc:"Why, as a code of a refused attestation."`
	Sentence string    `json:"sentence" doc:"The same in words."`
}

func distrustOf(d *attest.Distrust) *distrustJSON {
	if d == nil {
		return nil
	}
	return &distrustJSON{Root: d.Root, At: d.At, Code: string(d.Code), Sentence: d.Sentence}
}

// attestationsOf are those of a file of a channel; nil for none.
func (s *service) attestationsOf(ch channel.Channel, f catalog.File) (out []attestationJSON) {
	for _, a := range f.Attestations {
		counts, why := true, ""
		signature := policy.Signature{Verdict: a.Verdict, Fit: policy.Fit(a.Fit), Distrust: a.NoLongerTrusted}
		if refusal, ok := errors.AsType[*fault.Error](ch.Attestations.Counts(signature, s.URL+"/"+ch.Name.String())); ok {
			counts, why = false, refusal.Detail
		}
		out = append(out, attestationJSON{
			Counts: counts, Why: why, Ordinal: a.Ordinal, Predicate: a.Predicate, Signer: signerJSON(a.Signer), Fit: a.Fit, Target: a.Target.URL, SignedAt: a.SignedAt(), LogIndex: a.Log.Index, LogID: a.Log.LogID,
			Instance: a.Profile, Root: a.Root, Signature: hex.EncodeToString(a.Signature[:]), AddedAt: a.AddedAt, Distrust: distrustOf(a.NoLongerTrusted),
			BundleURL: fmt.Sprintf("%s/api/v1/channels/%s/packages/%s/%s/attestations/%d", s.URL, f.Channel, f.Subdir, url.PathEscape(f.Filename.String()), a.Ordinal),
		})
	}
	return out
}

type attestationInput struct {
	Channel  string `path:"channel" example:"forge" doc:"Name of the channel."`
	Subdir   string `path:"subdir" example:"noarch" doc:"The folder of the file."`
	Filename string `path:"filename" example:"libtide-1.2.0-0.conda" doc:"The file name."`
	Ordinal  int    `path:"ordinal" minimum:"1" maximum:"1000" example:"1" doc:"Which of the file's attestations."`
}

type attestationOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

// bundleType is the media type of a sigstore bundle.
const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

func (s *service) attestationRoutes() {
	add(s, open(huma.Operation{
		OperationID: "get-attestation", Method: http.MethodGet, Path: "/channels/{channel}/packages/{subdir}/{filename}/attestations/{ordinal}", Tags: []string{"packages"},
		Summary: "Get an attestation of a file: the sigstore bundle as it was kept",
		Responses: map[string]*huma.Response{"200": {Description: "The bundle.", Content: map[string]*huma.MediaType{
			bundleType: {Schema: &huma.Schema{Type: huma.TypeObject}},
		}}},
	}), s.getAttestation)
	s.addAttestationsRoute()
}

func (s *service) getAttestation(ctx context.Context, in *attestationInput) (*attestationOutput, error) {
	_, f, err := s.file(ctx, in.Channel, in.Subdir, in.Filename)
	if err != nil {
		return nil, err
	}
	b, err := s.Catalog.Store.Bundle(ctx, f.ID, in.Ordinal)
	return &attestationOutput{ContentType: bundleType, Body: b}, err
}
