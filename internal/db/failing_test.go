package db

import (
	"database/sql"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sluice/internal/attest"
	"sluice/internal/attest/fulcio"
	"sluice/internal/attest/policy"
	"sluice/internal/catalog"
	"sluice/internal/channel"
	"sluice/internal/servertest/postgres"
)

// crowd is a database whose channel 1 has many files, 25 of a package, of which every so manieth has an attestation.
type crowd struct {
	*DB
	postgres bool
}

func newCrowd(t testing.TB, name string, files, every int) crowd {
	t.Helper()
	db, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "sluice.db"), time.Now)
	if name == "postgres" {
		db, err = OpenPostgres(t.Context(), postgres.Database(t), time.Now)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	c := crowd{db, name == "postgres"}
	verdict := attest.Verdict{
		Profile: "sigstore", Root: strings.Repeat("6a", 32), Predicate: attest.PredicateType, Serial: strings.Repeat("0b", 20), Target: attest.Target{URL: "https://conda.example.com/forge"},
		Times: []time.Time{time.Now()}, Log: attest.LogEntry{Index: "123456789", LogID: strings.Repeat("c0", 32)},
		Signer: fulcio.Signer{
			Identity: "https://github.com/acme/forge/.github/workflows/build.yml@refs/heads/main", Issuer: "https://token.actions.githubusercontent.com",
			RepositoryID: "1234", Run: "https://github.com/acme/forge/actions/runs/77/attempts/1",
		},
	}
	c.exec(t, `INSERT INTO channel (name, visibility, description, created_us, created_by) VALUES ('forge', 'public', '', 1, 'ann'), ('other', 'public', '', 1, 'ann')`)
	c.exec(t, fmt.Sprintf(`WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n < %d)
		INSERT INTO artifact (channel_id, subdir, filename, name, version, build, build_number, sha256, md5, size, timestamp_ms, depends, index_json, about, license, created_us, uploader)
		SELECT CASE WHEN n < %d THEN 1 ELSE 2 END, 'noarch', 'package-' || (n / 25) || '-1.' || (n %% 25) || '-0.conda', 'package-' || (n / 25), '1.' || (n %% 25), '0', 0, $1, $2, 1, 1, '[]', $3, '{}', '', n, 'ann'
		FROM i`, files*2-1, files), make([]byte, 32), make([]byte, 16), []byte(strings.Repeat("index.json ", 100)))
	c.exec(t, fmt.Sprintf(`UPDATE artifact SET sidecar_sha256 = $1 WHERE id %% %d = 0`, every), make([]byte, 32))
	c.exec(t, `INSERT INTO attestation (artifact_id, sha256, ordinal, certificate_sha256, signature_sha256, bundle, verdict, fit, added_us, sidecar_sha256, sidecar_size)
		SELECT id, sha256, 1, sha256, sha256, $1, $2, 'run', 1, sha256, 1 FROM artifact WHERE length(sidecar_sha256) > 0`, []byte(strings.Repeat("a bundle ", 1000)), text(verdict))
	if c.postgres { // as it does by itself
		c.exec(t, `VACUUM ANALYZE artifact`)
		c.exec(t, `VACUUM ANALYZE attestation`)
	}
	return c
}

func (c crowd) exec(t testing.TB, query string, args ...any) {
	t.Helper()
	if _, err := c.writer.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

// plan is how the database goes about a question.
func (c crowd) plan(t testing.TB, query string, args ...any) string {
	t.Helper()
	explain := "EXPLAIN QUERY PLAN "
	scan := func(r *sql.Rows, line *string) error { var id int; return r.Scan(&id, &id, &id, line) }
	if c.postgres {
		explain = "EXPLAIN "
		scan = func(r *sql.Rows, line *string) error { return r.Scan(line) }
	}
	lines, err := collect(t.Context(), c.reader, scan, explain+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// What an upload or a look at other demands asks of a large channel is found by an index, and no table is gone through.
func TestDemandsAreFoundByIndex(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCrowd(t, name, 5_000, 10)
			through := regexp.MustCompile(`(?m)Seq Scan on artifact|SCAN (a|artifact)\b`)
			by := func(what, index, query string, args ...any) {
				t.Helper()
				if plan := c.plan(t, query, args...); !strings.Contains(plan, index) || through.MatchString(plan) {
					t.Errorf("%s is not found by %s:\n%s", what, index, plan)
				}
			}
			attested, unattested := 0, 0
			for n := range 5_000 {
				if !strings.HasPrefix(fmt.Sprint("package-", n/25), "package-1") {
					continue
				}
				if (n+1)%10 == 0 {
					attested++
				} else {
					unattested++
				}
			}
			by("the newest attested file of a package", "artifact_attested", newestAttestedQuery, 1, "package-7", int64(math.MaxInt64))
			by("the newest before a time", "artifact_attested", newestAttestedQuery, 1, "package-7", 180)
			for what, tt := range map[string]struct{ patterns, before []string }{
				"all":                  {[]string{"*"}, nil},
				"one package":          {[]string{"package-7"}, nil},
				"a beginning":          {[]string{"package-7*"}, nil},
				"several":              {[]string{"package-7", "package-9", "package-1*"}, nil},
				"all but some":         {[]string{"*"}, []string{"package-7", "package-1*"}},
				"some of them already": {[]string{"package-7", "package-1*"}, []string{"package-7"}},
			} {
				for _, both := range []bool{false, true} {
					if both && tt.before == nil {
						continue // nobody asks
					}
					count, list, args := unattestedQueries(1, tt.patterns, tt.before, both, catalog.MaxFailing)
					by(fmt.Sprintf("how many of %s (%v)", what, both), "artifact_unattested", count, args...)
					by(fmt.Sprintf("the first of %s (%v)", what, both), "artifact_unattested", list, args...)
				}
			}
			for what, patterns := range map[string][]string{"all": {"*"}, "one": {"package-7"}, "several": {"package-7", "package-1*"}} {
				for _, after := range []catalog.Held{{}, {ID: 176, Name: "package-7", UploadedAt: time.UnixMicro(175)}} {
					query, args := attestedQuery(1, patterns, after, 500)
					by("a page of attested files of "+what, "artifact_attested", query, args...)
				}
			}
			// Pages have every file once.
			seen := 0
			for last := (catalog.Held{}); ; {
				page, err := c.Attested(t.Context(), 1, []string{"package-1*", "package-10"}, last, 77)
				if err != nil {
					t.Fatal(err)
				}
				if seen += len(page); len(page) == 0 {
					break
				}
				last = page[len(page)-1]
			}
			if seen != attested {
				t.Errorf("pages have %d files", seen)
			}
			// A pattern of everything and one that names them all find the same.
			fresh, already, err := c.Unattested(t.Context(), 1, []string{"*"}, []string{"package-1*"}, 7)
			again, none, err2 := c.Unattested(t.Context(), 1, []string{"package-*", "other"}, nil, 7)
			if err != nil || err2 != nil || fresh.Files+already.Files != 4_500 || already.Files != unattested || again.Files != 4_500 || none.Files != 0 || len(fresh.First) != 7 || len(already.First) != 7 {
				t.Errorf("%d new, %d already; %d, %d: %v, %v", fresh.Files, already.Files, again.Files, none.Files, err, err2)
			}
		})
	}
}

// BenchmarkFailing looks at a channel of 100 000 files before it demands more, of which half have an attestation.
func BenchmarkFailing(b *testing.B) {
	const files = 100_000
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			c := newCrowd(b, name, files, 2)
			look := &catalog.Catalog{Store: c.DB}
			ch := channel.Channel{ID: 1, Attestations: policy.Default()}
			for what, tt := range map[string]struct {
				change                  func(*policy.Policy)
				unattested, notCounting int
			}{
				"required":             {func(p *policy.Policy) { p.Mode = policy.Required }, files / 2, 0},
				"required for a name":  {func(p *policy.Policy) { p.Mode, p.RequiredFor = policy.RequiredFor, []string{"package-7"} }, 13, 0},
				"required for a tenth": {func(p *policy.Policy) { p.Mode, p.RequiredFor = policy.RequiredFor, []string{"package-1*"} }, 13_889, 0},
				"denied": {func(p *policy.Policy) {
					p.Denied = []policy.Denial{{RepositoryID: "1234", Issuer: "https://token.actions.githubusercontent.com"}}
				}, 0, files / 2},
			} {
				b.Run(what, func(b *testing.B) {
					after := policy.Default()
					tt.change(&after)
					for b.Loop() {
						f, err := look.Failing(b.Context(), ch, after, "https://conda.example.com/forge")
						if err != nil || f.NotCounting != tt.notCounting || math.Abs(float64(f.Unattested-tt.unattested)) > 25 {
							b.Fatal(f.Unattested, f.NotCounting, err)
						}
					}
				})
			}
		})
	}
}
