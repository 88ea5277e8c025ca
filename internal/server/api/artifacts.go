package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sluice/internal/catalog"
	"sluice/internal/conda"
	"sluice/internal/curate"
	"sluice/internal/fault"
)

// artifactJSON is one artifact as the keepers of its channel see it, whatever readers may see of it.
type artifactJSON struct {
	Subdir          string          `json:"subdir" example:"noarch" doc:"The folder it is served in."`
	Filename        string          `json:"filename" example:"libtide-1.2.0-0.conda" doc:"Its file name."`
	Size            int64           `json:"size" minimum:"0" example:"12345" doc:"Bytes."`
	UploadedAt      time.Time       `json:"uploaded_at" example:"2026-08-20T12:00:00Z" doc:"When it was published."`
	UploadedBy      string          `json:"uploaded_by" example:"acme/forge" doc:"The repository of the run, or the account."`
	ImportedFrom    string          `json:"imported_from,omitempty" format:"uri" example:"https://conda.example.com/old" doc:"Where an operator imported it from; absent for what was uploaded here."`
	Provenance      *provenanceJSON `json:"provenance,omitempty" doc:"The run that published it; absent when none did."`
	State           string          `json:"state" enum:"live,yanked,held,deleted,purged" example:"live" doc:"What readers have of it: live, all; yanked, lock files alone; held (in no label) and deleted, nothing; purged, its bytes are gone and its name stays taken."`
	Labels          []string        `json:"labels" nullable:"false" example:"main" doc:"Those that list it."`
	Reason          string          `json:"reason,omitempty" example:"links against a broken libtide" doc:"Why it is yanked or deleted."`
	By              string          `json:"by,omitempty" example:"ann" doc:"Who did that."`
	At              time.Time       `json:"at,omitzero" example:"2026-08-20T12:00:00Z" doc:"When; for a purged one, when its bytes went."`
	RestorableUntil time.Time       `json:"restorable_until,omitzero" example:"2026-08-27T12:00:00Z" doc:"Until when a deleted one can surely be restored."`
	Patch           *patchJSON      `json:"patch,omitempty" doc:"The correction that lies over its record; absent when there is none."`
}

// artifactsQuery is a selection in the query of an address.
type artifactsQuery struct {
	Channel    string    `path:"channel" example:"forge" doc:"Name of the channel."`
	Name       string    `query:"name" maxLength:"256" example:"libtide*" doc:"Package name, or a pattern of names with '*'."`
	Version    string    `query:"version" maxLength:"256" example:"1.2.*" doc:"Version, or a pattern of versions."`
	Build      string    `query:"build" maxLength:"256" example:"py310*" doc:"Build string, or a pattern of build strings."`
	Subdir     string    `query:"subdir" maxLength:"64" example:"linux-64" doc:"The folder."`
	Run        string    `query:"run" maxLength:"256" example:"9876543210" doc:"Id of the run that published them."`
	Repository string    `query:"repository" maxLength:"256" example:"acme/forge" doc:"Where that ran."`
	Ref        string    `query:"ref" maxLength:"256" example:"refs/heads/main" doc:"Full git ref that it ran for, or a pattern of refs."`
	After      time.Time `query:"after" example:"2026-08-20T12:00:00Z" doc:"Published then or later."`
	Before     time.Time `query:"before" example:"2026-08-21T12:00:00Z" doc:"Published earlier than then."`
	Label      string    `query:"label" maxLength:"128" example:"rc" doc:"A label that lists them."`
	State      string    `query:"state" enum:"live,yanked,held,deleted,purged" example:"held" doc:"What readers have of them; absent: any but purged."`
	Cursor     int64     `query:"cursor" minimum:"1" doc:"The next_cursor of the page before."`
	Limit      int       `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many files at most."`
}

type artifactsOutput struct {
	Body struct {
		Artifacts  []artifactJSON `json:"artifacts" nullable:"false" doc:"In the order in which they came here."`
		NextCursor int64          `json:"next_cursor,omitzero" doc:"Asks for later ones; absent on the last page."`
	} `nameHint:"ArtifactList"`
}

// labelJSON is a label of a channel.
type labelJSON struct {
	Name      string    `json:"name" example:"rc" doc:"Its name."`
	URL       string    `json:"url" format:"uri" example:"https://conda.example.org/forge/label/rc" doc:"The address that conda clients take."`
	Files     int       `json:"files" minimum:"0" example:"12" doc:"How many files solvers see there."`
	Yanked    int       `json:"yanked" minimum:"0" example:"1" doc:"How many are yanked: lock files still get them."`
	ChangedAt time.Time `json:"changed_at" example:"2026-08-20T12:00:00Z" doc:"When that last changed."`
}

type labelsOutput struct {
	Body struct {
		Labels []labelJSON `json:"labels" nullable:"false" doc:"Those that list, or have listed, anything: main first, then by name."`
	} `nameHint:"LabelList"`
}

func (s *service) artifactRoutes() {
	tags := []string{"artifacts"}
	add(s, huma.Operation{
		OperationID: "list-artifacts", Method: http.MethodGet, Path: "/channels/{channel}/artifacts", Tags: tags,
		Summary:     "List the files of a channel, also those that readers do not see",
		Description: "For owners and maintainers of the channel. What is given narrows the list.",
	}, s.listArtifacts)
	add(s, open(huma.Operation{
		OperationID: "list-labels", Method: http.MethodGet, Path: "/channels/{channel}/labels", Tags: tags,
		Summary: "List the labels of a channel",
	}), s.listLabels)
	s.changeRoutes(tags)
}

func (s *service) listArtifacts(ctx context.Context, in *artifactsQuery) (*artifactsOutput, error) {
	chosen, err := selectJSON{
		Name: in.Name, Version: in.Version, Build: in.Build, Subdir: in.Subdir, Run: in.Run, Repository: in.Repository, Ref: in.Ref,
		After: in.After, Before: in.Before, Label: in.Label, State: in.State,
	}.selection()
	if err != nil {
		return nil, err
	}
	ch, err := s.where(ctx, in.Channel, s.Access.MayCurate)
	if err != nil {
		return nil, err
	}
	found, next, err := s.Curator.List(ctx, ch, chosen, in.Cursor, in.Limit)
	out := &artifactsOutput{}
	out.Body.Artifacts, out.Body.NextCursor = each(found, s.artifactOf), next
	return out, err
}

func (s *service) listLabels(ctx context.Context, in *channelInput) (*labelsOutput, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayRead)
	if err != nil {
		return nil, err
	}
	list, err := s.Catalog.Store.Labels(ctx, ch.ID)
	if err != nil {
		return nil, err
	}
	out := &labelsOutput{}
	out.Body.Labels = each(list, func(l catalog.Label) labelJSON {
		return labelJSON{Name: l.Name.String(), URL: s.labelURL(ch.Name, l.Name), Files: l.Files, Yanked: l.Yanked, ChangedAt: l.ChangedAt}
	})
	return out, nil
}

// labelURL is the address of a label for clients; main has the channel's own.
func (s *service) labelURL(ch conda.Channel, l conda.Label) string {
	if l == conda.MainLabel() {
		return s.URL + "/" + ch.String()
	}
	return s.URL + "/" + ch.String() + "/label/" + l.String() // what a label is made of needs no escape
}

func (s *service) artifactOf(a curate.Artifact) artifactJSON {
	out := artifactJSON{
		Subdir: a.Subdir.String(), Filename: a.File.String(), Size: a.Size, UploadedAt: a.UploadedAt, UploadedBy: a.Uploader, ImportedFrom: a.Source,
		Provenance: provenanceOf(a.Run), State: string(a.State), Labels: each(a.Labels, conda.Label.String), Reason: a.Reason, By: a.By, At: a.At,
	}
	if !a.Patch.IsZero() {
		out.Patch = &patchJSON{}
		out.Patch.raw, _ = a.Patch.MarshalJSON() // never an error
	}
	if a.State == curate.Deleted {
		out.RestorableUntil = a.At.Add(s.DeleteUndo)
	}
	return out
}

// selectJSON says which files are meant: those that meet every condition that is given.
type selectJSON struct {
	Files      []string  `json:"files,omitempty" maxItems:"10000" example:"noarch/libtide-1.2.0-0.conda" doc:"Exactly these, each SUBDIR/FILENAME. One that is not there is refused."`
	Name       string    `json:"name,omitempty" maxLength:"256" example:"libtide*" doc:"Package name, or a pattern of names with '*'."`
	Version    string    `json:"version,omitempty" maxLength:"256" example:"1.2.*" doc:"Version, or a pattern of versions."`
	Build      string    `json:"build,omitempty" maxLength:"256" example:"py310*" doc:"Build string, or a pattern of build strings."`
	Subdir     string    `json:"subdir,omitempty" maxLength:"64" example:"linux-64" doc:"The folder."`
	Run        string    `json:"run,omitempty" maxLength:"256" example:"9876543210" doc:"Id of the run that published them."`
	Repository string    `json:"repository,omitempty" maxLength:"256" example:"acme/forge" doc:"Where that ran."`
	Ref        string    `json:"ref,omitempty" maxLength:"256" example:"refs/heads/main" doc:"Full git ref that it ran for, or a pattern of refs."`
	After      time.Time `json:"after,omitzero" example:"2026-08-20T12:00:00Z" doc:"Published then or later."`
	Before     time.Time `json:"before,omitzero" example:"2026-08-21T12:00:00Z" doc:"Published earlier than then."`
	Label      string    `json:"label,omitempty" maxLength:"128" example:"rc" doc:"A label that lists them."`
	State      string    `json:"state,omitempty" enum:"live,yanked,held,deleted,purged" example:"held" doc:"What readers have of them. Absent: what the change can be about."`
}

func (j selectJSON) selection() (curate.Selection, error) {
	s := curate.Selection{
		Name: j.Name, Version: j.Version, Build: j.Build, Run: j.Run, Repository: j.Repository, Ref: j.Ref,
		After: j.After, Before: j.Before, State: curate.State(j.State),
	}
	var err error
	if s.Subdir, err = given(j.Subdir, conda.ParseSubdir); err != nil {
		return s, err
	}
	if s.Label, err = given(j.Label, conda.ParseLabel); err != nil {
		return s, err
	}
	files, err := artifacts(j.Files)
	if err != nil {
		return s, err
	}
	for _, f := range files {
		subdir, name, _ := strings.Cut(f, "/")
		d, _ := conda.ParseSubdir(subdir) // artifacts has checked both
		n, _ := conda.ParseFilename(name)
		s.Files = append(s.Files, curate.Key{Subdir: d, File: n})
	}
	return s, nil
}

// given parses a value that may be absent.
func given[T any](s string, parse func(string) (T, error)) (v T, err error) {
	if s == "" {
		return v, nil
	}
	if v, err = parse(s); err != nil {
		return v, fault.Wrap(err, fault.InvalidField, "%v", err)
	}
	return v, nil
}
