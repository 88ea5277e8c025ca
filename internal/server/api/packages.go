package api

import (
	"context"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"sluice/internal/catalog"
	"sluice/internal/conda"
	"sluice/internal/fault"
)

// packageJSON is one package name of a channel.
type packageJSON struct {
	Name       string          `json:"name" example:"libtide" doc:"The package's name."`
	Latest     string          `json:"latest" example:"1.2.0" doc:"The version to show: the highest release, or the highest prerelease when there is nothing else."`
	Summary    string          `json:"summary,omitempty" example:"Tides of the North Sea" doc:"What the package says of itself."`
	Subdirs    []string        `json:"subdirs" nullable:"false" example:"linux-64, noarch" doc:"Where it has files."`
	Artifacts  int             `json:"artifacts" minimum:"1" example:"12" doc:"How many files it has."`
	ByCI       int             `json:"by_ci" minimum:"0" example:"12" doc:"How many of them came by a trusted publisher."`
	UpdatedAt  time.Time       `json:"updated_at" example:"2026-08-20T12:00:00Z" doc:"When the last file came."`
	Provenance *provenanceJSON `json:"provenance,omitempty" doc:"The run that published the latest version; absent when it came with an API token."`
}

type packagesInput struct {
	Channel string `path:"channel" example:"forge" doc:"Name of the channel."`
	Text    string `query:"q" maxLength:"100" example:"tide" doc:"Only names and summaries that hold this text."`
	Subdir  string `query:"subdir" maxLength:"64" example:"linux-64" doc:"Only packages with files in this subdir."`
	By      string `query:"by" enum:"ci,token,import" doc:"Only packages whose every file came by a trusted publisher (ci), or with any file that came with an API token (token) or was imported (import)."`
	Cursor  string `query:"cursor" maxLength:"128" doc:"The next_cursor of the page before."`
	Limit   int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many at most."`
}

type packagesOutput struct {
	Body struct {
		Packages   []packageJSON `json:"packages" nullable:"false" doc:"By name."`
		NextCursor string        `json:"next_cursor,omitempty" doc:"Asks for the next page; absent on the last one."`
	} `nameHint:"PackageList"`
}

func (s *service) packageRoutes() {
	s.attestationRoutes()
	tags := []string{"packages"}
	add(s, open(huma.Operation{
		OperationID: "list-packages", Method: http.MethodGet, Path: "/channels/{channel}/packages", Tags: tags,
		Summary: "List and search the packages of a channel",
	}), s.listPackages)
	add(s, open(huma.Operation{
		OperationID: "list-files", Method: http.MethodGet, Path: "/channels/{channel}/names/{name}", Tags: tags,
		Summary: "List the files of a package",
	}), s.listFiles)
	add(s, open(huma.Operation{
		OperationID: "get-file", Method: http.MethodGet, Path: "/channels/{channel}/packages/{subdir}/{filename}", Tags: tags,
		Summary: "Show a file: its record, and who published it",
	}), s.getFile)
	add(s, open(huma.Operation{
		OperationID: "find-existing", Method: http.MethodPost, Path: "/channels/{channel}/exists", Tags: tags,
		Summary: "Tell which of many files a channel has", Description: "For builders: ask once which artifacts need not be built.",
	}), s.findExisting)
}

func (s *service) listPackages(ctx context.Context, in *packagesInput) (*packagesOutput, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	ch, err := s.where(ctx, in.Channel, s.Access.MayRead)
	if err != nil {
		return nil, err
	}
	found, err := s.Catalog.Store.Packages(ctx, catalog.Query{
		Channels: []int64{ch.ID}, Text: strings.TrimSpace(in.Text), Subdir: in.Subdir, By: in.By,
		After: in.Cursor, AfterChannel: ch.Name.String(), Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	out := &packagesOutput{}
	if len(found) > in.Limit {
		found = found[:in.Limit]
		out.Body.NextCursor = found[in.Limit-1].Name
	}
	out.Body.Packages = each(found, packageOf)
	return out, nil
}

// check refuses what the database could not compare with anything.
func (in *packagesInput) check() error {
	if !utf8.ValidString(in.Text) || strings.ContainsFunc(in.Text, unicode.IsControl) {
		return fault.New(fault.InvalidField, "q holds a control character, or is not UTF-8.")
	}
	if _, err := conda.ParseSubdir(in.Subdir); in.Subdir != "" && err != nil {
		return fault.Wrap(err, fault.InvalidField, "%v", err)
	}
	if in.Cursor != "" && conda.CheckName(in.Cursor) != nil {
		return fault.New(fault.InvalidField, "cursor is not one that this API gave: begin without it.")
	}
	return nil
}

func packageOf(p catalog.Package) packageJSON {
	return packageJSON{
		Name: p.Name, Latest: p.Latest, Summary: p.Summary, Subdirs: append([]string{}, p.Subdirs...),
		Artifacts: p.Artifacts, ByCI: p.ByCI, UpdatedAt: p.UpdatedAt, Provenance: provenanceOf(p.Run),
	}
}
