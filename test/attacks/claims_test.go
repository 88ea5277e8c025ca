package attacks

import (
	"fmt"
	"strings"
	"testing"

	"sluice/internal/trust"
)

// claim is a run that satisfies a publisher but for one thing, or just so.
type claim struct {
	row  int
	name string
	// rule changes the publisher, claims the run.
	rule   func(*trust.PublisherSpec)
	claims func(map[string]any)
	want   want
}

// spec changes a publisher.
func spec(f func(*trust.Conditions)) func(*trust.PublisherSpec) {
	return func(s *trust.PublisherSpec) { f(&s.Conditions) }
}

func TestClaims(t *testing.T) {
	t.Parallel()
	const main = "@refs/heads/main"
	// file is a run of another workflow file, or of the same by another name. REPO stands for acme/forge-N.
	file := func(ref string) func(map[string]any) { return set("workflow_ref", ref, "job_workflow_ref", ref) }
	on := func(ref string) func(map[string]any) {
		return func(c map[string]any) {
			file("REPO/.github/workflows/build.yml@" + ref)(c)
			c["ref"] = ref
		}
	}
	job := func(ref string) func(map[string]any) { return set("job_workflow_ref", ref) }
	environment := func(name string) func(*trust.PublisherSpec) {
		return spec(func(c *trust.Conditions) { c.Environment = name })
	}
	refs := func(globs ...string) func(*trust.PublisherSpec) {
		return spec(func(c *trust.Conditions) { c.Refs = globs })
	}
	reusable := func(name string) func(*trust.PublisherSpec) {
		return spec(func(c *trust.Conditions) { c.Reusable = name })
	}
	protected := spec(func(c *trust.Conditions) { c.ProtectedRef = true })
	hosted := spec(func(c *trust.Conditions) { c.HostedRunner = true })
	events := func(names ...string) func(*trust.PublisherSpec) {
		return spec(func(c *trust.Conditions) { c.Events = names })
	}
	pinned := func(owner, repository string) func(*trust.PublisherSpec) {
		return func(s *trust.PublisherSpec) { s.OwnerID, s.RepositoryID = owner, repository }
	}
	const shared = "acme/shared/.github/workflows/publish.yml"
	both(t, func(t *testing.T, w *world) {
		for _, tt := range []claim{
			{42, "another repository", nil, set("repository", "acme/other", "repository_id", "5"), refused("no_publisher", "token is of acme/other (repository id 5")},
			{42, "the repository in other letters", nil, func(c map[string]any) {
				c["repository"] = strings.ToUpper(c["repository"].(string))
				c["repository_owner"] = "ACME"
			}, passes},
			{43, "another file", nil, file("REPO/.github/workflows/release.yml" + main), refused("workflow_mismatch", "token has release.yml, the publisher of channel tools wants build.yml. Change the publisher at "+w.URL+"/channels/tools/publishers/")},
			{44, "the file in other letters", nil, file("REPO/.github/workflows/Build.yml" + main), refused("workflow_mismatch", "They differ only in upper and lower case")},
			{44, "the other extension", nil, file("REPO/.github/workflows/build.yaml" + main), refused("workflow_mismatch", "They differ only in the extension")},
			{45, "a file that ends like it", nil, file("REPO/.github/workflows/build.yml@evil.yml" + main), refused("workflow_mismatch", "token has build.yml@evil.yml")},
			{45, "a branch that ends like it", nil, func(c map[string]any) {
				file("REPO/.github/workflows/evil.yml@refs/heads/build.yml")(c)
				c["ref"] = "refs/heads/build.yml"
			}, refused("workflow_mismatch", "token has evil.yml")},
			{45, "a workflow without a file", nil, file("dynamic/pages/pages-build-deployment"), refused("workflow_mismatch", "dynamic/pages")},
			{45, "another ref than the run's", nil, file("REPO/.github/workflows/build.yml@refs/heads/old"), refused("workflow_mismatch", "@refs/heads/old")},
			{45, "the right file on a strange branch", nil, on("refs/heads/evil.yml@x"), passes},
			{46, "the right file of another repository", nil, file("acme/policies/.github/workflows/build.yml" + main), refused("workflow_mismatch", "acme/policies")},
			{47, "a reusable workflow", nil, job(shared + "@refs/tags/v1"), refused("reusable_workflow", "set the publisher's reusable workflow to "+shared)},
			{47, "a reusable workflow that the publisher names", reusable(shared), job(shared + "@refs/tags/v1"), passes},
			{47, "another than it names", reusable(shared), job("acme/shared/.github/workflows/other.yml@refs/tags/v1"), refused("reusable_workflow", "wants "+shared)},
			{47, "the same file of somebody else", reusable(shared), job("evil/shared/.github/workflows/publish.yml@refs/tags/v1"), refused("reusable_workflow", "token has evil/shared")},
			{47, "a file that begins like it", reusable(shared), job(shared + "@evil.yml@refs/tags/v1"), refused("reusable_workflow", "@evil.yml")},
			{47, "the named ref of it", reusable(shared + "@refs/tags/v1"), job(shared + "@refs/tags/v1"), passes},
			{47, "another ref of it", reusable(shared + "@refs/tags/v1"), job(shared + "@refs/heads/v1"), refused("reusable_workflow", "@refs/heads/v1")},
			{47, "no reusable workflow where one is named", reusable(shared), nil, refused("reusable_workflow", "The job must live in the reusable workflow")},
			{48, "the right reusable workflow, called by another file", reusable(shared), func(c map[string]any) {
				c["workflow_ref"] = "REPO/.github/workflows/evil.yml" + main
				c["job_workflow_ref"] = shared + "@refs/tags/v1"
			}, refused("workflow_mismatch", "token has evil.yml")},
			{49, "no environment", environment("release"), nil, refused("environment_mismatch", `add the line "environment: release" to it`)},
			{49, "another environment", environment("release"), set("environment", "test"), refused("environment_mismatch", "token has test")},
			{49, "the environment in other letters", environment("release"), set("environment", "Release"), passes},
			{50, "another branch", refs("refs/heads/main"), on("refs/heads/dev"), refused("ref_mismatch", "token has refs/heads/dev, the publisher of channel tools wants refs/heads/main")},
			{50, "the branch", refs("refs/heads/main"), nil, passes},
			{50, "a branch named like the tags", refs("refs/tags/v*"), on("refs/heads/v1"), refused("ref_mismatch", "A branch and a tag of one name are two refs: run the job for refs/tags/v1")},
			{50, "the tag", refs("refs/tags/v*"), on("refs/tags/v1"), passes},
			{50, "a look-alike branch", refs("refs/heads/main"), on("refs/heads/main/../x"), refused("ref_mismatch", "main/../x")},
			{50, "a branch below one that a * means", refs("refs/heads/release-*"), on("refs/heads/release-1/evil"), refused("ref_mismatch", "release-1/evil")},
			{50, "no ref", refs("refs/heads/main"), func(c map[string]any) {
				file("REPO/.github/workflows/build.yml@" + c["sha"].(string))(c)
				c["ref"], c["event_name"] = "", "deployment"
			}, refused("ref_mismatch", "token has none")},
			{51, "an unprotected branch", protected, set("ref_protected", "false"), refused("ref_not_protected", "Protect refs/heads/main by a rule")},
			{51, "no word of protection", protected, set("ref_protected", nil), refused("ref_not_protected", "token has none")},
			{51, "a protected branch", protected, nil, passes},
			{52, "pull_request_target", nil, set("event_name", "pull_request_target"), refused("event_not_allowed", "Strangers can steer such a run")},
			{52, "workflow_run", nil, set("event_name", "workflow_run"), refused("event_not_allowed", "Strangers can steer")},
			{52, "issue_comment", nil, set("event_name", "issue_comment"), refused("event_not_allowed", "Any account can start such a run")},
			{52, "pull_request", nil, set("event_name", "pull_request"), refused("event_not_allowed", "Nobody has reviewed the code")},
			{52, "pull_request, which the publisher names", events("pull_request"), set("event_name", "pull_request"), passes},
			{52, "push, where it names another", events("release"), nil, refused("event_not_allowed", "wants release")},
			{53, "no event", nil, set("event_name", nil), refused("event_not_allowed", "token has none")},
			{53, "an event that nobody knows", nil, set("event_name", "moon_phase"), refused("event_not_allowed", "token has moon_phase")},
			{53, "an event in other letters", nil, set("event_name", "Push"), refused("event_not_allowed", "token has Push")},
			{54, "a fork of the same name", nil, func(c map[string]any) {
				set("repository", strings.Replace(c["repository"].(string), "acme", "evil", 1), "repository_owner", "evil", "repository_id", "6", "repository_owner_id", "7")(c)
			}, refused("no_publisher", "token is of evil/")},
			{55, "a repository that was made anew", pinned("", "5"), nil, refused("id_mismatch", "has the name of a publisher's repository, but not its id")},
			{55, "an owner who came back", pinned("4", "5"), nil, refused("id_mismatch", "the channel's owners are told")},
			{56, "a repository that was transferred", pinned("4", "OWN"), nil, refused("owner_changed", "An owner of the channel confirms the move")},
			{57, "a repository that was renamed", pinned("", "OWN"), func(c map[string]any) {
				file("acme/anvil/.github/workflows/build.yml" + main)(c)
				c["repository"] = "acme/anvil"
			}, passes},
			{60, "somebody's own machine", hosted, set("runner_environment", "self-hosted"), refused("runner_not_allowed", "token has self-hosted, the publisher of channel tools wants github-hosted")},
			{60, "a hosted machine", hosted, nil, passes},
			{60, "no word of the machine", hosted, set("runner_environment", nil), refused("runner_not_allowed", "token has none")},
			{61, "no repository id", nil, set("repository_id", nil), refused("missing_claim", "no repository_id")},
			{61, "no owner id, where it is pinned", pinned("4", "5"), set("repository_owner_id", nil), refused("missing_claim", "no repository_owner_id")},
			{62, "an id that is a number", nil, set("repository_id", 1), untrusted("bad_claim", "repository_id is a number, it must be a string")},
			{62, "a repository that is a list", nil, set("repository", []string{"acme/forge"}), untrusted("bad_claim", "repository is a list")},
			{62, "an event that is true", nil, set("event_name", true), untrusted("bad_claim", "event_name is true or false")},
			{62, "ref_protected that is true", protected, set("ref_protected", true), untrusted("bad_claim", "ref_protected is true or false")},
			{63, "a customised sub", nil, set("sub", "repo:evil/evil:environment:release"), passes},
			{63, "an unchangeable sub", nil, set("sub", "repo:acme@1/forge@2:ref:refs/heads/main"), passes},
			{63, "no sub", nil, set("sub", nil), passes},
			{67, "a Kelvin sign", nil, set("repository", "acme/for\u212aage"), refused("no_publisher", "acme/for\u212aage")},
			{67, "a character of no width", nil, set("repository", "acme/for\u200bge"), refused("no_publisher", "acme/for<U+200B>ge")},
			{67, "right to left", nil, set("repository", "acme/\u202eegrof"), refused("no_publisher", "<U+202E>")},
			{89, "a newline and an escape sequence", nil, set("repository", "acme/forge\n\x1b[31m"), refused("no_publisher", "<U+000A><U+001B>")},
			{89, "markup", nil, set("event_name", "<script>alert(1)</script>"), refused("event_not_allowed", "<script>")},
		} {
			t.Run(fmt.Sprint(tt.row, " ", tt.name), func(t *testing.T) {
				repository := w.fresh()
				claims := w.run(repository)
				publisher := w.trusts(t, w.tools, repository, func(s *trust.PublisherSpec) {
					if tt.rule != nil {
						tt.rule(s)
					}
					if s.RepositoryID == "OWN" {
						s.RepositoryID = claims["repository_id"].(string)
					}
				})
				if tt.claims != nil {
					tt.claims(claims)
				}
				for name, v := range claims {
					if s, ok := v.(string); ok {
						claims[name] = strings.Replace(s, "REPO", "acme/"+repository, 1)
					}
				}
				tok := w.sign(t, claims)
				w.mint(t, tok).check(t, tt.want, tok)
				// A refusal changes nothing, and a success is remembered.
				after := w.publisher(t, publisher)
				if used := after["state"] == "active"; used != (tt.want.code == "") {
					t.Errorf("the publisher is %v after %+v", after["state"], tt.want)
				}
			})
		}
	})
}

// A publisher's details are for runs of its own repository; everybody else learns what their own token says.
func TestOthersLearnNothing(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		repository := w.fresh()
		w.trusts(t, w.vault, repository, func(s *trust.PublisherSpec) {
			s.Workflow, s.OwnerID, s.RepositoryID = "secret.yml", "41", "42"
			s.Conditions = trust.Conditions{Environment: "hidden", Refs: []string{"refs/heads/quiet"}}
		})
		secrets := []string{"secret.yml", "hidden", "quiet", "vault", "41", "42", "publishers/"}
		for name, tt := range map[string]struct {
			row    int
			change func(map[string]any)
			want   want
		}{
			"a stranger":                           {54, set("repository", "evil/"+repository, "repository_owner", "evil"), refused("no_publisher", "")},
			"the same name, other ids":             {55, nil, refused("id_mismatch", "")},
			"the same repository, another owner":   {56, set("repository_id", "42", "repository", "evil/"+repository, "repository_owner", "evil"), refused("owner_changed", "")},
			"another repository of the same owner": {81, set("repository", "acme/else", "repository_id", "9"), refused("no_publisher", "")},
		} {
			t.Run(fmt.Sprint(tt.row, " ", name), func(t *testing.T) {
				claims := w.run(repository)
				claims["repository_owner_id"], claims["repository_id"] = "900001", "900002"
				if tt.change != nil {
					tt.change(claims)
				}
				a := w.mint(t, w.sign(t, claims))
				a.check(t, tt.want)
				said := strings.ReplaceAll(strings.ReplaceAll(a.detail, "repository id 42", ""), w.URL, "")
				for _, secret := range secrets {
					if strings.Contains(said, secret) && !(secret == "42" || secret == "41") {
						t.Errorf("it says %q: %s", secret, a.detail)
					}
				}
				if len(a.differences) > 0 {
					t.Errorf("it lists %v", a.differences)
				}
			})
		}
	})
}
