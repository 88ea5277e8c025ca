package web_test

import (
	"strings"
	"testing"

	"sluice/internal/channel"
	"sluice/internal/servertest"
	"sluice/internal/trust"
)

// whole is a form of the whole rule as a browser sends it.
func whole(pairs ...string) []string {
	return append([]string{"repository_owner", "acme", "repository", "forge", "workflow", "build.yml", "right", "publish", "new_names", "true",
		"files_per_run", "500", "bytes_per_run", "50GiB", "new_names_per_run", "50"}, pairs...)
}

// TestRuleForm makes and changes a publisher with everything that it can say.
func TestRuleForm(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		ann, owner := person(t, s, "ann", false)
		ch := s.Channel(t, ann, "forge", channel.Public)
		other := s.Channel(t, ann, "other", channel.Public)
		maintains := member(t, s, ch, "max", channel.Maintainer)
		elsewhere := s.Publisher(t, other, trust.PublisherSpec{}) // of another channel, number 1
		const path = "/channels/forge/publishers"
		rule := func(id int64) trust.Publisher {
			t.Helper()
			p, err := s.Publishers.Store.Publisher(t.Context(), ch.ID, id)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		owner.get(t, path).is(t, 200).says(t, "No bootstrap token is needed", "More rules")
		owner.get(t, path+"/new").is(t, 200).says(t, "the branch main is refs/heads/main", "push, release, workflow_dispatch", "pull_request_target", "Strangers can steer such a run", "50GiB")
		maintains.get(t, path+"/new").is(t, 403)
		maintains.post(t, path+"/new", whole("environment", "release")...).is(t, 403)
		owner.postFrom(t, path+"/new", "cross-site", whole("environment", "release", "packages", "tide")...).is(t, 403).says(t, "Another site tried")

		owner.post(t, path+"/new", whole("refs", "main", "events", "pu sh\nx!", "files_per_run", "many", "bytes_per_run", "5G", "expires_at", "soon", "subdirs", "mars")...).is(t, 422).
			says(t, "Needs a whole number from 1", "Needs a size such as 50GiB", "Needs a date such as", "Needs names of events", "Needs subdirs", "We understood: owner acme, repository forge")
		owner.post(t, path+"/new", whole("any_repository", "true", "environment", "release", "packages", "tide")...).is(t, 422).says(t, "Needs no repository beside it")
		asked := owner.post(t, path+"/new", whole("refs", "refs/heads/main", "events", "pull_request_target", "packages", "tide")...).is(t, 200).
			says(t, "Nothing was saved yet.", "Runs of pull_request_target can publish, which strangers or unreviewed code can start.")
		owner.post(t, path+"/new", whole("refs", "refs/tags/v*", "events", "pull_request_target", "packages", "tide", "confirmed", value(t, asked, "confirmed"))...).is(t, 200).says(t, "Nothing was saved yet.")
		owner.post(t, path+"/new", whole("refs", "refs/heads/main\r\nrefs/tags/v*", "protected_ref", "true", "events", "push, release", "hosted_runner", "true", "packages", "tide, libtide*",
			"subdirs", "noarch", "new_names", "", "files_per_run", "10", "bytes_per_run", "1GiB", "expires_at", "2099-12-31", "idle_days", "90", "attestations", "required", "signer", "publisher")...).goes(t, path+"/2#publisher-2")
		p := rule(2)
		if p.Sentence() != "Runs of build.yml in acme/forge on refs/heads/main or refs/tags/v* on protected refs started by push or release on hosted runners may publish tide and libtide* of forge in noarch, no new names, and must bring an attestation signed by a trusted publisher's run" ||
			p.PerRun != (trust.Limits{Files: 10, Bytes: 1 << 30, Names: 50}) || p.ExpiresAt.Format("2006-01-02") != "2099-12-31" || p.IdleDays != 90 {
			t.Fatalf("made %s, %+v", p.Sentence(), p)
		}
		owner.get(t, path).says(t, "Refs refs/heads/main, refs/tags/v*.", "Protected refs only.", "No new package names.", "Attestations required.", "Attestations of trusted publishers' runs only.", "Subdirs noarch.", "A run has at most 10 files, 1GiB, 50 new names.", "Ends on 31 Dec 2099.", "Pending: no run has used it yet")

		edit := owner.get(t, path+"/2/edit").is(t, 200).says(t, "Edit acme/forge, build.yml", "refs/heads/main refs/tags/v*", "1GiB", "2099-12-31")
		version := value(t, edit, "version")
		maintains.get(t, path+"/2/edit").is(t, 403)
		maintains.post(t, path+"/2/edit", whole("version", version, "environment", "release")...).is(t, 403)
		owner.get(t, path+"/1/edit").is(t, 404)
		owner.post(t, path+"/1/edit", whole("version", "1", "environment", "release", "packages", "tide")...).is(t, 404)
		owner.postFrom(t, path+"/2/edit", "cross-site", whole("version", version, "environment", "release", "packages", "tide")...).is(t, 403)
		owner.post(t, path+"/2/edit", whole("version", "77", "environment", "release", "packages", "tide")...).is(t, 409).says(t, "Somebody changed this publisher meanwhile", "refs/tags/v*")
		owner.post(t, path+"/2/edit", whole("version", version)...).is(t, 200).says(t, "Nothing was saved yet.", "because no environment is named")
		if got := rule(2); got.Version != 1 || got.Sentence() != p.Sentence() {
			t.Fatalf("the rule changed to %s by people or forms that may not", got.Sentence())
		}
		owner.post(t, path+"/2/edit", whole("version", version, "environment", "release", "packages", "tide")...).goes(t, path+"/2#publisher-2")
		if got := rule(2); got.Version != 2 || got.Sentence() != "Runs of build.yml in acme/forge with environment release may publish tide of forge" {
			t.Fatalf("changed to %s, version %d", got.Sentence(), got.Version)
		}
		owner.post(t, path+"/2/edit", whole("version", version, "environment", "old", "packages", "tide")...).is(t, 409).says(t, "this is what it is now")
		if got, err := s.Publishers.Store.Publisher(t.Context(), other.ID, elsewhere.ID); err != nil || got.Version != 1 {
			t.Errorf("the other channel's publisher: %+v, %v", got, err)
		}
		owner.get(t, path).says(t, "What is new", "ann changed publisher 2")
		maintains.get(t, path).saysNot(t, "What is new", "Edit", "Switch off")
	})
}

// TestReaderAndSwitch makes a trusted reader, and switches it off and on.
func TestReaderAndSwitch(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Options{})
	ann, owner := person(t, s, "ann", false)
	ch := s.Channel(t, ann, "lab", channel.Private)
	reads := member(t, s, ch, "rita", channel.Reader)
	const path = "/channels/lab/publishers"
	owner.post(t, path+"/new", whole("right", "read")...).goes(t, path+"/1#publisher-1")
	owner.get(t, path+"/1").says(t, "reader", "Only reads the channel.", "pixi auth login").saysNot(t, "It builds every recipe")

	reads.post(t, path+"/1/switch", "on", "false").is(t, 403)
	owner.postFrom(t, path+"/1/switch", "cross-site", "on", "false").is(t, 403)
	owner.post(t, path+"/1/switch", "on", "perhaps").is(t, 400)
	owner.post(t, path+"/2/switch", "on", "false").is(t, 404)
	owner.get(t, path).says(t, "Switch off").saysNot(t, "Switch on")
	owner.post(t, path+"/1/switch", "on", "false").goes(t, path+"/1#publisher-1")
	reads.get(t, path).says(t, "off", "It is switched off since")
	owner.get(t, path).says(t, "Switch on")
	owner.post(t, path+"/1/switch", "on", "true").goes(t, path+"/1#publisher-1")
	owner.get(t, path).saysNot(t, "It is switched off since")
	owner.get(t, path+"/1/switch").is(t, 405)
}

// TestPublisherOnly closes a channel to stored keys, and keeps the last door from being shut by a slip.
func TestPublisherOnly(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		ann, owner := person(t, s, "ann", false)
		ch := s.Channel(t, ann, "forge", channel.Public)
		key := s.Token(t, ann, nil, "upload")
		maintains := member(t, s, ch, "max", channel.Maintainer)
		s.Publisher(t, ch, trust.PublisherSpec{})
		const path, uploads = "/channels/forge/publishers", "/channels/forge/uploads"
		owner.get(t, path).says(t, "1 API token can publish here", "Who has them", "never used").saysNot(t, key)
		maintains.get(t, path).says(t, "1 API token can publish here").saysNot(t, "Who has them", "Take uploads from trusted publishers only")

		maintains.post(t, uploads, "publisher_only", "true").is(t, 403)
		owner.postFrom(t, uploads, "cross-site", "publisher_only", "true").is(t, 403)
		owner.post(t, uploads, "publisher_only", "").is(t, 400)
		owner.get(t, path).says(t, "1 API token can publish here")
		owner.post(t, uploads, "publisher_only", "true").goes(t, path+"#keys")
		owner.get(t, path).says(t, "0 API tokens can publish here", "API tokens cannot.", "Left over", "Take API tokens, too")
		nobody(s).get(t, "/channels/forge").says(t, "0 keys stored")

		owner.get(t, path+"/1/remove").says(t, "Nothing could publish afterwards.", "Name of the channel")
		owner.post(t, path+"/1/remove").is(t, 422).says(t, "Type forge to remove its last publisher.")
		owner.post(t, path+"/1/remove", "name", "Forge").is(t, 422)
		owner.post(t, path+"/1/remove", "name", " forge ").goes(t, path)
		owner.post(t, uploads, "publisher_only", "false").goes(t, path+"#keys")
		owner.get(t, "/channels/forge/audit").says(t, "takes uploads from trusted publishers only", "with API tokens, too")
	})
}

// TestTryToken tries tokens and claims. Nothing is minted by it, and what was pasted is shown nowhere.
func TestTryToken(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		ann, owner := person(t, s, "ann", false)
		ch := s.Channel(t, ann, "forge", channel.Public)
		s.Publisher(t, ch, trust.PublisherSpec{})
		s.Publisher(t, ch, trust.PublisherSpec{Owner: "acme", Repository: "nothing", Workflow: "build.yml"})
		reads := member(t, s, ch, "rita", channel.Reader)
		_, stranger := person(t, s, "zoe", false)
		const path = "/channels/forge/publishers/try"
		token := identity(t, s, "build.yml")

		form := reads.get(t, path).is(t, 200).says(t, "A live token is a secret.", "Nothing is minted")
		if form.Get("Cache-Control") != "no-store" {
			t.Errorf("Cache-Control = %q", form.Get("Cache-Control"))
		}
		got := reads.post(t, path, "token", token).is(t, 200).says(t, "This token would be exchanged. Nothing was minted.", "lets it in", "workflow_ref", "1 other publisher").saysNot(t, token, token[:40])
		if got.Get("Cache-Control") != "no-store" {
			t.Errorf("Cache-Control = %q", got.Get("Cache-Control"))
		}
		// It was not spent: it can be tried again, and exchanged for real.
		owner.post(t, path, "token", token).is(t, 200).says(t, "This token would be exchanged.")
		owner.get(t, "/channels/forge/publishers/1").says(t, "No run has asked yet.").saysNot(t, "Last exchanges")
		owner.post(t, path, "token", identity(t, s, "release.yml")).is(t, 200).says(t, "This would be refused.", "refuses it", "release.yml", "differs")
		owner.post(t, path, "token", token[:len(token)-8]+"AAAAAAAA").is(t, 200).says(t, "A publisher fits, and yet this token would be refused.", "bad_signature")
		owner.post(t, path, "token", `{"repository": 7}`).is(t, 200).says(t, "This would be refused.")
		owner.post(t, path, "token", "hello").is(t, 200).says(t, "This would be refused.", "a signed token has three")
		owner.post(t, path, "token", `{"repository": `).is(t, 422).says(t, "Paste an identity token")
		owner.post(t, path, "token", strings.Repeat("a", 20_000)).is(t, 200).says(t, "This would be refused.").saysNot(t, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
		owner.post(t, path, "token", strings.Repeat("a", 70_000)).is(t, 413)
		stranger.post(t, path, "token", token).is(t, 403)
		nobody(s).post(t, path, "token", token).is(t, 401)
		owner.postFrom(t, path, "cross-site", "token", token).is(t, 403)
		if log := s.Log.String(); strings.Contains(log, token) {
			t.Error("the log holds the token")
		}
	})
}
