package web_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/servertest"
	"sluice/internal/token"
)

func actor(u account.User) audit.Actor {
	return audit.Actor{Kind: audit.User, Name: u.Name, Means: "session"}
}

func TestNewChannel(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		_, ann := person(t, s, "ann", false)
		nobody(s).get(t, "/").is(t, 200).says(t, "Nothing is published here yet").saysNot(t, "Make a channel")
		nobody(s).post(t, "/account/new-channel", "name", "x").is(t, 401)
		ann.get(t, "/").is(t, 200).says(t, "Make a channel")
		for name, why := range map[string]string{"linux-64": "clients would take it for a subdir", "api": "reserved", "Big": "lower-case", "": ""} {
			ann.post(t, "/account/new-channel", "name", name, "description", "kept", "visibility", "private").is(t, 422).says(t, why, "kept")
		}
		ann.post(t, "/account/new-channel", "name", "lab", "description", strings.Repeat("a", 501)).is(t, 422).says(t, "500")
		ann.post(t, "/account/new-channel", "name", "lab", "visibility", "secret").is(t, 422)
		ann.post(t, "/account/new-channel", "name", " lab ", "description", "Tides", "visibility", "private").goes(t, "/channels/lab")
		ann.get(t, "/channels/lab").is(t, 200).says(t, "private", "Tides", "Sign in once")
		_, eve := person(t, s, "eve", false)
		eve.post(t, "/account/new-channel", "name", "lab").is(t, 409)
		eve.get(t, "/channels/lab").is(t, 404)
		eve.post(t, "/account/new-channel", "name", "open").goes(t, "/channels/open")
		nobody(s).get(t, "/channels/open").is(t, 200).says(t, "public")
	})
}

func TestManyChannels(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Options{})
	u, ann := person(t, s, "ann", false)
	for i := range 101 {
		s.Channel(t, u, fmt.Sprintf("c%03d", i), channel.Public)
	}
	ann.get(t, "/").is(t, 200).says(t, "101 channels", "c099", "The 100 channels published to last.").saysNot(t, "c100")
	ann.get(t, "/?channel=C10").is(t, 200).says(t, "c100", "101 channels").saysNot(t, "c099", "published to last")
	ann.get(t, "/?channel=none").is(t, 200).says(t, "No channel matches")
}

func TestOwnTokens(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		u, ann := person(t, s, "ann", false)
		lab := s.Channel(t, u, "the-lab", channel.Private)
		_, eve := person(t, s, "eve", false)
		ann.get(t, "/account/tokens").is(t, 200).says(t, "You have no API token", "Add one to the-lab")
		eve.get(t, "/account/tokens").is(t, 200).saysNot(t, "the-lab")

		made := ann.post(t, "/account/tokens", "name", "laptop", "may", "read,upload", "channel", "the-lab", "days", "7").is(t, 200).says(t, "Token laptop is made", "read and publish", "the-lab", "new")
		if made.Get("Cache-Control") != "no-store" || made.Get("ETag") != "" {
			t.Errorf("the answer may be kept: %v", made.Header)
		}
		secret := regexp.MustCompile(token.Pattern).FindString(made.body)
		if n := strings.Count(made.body, secret); secret == "" || n != 1 {
			t.Fatalf("the token is there %d times", n)
		}
		for _, path := range []string{"/account/tokens", "/channels/the-lab/audit", "/account/tokens/1/revoke"} {
			ann.get(t, path).is(t, 200).says(t, "laptop").saysNot(t, secret)
		}
		if strings.Contains(s.Log.String(), secret) {
			t.Error("the token is in the log")
		}
		if status, _, body := s.Get(t, "/the-lab/noarch/repodata.json", secret); status != 200 {
			t.Errorf("the token does not read: %d %s", status, body)
		}
		upload(t, s, lab.Name.String(), secret, pkg("tide", "1.0"))

		for _, wrong := range [][]string{
			{"name", "", "may", "read", "days", "7"}, {"name", "x", "may", "everything", "days", "7"}, {"name", "x", "may", "read", "days", "366"},
			{"name", "x", "may", "read", "days", "-1"}, {"name", "x", "may", "read", "days", "7", "channel", "none"}, {"name", "a\u202eb", "may", "read", "days", "7"},
		} {
			ann.post(t, "/account/tokens", wrong...).is(t, 422)
		}
		private, absent := eve.post(t, "/account/tokens", "name", "x", "may", "read", "days", "7", "channel", "the-lab").is(t, 422),
			eve.post(t, "/account/tokens", "name", "x", "may", "read", "days", "7", "channel", "the-bal").is(t, 422)
		if a, b := bare(private), strings.ReplaceAll(bare(absent), "the-bal", "the-lab"); a != b {
			t.Errorf("a private channel answers\n%s\nand none answers\n%s", a, b)
		}

		eve.get(t, "/account/tokens/1/revoke").is(t, 404)
		eve.post(t, "/account/tokens/1/revoke").is(t, 404)
		ann.get(t, "/account/tokens/1/revoke").is(t, 200).says(t, "Revoke laptop?", "It was last used")
		ann.post(t, "/account/tokens/1/revoke").goes(t, "/account/tokens")
		ann.get(t, "/account/tokens").is(t, 200).says(t, "1, of which 0 can still be used", "revoked")
		ann.get(t, "/account/tokens/1/revoke").goes(t, "/account/tokens")
		if status, _, _ := s.Get(t, "/the-lab/noarch/repodata.json", secret); status != 401 {
			t.Errorf("a revoked token reads: %d", status)
		}
	})
}
