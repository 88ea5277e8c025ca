package web_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"sluice/internal/channel"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
)

func publisherSpec() trust.PublisherSpec {
	return trust.PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml", Conditions: trust.Conditions{Environment: "release"}, Packages: []string{"tide*"}}
}

func TestPublisherForm(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		ann, owner := person(t, s, "ann", false)
		ch := s.Channel(t, ann, "forge", channel.Public)
		reads := member(t, s, ch, "rita", channel.Reader)
		const path = "/channels/forge/publishers"
		rules := func() []trust.Publisher {
			list, err := s.Publishers.Store.Publishers(t.Context(), ch.ID)
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		owner.get(t, path).is(t, 200).says(t, "Nobody can publish without a key yet")

		// Mistakes: what was understood stays, what cannot be is said beside its field.
		owner.post(t, path, "repository_owner", "https://github.com/acme/tide watch", "workflow", ".github/workflows/build.txt", "packages", "a*b").is(t, 422).
			says(t, " acme ", "tide watch", "build.txt", "a*b", "Needs the name of a repository", "Needs the name of a file in .github/workflows that ends in .yml", "Needs package names")

		// A wide rule is shown first, and only the rule that was shown can be confirmed.
		asked := owner.post(t, path, "repository", "https://github.com/acme/forge", "workflow", "acme/forge/.github/workflows/build.yml@refs/heads/main").is(t, 200).
			says(t, "Nothing was saved yet.", "Runs of build.yml in acme/forge may publish every package of forge", "because no environment is named", "No packages are named")
		confirmed := value(t, asked, "confirmed")
		owner.post(t, path, "repository_owner", "evil", "repository", "forge", "workflow", "build.yml", "confirmed", confirmed).is(t, 200).says(t, "Nothing was saved yet.", "evil/forge")
		if got := rules(); len(got) != 0 {
			t.Fatalf("publishers without a confirmation: %v", got)
		}
		reads.post(t, path, "repository_owner", "acme", "repository", "forge", "workflow", "build.yml", "confirmed", confirmed).is(t, 403).says(t, "it takes the role owner")
		nobody(s).post(t, path, "repository_owner", "acme", "repository", "forge", "workflow", "build.yml", "confirmed", confirmed).is(t, 401)
		if got := rules(); len(got) != 0 {
			t.Fatalf("publishers by people who may not: %v", got)
		}
		owner.post(t, path, "repository_owner", "acme", "repository", "forge", "workflow", "build.yml", "confirmed", confirmed).goes(t, path+"/1#publisher-1")
		owner.post(t, path, "repository_owner", "acme", "repository", "forge", "workflow", "build.yml", "confirmed", confirmed).is(t, 409).says(t, "has this publisher already, number 1")
		// A narrow one is made at once.
		owner.post(t, path, "repository_owner", "acme", "repository", "forge", "workflow", "build.yml", "environment", "release", "packages", "tide, libtide*").goes(t, path+"/2#publisher-2")

		owner.get(t, path+"/2").is(t, 200).says(t, "acme/forge, build.yml may publish now.", "environment release", "Packages tide, libtide*.", "No run has asked yet.",
			"id-token: write", "environment: release", "weak", "Any branch can publish, because no environment is named.")
		reads.get(t, path+"/2").is(t, 200).says(t, "Only owners of forge").saysNot(t, "may publish now", "Refused attempts")
		if reads.get(t, path).hasForm(t, path) {
			t.Error("a reader gets the form")
		}
		file := reads.get(t, path+"/2/workflow").is(t, 200)
		if !strings.Contains(file.body, "environment: release\n") || !strings.Contains(file.body, s.URL+"/forge") || file.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("workflow file %v:\n%s", file.Header, file.body)
		}
		// A link may fill the form in, and that is all.
		owner.get(t, path+"?"+url.Values{"repository_owner": {"acme"}, "repository": {"other"}, "workflow": {"x.yml"}, "packages": {"p"}}.Encode()).is(t, 200).
			says(t, "Runs of x.yml in acme/other may publish p of forge")
		if got := rules(); len(got) != 2 {
			t.Fatalf("%d publishers, want 2", len(got))
		}

		owner.get(t, path+"/1/remove").is(t, 200).says(t, "Remove acme/forge, build.yml?", "Runs of build.yml in acme/forge may publish every package of forge. Afterwards they may not")
		reads.post(t, path+"/1/remove").is(t, 403)
		owner.post(t, path+"/1/remove").goes(t, path)
		owner.post(t, path+"/1/remove").is(t, 404).says(t, "There is no trusted publisher 1 in forge")
		if got := rules(); len(got) != 1 || got[0].ID != 2 {
			t.Fatalf("publishers %v", got)
		}
	})
}

// value is that of a hidden field.
func value(t *testing.T, a answer, name string) string {
	t.Helper()
	for _, n := range a.nodes(t) {
		if n.Data == "input" && attr(n, "name") == name {
			return attr(n, "value")
		}
	}
	t.Fatalf("no field %s", name)
	return ""
}

// TestRefusedAttempts lets runs fail, and looks at what the owners see of them.
func TestRefusedAttempts(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		ann, owner := person(t, s, "ann", false)
		ch := s.Channel(t, ann, "forge", channel.Public)
		s.Publisher(t, ch, trust.PublisherSpec{})
		s.PublishToken(t) // pins the ids
		refused := func(run standin.Run) {
			job := s.Job(run)
			id, err := job.IdentityToken(t.Context(), "127.0.0.1")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := job.Mint(t.Context(), s.URL, id); err == nil {
				t.Fatalf("%+v got a token", run)
			}
		}
		for i := range 3 {
			refused(standin.Run{Owner: "acme", Repository: "forge", Workflow: "release.yml", RunNumber: 90 + i, RunID: 4700 + i})
		}
		refused(standin.Run{Owner: "acme", Repository: "forge", Event: "pull_request", Ref: "refs/pull/7/merge"})
		refused(standin.Run{Owner: "acme", Repository: "forge", RepositoryID: "666", OwnerID: "6666", Workflow: "steal.yml", RunNumber: 13, RunID: 1313})
		refused(standin.Run{Owner: "stranger", Repository: "nearby", Workflow: "build.yml"})

		page := owner.get(t, "/channels/forge/publishers").is(t, 200).says(t,
			"3 times since", "Run 92 on main, commit", "All else fits, the pinned ids too.", "token has release.yml, this publisher wants build.yml", "Run 5 on refs/pull/7/merge", "token has pull_request",
			"its ids are not the pinned ones", "token has owner id 6666").saysNot(t, "stranger/nearby", "steal.yml", "change the publisher at")
		links := page.links(t)
		if want := s.CI.URL() + "/acme/forge/actions/runs/4702/attempts/1"; !slices.Contains(links, want) {
			t.Errorf("no link to %s among %q", want, links)
		}
		if slices.ContainsFunc(links, func(l string) bool { return strings.Contains(l, "1313") }) {
			t.Error("a run that only bears the name is linked")
		}
		reads := member(t, s, ch, "rita", channel.Maintainer)
		reads.get(t, "/channels/forge/publishers").is(t, 200).saysNot(t, "Refused attempts", "release.yml")
		log := reads.get(t, "/channels/forge/audit?kind=refused").is(t, 200).says(t, "Refused.", "run 92", "acme/forge, release.yml").saysNot(t, "got a publish token")
		if !slices.Contains(log.links(t), "/channels/forge/publishers/1#publisher-1") {
			t.Errorf("the log does not lead to the publisher: %q", log.links(t))
		}
	})
}

// TestManyAttempts shows the newest fifty kinds, and does not count what it has not read.
func TestManyAttempts(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Options{})
	ann, owner := person(t, s, "ann", false)
	s.Publisher(t, s.Channel(t, ann, "forge", channel.Public), trust.PublisherSpec{})
	s.PublishToken(t)
	for i := range 52 {
		job := s.Job(standin.Run{Owner: "acme", Repository: "forge", Workflow: fmt.Sprintf("other%d.yml", i)})
		id, err := job.IdentityToken(t.Context(), "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = job.Mint(t.Context(), s.URL, id)
	}
	owner.get(t, "/channels/forge/publishers").says(t, "other51.yml", "other2.yml").saysNot(t, "other1.yml")
}
