package db_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/db"
	"sluice/internal/index"
	"sluice/internal/trust"
)

// BenchmarkPublish is one upload's transaction into a channel that holds so many artifacts already, 25 of a
// name, on SQLite. The figures of the sizes should be alike: what an upload costs must not follow the channel.
func BenchmarkPublish(b *testing.B) {
	depends := []string{"python >=3.10", "libgcc >=14", "openssl >=3.3,<4.0a0", "zlib >=1.3.1,<2.0a0"}
	for _, size := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c := newClock()
			d, err := db.OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "sluice.db"), c.now)
			f := newFixture(b, d, err, c)
			upload := func(i int) {
				f.publish(b, f.commit(b, "linux-64", fmt.Sprintf("package-%05d-1.%d-h0_0.conda", i/25, i%25), byte(i), depends...))
			}
			for i := range size {
				upload(i)
			}
			next := size
			for b.Loop() {
				upload(next)
				next++
			}
			s := f.snapshot(b, "linux-64")
			if int(s.Number) != next {
				b.Fatalf("generation %d after %d uploads", s.Number, next)
			}
			b.ReportMetric(float64(len(s.Pieces[index.Conda])), "pieces")
		})
	}
}

// BenchmarkCandidates finds the publishers that a run may satisfy among so many of the issuer, on SQLite. The figures
// of the sizes should be alike.
func BenchmarkCandidates(b *testing.B) {
	for _, size := range []int{10, 10_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c := newClock()
			d, err := db.OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "sluice.db"), c.now)
			f := newFixture(b, d, err, c)
			f.addPublishers(b, size)
			for b.Loop() {
				found, err := f.Candidates(b.Context(), trust.Candidate{Issuer: issuer, RepositoryKey: "acme/repository-7", RepositoryID: "71", OwnerKey: "acme", OwnerID: "9"})
				if err != nil || len(found) != 1 {
					b.Fatalf("%d candidates, %v", len(found), err)
				}
			}
		})
	}
}

// addPublishers adds so many publishers, each of another repository, to channels of trust.MaxPublishers each.
func (f *fixture) addPublishers(t testing.TB, n int) {
	t.Helper()
	is := must(trust.NewIssuer("github", ""))(t)
	for first := 0; first < n; first += trust.MaxPublishers {
		ch := must(f.CreateChannel(t.Context(), channel.Channel{Name: must(conda.ParseChannel(fmt.Sprintf("many-%d", first)))(t), Visibility: channel.Public, CreatedAt: f.clock.now()}, f.ann.ID, audit.Event{Kind: audit.ChannelCreated}))(t)
		var changes []trust.Change
		for i := first; i < min(n, first+trust.MaxPublishers); i++ {
			spec := trust.PublisherSpec{Owner: "acme", Repository: fmt.Sprintf("repository-%d", i), Workflow: "build.yml"}
			p := must(trust.NewPublisher(spec, []trust.Issuer{is}, ch.Name, ch.ID, "ann", f.clock.now()))(t)
			changes = append(changes, trust.Change{Kind: trust.Added, Publisher: p, Event: event(audit.PublisherAdded, p)})
		}
		must(f.ChangePublishers(t.Context(), ch.ID, changes))(t)
	}
}
