package api

import "sluice/internal/trust"

// runJSON names a CI run. All values are what its identity token said; they are decimal digits kept as text.
type runJSON struct {
	Number  string `json:"number" example:"1234" doc:"The run's number as people see it."`
	ID      string `json:"id" example:"9876543210" doc:"The number that its page is found by."`
	Attempt string `json:"attempt" example:"1" doc:"Counts re-runs of the same run, from 1."`
	URL     string `json:"url,omitempty" format:"uri" example:"https://github.com/acme/forge/actions/runs/9876543210/attempts/1" doc:"The run's page and log."`
}

// provenanceJSON is what the identity token said of the run that published.
type provenanceJSON struct {
	Sentence       string  `json:"sentence" example:"Published by build.yml of acme/forge, run 1234 attempt 1, commit abc1234 on main" doc:"The whole, for people."`
	Provider       string  `json:"provider" example:"github" doc:"The kind of CI service."`
	Issuer         string  `json:"issuer" format:"uri" example:"https://token.actions.githubusercontent.com" doc:"Who signed the identity token."`
	Repository     string  `json:"repository" example:"acme/forge" doc:"Owner and name of the repository."`
	RepositoryURL  string  `json:"repository_url,omitempty" format:"uri" example:"https://github.com/acme/forge" doc:"Its page."`
	RepositoryID   string  `json:"repository_id" example:"41881900" doc:"Its unchangeable number."`
	OwnerID        string  `json:"repository_owner_id" example:"583231" doc:"The unchangeable number of its owner."`
	Workflow       string  `json:"workflow,omitempty" example:"build.yml" doc:"File name of the workflow that was started."`
	WorkflowURL    string  `json:"workflow_url,omitempty" format:"uri" example:"https://github.com/acme/forge/blob/abc1234/.github/workflows/build.yml" doc:"That file at the commit that ran."`
	WorkflowRef    string  `json:"workflow_ref,omitempty" example:"acme/forge/.github/workflows/build.yml@refs/heads/main" doc:"The whole name of the workflow."`
	WorkflowSHA    string  `json:"workflow_sha,omitempty" doc:"Its commit."`
	JobWorkflowRef string  `json:"job_workflow_ref,omitempty" doc:"The file that holds the job; differs when a reusable workflow was called."`
	JobWorkflowSHA string  `json:"job_workflow_sha,omitempty" doc:"Its commit."`
	SHA            string  `json:"sha,omitempty" example:"abc1234abc1234abc1234abc1234abc1234abc12" doc:"The commit that was built."`
	CommitURL      string  `json:"commit_url,omitempty" format:"uri" doc:"Its page."`
	Ref            string  `json:"ref,omitempty" example:"refs/heads/main" doc:"The full git ref."`
	RefProtected   string  `json:"ref_protected,omitempty" example:"true" doc:"Whether rules protect the ref, as far as the service says so."`
	Event          string  `json:"event,omitempty" example:"push" doc:"What started the run."`
	Environment    string  `json:"environment,omitempty" example:"release" doc:"The deployment environment that the job named."`
	Runner         string  `json:"runner,omitempty" example:"github-hosted" doc:"Where it ran."`
	Run            runJSON `json:"run" doc:"The run."`
}

// provenanceOf is nil where no run is known.
func provenanceOf(p trust.Provenance) *provenanceJSON {
	run := runOf(p)
	if run == nil {
		return nil
	}
	return &provenanceJSON{
		Sentence: p.Sentence(), Provider: p.Provider, Issuer: p.Issuer,
		Repository: p.Repository, RepositoryURL: p.RepositoryURL(), RepositoryID: p.RepositoryID, OwnerID: p.OwnerID,
		Workflow: p.Workflow, WorkflowURL: p.WorkflowURL(), WorkflowRef: p.WorkflowRef, WorkflowSHA: p.WorkflowSHA,
		JobWorkflowRef: p.JobWorkflowRef, JobWorkflowSHA: p.JobWorkflowSHA,
		SHA: p.SHA, CommitURL: p.CommitURL(), Ref: p.Ref, RefProtected: p.RefProtected,
		Event: p.Event, Environment: p.Environment, Runner: p.Runner, Run: *run,
	}
}

// runOf is nil where no run is known.
func runOf(p trust.Provenance) *runJSON {
	if p.IsZero() {
		return nil
	}
	return &runJSON{Number: p.RunNumber, ID: p.RunID, Attempt: p.RunAttempt, URL: p.RunURL()}
}
