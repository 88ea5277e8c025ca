package db_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"sluice/internal/db"
	"sluice/internal/index"
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
