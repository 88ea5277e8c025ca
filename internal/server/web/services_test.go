package web_test

import (
	"net/url"
	"slices"
	"testing"

	"sluice/internal/channel"
	"sluice/internal/config"
	"sluice/internal/servertest"
)

// TestFormOfEachService has the words of the chosen CI service in the form, and only what its tokens tell.
func TestFormOfEachService(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Options{Configure: func(c *config.Config) {
		c.Issuers = map[string]config.Issuer{
			"github": c.Issuers["github"], "gitlab": {URL: "https://gitlab.acme.dev"}, "forgejo": {URL: "https://code.acme.dev/api/actions"}, "circleci": {},
			"jenkins": {URL: "https://ci.acme.dev", Provider: "generic", Claims: map[string]string{"repository": "job", "repository_id": "sub", "run_id": "build"}},
		}
	}})
	ann, owner := person(t, s, "ann", false)
	ch := s.Channel(t, ann, "forge", channel.Public)
	const path = "/channels/forge/publishers"
	first := owner.get(t, path).is(t, 200).says(t, "GitHub", "GitLab", "Forgejo", "Workflow file", "Environment").saysNot(t, "Namespace")
	for _, want := range []string{path + "?provider=gitlab#add", path + "?provider=forgejo#add"} {
		if !slices.Contains(first.links(t), want) {
			t.Errorf("no link to %s among %q", want, first.links(t))
		}
	}
	owner.get(t, path+"?provider=forgejo").says(t, ".forgejo/workflows").saysNot(t, "Without one, everybody")
	owner.get(t, path+"/new?provider=forgejo").says(t, "refs/heads/main").saysNot(t, "Hosted runners only", "Protected refs only", "Reusable workflow", "strongly advised")
	owner.get(t, path+"?provider=circleci").says(t, "Project's id", "Organization's id").saysNot(t, "Workflow file")
	owner.get(t, path+"?provider=jenkins").says(t, "Exactly what the token's claim job says").saysNot(t, "Workflow file")
	owner.get(t, path+"?provider=nonsense").is(t, 200).says(t, "Workflow file")

	gitlab := owner.get(t, path+"?provider=gitlab").says(t, "Namespace", "Project", "CI configuration file").saysNot(t, "Workflow file")
	if got := value(t, gitlab, "issuer"); got != "https://gitlab.acme.dev" {
		t.Errorf("issuer = %q", got)
	}
	fill := func(pairs ...string) []string {
		return append([]string{"provider", "gitlab", "issuer", "https://gitlab.acme.dev", "namespace", "https://gitlab.acme.dev/acme/tools/forge", "environment", "release", "packages", "tide"}, pairs...)
	}
	owner.post(t, path, fill("issuer", "https://evil.example")...).is(t, 422).says(t, "https://evil.example")
	owner.post(t, path, fill("provider", "jenkins")...).is(t, 422).says(t, "jenkins")
	owner.post(t, path, fill("workflow_filepath", "a b.txt")...).is(t, 422).says(t, "namespace acme/tools, project forge").saysNot(t, "CI configuration file a b.txt")
	owner.post(t, path, fill()...).goes(t, path+"/1#publisher-1")
	rule, err := s.Publishers.Store.Publisher(t.Context(), ch.ID, 1)
	if err != nil || rule.Issuer != "https://gitlab.acme.dev" || rule.FullName() != "acme/tools/forge" || rule.Workflow != ".gitlab-ci.yml" {
		t.Fatalf("made %+v, %v", rule, err)
	}
	owner.get(t, path).says(t, "at https://gitlab.acme.dev", "id_tokens:", "_ID_TOKEN:", "asks for an identity token")
	owner.get(t, path+"/1/edit").is(t, 200).says(t, "Namespace", "acme/tools", "push, web, api, schedule").saysNot(t, "Reusable workflow")
	jenkins := []string{"provider", "jenkins", "issuer", "https://ci.acme.dev", "repository", "forge/build", "packages", "tide"}
	owner.post(t, path, append(jenkins, "repository", "")...).is(t, 422).says(t, "Needs plain characters")
	owner.post(t, path, jenkins...).goes(t, path+"/2#publisher-2")
	owner.get(t, path+"/2").says(t, "forge/build", "Ask your CI service for a token", "$server/api/oidc/mint_token").saysNot(t, "It builds every recipe")
	owner.get(t, path+"/2/edit").says(t, "forge/build").saysNot(t, "Events", "Refs", "Any repository of this owner")
	// A link fills the form in by the service's own names.
	owner.get(t, path+"?"+url.Values{"provider": {"forgejo"}, "repository_owner": {"acme"}, "repository": {"x"}, "workflow": {"y.yml"}, "packages": {"p"}}.Encode()).
		says(t, "Runs of y.yml in acme/x may publish p of forge")
}
