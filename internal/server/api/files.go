package api

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"sluice/internal/catalog"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
)

// fileJSON is one artifact.
type fileJSON struct {
	Subdir       string            `json:"subdir" example:"noarch" doc:"The folder it is served in."`
	Filename     string            `json:"filename" example:"libtide-1.2.0-0.conda" doc:"Its file name."`
	URL          string            `json:"url" format:"uri" example:"https://conda.example.org/forge/noarch/libtide-1.2.0-0.conda" doc:"Where it is downloaded."`
	Name         string            `json:"name" example:"libtide" doc:"The package's name."`
	Version      string            `json:"version" example:"1.2.0" doc:"Its version."`
	Build        string            `json:"build" example:"0" doc:"Its build string."`
	BuildNumber  uint64            `json:"build_number" example:"0" doc:"Of two builds of a version, the higher one is newer."`
	Depends      []string          `json:"depends" nullable:"false" example:"python >=3.10" doc:"What it needs, as match specifications."`
	License      string            `json:"license,omitempty" example:"BSD-3-Clause" doc:"What the package says its license is."`
	Size         int64             `json:"size" minimum:"1" example:"12345" doc:"Bytes."`
	SHA256       string            `json:"sha256" minLength:"64" maxLength:"64" doc:"SHA-256 of its bytes, in hexadecimal."`
	MD5          string            `json:"md5" minLength:"32" maxLength:"32" doc:"MD5 of its bytes, for old clients; it protects against nothing."`
	BuiltAt      time.Time         `json:"built_at,omitzero" example:"2026-08-20T11:58:00Z" doc:"The builder's own clock; absent when the package names no time."`
	UploadedAt   time.Time         `json:"uploaded_at" example:"2026-08-20T12:00:00Z" doc:"When it was published here."`
	UploadedBy   uploaderJSON      `json:"uploaded_by" doc:"Who published it."`
	Provenance   *provenanceJSON   `json:"provenance,omitempty" doc:"The run that published it; absent when it came with an API token: then no CI run stands behind it."`
	Attestations []attestationJSON `json:"attestations,omitempty" doc:"Signed statements of who published it, each checked when it came; absent when it has none."`
	Labels       []string          `json:"labels" nullable:"false" example:"main" doc:"Those that list it; clients find main at the channel's own address."`
	Yanked       *yankedJSON       `json:"yanked,omitempty" doc:"Present when it was yanked: solvers do not see it, lock files that name it keep working."`
	ImportedFrom string            `json:"imported_from,omitempty" format:"uri" example:"https://conda.example.com/old" doc:"Where an operator imported it from; absent for what was uploaded here."`
	Patched      bool              `json:"patched,omitempty" doc:"The index corrects what the package says of itself; depends and index are the package's own."`
	About        *aboutJSON        `json:"about,omitempty" doc:"What its maker says, in the answer for one file. Not checked."`
	Index        json.RawMessage   `json:"index,omitempty" doc:"info/index.json as the package has it, in the answer for one file."`
}

// yankedJSON says when and why a file was yanked.
type yankedJSON struct {
	At     time.Time `json:"at" example:"2026-08-21T09:30:00Z" doc:"When."`
	Reason string    `json:"reason" example:"links against a broken libtide" doc:"Why, in the words of who did it."`
}

// uploaderJSON is who published a file.
type uploaderJSON struct {
	Kind      string `json:"kind" enum:"ci,token,import" example:"ci" doc:"A CI run by a trusted publisher, an account with an API token, or an operator's import."`
	Name      string `json:"name" example:"acme/forge" doc:"The repository of the run, or the account; who is no member of the channel reads \"a member of CHANNEL\" instead of a person's name."`
	Publisher int64  `json:"trusted_publisher,omitempty" example:"3" doc:"Number of the trusted publisher that let the run in; absent when it has been removed."`
}

// aboutJSON is what a package says of itself.
type aboutJSON struct {
	Home        string `json:"home,omitempty" doc:"Home page."`
	DocURL      string `json:"doc_url,omitempty" doc:"Documentation."`
	DevURL      string `json:"dev_url,omitempty" doc:"Source repository."`
	SourceURL   string `json:"source_url,omitempty" doc:"Source archive."`
	License     string `json:"license,omitempty" doc:"License."`
	Summary     string `json:"summary,omitempty" doc:"One line."`
	Description string `json:"description,omitempty" doc:"More; may hold Markdown."`
}

type fileInput struct {
	Channel  string `path:"channel" example:"forge" doc:"Name of the channel."`
	Subdir   string `path:"subdir" example:"noarch" doc:"The folder of the file."`
	Filename string `path:"filename" example:"libtide-1.2.0-0.conda" doc:"The file name."`
}

type fileOutput struct{ Body fileJSON }

type filesInput struct {
	Channel string `path:"channel" example:"forge" doc:"Name of the channel."`
	Name    string `path:"name" example:"libtide" doc:"Name of the package."`
	Cursor  int64  `query:"cursor" minimum:"1" doc:"The next_cursor of the page before."`
	Limit   int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many files at most."`
}

type filesOutput struct {
	Body struct {
		Name       string     `json:"name" example:"libtide" doc:"The package's name."`
		Latest     string     `json:"latest" example:"1.2.0" doc:"The version to show."`
		Files      []fileJSON `json:"files" nullable:"false" doc:"Newest first."`
		NextCursor int64      `json:"next_cursor,omitzero" doc:"Asks for older files; absent on the last page."`
	} `nameHint:"FileList"`
}

func (s *service) getFile(ctx context.Context, in *fileInput) (*fileOutput, error) {
	ch, f, err := s.file(ctx, in.Channel, in.Subdir, in.Filename)
	if err != nil {
		return nil, err
	}
	inside, err := s.Access.Insider(ctx, caller.From(ctx), ch)
	body := s.fileOf(ch, f, inside)
	body.About, body.Index = aboutOf(f.About), f.RawIndex
	return &fileOutput{Body: body}, err
}

// file reads a file of a channel that the caller may read.
func (s *service) file(ctx context.Context, name, in, filename string) (channel.Channel, catalog.File, error) {
	subdir, file, err := namesOf(in, filename)
	if err != nil {
		return channel.Channel{}, catalog.File{}, err
	}
	ch, err := s.where(ctx, name, s.Access.MayRead)
	if err != nil {
		return channel.Channel{}, catalog.File{}, err
	}
	f, err := s.Catalog.Store.File(ctx, ch.ID, subdir, file)
	return ch, f, err
}

// namesOf reads the path of a file below its channel.
func namesOf(in, filename string) (conda.Subdir, conda.Filename, error) {
	subdir, errSubdir := conda.ParseSubdir(in)
	file, errFile := conda.ParseFilename(filename)
	if errors.Join(errSubdir, errFile) != nil {
		return conda.Subdir{}, conda.Filename{}, noFile(in, filename)
	}
	return subdir, file, nil
}

// noFile is the answer for a path that no file can have, in the words of one that is not there.
func noFile(subdir, filename string) error {
	return fault.New(fault.NotFound, "There is no %s/%s in this channel.", fault.OneLine(subdir, maxShown), fault.OneLine(filename, maxShown))
}

func (s *service) listFiles(ctx context.Context, in *filesInput) (*filesOutput, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayRead)
	if err != nil {
		return nil, err
	}
	files, err := s.filesOf(ctx, ch, in.Name)
	if err != nil {
		return nil, err
	}
	inside, err := s.Access.Insider(ctx, caller.From(ctx), ch)
	if err != nil {
		return nil, err
	}
	out := &filesOutput{}
	versions := catalog.Versions(files)
	out.Body.Name, out.Body.Latest = in.Name, versions[catalog.Latest(versions)].Version
	page := after(files, in.Cursor)
	if len(page) > in.Limit {
		page = page[:in.Limit]
		out.Body.NextCursor = page[in.Limit-1].ID
	}
	out.Body.Files = each(page, func(f catalog.File) fileJSON { return s.fileOf(ch, f, inside) })
	return out, nil
}

// filesOf reads the files of a package, newest first; fault.NotFound when it has none.
func (s *service) filesOf(ctx context.Context, ch channel.Channel, name string) ([]catalog.File, error) {
	if conda.CheckName(name) == nil {
		files, err := s.Catalog.Store.Files(ctx, ch.ID, name)
		if err != nil || len(files) > 0 {
			return files, err
		}
	}
	return nil, fault.New(fault.NotFound, "There is no package %s in this channel.", fault.OneLine(name, maxShown))
}

// after is what of files, newest first, is older than the cursor; all of it for 0.
func after(files []catalog.File, cursor int64) []catalog.File {
	for i, f := range files {
		if cursor == 0 || f.ID < cursor {
			return files[i:]
		}
	}
	return nil
}

func (s *service) fileOf(ch channel.Channel, f catalog.File, inside bool) fileJSON {
	n := f.Filename
	out := fileJSON{
		Subdir: f.Subdir.String(), Filename: n.String(), URL: s.labelURL(f.Channel, f.Label()) + "/" + f.Subdir.String() + "/" + url.PathEscape(n.String()),
		Name: n.Name(), Version: n.Version(), Build: n.Build(), BuildNumber: f.BuildNumber,
		Depends: append([]string{}, f.Depends...), License: f.License,
		Size: f.Size, SHA256: hex.EncodeToString(f.SHA256[:]), MD5: hex.EncodeToString(f.MD5[:]),
		BuiltAt: f.BuiltAt, UploadedAt: f.UploadedAt, UploadedBy: uploaderOf(f, inside), Provenance: provenanceOf(f.Run),
		Attestations: s.attestationsOf(ch, f), Labels: each(f.Labels, conda.Label.String), ImportedFrom: f.Source, Patched: f.Patched,
	}
	if f.Yanked() {
		out.Yanked = &yankedJSON{At: f.YankedAt, Reason: f.YankedWhy}
	}
	return out
}

// uploaderOf names who published, but a person only to members of the channel.
func uploaderOf(f catalog.File, inside bool) uploaderJSON {
	switch {
	case f.ByCI():
		return uploaderJSON{Kind: "ci", Name: f.Uploader, Publisher: f.PublisherID}
	case f.Source != "":
		return uploaderJSON{Kind: "import", Name: f.Uploader}
	case inside:
		return uploaderJSON{Kind: "token", Name: f.Uploader}
	default:
		return uploaderJSON{Kind: "token", Name: "a member of " + f.Channel.String()}
	}
}

func aboutOf(a artifact.About) *aboutJSON {
	return &aboutJSON{
		Home: a.Home, DocURL: a.DocURL, DevURL: a.DevURL, SourceURL: a.SourceURL,
		License: a.License, Summary: a.Summary, Description: a.Description,
	}
}
