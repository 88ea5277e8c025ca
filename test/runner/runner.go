package runner

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"sluice/internal/standin"
)

// Forge is a repository on a CI service that runs its workflows.
type Forge struct {
	// Repository is the folder that checkouts copy.
	Repository string
	// CI is the token service of the runners.
	CI *standin.Service
	// Run is the run that the jobs belong to. Its environment is that of the job.
	Run standin.Run
	// Secrets are those of the repository, by name.
	Secrets map[string]string
	// Replace are texts to replace in scripts, in pairs: what a runner has and a test has not.
	Replace []string
}

// Outcome is what became of a job, or of one place in its matrix.
type Outcome struct {
	// Result is "success", "failure" or "skipped".
	Result string
	// Log is what its steps printed.
	Log     string
	outputs map[string]string
}

// Outcomes are those of a workflow, by the job's id; jobs of a matrix by "id (recipe, platform)".
type Outcomes map[string]Outcome

// Start runs a workflow to its end.
func (f Forge) Start(t testing.TB, w *Workflow) Outcomes {
	t.Helper()
	f.Run = f.CI.Start(f.Run).Run // all jobs are of one run
	r := &run{Forge: f, Workflow: w, artifacts: t.TempDir(), done: map[string]Outcome{}, all: Outcomes{}}
	for len(r.done) < len(w.Jobs) {
		before := len(r.done)
		for _, id := range slices.Sorted(maps.Keys(w.Jobs)) {
			if _, ended := r.done[id]; !ended && r.ready(w.Jobs[id]) {
				r.done[id] = r.job(t, id)
			}
		}
		if len(r.done) == before {
			t.Fatalf("jobs wait for one another, or for one that is not there: %v", slices.Sorted(maps.Keys(w.Jobs)))
		}
	}
	return r.all
}

// run is a run of a workflow.
type run struct {
	Forge
	*Workflow
	artifacts string // a folder for each that was handed over
	done      map[string]Outcome
	all       Outcomes
}

func (r *run) ready(j *Job) bool {
	return !slices.ContainsFunc(j.Needs, func(id string) bool { _, ended := r.done[id]; return !ended })
}

// job runs a job at each place of its matrix.
func (r *run) job(t testing.TB, id string) Outcome {
	t.Helper()
	j, vars := r.Jobs[id], r.scope(id)
	if should, err := vars.holds(j.If); err != nil {
		t.Fatal(err)
	} else if !should {
		r.all[id] = Outcome{Result: "skipped"}
		return r.all[id]
	}
	if j.Strategy.Matrix.Include == "" {
		r.all[id] = r.machine(t, j, vars)
		return r.all[id]
	}
	whole := Outcome{Result: "success"}
	for _, place := range places(t, j, vars) {
		vars["matrix"] = place
		one := r.machine(t, j, vars)
		r.all[fmt.Sprintf("%s (%v, %v)", id, place["recipe"], place["platform"])] = one
		if one.Result != "success" {
			whole.Result = one.Result
		}
	}
	return whole
}

// places are those of the job's matrix; a real runner refuses an empty one too.
func places(t testing.TB, j *Job, vars scope) []map[string]any {
	t.Helper()
	text, err := vars.fill(j.Strategy.Matrix.Include)
	var list []map[string]any
	if err == nil {
		err = json.Unmarshal([]byte(text), &list)
	}
	if err != nil || len(list) == 0 {
		t.Fatalf("the matrix is %q: %v", text, err)
	}
	return list
}

// scope is what the job's expressions can name.
func (r *run) scope(id string) scope {
	needs, failed := map[string]any{}, false
	for _, n := range r.Jobs[id].Needs {
		needs[n] = map[string]any{"result": r.done[n].Result, "outputs": r.done[n].outputs}
		failed = failed || r.done[n].Result != "success"
	}
	return scope{
		"needs": needs, "failed": failed, "secrets": lower(r.Secrets),
		"github": map[string]any{"ref": r.Run.Ref, "event_name": r.Run.Event},
	}
}

// lower is the same with names as expressions are compared.
func lower(values map[string]string) map[string]string {
	out := map[string]string{}
	for name, value := range values {
		out[strings.ToLower(name)] = value
	}
	return out
}
