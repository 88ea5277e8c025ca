package provider

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice/internal/fault"
)

const (
	orgID     = "0190b0a1-7c3e-4d52-9a60-2f1e6c0d7b11"
	projectID = "0190b0a2-51f4-4a9b-8c55-7e0a4b9d3c22"
	otherID   = "0190b0a3-0000-4000-8000-000000000033"
	subject   = "113748291048274910283"
	account   = "forge@acme-builds.iam.gserviceaccount.com"
)

func buildkiteClaims() Claims {
	return Claims{
		"organization_slug": "acme", "pipeline_slug": "forge", "organization_id": orgID, "pipeline_id": projectID, "build_number": json.Number("42"),
		"build_branch": "main", "build_commit": sha, "build_source": "webhook", "job_id": otherID, "runner_environment": "buildkite-hosted",
		"step_key": nil, "sub": "organization:acme:pipeline:forge:…",
	}
}

func circleciClaims() Claims {
	return Claims{
		"oidc.circleci.com/org-id": orgID, "oidc.circleci.com/project-id": projectID, "oidc.circleci.com/pipeline-definition-id": otherID,
		"oidc.circleci.com/workflow-id": orgID, "oidc.circleci.com/job-id": otherID, "oidc.circleci.com/vcs-origin": "github.com/acme/forge",
		"oidc.circleci.com/vcs-ref": "refs/heads/main", "oidc.circleci.com/ssh-rerun": false, "oidc.circleci.com/context-ids": []any{},
	}
}

func googleClaims() Claims {
	return Claims{"email": account, "email_verified": true, "sub": subject, "azp": subject}
}

// Each case changes one thing of a run that is let in. Rows 60 to 66.
func TestPresets(t *testing.T) {
	t.Parallel()
	set := func(name string, v any) func(Claims) { return func(c Claims) { c[name] = v } }
	without := func(name string) func(Claims) { return func(c Claims) { delete(c, name) } }
	rule := func(change ...func(*Rule)) func(Rule) Rule {
		return func(r Rule) Rule {
			for _, f := range change {
				f(&r)
			}
			return r
		}
	}
	const cc = "oidc.circleci.com/"
	pinned := rule(func(r *Rule) { r.OwnerID, r.RepositoryID = orgID, projectID })
	for _, service := range []struct {
		provider Provider
		issuer   string
		claims   func() Claims
		rule     Rule
		cases    []presetCase
	}{
		{buildkite{}, buildkiteIssuer, buildkiteClaims, Rule{Owner: "acme", Repository: "forge"}, []presetCase{
			{"as it is", nil, nil, ""},
			{"pinned", nil, pinned, ""},
			{"61 without ids", without("pipeline_id"), pinned, fault.MissingClaim},
			{"61 without the organization's id", without("organization_id"), nil, fault.MissingClaim},
			{"62 number as an id", set("pipeline_id", json.Number("7")), nil, fault.BadClaim},
			{"62 boolean as a slug", set("pipeline_slug", true), nil, fault.BadClaim},
			{"62 slug with a slash", set("pipeline_slug", "a/b"), nil, fault.BadClaim},
			{"63 no sub", without("sub"), nil, ""},
			{"63 sub is an id", set("sub", projectID), nil, ""},
			{"54 other organization", set("organization_slug", "evil"), nil, fault.NoPublisher},
			{"slug in another case", set("pipeline_slug", "Forge"), nil, fault.NoPublisher},
			{"67 Kelvin sign", set("organization_slug", "acme\u212a"), nil, fault.NoPublisher},
			{"renamed to what is no slug", set("pipeline_slug", "forge?x"), pinned, fault.NoPublisher},
			{"id that is none", set("pipeline_id", "7"), nil, fault.NoPublisher},
			{"55 slug taken by another", set("pipeline_id", otherID), pinned, fault.IDMismatch},
			{"56 moved", set("organization_id", otherID), pinned, fault.OwnerChanged},
			{"57 renamed", set("pipeline_slug", "forge-2"), pinned, ""},
			{"52 started through the API", set("build_source", "api"), nil, fault.EventNotAllowed},
			{"52 started by another pipeline", set("build_source", "trigger_job"), nil, fault.EventNotAllowed},
			{"53 no source", without("build_source"), nil, fault.EventNotAllowed},
			{"named by hand", set("build_source", "api"), rule(func(r *Rule) { r.Events = []string{"api"} }), ""},
			{"50 main alone", nil, rule(func(r *Rule) { r.Refs = []string{"refs/heads/main"} }), ""},
			{"50 a tag of that name", set("build_tag", "main"), rule(func(r *Rule) { r.Refs = []string{"refs/heads/main"} }), fault.RefMismatch},
			{"50 a fork's branch", set("build_branch", "mallory:main"), rule(func(r *Rule) { r.Refs = []string{"refs/heads/main"} }), fault.RefMismatch},
			{"60 hosted", nil, rule(func(r *Rule) { r.HostedRunner = true }), ""},
			{"60 self-hosted", set("runner_environment", "self-hosted"), rule(func(r *Rule) { r.HostedRunner = true }), fault.RunnerNotAllowed},
		}},
		{circleci{}, circleciIssuer, circleciClaims, Rule{Owner: "github.com/acme", Repository: "forge", OwnerID: orgID, RepositoryID: projectID}, []presetCase{
			{"as it is", nil, nil, ""},
			{"without its name", nil, rule(func(r *Rule) { r.Owner, r.Repository = "", projectID }), ""},
			{"65 other organization, same origin", set(cc+"project-id", otherID), nil, fault.NoPublisher},
			{"65 other organization, same project", set(cc+"org-id", otherID), nil, fault.OwnerChanged},
			{"65 by name alone", nil, rule(func(r *Rule) { r.OwnerID, r.RepositoryID = "", "" }), fault.NoPublisher},
			{"61 no project", without(cc + "project-id"), nil, fault.MissingClaim},
			{"61 no organization", without(cc + "org-id"), nil, fault.MissingClaim},
			{"62 number as an id", set(cc+"project-id", json.Number("1")), nil, fault.BadClaim},
			{"63 any sub", set("sub", "org/x/project/y"), nil, ""},
			{"64 with SSH", set(cc+"ssh-rerun", true), nil, fault.SSHRerun},
			{"64 with SSH, as a word", set(cc+"ssh-rerun", "true"), nil, fault.SSHRerun},
			{"64 without, as a word", set(cc+"ssh-rerun", "false"), nil, ""},
			{"64 untold", without(cc + "ssh-rerun"), nil, ""},
			{"64 number", set(cc+"ssh-rerun", json.Number("1")), nil, fault.BadClaim},
			{"64 other word", set(cc+"ssh-rerun", "True"), nil, fault.BadClaim},
			{"58 code of a fork", set(cc+"vcs-origin", "github.com/mallory/forge"), nil, fault.ForkPipeline},
			{"58 origin in another case", set(cc+"vcs-origin", "github.com/Acme/forge"), nil, fault.ForkPipeline},
			{"58 no origin", without(cc + "vcs-origin"), nil, fault.ForkPipeline},
			{"no origin and no name", without(cc + "vcs-origin"), rule(func(r *Rule) { r.Owner, r.Repository = "", projectID }), ""},
			{"definition", nil, rule(func(r *Rule) { r.Workflow = otherID }), ""},
			{"43 other definition", set(cc+"pipeline-definition-id", orgID), rule(func(r *Rule) { r.Workflow = otherID }), fault.WorkflowMismatch},
			{"43 no definition", without(cc + "pipeline-definition-id"), rule(func(r *Rule) { r.Workflow = otherID }), fault.WorkflowMismatch},
			{"50 a tag", set(cc+"vcs-ref", "refs/tags/main"), rule(func(r *Rule) { r.Refs = []string{"refs/heads/main"} }), fault.RefMismatch},
			{"50 no ref", without(cc + "vcs-ref"), rule(func(r *Rule) { r.Refs = []string{"refs/heads/main"} }), fault.RefMismatch},
		}},
		{google{}, "https://accounts.google.com", googleClaims, Rule{Repository: account, OwnerID: subject, RepositoryID: subject}, []presetCase{
			{"as it is", nil, nil, ""},
			{"66 other account", func(c Claims) { c["email"], c["sub"] = "x@evil.iam.gserviceaccount.com", "100000000000000000001" }, nil, fault.NoPublisher},
			{"66 account made anew", set("sub", "100000000000000000001"), nil, fault.IDMismatch},
			{"66 other address, same number", set("email", "x@evil.iam.gserviceaccount.com"), nil, fault.NoPublisher},
			{"66 address in another case", set("email", strings.ToUpper(account)), nil, fault.NoPublisher},
			{"66 not verified", set("email_verified", false), nil, fault.BadClaim},
			{"66 verified by a word", set("email_verified", "true"), nil, fault.BadClaim},
			{"66 verified by a number", set("email_verified", json.Number("1")), nil, fault.BadClaim},
			{"66 not told", without("email_verified"), nil, fault.BadClaim},
			{"61 no address", without("email"), nil, fault.MissingClaim},
			{"61 no number", without("sub"), nil, fault.MissingClaim},
			{"62 number as a number", set("sub", json.Number(subject)), nil, fault.BadClaim},
			{"number that is none", set("sub", "forge"), nil, fault.NoPublisher},
			{"unpinned", nil, rule(func(r *Rule) { r.OwnerID, r.RepositoryID = "", "" }), fault.IDMismatch},
		}},
	} {
		for _, tt := range service.cases {
			t.Run(service.provider.Traits().Name+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				claims, r := service.claims(), service.rule
				if tt.change != nil {
					tt.change(claims)
				}
				if tt.rule != nil {
					r = tt.rule(r)
				}
				r.Provider, r.Issuer = service.provider.Traits().Name, service.issuer
				if got := outcome(t, service.provider, r, claims); got != tt.want {
					t.Errorf("%q, want %q", got, tt.want)
				}
			})
		}
	}
}

type presetCase struct {
	name   string
	change func(Claims)
	rule   func(Rule) Rule
	want   fault.Code
}

// outcome is the code by which a run is refused, or "".
func outcome(t interface{ Fatalf(string, ...any) }, p Provider, r Rule, c Claims) fault.Code {
	run, err := p.Read(c)
	if err != nil {
		return fault.CodeOf(err)
	}
	run.Issuer = r.Issuer
	v := Match(p, r, run)
	checkVerdict(t, v)
	if ds := v.Differences(); v.Proven && len(ds) > 0 {
		return ds[0].Code
	}
	return v.Code
}

func TestBuildkiteSaysHowToBringIDs(t *testing.T) {
	t.Parallel()
	c := buildkiteClaims()
	delete(c, "organization_id")
	if _, err := (buildkite{}).Read(c); err == nil || !strings.Contains(err.Error(), "BUILDKITE_OIDC_TOKEN_CLAIMS=organization_id,pipeline_id") {
		t.Errorf("%v", err)
	}
}

func TestPresetProvenance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		p      Provider
		issuer string
		claims Claims
		want   Provenance
		links  Links
	}{
		{buildkite{}, buildkiteIssuer, buildkiteClaims(), Provenance{
			Provider: "buildkite", Issuer: buildkiteIssuer, Repository: "acme/forge", Owner: "acme", RepositoryID: projectID, OwnerID: orgID, Ref: "refs/heads/main",
			RefType: "branch", SHA: sha, Event: "webhook", RunID: "42", JobID: otherID, Runner: "buildkite-hosted",
		}, Links{Repository: "https://buildkite.com/acme/forge", Run: "https://buildkite.com/acme/forge/builds/42#" + otherID}},
		{circleci{}, circleciIssuer + "/org/" + orgID, circleciClaims(), Provenance{
			Provider: "circleci", Issuer: circleciIssuer + "/org/" + orgID, Repository: "github.com/acme/forge", Owner: "github.com/acme", RepositoryID: projectID,
			OwnerID: orgID, Workflow: otherID, Ref: "refs/heads/main", RefType: "branch", RunID: orgID, JobID: otherID,
		}, Links{Run: "https://app.circleci.com/workflow/" + orgID + "/job/" + otherID}},
		{google{}, "https://accounts.google.com", googleClaims(), Provenance{
			Provider: "google", Issuer: "https://accounts.google.com", Repository: account, RepositoryID: subject, OwnerID: subject,
		}, Links{}},
	} {
		got, err := tt.p.Read(tt.claims)
		got.Issuer = tt.issuer
		if d := gocmp.Diff(tt.want, got); err != nil || d != "" {
			t.Errorf("%v\n%s", err, d)
		}
		if links := (Links{Run: got.RunURL(), Commit: got.CommitURL(), Workflow: got.WorkflowURL(), Repository: got.RepositoryURL()}); links != tt.links {
			t.Errorf("links %+v, want %+v", links, tt.links)
		}
		got.Issuer = "https://other.example"
		if links := tt.p.Links(got); links != (Links{}) {
			t.Errorf("links of another issuer: %+v", links)
		}
	}
	bad := Provenance{Provider: "buildkite", Issuer: buildkiteIssuer, Repository: "acme/..", Owner: "acme", RunID: "1/../x"}
	if l := (buildkite{}).Links(bad); l != (Links{}) {
		t.Errorf("%+v", l)
	}
	if l := (circleci{}).Links(Provenance{Issuer: circleciIssuer, RunID: "../x", JobID: otherID}); l != (Links{}) {
		t.Errorf("%+v", l)
	}
	if l := (circleci{}).Links(Provenance{Issuer: circleciIssuer + ".evil.example", RunID: orgID, JobID: otherID}); l != (Links{}) {
		t.Errorf("%+v", l)
	}
}

func TestPresetForms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		p    Provider
		in   Rule
		want Rule
		bad  string
	}{
		{"slugs", buildkite{}, Rule{Owner: "acme", Repository: "forge"}, Rule{Owner: "acme", Repository: "forge"}, ""},
		{"address", buildkite{}, Rule{Repository: "https://buildkite.com/acme/forge/builds/7"}, Rule{Owner: "acme", Repository: "forge"}, ""},
		{"pair", buildkite{}, Rule{Owner: "buildkite.com/acme/forge"}, Rule{Owner: "acme", Repository: "forge"}, ""},
		{"ids in capitals", buildkite{}, Rule{Owner: "acme", Repository: "forge", OwnerID: strings.ToUpper(orgID), RepositoryID: " " + projectID},
			Rule{Owner: "acme", Repository: "forge", OwnerID: orgID, RepositoryID: projectID}, ""},
		{"bad", buildkite{}, Rule{Owner: "*", Workflow: "x", RepositoryID: "7"}, Rule{Owner: "*", Workflow: "x", RepositoryID: "7"}, "owner repository workflow repository_id"},
		{"ids", circleci{}, Rule{OwnerID: orgID, RepositoryID: projectID}, Rule{OwnerID: orgID, RepositoryID: projectID, Repository: projectID}, ""},
		{"ids and origin", circleci{}, Rule{OwnerID: orgID, RepositoryID: projectID, Repository: "https://github.com/acme/forge.git", Workflow: otherID},
			Rule{OwnerID: orgID, RepositoryID: projectID, Owner: "github.com/acme", Repository: "forge", Workflow: otherID}, ""},
		{"old id for a name", circleci{}, Rule{OwnerID: orgID, RepositoryID: projectID, Repository: otherID}, Rule{OwnerID: orgID, RepositoryID: projectID, Repository: projectID}, ""},
		{"no ids", circleci{}, Rule{Repository: "github.com/acme/forge"}, Rule{Owner: "github.com/acme", Repository: "forge"}, "owner_id repository_id"},
		{"bad ", circleci{}, Rule{OwnerID: orgID, RepositoryID: "7", Repository: "forge", Workflow: "main.yml"},
			Rule{OwnerID: orgID, RepositoryID: "7", Repository: "forge", Workflow: "main.yml"}, "repository_id workflow repository"},
		{"account", google{}, Rule{Repository: " " + account, RepositoryID: subject + " "}, Rule{Repository: account, RepositoryID: subject, OwnerID: subject}, ""},
		{"no number", google{}, Rule{Repository: account}, Rule{Repository: account}, "repository_id"},
		{"bad  ", google{}, Rule{Owner: "acme", Repository: "*@acme.dev", RepositoryID: "x", Workflow: "w"},
			Rule{Owner: "acme", Repository: "*@acme.dev", RepositoryID: "x", OwnerID: "x", Workflow: "w"}, "repository repository_id owner workflow"},
	} {
		t.Run(tt.p.Traits().Name+"/"+tt.name, func(t *testing.T) {
			t.Parallel()
			got, problems := Normalise(tt.p, tt.in)
			var bad []string
			for _, p := range problems {
				bad = append(bad, p.Field)
			}
			if d := gocmp.Diff(tt.want, got); d != "" || strings.Join(bad, " ") != tt.bad {
				t.Errorf("problems %v, want %q\n%s", problems, tt.bad, d)
			}
			if again, more := Normalise(tt.p, got); tt.bad == "" && (len(more) > 0 || !gocmp.Equal(again, got)) {
				t.Errorf("a second reading gives %+v, %v", again, more)
			}
		})
	}
}

// presetOracle says what rules of the presets mean in the plainest way: one set of values each.
func presetOracle(name string, c Claims, pinned, named bool) bool {
	is := func(claim string, want ...any) bool {
		switch c[claim].(type) {
		case nil, bool, string:
			return slices.Contains(want, c[claim])
		}
		return false // a list or an object cannot be compared
	}
	const cc = "oidc.circleci.com/"
	switch name {
	case "buildkite":
		ids := is("organization_id", orgID) && is("pipeline_id", projectID)
		slugs := is("organization_slug", "acme") && is("pipeline_slug", "forge")
		return (pinned && ids || !pinned && slugs) && is("build_source", "webhook", "ui", "schedule")
	case "circleci":
		return is(cc+"org-id", orgID) && is(cc+"project-id", projectID) && is(cc+"ssh-rerun", false, nil, "false") &&
			(!named || is(cc+"vcs-origin", "github.com/acme/forge"))
	}
	return is("email", account) && is("sub", subject) && is("email_verified", true)
}

func TestPresetsAgreeWithTheOracle(t *testing.T) {
	t.Parallel()
	const cc = "oidc.circleci.com/"
	values := map[string][]any{
		"organization_slug": {"acme", "evil", "ACME"}, "pipeline_slug": {"forge", "Forge", "f"}, "organization_id": {orgID, otherID}, "pipeline_id": {projectID, otherID},
		"build_source": {"webhook", "ui", "api", "schedule", ""}, cc + "org-id": {orgID, otherID}, cc + "project-id": {projectID, otherID},
		cc + "ssh-rerun": {false, true, "true", "false", nil}, cc + "vcs-origin": {"github.com/acme/forge", "github.com/mallory/forge", nil},
		"email": {account, "a@b.example"}, "sub": {subject, "100000000000000000001"}, "email_verified": {true, false, "true", nil},
	}
	for _, service := range []struct {
		p      Provider
		claims func() Claims
	}{{buildkite{}, buildkiteClaims}, {circleci{}, circleciClaims}, {google{}, googleClaims}} {
		name := service.p.Traits().Name
		var granted, refused int
		rapid.Check(t, func(t *rapid.T) {
			c := service.claims()
			for claim := range c {
				if choice := values[claim]; choice != nil && rapid.IntRange(0, 4).Draw(t, claim+" fits") == 0 {
					c[claim] = rapid.SampledFrom(choice).Draw(t, claim)
				}
			}
			pinned, named := rapid.Bool().Draw(t, "pinned"), rapid.Bool().Draw(t, "named")
			r := map[string]Rule{
				"buildkite": {Owner: "acme", Repository: "forge"}, "circleci": {Owner: "github.com/acme", Repository: "forge", OwnerID: orgID, RepositoryID: projectID},
				"google": {Repository: account, OwnerID: subject, RepositoryID: subject},
			}[name]
			if name == "buildkite" && pinned {
				r.OwnerID, r.RepositoryID = orgID, projectID
			}
			if name == "circleci" && !named {
				r.Owner, r.Repository = "", projectID
			}
			got, want := outcome(t, service.p, r, c) == "", presetOracle(name, c, pinned, named)
			if got != want {
				t.Fatalf("%s: granted %v, the oracle says %v\nrule %+v\nclaims %v", name, got, want, r, c)
			}
			if granted++; !want {
				granted, refused = granted-1, refused+1
			}
		})
		if granted == 0 || refused == 0 {
			t.Errorf("%s: %d granted, %d refused: the draw is blind", name, granted, refused)
		}
	}
}

// FuzzPresets: whatever claims say, a run is granted only what the oracle grants too.
func FuzzPresets(f *testing.F) {
	for _, c := range []Claims{buildkiteClaims(), circleciClaims(), googleClaims()} {
		data, err := json.Marshal(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var claims Claims
		if json.Unmarshal(data, &claims) != nil {
			return
		}
		for _, p := range []Provider{buildkite{}, circleci{}, google{}} {
			name := p.Traits().Name
			r := map[string]Rule{
				"buildkite": {Owner: "acme", Repository: "forge", OwnerID: orgID, RepositoryID: projectID},
				"circleci":  {Owner: "github.com/acme", Repository: "forge", OwnerID: orgID, RepositoryID: projectID},
				"google":    {Repository: account, OwnerID: subject, RepositoryID: subject},
			}[name]
			if outcome(t, p, r, claims) == "" && !presetOracle(name, claims, true, true) {
				t.Fatalf("%s let %s in", name, data)
			}
		}
	})
}
