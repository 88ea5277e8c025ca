package web_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
)

// identity is a fresh identity token of a run of acme/forge.
func identity(t *testing.T, s *servertest.Server, workflow string) string {
	t.Helper()
	token, err := s.Job(standin.Run{Owner: "acme", Repository: "forge", Workflow: workflow}).IdentityToken(t.Context(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// refuse lets a run ask for a publish token in vain, and returns the number of the event that says so.
func refuse(t *testing.T, s *servertest.Server, ch channel.Channel, run standin.Run) int64 {
	t.Helper()
	job := s.Job(run)
	id, err := job.IdentityToken(t.Context(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := job.Mint(t.Context(), s.URL, id); err == nil {
		t.Fatalf("%+v got a token", run)
	}
	events, err := s.DB.Events(t.Context(), audit.Query{ChannelID: ch.ID, Kinds: []audit.Kind{audit.MintRefused}, Limit: 1})
	if err != nil || len(events) == 0 {
		t.Fatalf("no refusal is written down: %v", err)
	}
	return events[0].ID
}

// TestAllowRefused lets a refused run in: after a look, and only what was looked at.
func TestAllowRefused(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		ann, owner := person(t, s, "ann", false)
		ch := s.Channel(t, ann, "forge", channel.Public)
		s.Publisher(t, ch, trust.PublisherSpec{Conditions: trust.Conditions{Environment: "release"}})
		maintains := member(t, s, ch, "max", channel.Maintainer)
		const path = "/channels/forge/publishers"
		run := standin.Run{Owner: "acme", Repository: "forge", Workflow: "release.yml", Environment: "release"}

		early := refuse(t, s, ch, run)
		owner.get(t, path).says(t, "token has release.yml, this publisher wants build.yml").saysNot(t, "Allow this") // nothing is pinned
		owner.get(t, fmt.Sprintf("%s/1/allow/%d", path, early)).is(t, 403).says(t, "no pinned id")

		pinning := s.Job(standin.Run{Owner: "acme", Repository: "forge", Environment: "release"})
		id, err := pinning.IdentityToken(t.Context(), "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pinning.Mint(t.Context(), s.URL, id); err != nil {
			t.Fatal(err)
		}
		event := refuse(t, s, ch, run)
		allow := fmt.Sprintf("%s/1/allow/%d", path, event)
		if got := owner.get(t, path).says(t, "2 times since", "All else fits, the pinned ids too.").links(t); !slices.Contains(got, allow) {
			t.Fatalf("no link to %s among %q", allow, got)
		}
		maintains.get(t, path).saysNot(t, "release.yml", "Allow this")
		maintains.get(t, allow).is(t, 403)
		asked := owner.get(t, allow).is(t, 200).says(t, "The rule now Runs of build.yml in acme/forge", "The rule then Runs of release.yml in acme/forge")
		version, confirmed := value(t, asked, "version"), value(t, asked, "confirmed")
		maintains.post(t, allow, "version", version, "confirmed", confirmed).is(t, 403)
		owner.postFrom(t, allow, "cross-site", "version", version, "confirmed", confirmed).is(t, 403)
		owner.post(t, allow, "version", version).is(t, 409).says(t, "Nothing was done")
		owner.post(t, allow, "version", "9", "confirmed", confirmed).is(t, 409)
		owner.get(t, fmt.Sprintf("%s/1/allow/%d", path, event+1000)).is(t, 404)
		owner.get(t, path+"/1/allow/x").is(t, 404)
		owner.get(t, fmt.Sprintf("%s/1/move/%d", path, event)).is(t, 409).says(t, "of that owner already")

		// A run that strangers can start is never let in from here.
		pull := refuse(t, s, ch, standin.Run{Owner: "acme", Repository: "forge", Environment: "release", Event: "pull_request", Ref: "refs/pull/7/merge"})
		owner.get(t, fmt.Sprintf("%s/1/allow/%d", path, pull)).is(t, 403).says(t, "its event is pull_request")

		owner.post(t, allow, "version", version, "confirmed", confirmed).goes(t, path+"/1#publisher-1")
		owner.get(t, path).says(t, "The rule lets such runs in now.").saysNot(t, "Allow this")
		owner.get(t, allow).is(t, 409).says(t, "nothing to allow")
		// The event of this channel's publisher opens nothing elsewhere.
		other := s.Channel(t, ann, "other", channel.Public)
		s.Publisher(t, other, trust.PublisherSpec{Owner: "acme", Repository: "else", Workflow: "build.yml"})
		owner.get(t, fmt.Sprintf("/channels/other/publishers/2/allow/%d", event)).is(t, 404)
		owner.get(t, path+"/1").says(t, "Last exchanges", "Got a publish token.", "Rule by rule")
		maintains.get(t, path+"/1").saysNot(t, "Last exchanges")
	})
}

// TestConfirmMove follows a repository to another owner, and no stranger that bears its name.
func TestConfirmMove(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		ann, owner := person(t, s, "ann", false)
		ch := s.Channel(t, ann, "forge", channel.Public)
		s.Publisher(t, ch, trust.PublisherSpec{})
		s.PublishToken(t)
		p, err := s.Publishers.Store.Publisher(t.Context(), ch.ID, 1)
		if err != nil {
			t.Fatal(err)
		}
		const path = "/channels/forge/publishers"
		anew := refuse(t, s, ch, standin.Run{Owner: "acme", Repository: "forge", RepositoryID: "666", OwnerID: p.OwnerID})
		owner.get(t, path).says(t, "its ids are not the pinned ones", "Refused. Repository is another one").saysNot(t, "Confirm the move", "Allow this")
		owner.get(t, fmt.Sprintf("%s/1/move/%d", path, anew)).is(t, 403)
		owner.get(t, fmt.Sprintf("%s/1/allow/%d", path, anew)).is(t, 403)

		event := refuse(t, s, ch, standin.Run{Owner: "globex", Repository: "forge", RepositoryID: p.RepositoryID, OwnerID: "777"})
		move := fmt.Sprintf("%s/1/move/%d", path, event)
		owner.get(t, path).says(t, "Confirm the move")
		owner.get(t, fmt.Sprintf("%s/1/allow/%d", path, event)).is(t, 403)
		asked := owner.get(t, move).is(t, 200).says(t, "Did acme/forge move to globex?", "in globex/forge", "Owner id "+p.OwnerID, "Owner id 777")
		owner.postFrom(t, move, "cross-site", "version", value(t, asked, "version"), "confirmed", value(t, asked, "confirmed")).is(t, 403)
		owner.post(t, move, "version", value(t, asked, "version"), "confirmed", value(t, asked, "confirmed")).goes(t, path+"/1#publisher-1")
		if p, err = s.Publishers.Store.Publisher(t.Context(), ch.ID, 1); err != nil || p.FullName() != "globex/forge" || p.OwnerID != "777" {
			t.Errorf("after the move: %+v, %v", p, err)
		}
	})
}

// TestNarrow narrows a publisher to what its last run had.
func TestNarrow(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Options{})
	ann, owner := person(t, s, "ann", false)
	ch := s.Channel(t, ann, "forge", channel.Public)
	s.Publisher(t, ch, trust.PublisherSpec{})
	const path = "/channels/forge/publishers"
	owner.get(t, path).saysNot(t, "Narrow it")
	owner.get(t, path+"/1/narrow").is(t, 409)
	s.PublishToken(t)
	owner.get(t, path).says(t, "Narrow it to what run 1 had")
	asked := owner.get(t, path+"/1/narrow").is(t, 200).says(t, "on refs/heads/main", "started by push")
	owner.post(t, path+"/1/narrow", "version", "1", "confirmed", "something else").is(t, 409)
	owner.post(t, path+"/1/narrow", "version", value(t, asked, "version"), "confirmed", value(t, asked, "confirmed")).goes(t, path+"/1#publisher-1")
	owner.get(t, path).says(t, "Refs refs/heads/main.").saysNot(t, "Narrow it", "Any branch can publish")
}

// TestMakeFromAttempt offers a publisher for runs of owners that the channel is pinned to, and of nobody else.
func TestMakeFromAttempt(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		ann, owner := person(t, s, "ann", false)
		ch := s.Channel(t, ann, "forge", channel.Public)
		s.Publisher(t, ch, trust.PublisherSpec{})
		s.PublishToken(t)
		p, err := s.Publishers.Store.Publisher(t.Context(), ch.ID, 1)
		if err != nil {
			t.Fatal(err)
		}
		maintains := member(t, s, ch, "max", channel.Maintainer)
		for _, run := range []standin.Run{
			{Owner: "acme", Repository: "tidewatch", Workflow: "ci.yml", OwnerID: p.OwnerID, RepositoryID: "4711"},
			{Owner: "acme", Repository: "impostor", Workflow: "ci.yml", OwnerID: "6666", RepositoryID: "4712"},
			{Owner: "stranger", Repository: "nearby", Workflow: "ci.yml", OwnerID: "6667", RepositoryID: "4713"},
		} {
			job := s.Job(run)
			id, err := job.IdentityToken(t.Context(), "127.0.0.1")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := job.Mint(t.Context(), s.URL, id); err == nil {
				t.Fatalf("%+v got a token", run)
			}
		}
		const path = "/channels/forge/publishers"
		got := owner.get(t, path).says(t, "Other refused attempts", "acme/tidewatch · ci.yml", "Make a publisher from this").saysNot(t, "impostor", "nearby")
		i := slices.IndexFunc(got.links(t), func(l string) bool {
			return strings.HasPrefix(l, path+"?") && strings.Contains(l, "repository=tidewatch")
		})
		if i < 0 {
			t.Fatalf("no link that fills the form in among %q", got.links(t))
		}
		owner.get(t, got.links(t)[i]).is(t, 200).says(t, "Runs of ci.yml in acme/tidewatch may publish every package of forge")
		maintains.get(t, path).saysNot(t, "tidewatch")
	})
}
