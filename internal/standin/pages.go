package standin

import (
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

//go:embed pages.html
var pagesFS embed.FS

// sheet is what a page tells of a job.
type sheet struct {
	Page                string // "run", "commit", "file" or "project"
	Project, Run        string
	Kind, File          string // what says what the job does, such as "Workflow", and its path
	Ref, SHA, By        string
	Environment, Runner string // may be empty
	job                 *job
}

// Service is what people call the service.
func (sh *sheet) Service() string {
	return map[Kind]string{GitHub: "GitHub", GitLab: "GitLab", Forgejo: "Forgejo"}[sh.job.service.kind]
}

// Started is when the job began.
func (sh *sheet) Started() string { return sh.job.started.UTC().Format("2 Jan 2006, 15:04:05 UTC") }

// Lines are the log.
func (sh *sheet) Lines() []string { return sh.job.log() }

// page registers a page below the site about the job that find finds; nil: there is none.
func (s *Service) page(below string, find func(*http.Request) *sheet) {
	t := template.Must(template.ParseFS(pagesFS, "pages.html"))
	s.handle("GET", s.site+below, func(w http.ResponseWriter, r *http.Request) {
		found := find(r)
		if found == nil {
			http.Error(w, "No job that was started here has such a page.", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
		_ = t.ExecuteTemplate(w, "page", found) // the client has gone when this fails
	})
}

// githubPages registers the addresses that a run's links lead to on GitHub.
func githubPages(s *Service) {
	page := func(below, name string, is func(*Job, *http.Request) bool) {
		s.page("/{owner}/{repo}"+below, func(r *http.Request) *sheet {
			return newest(s, func(j *Job) bool {
				return j.Owner == r.PathValue("owner") && j.Repository == r.PathValue("repo") && is(j, r)
			}).sheet(name)
		})
	}
	run := func(j *Job, r *http.Request) bool {
		attempt := r.PathValue("n")
		return strconv.Itoa(j.RunID) == r.PathValue("id") && (attempt == "" || strconv.Itoa(j.Attempt) == attempt)
	}
	page("/actions/runs/{id}", "run", run)
	page("/actions/runs/{id}/attempts/{n}", "run", run)
	page("/commit/{sha}", "commit", func(j *Job, r *http.Request) bool { return j.SHA == r.PathValue("sha") })
	page("/blob/{sha}/.github/workflows/{file}", "file", func(j *Job, r *http.Request) bool { return j.Workflow == r.PathValue("file") })
	page("", "project", func(*Job, *http.Request) bool { return true })
}

func (j *Job) sheet(page string) *sheet {
	if j == nil {
		return nil
	}
	return &sheet{Page: page, Project: j.FullName(), Run: fmt.Sprintf("Run %d, attempt %d", j.RunNumber, j.Attempt), Kind: "Workflow",
		File: ".github/workflows/" + j.Workflow, Ref: j.Ref, SHA: j.SHA, By: j.Event, Environment: j.Environment, Runner: j.Runner, job: &j.job}
}

// forgejoPages registers the addresses that a run's links lead to on Forgejo.
func forgejoPages(s *Service) {
	page := func(below, name string, is func(*ForgejoJob, *http.Request) bool) {
		s.page("/{owner}/{repo}"+below, func(r *http.Request) *sheet {
			return newest(s, func(j *ForgejoJob) bool {
				return j.Owner == r.PathValue("owner") && j.Repository == r.PathValue("repo") && is(j, r)
			}).sheet(name)
		})
	}
	page("/actions/runs/{number}", "run", func(j *ForgejoJob, r *http.Request) bool { return strconv.Itoa(j.RunNumber) == r.PathValue("number") })
	page("/commit/{sha}", "commit", func(j *ForgejoJob, r *http.Request) bool { return j.SHA == r.PathValue("sha") })
	page("/src/commit/{sha}/{file...}", "file", func(j *ForgejoJob, r *http.Request) bool {
		return j.SHA == r.PathValue("sha") && j.Folder+"/"+j.Workflow == r.PathValue("file")
	})
	page("", "project", func(*ForgejoJob, *http.Request) bool { return true })
}

func (j *ForgejoJob) sheet(page string) *sheet {
	if j == nil {
		return nil
	}
	return &sheet{Page: page, Project: j.FullName(), Run: fmt.Sprintf("Run %d, attempt %d", j.RunNumber, j.Attempt), Kind: "Workflow",
		File: j.Folder + "/" + j.Workflow, Ref: j.Ref, SHA: j.SHA, By: j.Event, job: &j.job}
}

// gitlabPages registers the addresses that a job's links lead to on GitLab. A project may be in groups of any
// depth: "/-/" ends its path.
func gitlabPages(s *Service) {
	s.page("/{path...}", func(r *http.Request) *sheet {
		project, below, _ := strings.Cut(r.PathValue("path"), "/-/")
		what, rest, _ := strings.Cut(below, "/")
		is, ok := map[string]struct {
			page string
			of   func(*GitLabJob) bool
		}{
			"":       {"project", func(*GitLabJob) bool { return true }},
			"jobs":   {"run", func(j *GitLabJob) bool { return strconv.Itoa(j.JobID) == rest }},
			"commit": {"commit", func(j *GitLabJob) bool { return j.SHA == rest }},
			"blob":   {"file", func(j *GitLabJob) bool { return j.SHA+"/"+j.Config == rest }},
		}[what]
		if !ok {
			return nil
		}
		return newest(s, func(j *GitLabJob) bool { return j.Path() == project && is.of(j) }).sheet(is.page)
	})
}

func (j *GitLabJob) sheet(page string) *sheet {
	if j == nil {
		return nil
	}
	return &sheet{Page: page, Project: j.Path(), Run: fmt.Sprintf("Job %d of pipeline %d", j.JobID, j.PipelineID), Kind: "Definition",
		File: j.Config, Ref: j.RefPath(), SHA: j.SHA, By: j.Source, Environment: j.Environment, Runner: j.Runner, job: &j.job}
}
