package importing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"sluice/internal/conda"
	"sluice/internal/conda/repodata"
)

// runExports reads what a place of the source says that its packages export, by the keys of their names. Builders that read
// the source went by that, and not by what is in the packages: where the two differ, it was corrected there. Most packages
// export nothing or what many others do, so that each takes some 30 bytes, while its place is listed. A file that cannot be
// read is refused alone, and says nothing.
func (j *job) runExports(ctx context.Context, o *opened) (map[key]*conda.RunExports, error) {
	text, err := j.Source.RunExports(ctx, o.Place)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var told map[key]*conda.RunExports
	if err == nil {
		defer func() { _ = text.Close() }() // it was only read
		told, err = readExports(ctx, text)
	}
	_, unreachable := errors.AsType[*TransientError](err)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case unreachable:
		return nil, fmt.Errorf("fetch %s of %s: %w", runExportsFile, o.Subdir, err)
	case err != nil:
		j.tally.refuse(entry{place: o.Place, key: runExportsFile}, fmt.Errorf("it cannot be used, so that corrections in it are not taken along: %w", err))
		return nil, nil
	}
	return told, nil
}

func readExports(ctx context.Context, text *Text) (map[key]*conda.RunExports, error) {
	r, err := text.open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // it was only read
	told, same := map[key]*conda.RunExports{}, map[string]*conda.RunExports{}
	for e, err := range repodata.SourceExports(r) {
		if _, bad := errors.AsType[*repodata.EntryError](err); bad {
			continue // of that file it says nothing
		} else if err := errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
		value, err := json.Marshal(e.RunExports)
		if err != nil {
			return nil, err
		}
		if same[string(value)] == nil {
			same[string(value)] = new(e.RunExports)
		}
		told[keyOf(e.File.String())] = same[string(value)]
	}
	return told, nil
}
