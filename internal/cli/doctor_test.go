package cli_test

import (
	"strings"
	"testing"
	"time"

	"sluice/internal/cli"
	"sluice/internal/servertest"
)

// A server that is as it should be ends with 0; a script needs no more.
func TestDoctorFindsNothing(t *testing.T) {
	s := servertest.New(t, servertest.Options{})
	for _, name := range []string{"GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI"} {
		t.Setenv(name, "") // the tests may run in a job themselves
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if _, _, body := s.Get(t, "/readyz", ""); strings.Contains(body, `"keys":1`) {
			break
		} else if time.Now().After(end) {
			t.Fatal("the server has no keys")
		}
	}
	var out, said servertest.Log
	code := cli.Run(t.Context(), []string{"doctor", "--url", s.URL}, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &said})
	if code != 0 || said.String() != "" || !strings.Contains(out.String(), "\n10 ok, 0 to look at, 0 failed.\n") {
		t.Errorf("exit code %d: %s\n%s", code, said.String(), out.String())
	}
}
