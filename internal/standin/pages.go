package standin

import (
	"embed"
	"html/template"
	"net/http"
	"strconv"
)

//go:embed pages.html
var pagesFS embed.FS

// pages registers the addresses that a run's links lead to on the real site.
func (s *Service) pages() {
	t := template.Must(template.ParseFS(pagesFS, "pages.html"))
	run := func(w http.ResponseWriter, r *http.Request) { s.show(t, w, "run", s.runOf(r)) }
	s.mux.HandleFunc("GET /{owner}/{repo}/actions/runs/{id}", run)
	s.mux.HandleFunc("GET /{owner}/{repo}/actions/runs/{id}/attempts/{n}", run)
	s.mux.HandleFunc("GET /{owner}/{repo}/commit/{sha}", func(w http.ResponseWriter, r *http.Request) {
		s.show(t, w, "commit", s.repositoryJob(r, func(j *Job) bool { return j.SHA == r.PathValue("sha") }))
	})
	s.mux.HandleFunc("GET /{owner}/{repo}/blob/{sha}/.github/workflows/{file}", func(w http.ResponseWriter, r *http.Request) {
		s.show(t, w, "workflow", s.repositoryJob(r, func(j *Job) bool { return j.Workflow == r.PathValue("file") }))
	})
	s.mux.HandleFunc("GET /{owner}/{repo}", func(w http.ResponseWriter, r *http.Request) {
		s.show(t, w, "repository", s.repositoryJob(r, func(*Job) bool { return true }))
	})
}

// runOf finds the run that a path names, and its attempt when it names one.
func (s *Service) runOf(r *http.Request) *Job {
	return s.repositoryJob(r, func(j *Job) bool {
		attempt := r.PathValue("n")
		return strconv.Itoa(j.RunID) == r.PathValue("id") && (attempt == "" || strconv.Itoa(j.Attempt) == attempt)
	})
}

// repositoryJob finds the newest job of the path's repository for which is holds.
func (s *Service) repositoryJob(r *http.Request, is func(*Job) bool) *Job {
	return s.job(func(j *Job) bool {
		return j.Owner == r.PathValue("owner") && j.Repository == r.PathValue("repo") && is(j)
	})
}

// show writes a page about a job, or 404 when there is none.
func (s *Service) show(t *template.Template, w http.ResponseWriter, name string, j *Job) {
	if j == nil {
		http.Error(w, "No job that was started here has such a page.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
	data := struct {
		*Job
		Page    string
		Started string
		Lines   []string
	}{j, name, j.started.UTC().Format("2 Jan 2006, 15:04:05 UTC"), j.log()}
	_ = t.ExecuteTemplate(w, "page", data) // the client has gone when this fails
}
