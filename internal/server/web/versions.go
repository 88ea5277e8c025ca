package web

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"sluice/internal/catalog"
	"sluice/internal/server/web/page"
)

// versions lists all versions of a package.
func (s *site) versions(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	p, err := s.openPackage(r)
	if err != nil {
		return err
	}
	from := p.find(q.Get("after")) + 1
	to := min(from+perPage, len(p.versions))
	path := page.VersionsPath(p.Name.String(), p.name)
	v := page.VersionsView{
		Channel: p.Name.String(), Name: p.name, Matrix: p.matrix(p.versions[from:to]),
		Paging: page.Paging{From: from + 1, To: to, Total: len(p.versions)},
	}
	v.Summary, _ = said(p.versions[p.latest].Files)
	if to < len(p.versions) {
		v.Paging.Next = path + "?after=" + url.QueryEscape(p.versions[to-1].Version)
	}
	if from > 0 {
		v.Paging.First = path
	}
	f := s.frame(r)
	return s.show(w, r, http.StatusOK, f, page.Versions(f, v))
}

// around are the newest versions, with the one at i as the last of them where it is older.
func (p pack) around(i int) []catalog.Version {
	if i < matrixRows {
		return p.versions[:min(matrixRows, len(p.versions))]
	}
	return append(slices.Clone(p.versions[:matrixRows-1]), p.versions[i])
}

// matrix sets versions against the subdirs that have any version of the package.
func (p pack) matrix(versions []catalog.Version) page.Matrix {
	m := page.Matrix{Subdirs: p.subdirs()}
	for _, v := range versions {
		row := page.MatrixRow{Version: v.Version, At: first(v), Yanked: v.Yanked(), Cells: make([]page.Cell, len(m.Subdirs))}
		for _, f := range v.Files {
			at, _ := slices.BinarySearch(m.Subdirs, f.Subdir.String())
			row.Cells[at] = p.with(row.Cells[at], f)
		}
		m.Rows = append(m.Rows, row)
	}
	return m
}

// with is a cell with one more file.
func (p pack) with(c page.Cell, f catalog.File) page.Cell {
	switch {
	case f.ByCI():
		c.ByCI++
		c.Attested += p.attested([]catalog.File{f})
	case f.Source != "":
		c.Imported++
	default:
		c.ByToken++
	}
	if f.Yanked() {
		c.Yanked++
	}
	return c
}

func (p pack) subdirs() []string {
	var list []string
	for _, v := range p.versions {
		for _, f := range v.Files {
			if at, ok := slices.BinarySearch(list, f.Subdir.String()); !ok {
				list = slices.Insert(list, at, f.Subdir.String())
			}
		}
	}
	return list
}

// first is when the first file of the version came.
func first(v catalog.Version) time.Time {
	oldest := slices.MinFunc(v.Files, func(a, b catalog.File) int { return a.UploadedAt.Compare(b.UploadedAt) })
	return oldest.UploadedAt
}
