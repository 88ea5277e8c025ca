package db_test

import (
	"database/sql"
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
			l, _, err := f.Pieces(b.Context(), f.place(b, "linux-64"), nil, 0)
			if err != nil || int(l.Number) != next {
				b.Fatalf("generation %d after %d uploads, %v", l.Number, next, err)
			}
			b.ReportMetric(float64(l.Totals[index.Conda].Pieces), "pieces")
		})
	}
}

// BenchmarkPieces reads the pieces of a repodata.json of a million records on SQLite: all of them, and those that came
// with the last generation.
func BenchmarkPieces(b *testing.B) {
	const pieces = 5600
	path, c := filepath.Join(b.TempDir(), "sluice.db"), newClock()
	d, err := db.OpenSQLite(b.Context(), path, c.now)
	f := newFixture(b, d, err, c)
	f.publish(b, f.commit(b, "linux-64", "first-1-0.conda", 1))
	f.publish(b, f.commit(b, "linux-64", "second-1-0.conda", 2))
	raw := must(sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)"))(b)
	defer raw.Close()
	if _, err := raw.ExecContext(b.Context(), `WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < ?)
		INSERT INTO piece SELECT channel_id, label, subdir, series, printf('library-%06d-1.0.0-py312_h0123456_0.conda', n), 1, 180, 114000, 19000, n FROM piece, i
		WHERE series = 'packages.conda'`, pieces-1); err != nil {
		b.Fatal(err)
	}
	of := []index.Series{index.TarBz2, index.Conda, index.TarBz2V3, index.CondaV3, index.Removed}
	for name, after := range map[string]int64{"all": 0, "last": 1} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			want := map[bool]int{true: pieces, false: 1}[after == 0]
			for b.Loop() {
				if l, _, err := f.Pieces(b.Context(), f.place(b, "linux-64"), of, after); err != nil || len(l.Pieces[index.Conda]) != want {
					b.Fatal(len(l.Pieces[index.Conda]), err)
				}
			}
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
