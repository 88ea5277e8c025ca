package clients

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// In is the same user with another working folder.
func (u *User) In(dir string) *User {
	v := *u
	v.dir = dir
	return &v
}

// Without is the same user with less in the environment, as after "unset NAME".
func (u *User) Without(names ...string) *User {
	v := *u
	v.env = maps.Clone(u.env)
	for _, name := range names {
		delete(v.env, name)
	}
	return &v
}

// Run runs any program as this user.
func (u *User) Run(t testing.TB, program string, args ...string) Ran {
	t.Helper()
	return u.run(t, nil, program, args)
}

// WithRattlerBuild is the same user with the command rattler-build on the PATH: command.py, which says how much
// of it there is.
func (u *User) WithRattlerBuild(t testing.TB) *User {
	t.Helper()
	bin := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nexec '%s' '%s' \"$@\"\n",
		filepath.Join(u.root, ".venv/bin/python"), filepath.Join(u.root, "test/clients/command.py"))
	if err := os.WriteFile(filepath.Join(bin, "rattler-build"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return u.With(map[string]string{"PATH": bin + string(os.PathListSeparator) + u.env["PATH"]})
}
