package provider

import (
	"cmp"
	"encoding/json"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice/internal/fault"
)

// gitlabClaims are those of a push to acme/tools/forge.
func gitlabClaims(change ...func(Claims)) Claims {
	c := Claims{
		"project_path": "acme/tools/forge", "namespace_path": "acme/tools", "project_id": "22", "namespace_id": "11",
		"job_project_path": "acme/tools/forge", "job_namespace_path": "acme/tools", "job_project_id": "22", "job_namespace_id": "11",
		"ci_config_ref_uri": "gitlab.com/acme/tools/forge//.gitlab-ci.yml@refs/heads/main", "ci_config_sha": sha, "sha": sha,
		"ref": "main", "ref_type": "branch", "ref_path": "refs/heads/main", "ref_protected": "true",
		"pipeline_source": "push", "pipeline_id": "9001", "job_id": "8001", "runner_id": json.Number("12"), "runner_environment": "gitlab-hosted",
		"project_visibility": "public", "user_login": "mara", "user_email": "mara@acme.dev", "user_id": "4711",
	}
	for _, f := range change {
		f(c)
	}
	return c
}

func with(name string, value any) func(Claims) { return func(c Claims) { c[name] = value } }

func without(names ...string) func(Claims) {
	return func(c Claims) {
		maps.DeleteFunc(c, func(name string, _ any) bool { return slices.Contains(names, name) })
	}
}

func gitlabRun(t *testing.T, change ...func(Claims)) Provenance {
	t.Helper()
	p, err := gitlab{}.Read(gitlabClaims(change...))
	if err != nil {
		t.Fatal(err)
	}
	p.Issuer = "https://gitlab.com"
	return p
}

func gitlabRule(change ...func(*Rule)) Rule {
	r := Rule{Provider: "gitlab", Issuer: "https://gitlab.com", Owner: "acme/tools", Repository: "forge", Workflow: ".gitlab-ci.yml"}
	for _, f := range change {
		f(&r)
	}
	return r
}

func TestGitLabRead(t *testing.T) {
	t.Parallel()
	want := Provenance{
		Provider: "gitlab", Repository: "acme/tools/forge", Owner: "acme/tools", RepositoryID: "22", OwnerID: "11", Visibility: "public",
		Workflow: ".gitlab-ci.yml", WorkflowRef: "gitlab.com/acme/tools/forge//.gitlab-ci.yml@refs/heads/main", WorkflowSHA: sha,
		Ref: "refs/heads/main", RefType: "branch", RefProtected: "true", SHA: sha, Event: "push", RunID: "9001", JobID: "8001", Runner: "gitlab-hosted",
	}
	got, err := gitlab{}.Read(gitlabClaims())
	if d := gocmp.Diff(want, got); d != "" || err != nil {
		t.Error(err, d)
	}
	if s := got.Sentence(); s != "Published by .gitlab-ci.yml of acme/tools/forge, run 9001, commit 0123456 on main" {
		t.Errorf("= %q", s)
	}
	if got.Name() != "forge" {
		t.Errorf("name %q", got.Name())
	}
	for _, tt := range []struct {
		name   string
		change func(Claims)
		code   fault.Code
		says   string
	}{
		{"61 no project id", without("project_id"), fault.MissingClaim, "project_id"},
		{"61 no namespace id", with("namespace_id", ""), fault.MissingClaim, "namespace_id"},
		{"no configuration", with("ci_config_ref_uri", nil), fault.MissingClaim, "GitLab sends it since version 16.3"},
		{"no job", without("job_id"), fault.MissingClaim, "job_id"},
		{"62 number for an id", with("project_id", json.Number("22")), fault.BadClaim, "project_id is a number"},
		{"62 boolean for a string", with("ref_protected", true), fault.BadClaim, "ref_protected is true or false"},
		{"62 no decimal id", with("project_id", "0x16"), fault.BadClaim, "project_id is 0x16"},
		{"62 job's project by number", with("job_project_id", json.Number("22")), fault.BadClaim, "job_project_id"},
		{"long", with("ref_path", strings.Repeat("x", maxClaim+1)), fault.BadClaim, "ref_path"},
	} {
		if _, err := (gitlab{}).Read(gitlabClaims(tt.change)); fault.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: error %v, want %s with %q", tt.name, err, tt.code, tt.says)
		}
	}
	if _, err := (gitlab{}).Read(gitlabClaims(without("user_login", "runner_id", "sub", "ref", "job_project_path"))); err != nil {
		t.Errorf("claims that are not read are missed: %v", err)
	}
}

// The claim level of the attack catalogue, trusted-publishing.md §4 and §5, as far as it concerns GitLab.
func TestGitLabMatch(t *testing.T) {
	t.Parallel()
	const taken, project = fault.Code(""), "gitlab.com/acme/tools/forge//"
	config := func(uri string) func(Claims) { return with("ci_config_ref_uri", uri) }
	all := func(changes ...func(Claims)) func(Claims) {
		return func(c Claims) {
			for _, f := range changes {
				f(c)
			}
		}
	}
	branch := func(name string) func(Claims) {
		return all(with("ref", name), with("ref_path", "refs/heads/"+name))
	}
	same, asIs := func(Claims) {}, func(*Rule) {}
	file := func(name string) func(*Rule) { return func(r *Rule) { r.Workflow = name } }
	pinned := func(owner, repository string) func(*Rule) {
		return func(r *Rule) { r.OwnerID, r.RepositoryID = owner, repository }
	}
	events := func(names ...string) func(*Rule) { return func(r *Rule) { r.Events = names } }
	environment := func(r *Rule) { r.Environment = "release" }
	protected := func(r *Rule) { r.ProtectedRef = true }
	hosted := func(r *Rule) { r.HostedRunner = true }
	refs := func(globs ...string) func(*Rule) { return func(r *Rule) { r.Refs = globs } }
	anyProject := func(r *Rule) { r.Repository, r.AnyRepository = "", true }
	fork := all(with("project_path", "mallory/forge"), with("namespace_path", "mallory"), with("project_id", "666"), with("namespace_id", "66"),
		with("pipeline_source", "merge_request_event"))
	for _, tt := range []struct {
		name   string
		rule   func(*Rule)
		claims func(Claims)
		code   fault.Code
		hint   string
	}{
		{"all fits", asIs, same, taken, ""},
		{"42 another project", asIs, all(with("project_path", "acme/tools/other"), with("project_id", "5")), fault.NoPublisher, ""},
		{"42 names in other case", asIs, all(with("project_path", "Acme/Tools/Forge"), with("namespace_path", "ACME/tools")), taken, ""},
		{"42 the group above", asIs, all(with("project_path", "acme/forge"), with("namespace_path", "acme")), fault.NoPublisher, ""},
		{"42 a group below", asIs, all(with("project_path", "acme/tools/x/forge"), with("namespace_path", "acme/tools/x")), fault.NoPublisher, ""},
		{"42 slash moved", asIs, with("namespace_path", "acme"), fault.NoPublisher, ""},
		{"43 other file", asIs, config(project + "evil.yml@refs/heads/main"), fault.WorkflowMismatch, ""},
		{"43 file in a folder", file("ci/build.yml"), config(project + "ci/build.yml@refs/heads/main"), taken, ""},
		{"43 the file in another folder", file("build.yml"), config(project + "ci/build.yml@refs/heads/main"), fault.WorkflowMismatch, ""},
		{"43 project in other case", asIs, config("gitlab.com/Acme/TOOLS/forge//.gitlab-ci.yml@refs/heads/main"), taken, ""},
		{"44 case", asIs, config(project + ".GitLab-ci.yml@refs/heads/main"), fault.WorkflowMismatch, "upper and lower case"},
		{"44 extension", asIs, config(project + ".gitlab-ci.yaml@refs/heads/main"), fault.WorkflowMismatch, "only in the extension"},
		{"45 @ in the file", asIs, config(project + ".gitlab-ci.yml@evil.yml@refs/heads/main"), fault.WorkflowMismatch, ""},
		{"45 @ in the rule's file", file("a@b.yml"), config(project + "a@b.yml@refs/heads/main"), taken, ""},
		{"45 branch named like the file", asIs, all(branch(".gitlab-ci.yml@x"), config(project+"evil.yml@refs/heads/.gitlab-ci.yml@x")), fault.WorkflowMismatch, ""},
		{"45 branch named like the file, right file", asIs, all(branch("evil.yml@x"), config(project+".gitlab-ci.yml@refs/heads/evil.yml@x")), taken, ""},
		{"45 reference to another branch", asIs, config(project + ".gitlab-ci.yml@refs/heads/other"), fault.WorkflowMismatch, ""},
		{"45 no ref at the end", asIs, config(project + ".gitlab-ci.yml"), fault.WorkflowMismatch, ""},
		{"45 more at the end", asIs, config(project + ".gitlab-ci.yml@refs/heads/main/x"), fault.WorkflowMismatch, ""},
		{"45 one slash", asIs, config("gitlab.com/acme/tools/forge/.gitlab-ci.yml@refs/heads/main"), fault.WorkflowMismatch, ""},
		{"45 path with //", asIs, config(project + "/.gitlab-ci.yml@refs/heads/main"), fault.WorkflowMismatch, ""},
		{"49 environment", environment, with("environment", "release"), taken, ""},
		{"49 environment missing", environment, same, fault.EnvironmentMismatch, "environment: release"},
		{"49 environment empty", environment, with("environment", ""), fault.EnvironmentMismatch, ""},
		{"49 environment in other case", environment, with("environment", "Release"), fault.EnvironmentMismatch, "upper and lower case"},
		{"50 ref", refs("refs/heads/main"), same, taken, ""},
		{"50 other ref", refs("refs/tags/v*"), same, fault.RefMismatch, ""},
		{"50 branch like a tag", refs("refs/tags/v1"), all(branch("v1"), config(project+".gitlab-ci.yml@refs/heads/v1")), fault.RefMismatch, "two refs"},
		{"51 protected", protected, same, taken, ""},
		{"51 not protected", protected, with("ref_protected", "false"), fault.RefNotProtected, "Protect refs/heads/main"},
		{"51 protection not told", protected, without("ref_protected"), fault.RefNotProtected, ""},
		{"52 web", asIs, with("pipeline_source", "web"), taken, ""},
		{"52 schedule", asIs, with("pipeline_source", "schedule"), taken, ""},
		{"52 api", asIs, with("pipeline_source", "api"), taken, ""},
		{"52 merge request of the project's own", asIs, with("pipeline_source", "merge_request_event"), fault.EventNotAllowed, "reviewed"},
		{"52 merge request of the project's own, named", events("merge_request_event"), with("pipeline_source", "merge_request_event"), taken, ""},
		{"52 external pull request", asIs, with("pipeline_source", "external_pull_request_event"), fault.EventNotAllowed, "reviewed"},
		{"52 child pipeline", asIs, with("pipeline_source", "parent_pipeline"), fault.EventNotAllowed, "hides what started"},
		{"52 other project's pipeline", asIs, with("pipeline_source", "pipeline"), fault.EventNotAllowed, "variables"},
		{"52 trigger token", asIs, with("pipeline_source", "trigger"), fault.EventNotAllowed, "trigger token"},
		{"52 trigger token, named", events("trigger"), with("pipeline_source", "trigger"), taken, ""},
		{"53 no source", asIs, without("pipeline_source"), fault.EventNotAllowed, ""},
		{"53 unknown source", asIs, with("pipeline_source", "duo_workflow"), fault.EventNotAllowed, "Publish from push, web or api"},
		{"54 fork of the same name", asIs, all(with("project_path", "mallory/forge"), with("namespace_path", "mallory"), with("project_id", "666"),
			with("job_project_id", "666")), fault.NoPublisher, ""},
		{"55 another project of the name", pinned("11", "22"), all(with("project_id", "23"), with("job_project_id", "23")), fault.IDMismatch, ""},
		{"55 another group of the name", pinned("11", ""), with("namespace_id", "12"), fault.IDMismatch, ""},
		{"56 transferred", pinned("11", "22"), with("namespace_id", "12"), fault.OwnerChanged, ""},
		{"57 renamed", pinned("11", "22"), all(with("project_path", "acme/new/smithy"), with("namespace_path", "acme/new"), with("job_project_path", "acme/new/smithy"),
			config("gitlab.com/acme/new/smithy//.gitlab-ci.yml@refs/heads/main")), taken, ""},
		{"58 fork's merge request, its own publisher", func(r *Rule) { r.Owner = "mallory" }, fork, fault.ForkPipeline, "fork's code"},
		{"58 the same, merge requests allowed", func(r *Rule) { r.Owner, r.Events = "mallory", []string{"merge_request_event"} }, fork, fault.ForkPipeline, "fork's code"},
		{"58 fork's merge request, the project's publisher", asIs, fork, fault.NoPublisher, ""},
		{"58 fork's push in another project", func(r *Rule) { r.Owner = "mallory" }, all(fork, with("pipeline_source", "push")), fault.ForkPipeline, ""},
		{"58 fork without a path", func(r *Rule) { r.Owner = "mallory" }, all(fork, without("job_project_path")), fault.ForkPipeline, ""},
		{"58 server that tells no forks, push", asIs, without("job_project_id", "job_project_path"), taken, ""},
		{"58 server that tells no forks, merge request", events("merge_request_event"),
			all(without("job_project_id", "job_project_path"), with("pipeline_source", "merge_request_event")), fault.ForkPipeline, ""},
		{"58 server that tells no forks, child", events("parent_pipeline"),
			all(without("job_project_id", "job_project_path"), with("pipeline_source", "parent_pipeline")), fault.ForkPipeline, ""},
		{"58 server that tells no forks, unknown", events("new"), all(without("job_project_id", "job_project_path"), with("pipeline_source", "new")), fault.ForkPipeline, ""},
		{"58 server that tells no forks, trigger", events("trigger"), all(without("job_project_id", "job_project_path"), with("pipeline_source", "trigger")), taken, ""},
		{"59 configuration of another project", asIs, config("gitlab.com/acme/policies//.gitlab-ci.yml@refs/heads/main"), fault.WorkflowMismatch, ""},
		{"59 configuration of another project, as it is written today", asIs, config(project + ".gitlab-ci.yml@acme/policies@refs/heads/main"), fault.WorkflowMismatch, ""},
		{"59 configuration at an address", asIs, config(project + "https://evil.example/.gitlab-ci.yml@refs/heads/main"), fault.WorkflowMismatch, ""},
		{"59 address alone", asIs, config("https://evil.example/acme/tools/forge//.gitlab-ci.yml@refs/heads/main"), fault.WorkflowMismatch, ""},
		{"59 other host", asIs, config("gitlab.acme.dev/acme/tools/forge//.gitlab-ci.yml@refs/heads/main"), fault.WorkflowMismatch, ""},
		{"59 host with more before it", asIs, config("evil.example/gitlab.com/acme/tools/forge//.gitlab-ci.yml@refs/heads/main"), fault.WorkflowMismatch, ""},
		{"59 host in other case", asIs, config("GitLab.com/acme/tools/forge//.gitlab-ci.yml@refs/heads/main"), fault.WorkflowMismatch, ""},
		{"59 no host", asIs, config("acme/tools/forge//.gitlab-ci.yml@refs/heads/main"), fault.WorkflowMismatch, ""},
		{"59 commit instead of a ref", asIs, config(project + ".gitlab-ci.yml@" + sha), taken, ""},
		{"59 another commit", asIs, config(project + ".gitlab-ci.yml@" + strings.Repeat("f", 40)), fault.WorkflowMismatch, ""},
		{"59 instance below a path", func(r *Rule) { r.Issuer = "https://acme.dev:8443/gitlab" }, config("acme.dev:8443/gitlab/acme/tools/forge//.gitlab-ci.yml@refs/heads/main"), taken, ""},
		{"59 instance below a path, host alone", func(r *Rule) { r.Issuer = "https://acme.dev/gitlab" }, config("acme.dev/acme/tools/forge//.gitlab-ci.yml@refs/heads/main"),
			fault.WorkflowMismatch, ""},
		{"60 hosted", hosted, same, taken, ""},
		{"60 own runner", hosted, with("runner_environment", "self-hosted"), fault.RunnerNotAllowed, ""},
		{"60 runner not told", hosted, without("runner_environment"), fault.RunnerNotAllowed, ""},
		{"63 sub", asIs, with("sub", "project_path:mallory/forge:ref_type:branch:ref:main"), taken, ""},
		{"67 Kelvin sign", func(r *Rule) { r.Owner = "kelvin" }, all(with("project_path", "\u212aelvin/forge"), with("namespace_path", "\u212aelvin")), fault.NoPublisher, ""},
		{"67 zero width", pinned("11", "22"), all(with("project_path", "acme/tools/for\u200bge")), fault.NoPublisher, ""},
		{"67 dots", pinned("11", "22"), all(with("project_path", "acme/../forge"), with("namespace_path", "acme/..")), fault.NoPublisher, ""},
		{"any project", anyProject, all(with("project_path", "acme/tools/new"), with("project_id", "23"), with("job_project_id", "23"),
			config("gitlab.com/acme/tools/new//.gitlab-ci.yml@refs/heads/main")), taken, ""},
		{"any project, a group below", anyProject, all(with("project_path", "acme/tools/x/new"), with("namespace_path", "acme/tools/x"), with("namespace_id", "13")), fault.NoPublisher, ""},
		{"any project, another group of the name", func(r *Rule) { anyProject(r); r.OwnerID = "10" }, same, fault.IDMismatch, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, p := gitlabRule(tt.rule), gitlabRun(t, tt.claims)
			p.Issuer = r.Issuer
			checkPoint(t, Match(gitlab{}, r, p), tt.code, tt.hint)
		})
	}
}

// Row 90 of the catalogue.
func TestGitLabLinks(t *testing.T) {
	t.Parallel()
	links := func(site string) Links {
		project := site + "/acme/tools/forge"
		return Links{Repository: project, Run: project + "/-/jobs/8001", Commit: project + "/-/commit/" + sha, Workflow: project + "/-/blob/" + sha + "/.gitlab-ci.yml"}
	}
	on := func(issuer string) func(*Provenance) { return func(p *Provenance) { p.Issuer = issuer } }
	project := func(name string) func(*Provenance) {
		return func(p *Provenance) { p.Repository, p.Owner = name, path.Dir(name) }
	}
	less := func(f func(*Links)) Links { l := links("https://gitlab.com"); f(&l); return l }
	for _, tt := range []struct {
		name   string
		change func(*Provenance)
		want   Links
	}{
		{"gitlab.com", func(*Provenance) {}, links("https://gitlab.com")},
		{"instance", on("https://gitlab.acme.dev:8443"), links("https://gitlab.acme.dev:8443")},
		{"instance below a path", on("https://acme.dev/gitlab"), links("https://acme.dev/gitlab")},
		{"stand-in", on("http://127.0.0.1:9000"), links("http://127.0.0.1:9000")},
		{"plain http", on("http://gitlab.acme.dev"), Links{}},
		{"javascript", on("javascript:alert(1)"), Links{}},
		{"user in the issuer", on("https://x@gitlab.com"), Links{}},
		{"no issuer", on(""), Links{}},
		{"host in the project", project("/evil.example/x"), Links{}},
		{"dots in the project", project("acme/../forge"), Links{}},
		{"page in the project", project("acme/-/forge"), Links{}},
		{"user in the project", project("x@evil.example/y"), Links{}},
		{"query in the project", project("acme/forge?x"), Links{}},
		{"names that differ", func(p *Provenance) { p.Owner = "acme" }, Links{}},
		{"job with a path", func(p *Provenance) { p.JobID = "1/../x" }, less(func(l *Links) { l.Run = "" })},
		{"short commit", func(p *Provenance) { p.SHA = "abc1234" }, less(func(l *Links) { l.Commit, l.Workflow = "", "" })},
		{"file's own commit", func(p *Provenance) { p.WorkflowSHA = strings.Repeat("f", 40) },
			less(func(l *Links) { l.Workflow = strings.Replace(l.Workflow, sha, strings.Repeat("f", 40), 1) })},
		{"file in a folder", func(p *Provenance) { p.Workflow = "ci/a b@c.yml" },
			less(func(l *Links) { l.Workflow = strings.Replace(l.Workflow, ".gitlab-ci.yml", "ci/a%20b@c.yml", 1) })},
		{"file above the project", func(p *Provenance) { p.Workflow = "../x.yml" }, less(func(l *Links) { l.Workflow = "" })},
		{"job in another project", func(p *Provenance) { p.Fork = "acme/forge" },
			less(func(l *Links) { l.Run = "https://gitlab.com/acme/forge/-/jobs/8001" })},
		{"job in no project", func(p *Provenance) { p.Fork = "../x" }, less(func(l *Links) { l.Run = "" })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := gitlabRun(t)
			tt.change(&p)
			if d := gocmp.Diff(tt.want, p.links()); d != "" {
				t.Error(d)
			}
		})
	}
}

// Rows 83 and 84 of the catalogue: what people paste, and what cannot be.
func TestGitLabNormalise(t *testing.T) {
	t.Parallel()
	const forge = "acme/tools forge .gitlab-ci.yml"
	for _, tt := range []struct {
		name string
		in   Rule
		want string // namespace, project, file; or the fields that have problems
	}{
		{"plain", Rule{Owner: "acme/tools", Repository: "forge", Workflow: ".gitlab-ci.yml"}, forge},
		{"file left empty", Rule{Owner: "acme/tools", Repository: "forge"}, forge},
		{"blanks", Rule{Owner: " acme/tools\t", Repository: "\nforge ", Workflow: " .gitlab-ci.yml "}, forge},
		{"both in the project", Rule{Repository: "acme/tools/forge"}, forge},
		{"both in the namespace", Rule{Owner: "acme/tools/forge"}, forge},
		{"both in both", Rule{Owner: "acme/tools/forge", Repository: "acme/tools/forge"}, forge},
		{"namespace given twice", Rule{Owner: "Acme/Tools", Repository: "acme/tools/forge"}, forge},
		{"project named like its group", Rule{Owner: "acme/tools", Repository: "tools"}, "acme/tools tools .gitlab-ci.yml"},
		{"address", Rule{Repository: "https://gitlab.acme.dev/acme/tools/forge"}, forge},
		{"address of a page", Rule{Repository: "https://gitlab.acme.dev/acme/tools/forge/-/tree/main?ref_type=heads#x"}, forge},
		{"address of the file as project", Rule{Owner: "https://gitlab.acme.dev/acme/tools/forge/-/blob/main/.gitlab-ci.yml"}, forge},
		{"address to clone", Rule{Repository: "https://oauth2@gitlab.acme.dev/acme/tools/forge.git"}, forge},
		{"address over ssh", Rule{Repository: "git@gitlab.acme.dev:acme/tools/forge.git"}, forge},
		{"address over ssh with a port", Rule{Repository: "ssh://git@gitlab.acme.dev:2222/acme/tools/forge.git"}, forge},
		{"address without a scheme", Rule{Repository: "gitlab.acme.dev/acme/tools/forge/"}, forge},
		{"group's address", Rule{Owner: "https://gitlab.acme.dev/acme/tools/", Repository: "forge"}, forge},
		{"instance below a path", Rule{Issuer: "https://acme.dev/gitlab", Repository: "https://acme.dev/gitlab/acme/tools/forge"}, forge},
		{"the same over ssh", Rule{Issuer: "https://acme.dev/gitlab", Repository: "git@acme.dev:acme/tools/forge.git"}, forge},
		{"user", Rule{Owner: "mara", Repository: "forge"}, "mara forge .gitlab-ci.yml"},
		{"dots", Rule{Owner: "acme.dev", Repository: ".github"}, "acme.dev .github .gitlab-ci.yml"},
		{"file's path", Rule{Owner: "acme/tools", Repository: "forge", Workflow: "ci/build.yml"}, "acme/tools forge ci/build.yml"},
		{"file's path from here", Rule{Owner: "acme/tools", Repository: "forge", Workflow: "./ci/build.yaml"}, "acme/tools forge ci/build.yaml"},
		{"file's path from the root", Rule{Owner: "acme/tools", Repository: "forge", Workflow: "/ci/build.yml"}, "acme/tools forge ci/build.yml"},
		{"file's address", Rule{Owner: "acme/tools", Repository: "forge", Workflow: "https://gitlab.acme.dev/acme/tools/forge/-/blob/main/ci/a%20b.yml?ref_type=heads#L3"},
			"acme/tools forge ci/a b.yml"},
		{"file's reference", Rule{Owner: "acme/tools", Repository: "forge", Workflow: "gitlab.acme.dev/acme/tools/forge//ci/build.yml@refs/heads/main"}, "acme/tools forge ci/build.yml"},
		{"file with @", Rule{Owner: "acme/tools", Repository: "forge", Workflow: "a@b.yml"}, "acme/tools forge a@b.yml"},
		{"any project", Rule{Owner: "https://gitlab.acme.dev/acme/tools", AnyRepository: true}, "acme/tools  .gitlab-ci.yml"},

		{"nothing", Rule{}, "! owner repository"},
		{"address of another instance", Rule{Repository: "https://gitlab.com/acme/tools/forge"}, "! owner"},
		{"clone of another instance", Rule{Repository: "git@gitlab.com:acme/tools/forge"}, "! owner"},
		{"other instance's user name", Rule{Repository: "https://gitlab.acme.dev@evil.example/acme/tools/forge"}, "! owner"},
		{"contradiction", Rule{Owner: "acme", Repository: "tools/forge"}, "! repository"},
		{"* as namespace", Rule{Owner: "*", Repository: "forge"}, "! owner"},
		{"* in the project", Rule{Owner: "acme", Repository: "forge-*"}, "! repository"},
		{"* in the file", Rule{Owner: "acme", Repository: "forge", Workflow: "*.yml"}, "! workflow"},
		{"look-alike", Rule{Owner: "аcme", Repository: "forge"}, "! owner"},
		{"empty part", Rule{Owner: "acme//tools", Repository: "forge"}, "! owner"},
		{"dots in the namespace", Rule{Owner: "acme/..", Repository: "forge"}, "! owner"},
		{"hyphen first", Rule{Owner: "acme/-x", Repository: "forge"}, "! owner"},
		{"file above the project", Rule{Owner: "acme", Repository: "forge", Workflow: "../ci.yml"}, "! workflow"},
		{"file of another project", Rule{Owner: "acme", Repository: "forge", Workflow: "ci.yml@acme/policies"}, "! workflow"},
		{"file of a project named like a file", Rule{Owner: "acme", Repository: "forge", Workflow: "ci.yml@acme/policies.yml"}, "! workflow"},
		{"file at an address", Rule{Owner: "acme", Repository: "forge", Workflow: "https://evil.example/ci.yml"}, "! workflow"},
		{"no extension", Rule{Owner: "acme", Repository: "forge", Workflow: "ci"}, "! workflow"},
		{"any project of nobody", Rule{AnyRepository: true}, "! owner"},
		{"ids that are none", Rule{Owner: "acme", Repository: "forge", OwnerID: "-1", RepositoryID: "x"}, "! owner_id repository_id"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.in.Issuer = cmp.Or(tt.in.Issuer, "https://gitlab.acme.dev")
			checkForm(t, gitlab{}, tt.in, tt.want)
		})
	}
}

func TestGitLabNamesTheVariable(t *testing.T) {
	t.Parallel()
	got := gitlab{}.Traits().AudienceHint("conda-1.acme.dev")
	if want := "id_tokens: {CONDA_1_ACME_DEV_ID_TOKEN: {aud: conda-1.acme.dev}}"; !strings.Contains(got, want) {
		t.Errorf("%q lacks %q", got, want)
	}
}

// gitlabOracle says what the rule means in the plainest way, without a look at how Match does it.
func gitlabOracle(r Rule, p Provenance) bool {
	fold := strings.ToLower
	parts := strings.Split(p.Repository, "/")
	n := len(parts) - 1
	if n < 1 || slices.Contains(parts, "") || fold(strings.Join(parts[:n], "/")) != fold(p.Owner) || p.Fork != "" {
		return false
	}
	names := fold(r.Owner+"/"+r.Repository) == fold(p.Repository)
	repository := r.RepositoryID == p.RepositoryID || r.RepositoryID == "" && names
	owner := r.OwnerID == p.OwnerID || r.OwnerID == "" && fold(r.Owner) == fold(p.Owner)
	file := regexp.MustCompile(`^gitlab\.com/(?i:` + regexp.QuoteMeta(p.Repository) + `)//` + regexp.QuoteMeta(r.Workflow) + `@(` +
		regexp.QuoteMeta(cmp.Or(p.Ref, "?")) + `|` + regexp.QuoteMeta(cmp.Or(p.SHA, "?")) + `)$`)
	return repository && owner && file.MatchString(p.WorkflowRef) &&
		(r.Environment == "" || r.Environment == p.Environment) &&
		slices.Contains([]string{"push", "web", "api", "schedule"}, p.Event)
}

// drawGitLab picks a rule and the claims of a run that fit but for, mostly, one or two points.
func drawGitLab(t *rapid.T) (Rule, Provenance) {
	pick := picker(t)
	namespace := pick("namespace", "acme/tools", "ACME/tools", "acme", "evil", "acme/tools/x")
	project := namespace + "/" + pick("project", "forge", "Forge", "forge-2", "a/b", "")
	ref := pick("ref", "refs/heads/main", "refs/heads/.gitlab-ci.yml@x", "refs/tags/v1", "")
	commit := pick("sha", sha, "")
	c := Claims{
		"project_path": project, "namespace_path": pick("namespace_path", namespace, "acme/tools"), "project_id": pick("project id", "22", "23"),
		"namespace_id": pick("namespace id", "11", "12"), "ref_path": ref, "sha": commit, "pipeline_id": "1", "job_id": "2",
		"pipeline_source": pick("source", "push", "web", "merge_request_event", "parent_pipeline", "trigger", "", "Push"),
		"environment":     rapid.SampledFrom([]string{"", "release", "Release", "test"}).Draw(t, "environment"),
		"job_project_id":  pick("job's project", "22", "23", ""),
		"ci_config_ref_uri": pick("host", "gitlab.com/", "gitlab.com:443/", "evil/gitlab.com/", "") + pick("configuration's project", project, strings.ToUpper(project), "acme/policies") +
			pick("slashes", "//", "/", "///") + pick("file", ".gitlab-ci.yml", ".gitlab-ci.yaml", ".gitlab-ci.yml@x.yml", "a.yml") +
			pick("at", "@"+cmp.Or(ref, commit), "@"+commit, "", "@refs/heads/other"),
	}
	p, err := gitlab{}.Read(c)
	if err != nil {
		t.Fatal(err)
	}
	p.Issuer = "https://gitlab.com"
	r := gitlabRule(func(r *Rule) {
		r.Workflow = pick("rule's file", ".gitlab-ci.yml", ".gitlab-ci.yml@x.yml")
		r.Environment = rapid.SampledFrom([]string{"", "release"}).Draw(t, "rule's environment")
		r.OwnerID = rapid.SampledFrom([]string{"", "11"}).Draw(t, "rule's namespace id")
		r.RepositoryID = rapid.SampledFrom([]string{"", "22"}).Draw(t, "rule's project id")
	})
	return r, p
}

func TestGitLabMatchAgreesWithTheOracle(t *testing.T) {
	t.Parallel()
	agree(t, gitlab{}, drawGitLab, gitlabOracle)
}

func FuzzGitLabMatch(f *testing.F) {
	for _, change := range []func(Claims){func(Claims) {}, with("project_path", "acme/../x"), with("job_project_id", "7"), with("runner_id", true)} {
		data, err := json.Marshal(gitlabClaims(change, without("runner_id")))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "", "release")
		f.Add(data, "22", "")
	}
	f.Fuzz(func(t *testing.T, data []byte, id, environment string) {
		var claims Claims
		if json.Unmarshal(data, &claims) != nil {
			return
		}
		p, err := gitlab{}.Read(claims)
		if err != nil {
			if code := fault.CodeOf(err); code != fault.BadClaim && code != fault.MissingClaim {
				t.Fatalf("refused with %s", code)
			}
			return
		}
		p.Issuer = "https://gitlab.com"
		r := gitlabRule(func(r *Rule) { r.Environment, r.RepositoryID, r.OwnerID = environment, id, id })
		v := Match(gitlab{}, r, p)
		checkVerdict(t, v)
		if ascii(p.Repository) && v.Granted() && !gitlabOracle(r, p) {
			t.Fatalf("rule %+v let %+v in", r, p)
		}
		checkLinks(t, p, "https://gitlab.com", p.Repository, p.Fork)
	})
}

func FuzzGitLabNormalise(f *testing.F) {
	f.Add("acme/tools", "forge", "", "release")
	f.Add("https://gitlab.acme.dev/gitlab/a/b/c.git", "", "/x/a@b.yaml", "")
	f.Add("git@gitlab.acme.dev:a/b.git.git", " b ", "./x.yml", " e ")
	f.Add("gitlab.acme.dev/gitlab.acme.dev/gitlab/gitlab/x", "y", "https://gitlab.acme.dev/gitlab/a/-/blob/main//x.yml", "")
	f.Fuzz(func(t *testing.T, owner, repository, workflow, environment string) {
		checkNormalise(t, gitlab{}, Rule{Issuer: "https://gitlab.acme.dev/gitlab", Owner: owner, Repository: repository, Workflow: workflow, Conditions: Conditions{Environment: environment}})
	})
}

// As rattler_upload makes it.
func TestGitLabVariable(t *testing.T) {
	t.Parallel()
	for audience, want := range map[string]string{
		"conda.example.com": "CONDA_EXAMPLE_COM_ID_TOKEN", "xn--conda-9.example.com": "XN__CONDA_9_EXAMPLE_COM_ID_TOKEN", "localhost": "LOCALHOST_ID_TOKEN",
	} {
		if got := GitLabVariable(audience); got != want {
			t.Errorf("%s: %s, want %s", audience, got, want)
		}
	}
}
