package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/account"
	"sluice/internal/channel"
	"sluice/internal/cli"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
)

// Scripts tell by the exit code whether something is to be done, and whether a token would be taken. One that was
// tried can be exchanged afterwards.
func TestPublisherAnswersByExitCode(t *testing.T) {
	s := servertest.New(t, servertest.Options{})
	ann := s.User(t, "ann", false)
	ch := s.Channel(t, ann, "forge", channel.Public)
	s.Publisher(t, ch, trust.PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml"})
	t.Setenv("SLUICE_SERVER", s.URL)
	t.Setenv("SLUICE_TOKEN", s.Token(t, ann, nil, account.Read, account.Manage))
	file := filepath.Join(t.TempDir(), "publishers.toml")
	run := func(want int, in string, args ...string) string {
		t.Helper()
		var out, said servertest.Log
		if code := cli.Run(t.Context(), append([]string{"publisher"}, args...), cli.Streams{In: strings.NewReader(in), Out: &out, Err: &said}); code != want {
			t.Errorf("%q ends with %d, want %d: %s%s", args, code, want, out.String(), said.String())
		}
		return out.String()
	}
	run(0, "", "export", "forge", "-o", file)
	run(0, "", "apply", file, "--dry-run")
	run(3, "channel = 'forge'", "apply", "-", "--dry-run")
	run(3, "channel = 'forge'", "apply", "-", "--dry-run", "--json")
	run(1, "channel = 'forge'", "apply", "-") // nobody agrees to the removal
	run(1, "channle = 'forge'", "apply", "-", "--dry-run")
	run(2, "", "apply", file, "--dryrun")

	job := s.Job(standin.Run{})
	token, err := job.IdentityToken(t.Context(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if out := run(0, token+"\n", "explain", "--channel", "forge"); !strings.HasPrefix(out, "It would be exchanged for a publish token that is good in channel forge.\n") {
			t.Errorf("tried: %s", out)
		}
	}
	foreign, err := job.IdentityToken(t.Context(), "pypi.org")
	if err != nil {
		t.Fatal(err)
	}
	if out := run(3, foreign, "explain", "--channel", "forge"); !strings.Contains(out, "no  Audience does not match [wrong_audience]") || !strings.Contains(out, "ok  workflow") {
		t.Errorf("tried a token for another service: %s", out)
	}
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	run(0, "", "explain", "--channel", "forge", file)
	if _, err := job.Mint(t.Context(), s.URL, token); err != nil {
		t.Errorf("a token that was tried cannot be exchanged: %v", err)
	}
	if log := s.Log.String(); strings.Contains(log, token[len(token)-40:]) {
		t.Error("the token is in the log")
	}
}
