// Package runner stands in for the machines that run CI jobs. It reads the workflow files that this project hands
// out, in the forms of GitHub, Forgejo and GitLab, and runs their jobs: each on a machine of its own, with the rights
// that the file gives it, its scripts by the real shell. Of the actions it knows the few that those files use, and
// stands in for them.
//
// It must not know the server that the jobs publish to.
package runner

import (
	"fmt"
	"os"

	"go.yaml.in/yaml/v4"
)

// Workflow is a workflow file of GitHub's form, which Forgejo shares.
type Workflow struct {
	Env         map[string]string
	Permissions map[string]string
	Defaults    struct{ Run struct{ Shell string } }
	Jobs        map[string]*Job
}

// Job is a job of a workflow.
type Job struct {
	Needs       list
	If          string
	Env         map[string]string
	Permissions map[string]string // nil: those of the workflow
	Environment string
	OpenID      bool `yaml:"enable-openid-connect"` // Forgejo's word for the permission id-token
	Outputs     map[string]string
	Strategy    struct{ Matrix struct{ Include string } }
	Steps       []Step
}

// Step is a step of a job, or of a composite action.
type Step struct {
	ID, If, Uses, Run, Shell string
	With, Env                map[string]string
}

// list is a list that may be written as a single string.
type list []string

// UnmarshalYAML reads either form.
func (l *list) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*l = list{n.Value}
		return nil
	}
	return n.Decode((*[]string)(l))
}

// Parse reads a workflow.
func Parse(text []byte) (*Workflow, error) {
	w := &Workflow{}
	if err := yaml.Unmarshal(text, w); err != nil {
		return nil, fmt.Errorf("read the workflow: %w", err)
	}
	return w, nil
}

// MayAsk reports whether the job may ask for identity tokens.
func (w *Workflow) MayAsk(j *Job) bool {
	of := w.Permissions
	if j.Permissions != nil {
		of = j.Permissions
	}
	return j.OpenID || of["id-token"] == "write"
}

// action is the file action.yml of a composite action.
type action struct {
	Inputs map[string]struct {
		Default  string
		Required bool
	}
	Outputs map[string]struct{ Value string }
	Runs    struct {
		Using string
		Steps []Step
	}
}

func readAction(file string) (action, error) {
	var a action
	text, err := os.ReadFile(file)
	if err == nil {
		err = yaml.Unmarshal(text, &a)
	}
	if err == nil && a.Runs.Using != "composite" {
		err = fmt.Errorf("%s: the runner knows composite actions alone, not %q", file, a.Runs.Using)
	}
	return a, err
}
