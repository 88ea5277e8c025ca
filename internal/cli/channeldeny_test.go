package cli_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"sluice/internal/account"
	"sluice/internal/channel"
	"sluice/internal/servertest"
)

// Owners who deny and take back at one moment lose nothing of one another.
func TestDenyAtOnce(t *testing.T) {
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		ann := s.User(t, "ann", false)
		s.Channel(t, ann, "forge", channel.Public)
		t.Setenv("SLUICE_SERVER", s.URL)
		t.Setenv("SLUICE_TOKEN", s.Token(t, ann, nil, account.Read, account.Manage))
		const owners = 12
		const forge = "https://github.com/acme/forge/actions/runs/"
		atOnce := func(args func(i int) []string) {
			t.Helper()
			var wait sync.WaitGroup
			for i := range owners {
				wait.Go(func() {
					if code, printed := run(t, append([]string{"channel", "deny", "forge"}, args(i)...)...); code != 0 {
						t.Errorf("%d: %d %s", i, code, printed)
					}
				})
			}
			wait.Wait()
		}
		denied := func() string {
			t.Helper()
			_, printed := run(t, "channel", "show", "forge")
			return printed
		}
		atOnce(func(i int) []string { return []string{"--run", fmt.Sprint(forge, i), "--why", "taken over"} })
		printed := denied()
		for i := range owners {
			if !strings.Contains(printed, fmt.Sprint(forge, i, ": taken over\n")) {
				t.Errorf("the denial of run %d is lost", i)
			}
		}
		// Half of them take theirs back, and the other half deny another.
		atOnce(func(i int) []string {
			if i%2 == 0 {
				return []string{"--run", fmt.Sprint(forge, i), "--undo"}
			}
			return []string{"--run", fmt.Sprint(forge, 100+i), "--why", "taken over"}
		})
		printed = denied()
		for i := range owners {
			if is := strings.Contains(printed, fmt.Sprint(forge, i, ": taken over\n")); is != (i%2 == 1) {
				t.Errorf("run %d is denied: %v", i, is)
			}
			if is := strings.Contains(printed, fmt.Sprint(forge, 100+i, ": taken over\n")); is != (i%2 == 1) {
				t.Errorf("run %d is denied: %v", 100+i, is)
			}
		}
	})
}
