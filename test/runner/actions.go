package runner

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// action stands in for an action. One of the repository itself is run for real.
func (m *machine) action(t testing.TB, s Step) (outputs map[string]string, ok bool) {
	t.Helper()
	if own, found := strings.CutPrefix(s.Uses, "./"); found {
		return m.composite(t, filepath.Join(m.work, own), s.With)
	}
	name, _, _ := strings.Cut(s.Uses, "@")
	switch path.Base(name) {
	case "checkout":
		if err := os.CopyFS(m.work, os.DirFS(m.Repository)); err != nil {
			t.Fatal(err)
		}
	case "rattler-build-action":
		if s.With["setup-only"] != "true" || s.With["rattler-build-version"] == "" {
			t.Errorf("%s builds by itself, or with any version: %v", name, s.With)
		}
		m.user = m.user.WithRattlerBuild(t)
	case "upload-artifact":
		m.upload(t, s.With)
	case "download-artifact":
		m.download(t, s.With)
	default:
		t.Fatalf("the runner does not know the action %s", s.Uses)
	}
	return nil, true
}

// upload hands files over to later jobs. Where there are none there is no artifact.
func (m *machine) upload(t testing.TB, with map[string]string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(m.work, with["path"]))
	if err != nil || len(files) == 0 && with["if-no-files-found"] != "ignore" {
		t.Fatalf("artifact %s: there is no %s: %v", with["name"], with["path"], err)
	}
	root, _, _ := strings.Cut(with["path"], "*")
	for _, file := range files {
		within, err := filepath.Rel(filepath.Join(m.work, root), file)
		if err != nil {
			t.Fatal(err)
		}
		copyFile(t, file, filepath.Join(m.artifacts, with["name"], within))
	}
}

// download takes over what earlier jobs left: each artifact into a folder of its name, or a single one into the
// place itself.
func (m *machine) download(t testing.TB, with map[string]string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(m.artifacts, with["pattern"]))
	if err != nil || with["pattern"] == "" {
		t.Fatalf("the runner downloads by pattern, not %v: %v", with, err)
	}
	for _, artifact := range found {
		to := filepath.Join(m.work, with["path"])
		if len(found) > 1 {
			to = filepath.Join(to, filepath.Base(artifact))
		}
		if err := os.CopyFS(to, os.DirFS(artifact)); err != nil {
			t.Fatal(err)
		}
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o700)
	}
	if err == nil {
		err = os.WriteFile(to, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// composite runs the steps of a composite action, which see its inputs and nothing of the job's.
func (m *machine) composite(t testing.TB, folder string, with map[string]string) (outputs map[string]string, ok bool) {
	t.Helper()
	a, err := readAction(filepath.Join(folder, "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	inputs := map[string]string{}
	for name, in := range a.Inputs {
		value, given := with[name]
		if !given {
			value = in.Default
		}
		if in.Required && value == "" {
			t.Errorf("the input %s is required", name)
		}
		inputs[name] = value
	}
	for name := range with {
		if _, known := a.Inputs[name]; !known {
			t.Errorf("there is no input %s", name)
		}
	}
	vars := scope{"inputs": inputs, "steps": map[string]any{}, "failed": false}
	for i, step := range a.Runs.Steps {
		env := map[string]string{"GITHUB_ACTION_PATH": folder}
		maps.Copy(env, step.Env)
		a.Runs.Steps[i].Env = env
	}
	m.do(t, a.Runs.Steps, vars)
	outputs = map[string]string{}
	for name, out := range a.Outputs {
		if outputs[name], err = vars.fill(out.Value); err != nil {
			t.Fatal(err)
		}
	}
	return outputs, vars["failed"] != true
}
