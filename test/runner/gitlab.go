package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"sluice/internal/standin"
	"sluice/test/clients"
)

// Pipeline is a file .gitlab-ci.yml: its variables, and its jobs by name.
type Pipeline struct {
	Variables map[string]string
	Jobs      map[string]PipelineJob
}

// PipelineJob is a job of a pipeline.
type PipelineJob struct {
	Script    []string
	Variables map[string]string
	Rules     []struct{ If string }
	IDTokens  map[string]struct{ Aud string } `yaml:"id_tokens"`
	Artifacts struct{ Paths []string }
	Needs     []struct {
		Job       string
		Artifacts bool
	}
	Environment struct{ Name string }
}

// ParsePipeline reads a file .gitlab-ci.yml.
func ParsePipeline(text []byte) (*Pipeline, error) {
	var all map[string]yaml.Node
	if err := yaml.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("read the pipeline: %w", err)
	}
	p := &Pipeline{Jobs: map[string]PipelineJob{}}
	for name, n := range all {
		var err error
		switch name {
		case "variables":
			err = n.Decode(&p.Variables)
		case "workflow", "stages", "default":
		default:
			var j PipelineJob
			if err = n.Decode(&j); err == nil && len(j.Script) > 0 {
				p.Jobs[name] = j
			}
		}
		if err != nil {
			return nil, fmt.Errorf("read %s of the pipeline: %w", name, err)
		}
	}
	return p, nil
}

// StartPipeline runs the script of a job after those of the jobs that it needs, each on a machine of its own, and
// returns what each printed and whether it succeeded. What is written before the script, which installs
// rattler-build, is left out; whether the rules let the job run is not looked at. Tokens come from f.CI, and have the
// claims of the service that it stands in for.
func (f Forge) StartPipeline(t testing.TB, p *Pipeline, name string) Outcomes {
	t.Helper()
	all, work := Outcomes{}, t.TempDir()
	j := p.Jobs[name]
	for _, n := range j.Needs {
		before := t.TempDir()
		if err := os.CopyFS(before, os.DirFS(f.Repository)); err != nil {
			t.Fatal(err)
		}
		all[n.Job] = f.pipelineJob(t, p, n.Job, before)
		for _, pattern := range p.Jobs[n.Job].Artifacts.Paths {
			files, err := filepath.Glob(filepath.Join(before, pattern))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				copyFile(t, file, filepath.Join(work, strings.TrimPrefix(file, before)))
			}
		}
	}
	all[name] = f.pipelineJob(t, p, name, work)
	return all
}

func (f Forge) pipelineJob(t testing.TB, p *Pipeline, name, work string) Outcome {
	t.Helper()
	j := p.Jobs[name]
	described := f.Run
	described.Environment = j.Environment.Name
	env := map[string]string{"CI": "true", "GITLAB_CI": "true"}
	for variable, token := range j.IDTokens {
		var err error
		if env[variable], err = f.token(described, token.Aud); err != nil {
			t.Fatal(err)
		}
	}
	user := clients.NewUser(t).WithRattlerBuild(t).With(p.Variables).With(j.Variables).With(env).In(work)
	ran := user.Run(t, "bash", "-eo", "pipefail", "-c", strings.Join(j.Script, "\n"))
	out := Outcome{Result: "success", Log: ran.Stdout + ran.Stderr}
	if ran.Status != 0 {
		out.Result = "failure"
	}
	return out
}

// token is made when the job starts, as GitLab makes it.
func (f Forge) token(r standin.Run, audience string) (string, error) {
	return f.CI.Start(r).Token(audience)
}
