package provider

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice/internal/fault"
)

const codeberg = "https://codeberg.org/api/actions"

// forgejoClaims are those of a push to acme/forge.
func forgejoClaims(change ...func(Claims)) Claims {
	c := Claims{
		"repository": "acme/forge", "repository_owner": "acme", "repository_id": "22", "repository_owner_id": "11",
		"workflow": "build.yml", "workflow_ref": "acme/forge/.forgejo/workflows/build.yml@refs/heads/main",
		"event_name": "push", "ref": "refs/heads/main", "ref_type": "branch", "ref_protected": "false", "sha": sha, "head_ref": "", "base_ref": "",
		"run_id": "9001", "run_number": "1234", "run_attempt": "2", "actor": "mara", "actor_id": "4711",
	}
	for _, f := range change {
		f(c)
	}
	return c
}

func forgejoRun(t *testing.T, change ...func(Claims)) Provenance {
	t.Helper()
	p, err := forgejo{}.Read(forgejoClaims(change...))
	if err != nil {
		t.Fatal(err)
	}
	p.Issuer = codeberg
	return p
}

func forgejoRule(change ...func(*Rule)) Rule {
	r := Rule{Provider: "forgejo", Issuer: codeberg, Owner: "acme", Repository: "forge", Workflow: "build.yml"}
	for _, f := range change {
		f(&r)
	}
	return r
}

func TestForgejoRead(t *testing.T) {
	t.Parallel()
	want := Provenance{
		Provider: "forgejo", Repository: "acme/forge", Owner: "acme", RepositoryID: "22", OwnerID: "11", Workflow: "build.yml",
		WorkflowRef: "acme/forge/.forgejo/workflows/build.yml@refs/heads/main", Ref: "refs/heads/main", RefType: "branch", SHA: sha,
		Event: "push", RunID: "9001", RunNumber: "1234", RunAttempt: "2",
	}
	got, err := forgejo{}.Read(forgejoClaims())
	if d := gocmp.Diff(want, got); d != "" || err != nil {
		t.Error(err, d)
	}
	if s := got.Sentence(); s != "Published by build.yml of acme/forge, run 1234 attempt 2, commit 0123456 on main" {
		t.Errorf("= %q", s)
	}
	elsewhere := forgejoRun(t, with("workflow_ref", "acme/forge/.gitea/workflows/build.yml@refs/heads/main"))
	if s := elsewhere.Byline(); s != ".gitea/workflows/build.yml of acme/forge, run 1234 attempt 2" {
		t.Errorf("= %q", s)
	}
	for _, tt := range []struct {
		name   string
		change func(Claims)
		code   fault.Code
		says   string
	}{
		{"61 no repository id", without("repository_id"), fault.MissingClaim, "Forgejo sends all claims since version 16"},
		{"61 no owner id", with("repository_owner_id", ""), fault.MissingClaim, "repository_owner_id"},
		{"no workflow", without("workflow_ref"), fault.MissingClaim, "workflow_ref"},
		{"62 number for an id", with("repository_id", json.Number("22")), fault.BadClaim, "repository_id is a number"},
		{"62 no decimal id", with("repository_owner_id", "org-11"), fault.BadClaim, "repository_owner_id is org-11"},
		{"long", with("ref", strings.Repeat("x", maxClaim+1)), fault.BadClaim, "ref"},
	} {
		if _, err := (forgejo{}).Read(forgejoClaims(tt.change)); fault.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: error %v, want %s with %q", tt.name, err, tt.code, tt.says)
		}
	}
	if _, err := (forgejo{}).Read(forgejoClaims(without("actor", "actor_id", "workflow", "ref_protected", "run_attempt", "jti"))); err != nil {
		t.Errorf("claims that are not needed are missed: %v", err)
	}
}

// The claim level of the attack catalogue, trusted-publishing.md §4 and §5, as far as it concerns Forgejo.
func TestForgejoMatch(t *testing.T) {
	t.Parallel()
	const taken, main = fault.Code(""), "@refs/heads/main"
	const forgejoDir, giteaDir, githubDir = "acme/forge/.forgejo/workflows/", "acme/forge/.gitea/workflows/", "acme/forge/.github/workflows/"
	workflow := func(ref string) func(Claims) { return with("workflow_ref", ref) }
	all := func(changes ...func(Claims)) func(Claims) {
		return func(c Claims) {
			for _, f := range changes {
				f(c)
			}
		}
	}
	same, asIs := func(Claims) {}, func(*Rule) {}
	file := func(name string) func(*Rule) { return func(r *Rule) { r.Workflow = name } }
	pinned := func(owner, repository string) func(*Rule) {
		return func(r *Rule) { r.OwnerID, r.RepositoryID = owner, repository }
	}
	event := func(name string) func(Claims) { return with("event_name", name) }
	for _, tt := range []struct {
		name   string
		rule   func(*Rule)
		claims func(Claims)
		code   fault.Code
		hint   string
	}{
		{"all fits", asIs, same, taken, ""},
		{"42 another repository", asIs, all(with("repository", "acme/other"), with("repository_id", "5")), fault.NoPublisher, ""},
		{"42 names in other case", asIs, all(with("repository", "ACME/Forge"), with("repository_owner", "Acme")), taken, ""},
		{"42 owner that is not the repository's", asIs, with("repository_owner", "evil"), fault.NoPublisher, ""},
		{"43 other workflow", asIs, workflow(forgejoDir + "evil.yml" + main), fault.WorkflowMismatch, ""},
		{"43 folder of Gitea", asIs, workflow(giteaDir + "build.yml" + main), fault.WorkflowMismatch, "only in the folder"},
		{"43 folder of GitHub", asIs, workflow(githubDir + "build.yml" + main), fault.WorkflowMismatch, "only in the folder"},
		{"43 folder of Gitea, named", file(".gitea/workflows/build.yml"), workflow(giteaDir + "build.yml" + main), taken, ""},
		{"43 folder of GitHub, named", file(".github/workflows/build.yml"), workflow(githubDir + "build.yml" + main), taken, ""},
		{"43 folder of Gitea named, the usual one", file(".gitea/workflows/build.yml"), same, fault.WorkflowMismatch, "only in the folder"},
		{"43 another folder", asIs, workflow("acme/forge/workflows/build.yml" + main), fault.WorkflowMismatch, ""},
		{"43 folder below", asIs, workflow(forgejoDir + "x/build.yml" + main), fault.WorkflowMismatch, ""},
		{"44 case", asIs, workflow(forgejoDir + "Build.yml" + main), fault.WorkflowMismatch, "upper and lower case"},
		{"44 extension", asIs, workflow(forgejoDir + "build.yaml" + main), fault.WorkflowMismatch, "only in the extension"},
		{"45 @ in the file", asIs, workflow(forgejoDir + "build.yml@evil.yml" + main), fault.WorkflowMismatch, ""},
		{"45 branch named like the file", asIs, all(with("ref", "refs/heads/build.yml@x"), workflow(forgejoDir+"other.yml@refs/heads/build.yml@x")), fault.WorkflowMismatch, ""},
		{"45 another ref", asIs, workflow(forgejoDir + "build.yml@refs/heads/other"), fault.WorkflowMismatch, ""},
		{"45 no ref", asIs, workflow(forgejoDir + "build.yml"), fault.WorkflowMismatch, ""},
		{"46 workflow of another repository", asIs, workflow("acme/policies/.forgejo/workflows/build.yml" + main), fault.WorkflowMismatch, ""},
		{"46 scoped workflow of Gitea", asIs, workflow("acme/policies/.gitea/scoped/build.yml@" + sha), fault.WorkflowMismatch, ""},
		{"47 job's file is the started one", asIs, with("job_workflow_ref", forgejoDir+"build.yml"+main), taken, ""},
		{"47 reusable workflow", asIs, with("job_workflow_ref", "acme/shared/.forgejo/workflows/publish.yml"+main), fault.ReusableWorkflow, "reusable workflow"},
		{"47 reusable workflow that is not told", asIs, event("workflow_call"), fault.EventNotAllowed, "reusable workflow"},
		{"50 ref", func(r *Rule) { r.Refs = []string{"refs/heads/m*"} }, same, taken, ""},
		{"50 other ref", func(r *Rule) { r.Refs = []string{"refs/tags/v*"} }, same, fault.RefMismatch, ""},
		{"51 protection is not told", func(r *Rule) { r.ProtectedRef = true }, with("ref_protected", "true"), fault.RefNotProtected, ""},
		{"52 release", asIs, event("release"), taken, ""},
		{"52 by hand", asIs, event("workflow_dispatch"), taken, ""},
		{"52 schedule", asIs, event("schedule"), taken, ""},
		{"52 pull request", asIs, event("pull_request"), fault.EventNotAllowed, "reviewed"},
		{"52 pull request's target", asIs, event("pull_request_target"), fault.EventNotAllowed, "steer"},
		{"52 comment", asIs, event("issue_comment"), fault.EventNotAllowed, "Any account"},
		{"52 comment, named", func(r *Rule) { r.Events = []string{"issue_comment"} }, event("issue_comment"), taken, ""},
		{"53 no event", asIs, event(""), fault.EventNotAllowed, ""},
		{"53 unknown event", asIs, event("new"), fault.EventNotAllowed, "Publish from push, release or workflow_dispatch"},
		{"54 fork of the same name", asIs, all(with("repository", "mallory/forge"), with("repository_owner", "mallory"), with("repository_id", "666")), fault.NoPublisher, ""},
		{"55 another repository of the name", pinned("11", "22"), with("repository_id", "23"), fault.IDMismatch, ""},
		{"56 transferred", pinned("11", "22"), with("repository_owner_id", "12"), fault.OwnerChanged, ""},
		{"57 renamed", pinned("11", "22"), all(with("repository", "acme/smithy"), workflow("acme/smithy/.forgejo/workflows/build.yml"+main)), taken, ""},
		{"63 sub", asIs, with("sub", "repo:mallory-1/forge-2:ref:refs/heads/main"), taken, ""},
		{"67 Kelvin sign", func(r *Rule) { r.Owner = "kelvin" }, all(with("repository", "\u212aelvin/forge"), with("repository_owner", "\u212aelvin")), fault.NoPublisher, ""},
		{"67 dots", pinned("11", "22"), all(with("repository", "../forge"), with("repository_owner", "..")), fault.NoPublisher, ""},
		{"67 three parts", pinned("11", "22"), with("repository", "acme/forge/x"), fault.NoPublisher, ""},
		{"any repository", func(r *Rule) { r.Repository, r.AnyRepository = "", true },
			all(with("repository", "acme/new"), with("repository_id", "23"), workflow("acme/new/.forgejo/workflows/build.yml"+main)), taken, ""},
		{"any repository of another", func(r *Rule) { r.Repository, r.AnyRepository = "", true }, all(with("repository", "evil/new"), with("repository_owner", "evil")), fault.NoPublisher, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := Match(forgejo{}, forgejoRule(tt.rule), forgejoRun(t, tt.claims))
			checkPoint(t, v, tt.code, tt.hint)
		})
	}
}

// Row 90 of the catalogue.
func TestForgejoLinks(t *testing.T) {
	t.Parallel()
	links := func(site string) Links {
		repo := site + "/acme/forge"
		return Links{Repository: repo, Run: repo + "/actions/runs/1234", Commit: repo + "/commit/" + sha,
			Workflow: repo + "/src/commit/" + sha + "/.forgejo/workflows/build.yml"}
	}
	on := func(issuer string) func(*Provenance) { return func(p *Provenance) { p.Issuer = issuer } }
	repository := func(name string) func(*Provenance) {
		return func(p *Provenance) {
			p.Repository = name
			p.Owner, _, _ = strings.Cut(name, "/")
		}
	}
	less := func(f func(*Links)) Links { l := links("https://codeberg.org"); f(&l); return l }
	for _, tt := range []struct {
		name   string
		change func(*Provenance)
		want   Links
	}{
		{"codeberg.org", func(*Provenance) {}, links("https://codeberg.org")},
		{"instance below a path", on("https://acme.dev:8443/git/api/actions"), links("https://acme.dev:8443/git")},
		{"stand-in", on("http://127.0.0.1:9000/api/actions"), links("http://127.0.0.1:9000")},
		{"Gitea", on("https://codeberg.org/api/actions/oidc"), less(func(l *Links) { l.Run = "" })},
		{"another address", on("https://codeberg.org"), Links{}},
		{"plain http", on("http://codeberg.org/api/actions"), Links{}},
		{"user in the issuer", on("https://x@codeberg.org/api/actions"), Links{}},
		{"no host", on("/api/actions"), Links{}},
		{"no issuer", on(""), Links{}},
		{"host in the repository", repository("/evil.example"), Links{}},
		{"dots in the repository", repository("acme/.."), Links{}},
		{"dots for the owner", repository("../forge"), Links{}},
		{"user in the repository", repository("x@evil.example/y"), Links{}},
		{"number with a path", func(p *Provenance) { p.RunNumber = "1/../x" }, less(func(l *Links) { l.Run = "" })},
		{"no number", func(p *Provenance) { p.RunNumber = "" }, less(func(l *Links) { l.Run = "" })},
		{"short commit", func(p *Provenance) { p.SHA = "abc1234" }, less(func(l *Links) { l.Commit, l.Workflow = "", "" })},
		{"folder of Gitea", func(p *Provenance) { p.Workflow = ".gitea/workflows/a b@c.yml" },
			less(func(l *Links) {
				l.Workflow = strings.Replace(l.Workflow, ".forgejo/workflows/build.yml", ".gitea/workflows/a%20b@c.yml", 1)
			})},
		{"folder above", func(p *Provenance) { p.Workflow = "../x.yml" }, less(func(l *Links) { l.Workflow = "" })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := forgejoRun(t)
			tt.change(&p)
			if d := gocmp.Diff(tt.want, p.links()); d != "" {
				t.Error(d)
			}
		})
	}
}

// Rows 83 and 84 of the catalogue: what people paste, and what cannot be.
func TestForgejoNormalise(t *testing.T) {
	t.Parallel()
	const forge, gitea = "acme forge build.yml", "acme forge .gitea/workflows/build.yml"
	workflow := func(s string) Rule { return Rule{Owner: "acme", Repository: "forge", Workflow: s} }
	for _, tt := range []struct {
		name string
		in   Rule
		want string // owner, repository, file; or the fields that have problems
	}{
		{"plain", workflow("build.yml"), forge},
		{"both in the repository", Rule{Repository: "acme/forge", Workflow: "build.yml"}, forge},
		{"both in the owner", Rule{Owner: " acme/forge ", Workflow: "build.yml"}, forge},
		{"address", Rule{Repository: "https://codeberg.org/acme/forge", Workflow: "build.yml"}, forge},
		{"address of a page", Rule{Owner: "https://codeberg.org/acme/forge/src/branch/main?x=1", Workflow: "build.yml"}, forge},
		{"address to clone", Rule{Repository: "https://codeberg.org/acme/forge.git", Workflow: "build.yml"}, forge},
		{"address over ssh", Rule{Repository: "git@codeberg.org:acme/forge.git", Workflow: "build.yml"}, forge},
		{"address without a scheme", Rule{Repository: "codeberg.org/acme/forge", Workflow: "build.yml"}, forge},
		{"instance below a path", Rule{Issuer: "https://acme.dev/git/api/actions", Repository: "https://acme.dev/git/acme/forge", Workflow: "build.yml"}, forge},
		{"Gitea's issuer", Rule{Issuer: "https://git.acme.dev/api/actions/oidc", Repository: "https://git.acme.dev/acme/forge", Workflow: "build.yml"}, forge},
		{"owner with a dot", Rule{Owner: "acme.dev", Repository: "forge", Workflow: "build.yml"}, "acme.dev forge build.yml"},
		{"path in the usual folder", workflow(".forgejo/workflows/build.yml"), forge},
		{"path in Gitea's folder", workflow("./.gitea/workflows/build.yml"), gitea},
		{"path in GitHub's folder", workflow(".github/workflows/build.yml"), "acme forge .github/workflows/build.yml"},
		{"workflow's reference", workflow("acme/forge/.gitea/workflows/build.yml@refs/heads/main"), gitea},
		{"workflow's address", workflow("https://codeberg.org/acme/forge/src/branch/main/.forgejo/workflows/build.yml#L3"), forge},
		{"any repository", Rule{Owner: "https://codeberg.org/acme/", Workflow: "build.yml", AnyRepository: true}, "acme  build.yml"},

		{"nothing", Rule{}, "! owner repository workflow"},
		{"address of another instance", Rule{Owner: "acme", Repository: "https://github.com/acme/forge", Workflow: "build.yml"}, "! repository"},
		{"* as owner", Rule{Owner: "*", Repository: "forge", Workflow: "build.yml"}, "! owner"},
		{"look-alike", Rule{Owner: "аcme", Repository: "forge", Workflow: "build.yml"}, "! owner"},
		{"dots", Rule{Owner: "..", Repository: ".", Workflow: "build.yml"}, "! owner repository"},
		{"* in the workflow", workflow("*.yml"), "! workflow"},
		{"another folder", workflow("ci/build.yml"), "! workflow"},
		{"folder below", workflow(".gitea/workflows/x/build.yml"), "! workflow"},
		{"folder alone", workflow(".gitea/workflows/"), "! workflow"},
		{"no extension", workflow("build"), "! workflow"},
		{"environment", Rule{Owner: "acme", Repository: "forge", Workflow: "build.yml", Conditions: Conditions{Environment: "release"}}, "! environment"},
		{"protected ref", Rule{Owner: "acme", Repository: "forge", Workflow: "build.yml", Conditions: Conditions{ProtectedRef: true}}, "! protected_ref"},
		{"hosted runner", Rule{Owner: "acme", Repository: "forge", Workflow: "build.yml", Conditions: Conditions{HostedRunner: true}}, "! hosted_runner"},
		{"reusable workflow", Rule{Owner: "acme", Repository: "forge", Workflow: "build.yml", Conditions: Conditions{Reusable: "a/b/.forgejo/workflows/c.yml"}}, "! reusable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.in.Issuer = cmp.Or(tt.in.Issuer, codeberg)
			checkForm(t, forgejo{}, tt.in, tt.want)
		})
	}
}

// forgejoOracle says what the rule means in the plainest way, without a look at how Match does it.
func forgejoOracle(r Rule, p Provenance) bool {
	fold := strings.ToLower
	parts := strings.Split(p.Repository, "/")
	if len(parts) != 2 || parts[0] == ".." || parts[1] == "" || fold(parts[0]) != fold(p.Owner) {
		return false
	}
	names := fold(r.Owner+"/"+r.Repository) == fold(p.Repository)
	repository := r.RepositoryID == p.RepositoryID || r.RepositoryID == "" && names
	owner := r.OwnerID == p.OwnerID || r.OwnerID == "" && fold(r.Owner) == fold(p.Owner)
	where := r.Workflow
	if !strings.Contains(where, "/") {
		where = ".forgejo/workflows/" + where
	}
	file := regexp.MustCompile(`^(?i:` + regexp.QuoteMeta(p.Repository) + `)` + regexp.QuoteMeta("/"+where+"@"+cmp.Or(p.Ref, p.SHA)) + `$`)
	return repository && owner && file.MatchString(p.WorkflowRef) && (p.JobWorkflowRef == "" || p.JobWorkflowRef == p.WorkflowRef) &&
		slices.Contains([]string{"push", "release", "workflow_dispatch", "schedule"}, p.Event)
}

// drawForgejo picks a rule and the claims of a run that fit but for, mostly, one or two points.
func drawForgejo(t *rapid.T) (Rule, Provenance) {
	pick := picker(t)
	owner := pick("owner", "acme", "ACME", "evil", "..")
	repository := owner + "/" + pick("repository", "forge", "Forge", "forge-2", "a/b", "")
	ref, commit := pick("ref", "refs/heads/main", "refs/heads/build.yml@x", "refs/tags/v1", ""), pick("sha", sha, "")
	workflowRef := pick("workflow's repository", repository, strings.ToUpper(repository), "acme/policies") +
		pick("folder", "/.forgejo/workflows/", "/.gitea/workflows/", "/.github/workflows/", "/") +
		pick("file", "build.yml", "build.yaml", "Build.yml", "build.yml@x.yml") + pick("at", "@"+cmp.Or(ref, commit), "@"+commit, "", "@refs/heads/other")
	p, err := forgejo{}.Read(Claims{
		"repository": repository, "repository_owner": pick("repository_owner", owner, "acme"), "repository_id": pick("repository id", "22", "23"),
		"repository_owner_id": pick("owner id", "11", "12"), "ref": ref, "sha": commit, "run_id": "1",
		"event_name":   pick("event", "push", "release", "pull_request", "workflow_call", "", "Push"),
		"workflow_ref": workflowRef, "job_workflow_ref": pick("job", "", workflowRef, "acme/shared/.gitea/workflows/build.yml@refs/heads/main"),
	})
	if err != nil {
		t.Skip("no repository at all")
	}
	p.Issuer = codeberg
	return forgejoRule(func(r *Rule) {
		r.Workflow = pick("rule's file", "build.yml", ".gitea/workflows/build.yml", "build.yml@x.yml")
		r.OwnerID = rapid.SampledFrom([]string{"", "11"}).Draw(t, "rule's owner id")
		r.RepositoryID = rapid.SampledFrom([]string{"", "22"}).Draw(t, "rule's repository id")
	}), p
}

func TestForgejoMatchAgreesWithTheOracle(t *testing.T) {
	t.Parallel()
	agree(t, forgejo{}, drawForgejo, forgejoOracle)
}

func FuzzForgejoMatch(f *testing.F) {
	for _, change := range []func(Claims){func(Claims) {}, with("repository", "acme/.."), with("job_workflow_ref", "x"), with("ref", "")} {
		data, err := json.Marshal(forgejoClaims(change))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "")
		f.Add(data, "22")
	}
	f.Fuzz(func(t *testing.T, data []byte, id string) {
		var claims Claims
		if json.Unmarshal(data, &claims) != nil {
			return
		}
		p, err := forgejo{}.Read(claims)
		if err != nil {
			if code := fault.CodeOf(err); code != fault.BadClaim && code != fault.MissingClaim {
				t.Fatalf("refused with %s", code)
			}
			return
		}
		p.Issuer = codeberg
		r := forgejoRule(func(r *Rule) { r.RepositoryID, r.OwnerID = id, id })
		v := Match(forgejo{}, r, p)
		checkVerdict(t, v)
		if ascii(p.Repository) && v.Granted() && !forgejoOracle(r, p) {
			t.Fatalf("rule %+v let %+v in", r, p)
		}
		checkLinks(t, p, "https://codeberg.org", p.Repository)
	})
}

func FuzzForgejoNormalise(f *testing.F) {
	f.Add("acme", "forge", "build.yml")
	f.Add("https://codeberg.org/a/b.git", "", ".gitea/workflows/a@b.yaml")
	f.Add("git@codeberg.org:a/b.git.git", " b ", "./.forgejo/workflows/.gitea/workflows/x.yml@refs/y")
	f.Add("codeberg.org/codeberg.org/a", "b", "x/.github/workflows/.github/workflows/x.yml")
	f.Fuzz(func(t *testing.T, owner, repository, workflow string) {
		checkNormalise(t, forgejo{}, Rule{Issuer: codeberg, Owner: owner, Repository: repository, Workflow: workflow})
	})
}
