package db_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/token"
)

func packageNames(list []catalog.Package) []string {
	var out []string
	for _, p := range list {
		out = append(out, p.Name)
	}
	return out
}

func TestListsOfPackagesAndTheirNumbersAgree(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		f.publish(t, f.commit(t, "noarch", "tide-1-0.conda", 1))
		f.publish(t, f.commit(t, "linux-64", "tide-2-0.conda", 2))
		at := f.clock.now()
		f.clock.advance(time.Hour)
		f.publish(t, f.commit(t, "noarch", "tide-1-1.conda", 3))
		f.publish(t, f.commit(t, "noarch", "wave-1-0.conda", 4))
		here := []int64{f.channel.ID}
		for _, tt := range []struct {
			name string
			q    catalog.Query
			want []string
		}{
			{"all", catalog.Query{}, []string{"tide", "wave"}},
			{"text", catalog.Query{Text: "ID"}, []string{"tide"}},
			{"a wildcard is no wildcard", catalog.Query{Text: "t%e"}, nil},
			{"names", catalog.Query{Names: []string{"wave", "wav"}}, []string{"wave"}},
			{"no names", catalog.Query{Names: []string{}}, nil},
			{"subdir", catalog.Query{Subdir: "linux-64"}, []string{"tide"}},
			{"after", catalog.Query{After: "tide", AfterChannel: "forge"}, []string{"wave"}},
		} {
			tt.q.Channels, tt.q.Limit = here, 10
			got := must(f.Packages(t.Context(), tt.q))(t)
			if diff := cmp.Diff(tt.want, packageNames(got)); diff != "" {
				t.Errorf("%s:\n%s", tt.name, diff)
			}
			if n := must(f.Count(t.Context(), tt.q))(t); n != len(tt.want) {
				t.Errorf("%s: counted %d, listed %d", tt.name, n, len(tt.want))
			}
		}
		tide := must(f.Packages(t.Context(), catalog.Query{Channels: here, Names: []string{"tide"}, Limit: 1}))(t)[0]
		if latestAt := tide.LatestAt.Truncate(time.Second); tide.Latest != "2" || !latestAt.Equal(at) || !tide.UpdatedAt.Equal(at.Add(time.Hour)) {
			t.Errorf("latest %s of %v, updated %v; want version 2 of %v", tide.Latest, latestAt, tide.UpdatedAt, at)
		}
	})
}

func TestTotalsAndSummaries(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		empty := must(f.CreateChannel(t.Context(), channel.Channel{Name: must(conda.ParseChannel("empty"))(t), CreatedAt: f.clock.now()}, f.ann.ID, audit.Event{}))(t)
		f.publish(t, f.commit(t, "noarch", "tide-1-0.conda", 1))
		f.clock.advance(time.Minute)
		f.publish(t, f.commit(t, "linux-64", "tide-1-0.conda", 2))
		f.publish(t, f.commit(t, "noarch", "wave-7-0.conda", 3))
		want := catalog.Totals{Packages: 2, Artifacts: 3, Bytes: 300, LastAt: f.clock.now()}
		summaries := must(f.Summaries(t.Context(), []int64{f.channel.ID, empty.ID}))(t)
		if diff := cmp.Diff([]catalog.Summary{{ChannelID: f.channel.ID, Totals: want, LastName: "wave", LastVersion: "7"}}, summaries); diff != "" {
			t.Error(diff)
		}
		want.Subdirs = []string{"linux-64", "noarch"}
		if diff := cmp.Diff(want, must(f.Totals(t.Context(), f.channel.ID))(t)); diff != "" {
			t.Error(diff)
		}
		if got := must(f.Totals(t.Context(), empty.ID))(t); got.Packages != 0 || got.Bytes != 0 || !got.LastAt.IsZero() {
			t.Errorf("an empty channel has %+v", got)
		}
	})
}

// TestUploadKeys counts, one after another, every kind of token that can publish and every kind that cannot.
func TestUploadKeys(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		ctx, now := t.Context(), f.clock.now()
		other := must(f.CreateChannel(ctx, channel.Channel{Name: must(conda.ParseChannel("other"))(t), CreatedAt: now}, f.ann.ID, audit.Event{}))(t)
		member := func(name string, r channel.Role, admin bool) account.User {
			u := userNamed(name)
			u.Admin = admin
			u = must(f.CreateUser(ctx, u, "", noSetup, audit.Event{}))(t)
			if r != channel.None {
				if err := f.SetMember(ctx, f.channel.ID, name, r, audit.Event{}); err != nil {
					t.Fatal(err)
				}
			}
			return u
		}
		key := func(u account.User, in int64, scopes ...account.Scope) account.APIToken {
			return must(f.CreateAPIToken(ctx, account.APIToken{Hash: token.New(token.API).Hash(), UserID: u.ID, Name: "k", Scopes: scopes,
				ChannelID: in, CreatedAt: now, ExpiresAt: now.Add(2 * time.Hour)}, audit.Event{}))(t)
		}
		maintainer, reader := member("max", channel.Maintainer, false), member("rita", channel.Reader, false)
		counts := func(what string, want int) {
			t.Helper()
			if got := must(f.UploadKeys(ctx, f.channel.ID, f.clock.now()))(t); got != want {
				t.Errorf("%s: %d keys can publish, want %d", what, got, want)
			}
		}
		counts("the owner's token", 1)
		key(f.ann, 0, account.Read, account.Manage)
		counts("a token without the scope", 1)
		key(reader, 0, account.Upload)
		key(member("eve", channel.None, false), 0, account.Upload)
		counts("tokens of a reader and of a stranger", 1)
		key(f.ann, other.ID, account.Upload)
		counts("a token for another channel", 1)
		mine := key(maintainer, f.channel.ID, account.Read, account.Upload)
		counts("a maintainer's token", 2)
		key(member("root", channel.None, true), 0, account.Upload)
		counts("an administrator's token", 3)
		if err := f.RevokeAPIToken(ctx, maintainer.ID, mine.ID, now, audit.Event{}); err != nil {
			t.Fatal(err)
		}
		counts("a revoked token", 2)
		f.clock.advance(time.Hour)
		counts("the owner's token has ended", 1)
		only := f.channel
		only.PublisherOnly = true
		if err := f.ChangeChannel(ctx, f.channel, only, audit.Event{}); err != nil {
			t.Fatal(err)
		}
		counts("trusted publishers only", 0)
		var left []string
		for _, k := range must(f.UploadTokens(ctx, f.channel.ID, f.clock.now(), 10))(t) {
			left = append(left, k.User)
		}
		if diff := cmp.Diff([]string{"root"}, left); diff != "" {
			t.Error("tokens that would count again: " + diff)
		}
		if err := f.ChangeChannel(ctx, f.channel, f.channel, audit.Event{}); !fault.Is(err, fault.Conflict) {
			t.Errorf("a change of what the channel was before = %v, want a conflict", err)
		}
	})
}

func TestRolesOfAnAccount(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		bob := must(f.CreateUser(t.Context(), userNamed("bob"), "", noSetup, audit.Event{}))(t)
		if got := must(f.Roles(t.Context(), bob.ID))(t); len(got) != 0 {
			t.Errorf("a stranger has roles %v", got)
		}
		if diff := cmp.Diff(map[int64]channel.Role{f.channel.ID: channel.Owner}, must(f.Roles(t.Context(), f.ann.ID))(t)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSetupAlive(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		link := token.New(token.Setup).Hash()
		if err := f.SaveSetup(t.Context(), link, f.clock.now()); err != nil {
			t.Fatal(err)
		}
		if must(f.SetupAlive(t.Context(), link))(t) {
			t.Error("a setup link lives beside an account")
		}
	})
}
