package api

import (
	"context"
	"strings"

	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
)

// artifactsJSON asks about many artifacts at once.
type artifactsJSON struct {
	Artifacts []string `json:"artifacts" nullable:"false" maxItems:"10000" maxLength:"400" example:"noarch/libtide-1.2.0-0.conda, linux-64/tide-1.2.0-h1_0.conda" doc:"SUBDIR/FILENAME of each."`
}

// existingJSON answers.
type existingJSON struct {
	Existing []string `json:"existing" nullable:"false" example:"noarch/libtide-1.2.0-0.conda" doc:"Those that the channel has, in the order in which they were asked for, each once."`
}

type existsInput struct {
	Channel string `path:"channel" example:"forge" doc:"Name of the channel."`
	Body    artifactsJSON
}

type existsOutput struct{ Body existingJSON }

func (s *service) findExisting(ctx context.Context, in *existsInput) (*existsOutput, error) {
	asked, err := artifacts(in.Body.Artifacts)
	if err != nil {
		return nil, err
	}
	ch, err := s.where(ctx, in.Channel, s.Access.MayRead)
	if err != nil {
		return nil, err
	}
	// Who may upload is told of every name that is taken; readers of what they can read.
	_, refused := s.Access.MayUpload(ctx, caller.From(ctx), ch)
	found, err := s.Catalog.Store.Existing(ctx, ch.ID, asked, refused == nil)
	if err != nil {
		return nil, err
	}
	has := make(map[string]bool, len(found))
	for _, f := range found {
		has[f] = true
	}
	out := &existsOutput{Body: existingJSON{Existing: []string{}}}
	for _, a := range asked {
		if has[a] {
			out.Body.Existing = append(out.Body.Existing, a)
		}
	}
	return out, nil
}

// artifacts checks SUBDIR/FILENAME paths and drops repeats. One that no channel could ever have is refused:
// a builder who gets "not there" for it would build what cannot be uploaded.
func artifacts(in []string) ([]string, error) {
	out := make([]string, 0, len(in))
	seen := make(map[string]bool, len(in))
	for i, a := range in {
		subdir, filename, _ := strings.Cut(a, "/")
		_, err := conda.ParseSubdir(subdir)
		if err == nil {
			_, err = conda.ParseFilename(filename)
		}
		if err != nil {
			return nil, fault.Wrap(err, fault.InvalidField, "artifacts[%d] %q: %v. Each is SUBDIR/FILENAME.", i, a, err)
		}
		if !seen[a] {
			seen[a] = true
			out = append(out, a)
		}
	}
	return out, nil
}
