package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice/internal/conda"
	"sluice/internal/curate"
	"sluice/internal/fault"
	"sluice/internal/server/web/page"
)

// files lists the files of a channel for its keepers, whatever readers may see of them.
func (s *site) files(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	ch, err := s.enterAs(r, s.Access.MayCurate)
	if err != nil {
		return err
	}
	p, err := s.look(r.Context(), ch)
	if err != nil {
		return err
	}
	v := page.FilesView{Head: p.head, Filter: fileFilter(q), Subdirs: p.totals.Subdirs, MayDelete: p.owner}
	if v.Labels, err = s.labelNames(r, p); err != nil {
		return err
	}
	status := http.StatusOK
	if err := s.fillFiles(r, p, q, &v); err != nil {
		if v.Error = detail(err); v.Error == "" {
			return err
		}
		status = http.StatusUnprocessableEntity
	}
	f := s.frame(r)
	return s.show(w, r, status, f, page.Files(f, v))
}

// fillFiles reads one page of the list. A refusal says what of the filter cannot be.
func (s *site) fillFiles(r *http.Request, p place, q url.Values, v *page.FilesView) error {
	chosen, err := selection(v.Filter)
	if err != nil {
		return err
	}
	chosen.NewestFirst = true
	after, err := cursor(q)
	if err != nil {
		return err
	}
	found, next, err := s.Curator.List(r.Context(), p.Channel, chosen, after, perPage)
	if err != nil {
		return err
	}
	v.Files = s.kept(found)
	back := v.Filter.Query()
	if after != 0 {
		v.Paging.First = withQuery(page.FilesPath(p.head.Name), back)
	}
	if next != 0 {
		back.Set("cursor", strconv.FormatInt(next, 10))
		v.Paging.Next = withQuery(page.FilesPath(p.head.Name), back)
	}
	return nil
}

func (s *site) labelNames(r *http.Request, p place) ([]string, error) {
	list, err := s.Catalog.Store.Labels(r.Context(), p.ID)
	var names []string
	for _, l := range list {
		names = append(names, l.Name.String())
	}
	return names, err
}

func cursor(q url.Values) (int64, error) {
	raw := q.Get("cursor")
	if raw == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || n < 1 {
		return 0, fault.New(fault.BadRequest, "The place in the list is no number: begin with the first page.")
	}
	return n, nil
}

// fileFilter reads the fields that say which files are meant.
func fileFilter(q url.Values) page.FileFilter {
	get := func(name string) string { return strings.TrimSpace(q.Get(name)) }
	return page.FileFilter{
		Files: q["file"], Name: get("name"), Version: get("version"), Build: get("build"), Ref: get("ref"), Subdir: get("subdir"),
		Run: get("run"), Repository: get("repository"), Since: get("since"), Before: get("before"), In: get("in"), State: get("state"),
	}
}

// selection is what a filter means. Errors are fault.InvalidField.
func selection(f page.FileFilter) (curate.Selection, error) {
	s := curate.Selection{Name: f.Name, Version: f.Version, Build: f.Build, Run: f.Run, Repository: f.Repository, Ref: f.Ref}
	var err error
	if s.Subdir, err = maybe(f.Subdir, conda.ParseSubdir); err != nil {
		return s, err
	}
	if s.Label, err = maybe(f.In, conda.ParseLabel); err != nil {
		return s, err
	}
	if s.State, err = maybe(f.State, curate.ParseState); err != nil {
		return s, err
	}
	if s.After, err = maybe(f.Since, moment); err != nil {
		return s, err
	}
	if s.Before, err = maybe(f.Before, moment); err != nil {
		return s, err
	}
	for _, file := range f.Files {
		subdir, name, _ := strings.Cut(file, "/")
		var k curate.Key
		if k.Subdir, err = maybe(subdir, conda.ParseSubdir); err != nil {
			return s, err
		}
		if k.File, err = conda.ParseFilename(name); err != nil {
			return s, fault.Wrap(err, fault.InvalidField, "%v", err)
		}
		s.Files = append(s.Files, k)
	}
	return s, nil
}

// maybe parses a value that may be absent.
func maybe[T any](s string, parse func(string) (T, error)) (v T, err error) {
	if s == "" {
		return v, nil
	}
	if v, err = parse(s); err != nil {
		return v, fault.Wrap(err, fault.InvalidField, "%v", err)
	}
	return v, nil
}

// moment reads a day, or a time in UTC.
func moment(s string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fault.New(fault.InvalidField, "%q is no time: write 2026-08-20, or 2026-08-20T12:00:00Z", fault.OneLine(s, maxShown))
}

func (s *site) kept(files []curate.Artifact) []page.KeptFile {
	out := make([]page.KeptFile, len(files))
	for i, a := range files {
		k := page.KeptFile{
			Subdir: a.Subdir.String(), Name: a.File.String(), Package: a.File.Name(), Version: a.File.Version(), Size: a.Size, Origin: artifactOrigin(a),
			Run: a.Run.RunID, Repository: a.Run.Repository, At: a.UploadedAt, State: string(a.State), Reason: a.Reason, By: a.By, Since: a.At, Patched: !a.Patch.IsZero(),
			Shown: a.State == curate.Live || a.State == curate.Yanked && len(a.Labels) > 0,
		}
		for _, l := range a.Labels {
			k.Labels = append(k.Labels, l.String())
		}
		if a.State == curate.Deleted {
			k.Until = a.At.Add(s.DeleteUndo)
		}
		out[i] = k
	}
	return out
}

// artifactOrigin is how an artifact came, for keepers, who are members.
func artifactOrigin(a curate.Artifact) page.Origin {
	return sourced(origin(a.Run, a.Uploader, true), a.Source)
}
