package runner

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/test/clients"
)

// machine is a fresh machine that runs the job.
func (r *run) machine(t testing.TB, j *Job, vars scope) Outcome {
	t.Helper()
	described := r.Run
	described.Environment = j.Environment
	env := map[string]string{}
	for _, line := range r.CI.Start(described).Env() {
		name, value, _ := strings.Cut(line, "=")
		if r.MayAsk(j) || !strings.HasPrefix(name, "ACTIONS_ID_TOKEN_") {
			env[name] = value
		}
	}
	user := clients.NewUser(t).Without("RATTLER_AUTH_FILE", "NETRC") // nobody signed in on a fresh machine
	m := &machine{run: r, user: user.With(env).With(r.Env).With(j.Env), work: t.TempDir(), temp: t.TempDir()}
	vars = maps.Clone(vars)
	vars["steps"], vars["failed"] = map[string]any{}, false
	m.do(t, j.Steps, vars)
	out := Outcome{Result: "success", Log: m.log.String(), outputs: map[string]string{}}
	if vars["failed"] == true {
		out.Result = "failure"
	}
	for name, expression := range j.Outputs {
		value, err := vars.fill(expression)
		if err != nil {
			t.Fatal(err)
		}
		out.outputs[name] = value
	}
	return out
}

// machine is where one job runs.
type machine struct {
	*run
	user *clients.User
	work string // the workspace
	temp string // RUNNER_TEMP
	log  strings.Builder
}

// do runs steps, one after the other; after a failure only those that ask for it.
func (m *machine) do(t testing.TB, steps []Step, vars scope) {
	t.Helper()
	for i, s := range steps {
		if should, err := vars.holds(s.If); err != nil {
			t.Fatal(err)
		} else if !should {
			continue
		}
		filled, err := s.filled(vars)
		if err != nil {
			t.Fatalf("step %d: %v", i+1, err)
		}
		outputs, ok := m.step(t, filled)
		if s.ID != "" {
			vars["steps"].(map[string]any)[s.ID] = map[string]any{"outputs": outputs}
		}
		if !ok {
			vars["failed"] = true
		}
	}
}

// filled is the step with every expression replaced.
func (s Step) filled(vars scope) (Step, error) {
	var err error
	fill := func(in string) string {
		out, failed := vars.fill(in)
		if failed != nil {
			err = failed
		}
		return out
	}
	out := s
	out.Run, out.With, out.Env = fill(s.Run), map[string]string{}, map[string]string{}
	for name, value := range s.With {
		out.With[name] = fill(value)
	}
	for name, value := range s.Env {
		out.Env[name] = fill(value)
	}
	return out, err
}

func (m *machine) step(t testing.TB, s Step) (outputs map[string]string, ok bool) {
	t.Helper()
	if s.Uses != "" {
		return m.action(t, s)
	}
	return m.script(t, s)
}

// script runs a step's script as the runners do, and takes in what it leaves for later steps.
func (m *machine) script(t testing.TB, s Step) (outputs map[string]string, ok bool) {
	t.Helper()
	file := filepath.Join(m.temp, "script.sh")
	if err := os.WriteFile(file, []byte(strings.NewReplacer(m.Replace...).Replace(s.Run)), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-e", file}
	if s.Shell == "bash" || m.Defaults.Run.Shell == "bash" {
		args = []string{"--noprofile", "--norc", "-eo", "pipefail", file}
	}
	left := map[string]string{"RUNNER_TEMP": m.temp}
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH"} {
		left[name] = filepath.Join(t.TempDir(), name)
	}
	ran := m.user.With(left).With(s.Env).In(m.work).Run(t, "bash", args...)
	m.log.WriteString(ran.Stdout + ran.Stderr)
	m.user = m.user.With(assignments(t, left["GITHUB_ENV"]))
	return assignments(t, left["GITHUB_OUTPUT"]), ran.Status == 0
}

// assignments reads the lines NAME=VALUE of a file that a step may have left.
func assignments(t testing.TB, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, found := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !found {
			t.Fatalf("%s: %q is no assignment", filepath.Base(file), line)
		}
		values[name] = value
	}
	return values
}
