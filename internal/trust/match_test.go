package trust

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/token"
)

// TestRuns has the claim level of the attack catalogue, trusted-publishing.md §5, rows 42 to 49, 52 to 57, 61 to
// 63, 67. Every case changes something of a run, or of the publisher, that fit each other.
func TestRuns(t *testing.T) {
	t.Parallel()
	set := func(pairs ...string) func(map[string]any) {
		return func(c map[string]any) {
			for i := 0; i < len(pairs); i += 2 {
				c[pairs[i]] = pairs[i+1]
			}
		}
	}
	workflow := func(ref string) func(map[string]any) { return set("workflow_ref", ref, "job_workflow_ref", ref) }
	const dir, main = "acme/forge/.github/workflows/", "@refs/heads/main"
	asIs := func(*Publisher) {}
	workflowIs := func(name string) func(*Publisher) { return func(p *Publisher) { p.Workflow = name } }
	environment := func(name string) func(*Publisher) { return func(p *Publisher) { p.Environment = name } }
	pinned := func(owner, repository string) func(*Publisher) {
		return func(p *Publisher) { p.OwnerID, p.RepositoryID = owner, repository }
	}
	run := newWorld(t).claims()
	ownerID, repositoryID := run["repository_owner_id"].(string), run["repository_id"].(string)
	const taken = fault.Code("")
	for _, tt := range []struct {
		name     string
		rule     func(*Publisher)
		claims   func(map[string]any)
		code     fault.Code
		fragment string
	}{
		{"all fits", asIs, set(), taken, ""},
		{"42 another repository", asIs, set("repository", "acme/other", "repository_id", "5"), fault.NoPublisher, "token is of acme/other (repository id 5, owner id " + ownerID},
		{"42 names in other case", asIs, set("repository", "ACME/Forge", "repository_owner", "ACME"), taken, ""},
		{"43 other workflow", asIs, workflow(dir + "evil.yml" + main), fault.WorkflowMismatch,
			"Workflow does not match [workflow_mismatch]: token has evil.yml, the publisher of channel tools wants build.yml. Change the publisher at https://conda.acme.dev/channels/tools/publishers/1."},
		{"43 repository part in other case", asIs, workflow("Acme/FORGE/.github/workflows/build.yml" + main), taken, ""},
		{"44 case", asIs, workflow(dir + "Build.yml" + main), fault.WorkflowMismatch, "only in upper and lower case"},
		{"44 extension", asIs, workflow(dir + "build.yaml" + main), fault.WorkflowMismatch, "token has build.yaml, the publisher of channel tools wants build.yml. They differ only in the extension"},
		{"45 @ in the file", asIs, workflow(dir + "build.yml@evil.yml" + main), fault.WorkflowMismatch, "token has build.yml@evil.yml"},
		{"45 @ in the file that the rule names", workflowIs("a.yml@b.yml"), workflow(dir + "a.yml@b.yml" + main), taken, ""},
		{"45 branch named like the file", asIs, func(c map[string]any) {
			workflow(dir + "other.yml@refs/heads/build.yml@x")(c)
			c["ref"] = "refs/heads/build.yml@x"
		}, fault.WorkflowMismatch, "token has other.yml"},
		{"45 branch named like the file, right file", asIs, func(c map[string]any) {
			workflow(dir + "build.yml@refs/heads/other.yml@x")(c)
			c["ref"] = "refs/heads/other.yml@x"
		}, taken, ""},
		{"45 dynamic", asIs, workflow("dynamic/pages/pages-build-deployment"), fault.WorkflowMismatch, "dynamic/pages/pages-build-deployment"},
		{"45 shorter than the repository", asIs, workflow("x"), fault.WorkflowMismatch, "token has x, the publisher"},
		{"45 dynamic on a branch", asIs, func(c map[string]any) {
			workflow("dynamic/x@refs/heads/.github/workflows/build.yml@y")(c)
			c["ref"] = "refs/heads/.github/workflows/build.yml@y"
		}, fault.WorkflowMismatch, "dynamic/x@"},
		{"45 other folder", asIs, workflow("acme/forge/.github/build.yml" + main), fault.WorkflowMismatch, "acme/forge/.github/build.yml"},
		{"45 folder below", asIs, workflow(dir + "x/build.yml" + main), fault.WorkflowMismatch, "workflows/x/build.yml"},
		{"45 double slash", asIs, workflow("acme/forge//.github/workflows/build.yml" + main), fault.WorkflowMismatch, "forge//.github"},
		{"45 no @", asIs, workflow(dir + "build.yml"), fault.WorkflowMismatch, "workflows/build.yml"},
		{"45 another ref than the run's", asIs, workflow(dir + "build.yml@refs/heads/old"), fault.WorkflowMismatch, "build.yml@refs/heads/old"},
		{"45 a tag with slashes", asIs, func(c map[string]any) {
			workflow(dir + "build.yml@refs/tags/a/b/v1")(c)
			c["ref"] = "refs/tags/a/b/v1"
		}, taken, ""},
		{"45 deployment of a commit", asIs, func(c map[string]any) {
			workflow(dir + "build.yml@" + c["sha"].(string))(c)
			c["ref"], c["event_name"] = "", "deployment"
		}, taken, ""},
		{"45 commit instead of the ref", asIs, func(c map[string]any) { workflow(dir + "build.yml@" + c["sha"].(string))(c) }, fault.WorkflowMismatch, "build.yml@"},
		{"45 neither ref nor commit", asIs, func(c map[string]any) {
			workflow(dir + "build.yml" + main)(c)
			c["ref"], c["sha"] = "", ""
		}, fault.WorkflowMismatch, "build.yml" + main},
		{"46 required workflow of another repository", asIs, workflow("acme/policies/.github/workflows/build.yml" + main), fault.WorkflowMismatch, "token has acme/policies/.github/workflows/build.yml"},
		{"46 repository with a longer name", asIs, workflow("acme/forgery/.github/workflows/build.yml" + main), fault.WorkflowMismatch, "acme/forgery"},
		{"47 reusable workflow", asIs, set("job_workflow_ref", "acme/shared/.github/workflows/publish.yml@refs/tags/v1"), fault.ReusableWorkflow,
			"token has acme/shared/.github/workflows/publish.yml@refs/tags/v1, the publisher of channel tools wants " + dir + "build.yml" + main},
		{"47 reusable workflow of the repository", asIs, set("job_workflow_ref", dir+"publish.yml"+main), fault.ReusableWorkflow, "put it into build.yml itself, or set the publisher's reusable workflow to acme/forge/.github/workflows/publish.yml"},
		{"48 reusable workflow right, caller wrong", workflowIs("publish.yml"), set("job_workflow_ref", dir+"publish.yml"+main), fault.WorkflowMismatch,
			"The job lives in publish.yml, but the run was started by build.yml"},
		{"49 no environment", environment("release"), set(), fault.EnvironmentMismatch, `token has none, the publisher of channel tools wants release. The job has no environment: add the line "environment: release" to it. Or change the publisher at`},
		{"49 empty environment", environment("release"), set("environment", ""), fault.EnvironmentMismatch, "token has none"},
		{"49 other environment", environment("release"), set("environment", "test"), fault.EnvironmentMismatch, "token has test"},
		{"49 environment in other case", environment("release"), set("environment", "Release"), taken, ""},
		{"49 environment that no rule names", asIs, set("environment", "anything"), taken, ""},
		{"52 pull_request_target", asIs, set("event_name", "pull_request_target"), fault.EventNotAllowed, "Strangers can steer"},
		{"52 workflow_run", asIs, set("event_name", "workflow_run"), fault.EventNotAllowed, "workflow_dispatch"},
		{"52 issue_comment", asIs, set("event_name", "issue_comment"), fault.EventNotAllowed, "token has issue_comment, the publisher of channel tools wants push, release"},
		{"52 pull_request", asIs, set("event_name", "pull_request"), fault.EventNotAllowed, "Nobody has reviewed"},
		{"52 release", asIs, set("event_name", "release"), taken, ""},
		{"52 schedule", asIs, set("event_name", "schedule"), taken, ""},
		{"52 workflow_dispatch", asIs, set("event_name", "workflow_dispatch"), taken, ""},
		{"52 repository_dispatch", asIs, set("event_name", "repository_dispatch"), taken, ""},
		{"53 no event", asIs, func(c map[string]any) { delete(c, "event_name") }, fault.EventNotAllowed, "token has none"},
		{"53 unknown event", asIs, set("event_name", "moon_phase"), fault.EventNotAllowed, "moon_phase"},
		{"53 event in other case", asIs, set("event_name", "Push"), fault.EventNotAllowed, "token has Push"},
		{"54 fork of the same name", asIs, set("repository", "evil/forge", "repository_owner", "evil", "repository_id", "6", "repository_owner_id", "7"), fault.NoPublisher, "evil/forge"},
		{"55 re-created repository", pinned(ownerID, "5"), set(), fault.IDMismatch, "has the name of a publisher's repository, but not its id"},
		{"55 resurrected owner", pinned("4", "5"), set(), fault.IDMismatch, "owners are told"},
		{"55 resurrected owner, only the owner pinned", pinned("4", ""), set(), fault.IDMismatch, "not its id"},
		{"55 pinned and equal", pinned(ownerID, repositoryID), set(), taken, ""},
		{"55 only the owner pinned, and equal", pinned(ownerID, ""), set(), taken, ""},
		{"56 transferred", pinned("4", repositoryID), set(), fault.OwnerChanged, "confirms the move"},
		{"56 transferred and renamed", pinned("4", repositoryID), set("repository", "evil/forge", "repository_owner", "evil"), fault.OwnerChanged, "belonged to somebody else"},
		{"57 renamed", pinned(ownerID, repositoryID), func(c map[string]any) {
			workflow("acme/anvil/.github/workflows/build.yml" + main)(c)
			c["repository"] = "acme/anvil"
		}, taken, ""},
		{"57 renamed, but unpinned", asIs, func(c map[string]any) {
			workflow("acme/anvil/.github/workflows/build.yml" + main)(c)
			c["repository"] = "acme/anvil"
		}, fault.NoPublisher, "acme/anvil"},
		{"57 renamed, workflow still of the old name", pinned(ownerID, repositoryID), set("repository", "acme/anvil"), fault.WorkflowMismatch, dir},
		{"61 repository_id missing", asIs, func(c map[string]any) { delete(c, "repository_id") }, fault.MissingClaim, "no repository_id"},
		{"61 repository_owner_id empty", asIs, set("repository_owner_id", ""), fault.MissingClaim, "no repository_owner_id"},
		{"61 job_workflow_ref missing", asIs, func(c map[string]any) { delete(c, "job_workflow_ref") }, fault.MissingClaim, "no job_workflow_ref"},
		{"62 id as number", asIs, func(c map[string]any) { c["repository_id"] = 5 }, fault.BadClaim, "repository_id is a number, it must be a string"},
		{"62 repository as list", asIs, func(c map[string]any) { c["repository"] = []string{"acme/forge"} }, fault.BadClaim, "repository is a list"},
		{"62 event as true", asIs, func(c map[string]any) { c["event_name"] = true }, fault.BadClaim, "event_name is true or false"},
		{"62 environment as object", asIs, func(c map[string]any) { c["environment"] = map[string]any{} }, fault.BadClaim, "environment is an object"},
		{"62 id with a sign", asIs, set("repository_id", "-5"), fault.BadClaim, "repository_id is -5"},
		{"62 id of 21 digits", asIs, set("repository_id", strings.Repeat("1", 21)), fault.BadClaim, "impossible value"},
		{"62 id in other digits", asIs, set("repository_id", "\u0661\u0662"), fault.BadClaim, "impossible value"},
		{"62 run id with a path", asIs, set("run_id", "1/../.."), fault.BadClaim, "run_id is 1/../.."},
		{"62 ref of two kilobytes", asIs, set("ref", strings.Repeat("x", 2000)), fault.BadClaim, "ref"},
		{"63 customised sub", asIs, set("sub", "repo:evil/evil:environment:release"), taken, ""},
		{"63 no sub", asIs, func(c map[string]any) { delete(c, "sub") }, taken, ""},
		{"63 unknown claims", asIs, func(c map[string]any) { c["repo_property_tier"], c["new"] = "gold", []any{1, nil} }, taken, ""},
		{"67 Kelvin sign", asIs, set("repository", "acme/for\u212aage"), fault.NoPublisher, "acme/for\u212aage"},
		{"67 zero width", asIs, set("repository", "acme/for\u200bge"), fault.NoPublisher, "acme/for<U+200B>ge"},
		{"67 right to left", asIs, set("repository", "acme/\u202eegrof"), fault.NoPublisher, "<U+202E>"},
		{"67 newline and escape", asIs, set("repository", "acme/forge\n\x1b[31m"), fault.NoPublisher, "<U+000A><U+001B>"},
		{"67 look-alike with the pinned ids", pinned(ownerID, repositoryID), set("repository", "acme/for\u200bge"), fault.NoPublisher, "<U+200B>"},
		{"67 repository and owner disagree", asIs, set("repository_owner", "evil"), fault.NoPublisher, "acme/forge"},
		{"67 repository of three parts", asIs, set("repository", "acme/forge/x"), fault.NoPublisher, "acme/forge/x"},
		{"67 repository of one part", asIs, set("repository", "acme", "repository_owner", "acme"), fault.NoPublisher, "acme"},
		{"67 dot dot", asIs, set("repository", "acme/.."), fault.NoPublisher, "acme/.."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := shared(t)
			w.add(tt.rule)
			claims := w.claims()
			tt.claims(claims)
			if tt.code != taken {
				w.mustRefuse(w.sign(claims), tt.code, tt.fragment)
				if w.store.publisher(1).LastRun != (Provenance{}) {
					t.Error("a refusal changed the publisher")
				}
				return
			}
			_, pt := w.mustPass(w.sign(claims))
			if p := w.store.publisher(1); p.FullName() != pt.Run.Repository || !p.Pinned() {
				t.Errorf("publisher after use: %+v", p.Rule)
			}
		})
	}
}

// All differences come at once, in the order of the form, the nearest publisher first.
func TestAllDifferencesAtOnce(t *testing.T) {
	t.Parallel()
	w := shared(t)
	w.add(func(p *Publisher) { p.Workflow, p.Environment = "x.yml", "y" })
	w.add(func(p *Publisher) { p.Environment = "release" })
	claims := w.claims()
	claims["event_name"] = "pull_request"
	f := w.mustRefuse(w.sign(claims), fault.EnvironmentMismatch, "Environment and event do not match [environment_mismatch]: token has environment none and event pull_request, "+
		"the nearest of 2 publishers, in channel tools, wants environment release and event push, release, ")
	want := []fault.Difference{
		{Claim: "environment", Want: "release"},
		{Claim: "event_name", Got: "pull_request", Want: "push, release, workflow_dispatch, repository_dispatch, schedule or deployment"},
	}
	if d := cmp.Diff(want, f.Differences); d != "" {
		t.Error(d)
	}
	if !strings.HasSuffix(f.Detail, "/channels/tools/publishers/2.") {
		t.Errorf("no way to the publisher in %q", f.Detail)
	}
	claims["job_workflow_ref"] = "a/b/.github/workflows/c.yml@refs/heads/d"
	f = w.mustRefuse(w.sign(claims), fault.ReusableWorkflow, "Job's workflow, environment and event do not match")
	if len(f.Differences) != 3 {
		t.Errorf("differences %v", f.Differences)
	}
}

// However long the values, the fix stays in the sentence.
func TestLongValuesLeaveTheFix(t *testing.T) {
	t.Parallel()
	w := shared(t)
	long := strings.Repeat("long", 60)
	w.add(func(p *Publisher) { p.Workflow, p.Environment = long+".yml", long })
	claims := w.claims()
	claims["environment"], claims["event_name"] = long+"er", long
	claims["workflow_ref"] = "acme/forge/.github/workflows/x" + long + ".yml@refs/heads/" + long
	claims["job_workflow_ref"] = "acme/forge/.github/workflows/y" + long + ".yml@refs/heads/" + long
	f := w.mustRefuse(w.sign(claims), fault.WorkflowMismatch, "Workflow, job's workflow, environment and event do not match")
	if !strings.HasSuffix(f.Detail, "Change the publisher at https://conda.acme.dev/channels/tools/publishers/1.") {
		t.Errorf("no fix in %q", f.Detail)
	}
}

// A rule's details are for runs of its own repository alone (row A of the catalogue).
func TestOthersLearnNothingOfARule(t *testing.T) {
	t.Parallel()
	w := shared(t)
	w.add(func(p *Publisher) {
		p.Workflow, p.Environment, p.OwnerID, p.RepositoryID = "secret.yml", "vault", "11", "22"
	})
	stranger := w.claims()
	stranger["repository"], stranger["repository_owner"] = "evil/forge", "evil"
	sameName := w.claims()
	moved := w.claims()
	moved["repository_id"] = "22"
	for code, claims := range map[fault.Code]map[string]any{fault.NoPublisher: stranger, fault.IDMismatch: sameName, fault.OwnerChanged: moved} {
		f := w.mustRefuse(w.sign(claims), code, "")
		for _, secret := range []string{"secret.yml", "vault", "tools", " 11", "publishers/"} {
			if strings.Contains(f.Detail, secret) {
				t.Errorf("%s gives %q away: %s", code, secret, f.Detail)
			}
		}
		if len(f.Differences) != 0 {
			t.Errorf("%s lists differences %v", code, f.Differences)
		}
	}
	for _, r := range w.store.refusals {
		if r.Code != fault.NoPublisher && !cmp.Equal(r.Near, []Near{{PublisherID: 1, ChannelID: 7}}) {
			t.Errorf("owners are not told of %s: %v", r.Code, r.Near)
		}
	}
}

// Names and ids mean something within one issuer only, whatever the database hands over.
func TestPublishersOfOtherIssuersAreNoCandidates(t *testing.T) {
	t.Parallel()
	w := shared(t)
	p := w.add()
	_, pt := w.mustPass(w.sign(w.claims()))
	same, issuer, provider := p, p, p
	issuer.Issuer = "https://other.example"
	provider.Provider = "forgejo"
	cs := w.x.compareAll(w.x.cfg.Issuers[0].Provider, []Publisher{issuer, provider, same}, pt.Run, w.clock.now())
	if len(cs) != 1 || cs[0].Issuer != pt.Run.Issuer || !cs[0].granted() {
		t.Errorf("compared with %+v", cs)
	}
}

// One token, a grant for each publisher that fits: the names of one channel mean nothing in another.
func TestGrantsOfSeveralPublishers(t *testing.T) {
	t.Parallel()
	w := shared(t)
	patterns := func(s ...string) []Pattern {
		ps, problem := parsePatterns(s)
		if problem != nil {
			t.Fatal(problem)
		}
		return ps
	}
	in := func(id int64, name string, packages ...string) func(*Publisher) {
		return func(p *Publisher) {
			ch, err := conda.ParseChannel(name)
			if err != nil {
				t.Fatal(err)
			}
			p.ChannelID, p.Channel, p.Packages = id, ch, patterns(packages...)
		}
	}
	w.add(in(7, "tools", "libtide*"))                                                    // 1
	w.add(in(8, "extra", "zlib"))                                                        // 2
	w.add(in(7, "tools", "zip"), func(p *Publisher) { p.Environment = "release" })       // 3: the most specific
	w.add(in(9, "other"), func(p *Publisher) { p.Workflow = "other.yml" })               // 4: does not fit
	w.add(in(9, "other"), func(p *Publisher) { p.OwnerID, p.RepositoryID = "11", "22" }) // 5: another repository of the name
	claims := w.claims()
	claims["environment"] = "release"
	_, pt := w.mustPass(w.sign(claims))
	var ids []int64
	for _, g := range pt.Grants {
		ids = append(ids, g.PublisherID)
	}
	if d := cmp.Diff([]int64{3, 1, 2}, ids); d != "" {
		t.Fatal(d)
	}
	for _, tt := range []struct {
		channel  int64
		name     string
		by       int64
		code     fault.Code
		fragment string
	}{
		{7, "libtide-devel", 1, "", ""},
		{7, "zip", 3, "", ""},
		{8, "zlib", 2, "", ""},
		{7, "zlib", 0, fault.PackageNotAllowed, "is of package zlib, the trusted publisher may publish zip and libtide*"}, // rows 69, 70
		{8, "libtide", 0, fault.PackageNotAllowed, "may publish zlib"},
		{9, "zlib", 0, fault.WrongChannel, "are in tools and extra, not here"}, // row 68
	} {
		g, err := pt.Covering(tt.channel, tt.name, conda.Noarch())
		if tt.code != "" {
			checkRefusal(t, err, token.Token{}, "", tt.code, tt.fragment)
		} else if err != nil || len(g) != 1 || g[0].PublisherID != tt.by {
			t.Errorf("%s in %d: grant %+v, %v; want publisher %d", tt.name, tt.channel, g, err, tt.by)
		}
	}
}

// What becomes of a publish token when time passes, or somebody changes something: rows 71, 72.
func TestPublishTokenEnds(t *testing.T) {
	t.Parallel()
	w := shared(t)
	w.add()
	_, pt := w.mustPass(w.sign(w.claims()))
	none := token.Token{}
	if err := pt.Check(pt.ExpiresAt.Add(-time.Microsecond)); err != nil {
		t.Errorf("in its last moment: %v", err)
	}
	checkRefusal(t, pt.Check(pt.ExpiresAt), none, "", fault.Expired, "ended 0 s ago and lived 30 min")
	revoked := pt
	revoked.RevokedAt, revoked.RevokedWhy = w.clock.now(), "it was found in a public log"
	checkRefusal(t, revoked.Check(w.clock.now()), none, "", fault.Revoked, "found in a public log")

	gone := pt
	gone.Grants = slices.Clone(pt.Grants)
	gone.Grants[0].Gone = true
	checkRefusal(t, gone.Covers(7, Publish), none, "", fault.Revoked, "changed or removed")
	_, err := gone.Covering(7, "zlib", conda.Noarch())
	checkRefusal(t, err, none, "", fault.Revoked, "changed or removed")
	if gone.Grants[0].Allows("zlib", conda.Noarch()) {
		t.Error("a grant of a removed publisher allows")
	}
	gone.Grants = append(gone.Grants, pt.Grants[0]) // another publisher of the channel still lives
	if g, err := gone.Covering(7, "zlib", conda.Noarch()); err != nil || len(g) != 1 || g[0].Gone {
		t.Errorf("grant %+v, %v", g, err)
	}
}

// However many channels name a repository, the publishers that were there first count, and an exchange stays cheap.
func TestManyPublishersOfOneRepository(t *testing.T) {
	t.Parallel()
	w := shared(t)
	for i := range maxGrants + 50 {
		w.add(func(p *Publisher) {
			p.ChannelID = int64(1000 + i)
		})
	}
	w.add(func(p *Publisher) { p.ChannelID, p.Refs = 5000, []string{"refs/heads/main"} }) // and a narrower one
	_, pt := w.mustPass(w.sign(w.claims()))
	if len(pt.Grants) != maxGrants {
		t.Fatalf("%d grants, want %d", len(pt.Grants), maxGrants)
	}
	for _, g := range pt.Grants {
		if g.PublisherID > maxGrants {
			t.Errorf("publisher %d took the place of an older one", g.PublisherID)
		}
	}
	if !strings.Contains(w.log.String(), "more publishers than a token can hold") {
		t.Error("the log does not say so")
	}
	claims := w.claims()
	claims["workflow_ref"] = "acme/forge/.github/workflows/x.yml@refs/heads/main"
	w.mustRefuse(w.sign(claims), fault.WorkflowMismatch, "x.yml")
	if n := len(w.store.refusals[0].Near); n != maxNear {
		t.Errorf("a refusal is told to %d publishers' channels", n)
	}
}
