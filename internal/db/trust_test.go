package db_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/access"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/db"
	"sluice/internal/fault"
	"sluice/internal/token"
	"sluice/internal/trust"
)

const issuer = "https://token.actions.githubusercontent.com"

func (f *fixture) addPublisher(t testing.TB, packages ...string) trust.Publisher {
	t.Helper()
	return f.add(t, trust.PublisherSpec{Owner: "Acme", Repository: "forge", Workflow: "build.yml", Packages: packages})
}

// spec reads a publisher of the channel.
func (f *fixture) spec(t testing.TB, spec trust.PublisherSpec) trust.Publisher {
	t.Helper()
	is := must(trust.NewIssuer("github", ""))(t)
	return must(trust.NewPublisher(spec, []trust.Issuer{is}, f.channel.Name, f.channel.ID, "ann", f.clock.now()))(t)
}

// add stores a publisher of the channel.
func (f *fixture) add(t testing.TB, spec trust.PublisherSpec) trust.Publisher {
	t.Helper()
	p := f.spec(t, spec)
	return must(f.ChangePublishers(t.Context(), f.channel.ID, []trust.Change{{Kind: trust.Added, Publisher: p, Event: event(audit.PublisherAdded, p)}}))(t)[0]
}

func event(kind audit.Kind, p trust.Publisher) audit.Event {
	return audit.Event{Kind: kind, ChannelID: p.ChannelID, Facts: map[string]string{}}
}

func (f *fixture) mint(p trust.Publisher, jti string) trust.Mint {
	now := f.clock.now()
	var names []conda.Pattern
	for _, pattern := range p.Packages {
		if name, err := pattern.For("forge"); err == nil {
			names = append(names, name)
		}
	}
	return trust.Mint{
		Token: trust.PublishToken{
			Hash: token.New(token.Publish).Hash(), CreatedAt: now, ExpiresAt: now.Add(30 * time.Minute),
			Run: trust.Provenance{
				Provider: "github", Issuer: issuer, Repository: "acme/forge", Owner: "acme", RepositoryID: "71", OwnerID: "9",
				Workflow: "build.yml", RunID: "55", RunNumber: "12", RunAttempt: "1",
			},
			Grants: []trust.Grant{{PublisherID: p.ID, PublisherVersion: p.Version, ChannelID: p.ChannelID, Channel: p.Channel, Right: p.Right, Packages: names}},
		},
		ReplayKey: "jti:" + jti, ReplayUntil: now.Add(10 * time.Minute),
	}
}

func TestOneIdentityTokenMintsOnce(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		p := f.addPublisher(t)
		var minted, reused atomic.Int32
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				switch _, err := f.Mint(t.Context(), f.mint(p, "same")); {
				case err == nil:
					minted.Add(1)
				case fault.Is(err, fault.TokenReused) && strings.Contains(err.Error(), "run 12"):
					reused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if minted.Load() != 1 || reused.Load() != 19 {
			t.Errorf("%d minted, %d refused as reused", minted.Load(), reused.Load())
		}
		other := f.mint(p, "same")
		other.Token.Run.Issuer = "https://other.example"
		if _, err := f.Mint(t.Context(), other); err != nil {
			t.Errorf("the same id from another issuer: %v", err)
		}
	})
}

func TestMintPinsFollowsAndRefuses(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		p := f.addPublisher(t)
		if _, err := f.Mint(t.Context(), f.mint(p, "a")); err != nil {
			t.Fatal(err)
		}
		got := must(f.Publisher(t.Context(), f.channel.ID, p.ID))(t)
		if got.RepositoryID != "71" || got.OwnerID != "9" || got.LastRun.RunNumber != "12" || got.Version != p.Version {
			t.Errorf("after the first use: %+v", got)
		}
		renamed := f.mint(p, "b")
		renamed.Token.Run.Repository = "acme/smithy"
		if _, err := f.Mint(t.Context(), renamed); err != nil {
			t.Fatal(err)
		}
		if got = must(f.Publisher(t.Context(), f.channel.ID, p.ID))(t); got.FullName() != "acme/smithy" {
			t.Errorf("after a rename: %s", got.FullName())
		}
		if c := must(f.Candidates(t.Context(), trust.Candidate{Issuer: issuer, RepositoryKey: "acme/smithy", RepositoryID: "71"}))(t); len(c) != 1 {
			t.Errorf("%d candidates by name and id, want 1", len(c))
		}
		if c := must(f.Candidates(t.Context(), trust.Candidate{Issuer: issuer, RepositoryKey: "acme/forge", RepositoryID: "71"}))(t); len(c) != 1 {
			t.Errorf("%d candidates by id alone, want 1", len(c))
		}
		if c := must(f.Candidates(t.Context(), trust.Candidate{Issuer: "https://other.example", RepositoryKey: "acme/smithy", RepositoryID: "71"}))(t); len(c) != 0 {
			t.Errorf("%d candidates of another issuer", len(c))
		}
		stolen := f.mint(p, "c")
		stolen.Token.Run.RepositoryID = "99"
		if _, err := f.Mint(t.Context(), stolen); !errors.Is(err, trust.ErrStale) {
			t.Errorf("other ids under a pinned publisher: %v", err)
		}
		if _, err := f.Mint(t.Context(), f.mint(p, "c")); err != nil {
			t.Errorf("a refused mint must leave the identity token unused: %v", err)
		}
	})
}

// Services without owners: a publisher that was named by its id is found before it has a name, and gets the name of
// its first run for good.
func TestMintNamesWhatWasKnownByItsID(t *testing.T) {
	const project, organization = "c3e5fbb8-6d2f-4c4b-9e7d-2a9b1f0c4d66", "b9291e0d-a11e-41fb-8517-c545388b5953"
	both(t, func(t *testing.T, f *fixture) {
		is := must(trust.NewIssuer("circleci", ""))(t)
		read := func(spec trust.PublisherSpec) trust.Publisher {
			spec.Provider = "circleci"
			return must(trust.NewPublisher(spec, []trust.Issuer{is}, f.channel.Name, f.channel.ID, "ann", f.clock.now()))(t)
		}
		add := func(p trust.Publisher) ([]trust.Publisher, error) {
			return f.ChangePublishers(t.Context(), f.channel.ID, []trust.Change{{Kind: trust.Added, Publisher: p, Event: event(audit.PublisherAdded, p)}})
		}
		spec := trust.PublisherSpec{OwnerID: organization, RepositoryID: project}
		p := must(add(read(spec)))(t)[0]
		c := trust.Candidate{Issuer: is.URL, RepositoryKey: "github.com/acme/forge", RepositoryID: project, OwnerKey: "github.com/acme", OwnerID: organization}
		if found := must(f.Candidates(t.Context(), c))(t); len(found) != 1 {
			t.Fatalf("%d candidates before the first use, want 1", len(found))
		}
		mint := f.mint(p, "a")
		mint.Token.Run = trust.Provenance{Provider: "circleci", Issuer: is.URL, Repository: "github.com/acme/forge", Owner: "github.com/acme",
			RepositoryID: project, OwnerID: organization, RunID: "w1"}
		if _, err := f.Mint(t.Context(), mint); err != nil {
			t.Fatal(err)
		}
		got := must(f.Publisher(t.Context(), f.channel.ID, p.ID))(t)
		if got.Owner != "github.com/acme" || got.Repository != "forge" || got.RepositoryID != project || got.OwnerID != organization {
			t.Errorf("after the first use: %+v", got)
		}
		events := must(f.Events(t.Context(), audit.Query{ChannelID: f.channel.ID, Limit: 10}))(t)
		if !slices.ContainsFunc(events, func(e audit.Event) bool {
			return e.Kind == audit.PublisherPinned && strings.Contains(e.Sentence, "to repository github.com/acme/forge")
		}) {
			t.Errorf("events %+v", events)
		}
		if found := must(f.Candidates(t.Context(), c))(t); len(found) != 1 {
			t.Errorf("%d candidates after the first use, want 1", len(found))
		}
		if _, err := add(read(spec)); !fault.Is(err, fault.Conflict) {
			t.Errorf("the same project again: %v", err)
		}
		spec.RepositoryID, spec.Repository = organization, "github.com/acme/forge"
		if _, err := add(read(spec)); err != nil {
			t.Errorf("another project of the same repository: %v", err)
		}
	})
}

// An account of Google is its own owner.
func TestMintWithoutOwners(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		is := must(trust.NewIssuer("google", ""))(t)
		spec := trust.PublisherSpec{Provider: "google", Repository: "forge@acme.iam.gserviceaccount.com", RepositoryID: "113748291048274910283"}
		p := must(trust.NewPublisher(spec, []trust.Issuer{is}, f.channel.Name, f.channel.ID, "ann", f.clock.now()))(t)
		p = must(f.ChangePublishers(t.Context(), f.channel.ID, []trust.Change{{Kind: trust.Added, Publisher: p, Event: event(audit.PublisherAdded, p)}}))(t)[0]
		mint := f.mint(p, "a")
		mint.Token.Run = trust.Provenance{Provider: "google", Issuer: is.URL, Repository: p.Repository, RepositoryID: p.RepositoryID, OwnerID: p.RepositoryID}
		if _, err := f.Mint(t.Context(), mint); err != nil {
			t.Fatal(err)
		}
		got := must(f.Publisher(t.Context(), f.channel.ID, p.ID))(t)
		if got.FullName() != p.FullName() || got.Owner != "" || got.RepositoryID != p.RepositoryID || !got.Pinned() {
			t.Errorf("after the first use: %+v", got)
		}
		if found := must(f.Candidates(t.Context(), trust.Candidate{Issuer: is.URL, RepositoryKey: p.Repository, RepositoryID: p.RepositoryID, OwnerID: p.OwnerID}))(t); len(found) != 1 {
			t.Errorf("%d candidates, want 1", len(found))
		}
	})
}

func TestAPublisherThatGoesTakesItsTokensAlong(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		p := f.addPublisher(t, "tide*")
		m := f.mint(p, "a")
		m.Token.ID = must(f.Mint(t.Context(), m))(t)
		kept := must(f.PublishToken(t.Context(), m.Token.Hash))(t)
		if kept.Check(f.clock.now()) != nil || kept.Covers(f.channel.ID, trust.Publish) != nil || !kept.Grants[0].Allows("tidelib", conda.Noarch()) || kept.Grants[0].Allows("ebb", conda.Noarch()) {
			t.Errorf("token = %+v", kept)
		}
		c := f.commit(t, "noarch", "tide-1.0-0.conda", 1)
		c.Right, c.Grants = access.Right{Publish: &kept}, kept.Grants
		f.publish(t, c)
		file := must(f.File(t.Context(), f.channel.ID, c.Record.Subdir, c.File))(t)
		if !file.ByCI() || file.Run.RunNumber != "12" || file.PublisherID != p.ID {
			t.Errorf("provenance = %+v", file.Run)
		}

		if _, err := f.ChangePublishers(t.Context(), f.channel.ID, []trust.Change{{Kind: trust.Removed, Publisher: p, Event: event(audit.PublisherRemoved, p)}}); err != nil {
			t.Fatal(err)
		}
		next := f.commit(t, "noarch", "tide-2.0-0.conda", 2)
		next.Right, next.Grants = c.Right, c.Grants
		if _, err := f.Publish(t.Context(), next); !fault.Is(err, fault.Revoked) {
			t.Errorf("a publisher removed mid-upload: %v", err)
		}
		if kept = must(f.PublishToken(t.Context(), m.Token.Hash))(t); !fault.Is(kept.Covers(f.channel.ID, trust.Publish), fault.Revoked) {
			t.Errorf("the token still covers: %v", kept.Covers(f.channel.ID, trust.Publish))
		}
		if _, err := f.Mint(t.Context(), f.mint(p, "b")); !errors.Is(err, trust.ErrStale) {
			t.Errorf("a mint for a removed publisher: %v", err)
		}
	})
}

func TestSweepKeepsWhatCouldStillMatter(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		p := f.addPublisher(t)
		m := f.mint(p, "a")
		must(f.Mint(t.Context(), m))(t)
		f.publish(t, f.commit(t, "noarch", "tide-1.0-0.conda", 1))
		f.publish(t, f.commit(t, "noarch", "tide-2.0-0.conda", 2)) // supersedes a shard
		if n := must(f.Sweep(t.Context()))(t); n != 0 {
			t.Errorf("%d rows swept at once", n)
		}
		f.clock.advance(11 * time.Minute)
		if n := must(f.Sweep(t.Context()))(t); n != 1 {
			t.Errorf("%d rows swept after the identity token's end, want 1", n)
		}
		f.clock.advance(db.BlockGrace)
		const blocks = 3 // of records, run_exports and shards, made anew by the second one
		if n := must(f.Sweep(t.Context()))(t); n != 2*blocks {
			t.Errorf("%d rows swept after the grace of blocks, want %d", n, 2*blocks)
		}
		f.clock.advance(48 * time.Hour)
		if n := must(f.Sweep(t.Context()))(t); n != 1 {
			t.Errorf("%d rows swept after the grace of shards, want 1", n)
		}
		if got := f.files(t, "noarch"); len(got) != 2 {
			t.Errorf("files after the sweep: %q", got)
		}
	})
}

func TestEventsArePagedAndFiltered(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		for _, k := range []audit.Kind{audit.Uploaded, audit.MintRefused, audit.Uploaded} {
			e := audit.Event{Kind: k, ChannelID: f.channel.ID, Channel: "forge", Sentence: "s", Facts: map[string]string{"run_id": "1"}}
			if err := f.Append(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		all := must(f.Events(t.Context(), audit.Query{ChannelID: f.channel.ID, Limit: 100}))(t)
		if len(all) != 4 || all[0].Facts["run_id"] != "1" || !all[0].At.Equal(f.clock.now()) {
			t.Fatalf("events = %+v", all)
		}
		up := must(f.Events(t.Context(), audit.Query{ChannelID: f.channel.ID, Kinds: []audit.Kind{audit.Uploaded}, Before: all[0].ID, Limit: 100}))(t)
		if len(up) != 1 || up[0].ID != all[2].ID {
			t.Errorf("filtered = %+v", up)
		}
	})
}

// TestRefusalsTellOwnersOfTheirOwnPublishers alone: two channels trust the same repository, and the nearest publisher
// is in the first of them.
func TestRefusalsTellOwnersOfTheirOwnPublishers(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		other := must(f.CreateChannel(t.Context(), channel.Channel{Name: must(conda.ParseChannel("other"))(t), CreatedAt: f.clock.now()}, f.ann.ID, audit.Event{}))(t)
		p := f.addPublisher(t)
		r := trust.Refusal{
			At: f.clock.now(), Code: fault.WorkflowMismatch, Detail: "token has x.yml, the nearest of 2 publishers, in channel forge, wants build.yml",
			Differences: []fault.Difference{{Claim: "workflow_ref", Got: "x.yml", Want: "build.yml"}}, Run: f.mint(p, "x").Token.Run,
			Near: []trust.Near{{PublisherID: p.ID, ChannelID: f.channel.ID, Proven: true}, {PublisherID: p.ID + 1, ChannelID: other.ID, Proven: true}},
		}
		read := func(channelID int64) audit.Event {
			t.Helper()
			list := must(f.Events(t.Context(), audit.Query{ChannelID: channelID, Kinds: []audit.Kind{audit.MintRefused}, Limit: 10}))(t)
			if len(list) != 1 {
				t.Fatalf("%d events", len(list))
			}
			return list[0]
		}
		if err := f.Refused(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if e := read(f.channel.ID); e.Sentence != r.Detail || e.Facts["wants workflow_ref"] != "build.yml" || e.Channel != "forge" {
			t.Errorf("the nearest channel reads %+v", e)
		}
		e := read(other.ID)
		if strings.Contains(e.Sentence, "forge") || strings.Contains(e.Sentence, "build.yml") || e.Facts["wants workflow_ref"] != "" {
			t.Errorf("the other channel reads of the nearest publisher: %+v", e)
		}
		if e.Code != string(fault.WorkflowMismatch) || e.Channel != "other" || e.Facts["repository"] != "acme/forge" || !strings.Contains(e.Sentence, "[workflow_mismatch]") {
			t.Errorf("the other channel reads %+v", e)
		}
	})
}
