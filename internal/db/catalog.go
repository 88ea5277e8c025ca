package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"sluice/internal/attest/policy"
	"sluice/internal/catalog"
	"sluice/internal/conda"
	"sluice/internal/fault"
)

// list of query parameters, filled as a query is put together from fixed parts.
type params struct{ args []any }

// add appends a value and returns its mark, "$3".
func (p *params) add(v any) string {
	p.args = append(p.args, v)
	return fmt.Sprintf("$%d", len(p.args))
}

// in returns "$4, $5, $6" for the values.
func in[T any](p *params, values []T) string {
	marks := make([]string, len(values))
	for i, v := range values {
		marks[i] = p.add(v)
	}
	return strings.Join(marks, ", ")
}

// like makes a pattern of LIKE that holds s anywhere, for ESCAPE '!'.
func like(s string) string {
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(strings.ToLower(s)) + "%"
}

// Packages implements catalog.Store.
func (db *DB) Packages(ctx context.Context, q catalog.Query) ([]catalog.Package, error) {
	if len(q.Channels) == 0 {
		return nil, nil
	}
	var p params
	query := `SELECT p.latest_id, c.name, p.name, p.latest_version, p.summary, p.subdirs, p.artifacts, p.by_ci, p.updated_us, a.created_us, a.provenance,
			coalesce(a.source, ''), CASE WHEN a.yanked_us IS NULL THEN 0 ELSE 1 END, coalesce(length(a.sidecar_sha256), 0)
		FROM package p JOIN channel c ON c.id = p.channel_id LEFT JOIN artifact a ON a.id = p.latest_id WHERE ` + wherePackages(&p, q) +
		` ORDER BY p.name, c.name LIMIT ` + p.add(min(max(q.Limit, 1), 201))
	rows, err := collect(ctx, db.reader, scanPackage, query, p.args...)
	if err != nil {
		return nil, fmt.Errorf("packages: %w", err)
	}
	signatures := map[int64][]policy.Signature{}
	if q.Signatures {
		if signatures, err = db.signatures(ctx, rows); err != nil {
			return nil, err
		}
	}
	out := make([]catalog.Package, len(rows))
	for i, r := range rows {
		out[i] = r.Package
		out[i].Signatures = signatures[r.latestID]
	}
	return out, nil
}

// signatures reads those of the latest file of each package, by the files' ids: one query for a whole page of a list, with a
// seek for each file that has any. Nothing of it is kept in the packages' lines, for what counts changes with what channels
// demand.
func (db *DB) signatures(ctx context.Context, packages []packageRow) (map[int64][]policy.Signature, error) {
	out := map[int64][]policy.Signature{}
	var p params
	var marks []string
	for _, k := range packages {
		if k.sidecar > 0 {
			marks = append(marks, p.add(k.latestID))
		}
	}
	if len(marks) == 0 {
		return out, nil
	}
	type row struct {
		id int64
		policy.Signature
	}
	rows, err := collect(ctx, db.reader, func(r *sql.Rows, v *row) error {
		return r.Scan(&v.id, jsonText{&v.Verdict}, &v.Fit, jsonText{&v.Distrust})
	}, `SELECT t.artifact_id, t.verdict, t.fit, t.no_longer_trusted FROM attestation t JOIN artifact a ON a.id = t.artifact_id AND a.sha256 = t.sha256
		WHERE t.artifact_id IN (`+strings.Join(marks, ", ")+`) ORDER BY t.artifact_id, t.ordinal`, p.args...)
	if err != nil {
		return nil, fmt.Errorf("signatures of packages: %w", err)
	}
	for _, r := range rows {
		out[r.id] = append(out[r.id], r.Signature)
	}
	return out, nil
}

// Count implements catalog.Store.
func (db *DB) Count(ctx context.Context, q catalog.Query) (n int, err error) {
	if len(q.Channels) == 0 {
		return 0, nil
	}
	var p params
	query := `SELECT count(*) FROM (SELECT 1 FROM package p JOIN channel c ON c.id = p.channel_id WHERE ` + wherePackages(&p, q) +
		` LIMIT ` + p.add(catalog.MaxCount+1) + `) AS found`
	err = db.reader.QueryRowContext(ctx, query, p.args...).Scan(&n)
	return n, err
}

// wherePackages is the condition of a query over package p and channel c.
func wherePackages(p *params, q catalog.Query) string {
	query := `p.channel_id IN (` + in(p, q.Channels) + `)`
	if q.Names != nil {
		query += ` AND p.name IN (` + in(p, append([]string{""}, q.Names[:min(len(q.Names), catalog.MaxNames)]...)) + `)`
	}
	if q.Text != "" {
		mark := p.add(like(q.Text))
		query += ` AND (p.name LIKE ` + mark + ` ESCAPE '!' OR lower(p.summary) LIKE ` + mark + ` ESCAPE '!')`
	}
	if q.Subdir != "" {
		query += ` AND p.subdirs LIKE ` + p.add(like(`"`+q.Subdir+`"`)) + ` ESCAPE '!'`
	}
	switch q.By {
	case "ci":
		query += ` AND p.by_ci = p.artifacts`
	case "token":
		query += ` AND p.by_ci + p.imported < p.artifacts`
	case "import":
		query += ` AND p.imported > 0`
	}
	if q.After != "" {
		name, channel := p.add(q.After), p.add(q.AfterChannel)
		query += ` AND (p.name > ` + name + ` OR p.name = ` + name + ` AND c.name > ` + channel + `)`
	}
	return query
}

// packageRow is a package with its latest file: which, and how many bytes the digest of its attestations has.
type packageRow struct {
	catalog.Package
	latestID int64
	sidecar  int
}

func scanPackage(r *sql.Rows, k *packageRow) error {
	var channel string
	err := r.Scan(&k.latestID, &channel, &k.Name, &k.Latest, &k.Summary, jsonText{&k.Subdirs}, &k.Artifacts, &k.ByCI, when{&k.UpdatedAt}, when{&k.LatestAt}, jsonText{&k.Run},
		&k.Source, &k.Yanked, &k.sidecar)
	if err != nil {
		return err
	}
	k.Channel, err = conda.ParseChannel(channel)
	return err
}

// maxFiles bounds the files of one package that are read at once.
const maxFiles = 20000

const fileColumns = `a.id, c.name, a.subdir, a.filename, a.build_number, a.sha256, a.md5, a.size, a.timestamp_ms, a.depends, a.license, a.about,
	a.created_us, a.uploader, a.provenance, a.publisher_id, a.source, a.yanked_us, a.yanked_why, a.patch`

// visible is the condition for what any reader may see.
const visible = `a.listed > 0 AND a.deleted_us IS NULL`

const fileTables = ` FROM artifact a JOIN channel c ON c.id = a.channel_id `

type fileRow struct {
	catalog.File
	channel, subdir, filename string
	sha, md                   []byte
	built, buildNumber        int64
	publisher                 sql.Null[int64]
	patch                     string
}

func (r *fileRow) fields() []any {
	return []any{&r.ID, &r.channel, &r.subdir, &r.filename, &r.buildNumber, &r.sha, &r.md, &r.Size, &r.built, jsonText{&r.Depends}, &r.License, jsonText{&r.About},
		when{&r.UploadedAt}, &r.Uploader, jsonText{&r.Run}, &r.publisher, &r.Source, when{&r.YankedAt}, &r.YankedWhy, &r.patch}
}

func (r *fileRow) file() (f catalog.File, err error) {
	f = r.File
	copy(f.SHA256[:], r.sha)
	copy(f.MD5[:], r.md)
	f.PublisherID, f.BuildNumber, f.Patched = r.publisher.V, uint64(r.buildNumber), r.patch != ""
	if r.built != 0 {
		f.BuiltAt = time.UnixMilli(r.built).UTC()
	}
	if f.Channel, err = conda.ParseChannel(r.channel); err != nil {
		return f, err
	}
	if f.Subdir, err = conda.ParseSubdir(r.subdir); err != nil {
		return f, err
	}
	f.Filename, err = conda.ParseFilename(r.filename)
	return f, err
}

func scanFile(r *sql.Rows, f *catalog.File) error {
	var row fileRow
	if err := r.Scan(row.fields()...); err != nil {
		return err
	}
	var err error
	*f, err = row.file()
	return err
}

// Files implements catalog.Store.
func (db *DB) Files(ctx context.Context, channelID int64, name string) ([]catalog.File, error) {
	files, err := collect(ctx, db.reader, scanFile,
		`SELECT `+fileColumns+fileTables+`WHERE a.channel_id = $1 AND a.name = $2 AND `+visible+` ORDER BY a.id DESC LIMIT $3`, channelID, name, maxFiles)
	if err != nil {
		return nil, fmt.Errorf("files: %w", err)
	}
	return files, db.completeFiles(ctx, files)
}

// File implements catalog.Store.
func (db *DB) File(ctx context.Context, channelID int64, d conda.Subdir, f conda.Filename) (catalog.File, error) {
	var row fileRow
	var raw []byte
	err := db.reader.QueryRowContext(ctx, `SELECT `+fileColumns+`, a.index_json`+fileTables+`WHERE a.channel_id = $1 AND a.subdir = $2 AND a.filename = $3 AND `+visible,
		channelID, d.String(), f.String()).Scan(append(row.fields(), &raw)...)
	if errors.Is(err, sql.ErrNoRows) {
		return catalog.File{}, fault.New(fault.NotFound, "There is no %s/%s in this channel.", d, f)
	} else if err != nil {
		return catalog.File{}, fmt.Errorf("file: %w", err)
	}
	row.RawIndex = raw
	file, err := row.file()
	if err != nil {
		return catalog.File{}, err
	}
	one := []catalog.File{file}
	err = db.completeFiles(ctx, one)
	return one[0], err
}

// RecentFiles implements catalog.Store.
func (db *DB) RecentFiles(ctx context.Context, channels []int64, limit int) ([]catalog.File, error) {
	var p params
	where := `a.channel_id = `
	if len(channels) == 1 {
		where += p.add(channels[0])
	} else {
		// The plus keeps SQLite from gathering all files of all channels to sort them: it walks back from the newest.
		where = `+a.channel_id IN (` + in(&p, channels) + `)`
	}
	files, err := collect(ctx, db.reader, scanFile,
		`SELECT `+fileColumns+fileTables+`WHERE `+where+` AND `+visible+` ORDER BY a.id DESC LIMIT `+p.add(limit), p.args...)
	if err != nil {
		return nil, fmt.Errorf("recent files: %w", err)
	}
	return files, db.completeFiles(ctx, files)
}

// completeFiles fills in what is kept beside the files' own rows.
func (db *DB) completeFiles(ctx context.Context, files []catalog.File) error {
	return errors.Join(db.labelFiles(ctx, files), db.addAttestations(ctx, files))
}

// labelFiles fills in which labels list the files.
func (db *DB) labelFiles(ctx context.Context, files []catalog.File) error {
	ids := make([]int64, len(files))
	for i, f := range files {
		ids[i] = f.ID
	}
	labels, err := db.labelsOf(ctx, ids)
	for i := range files {
		files[i].Labels = labels[files[i].ID]
	}
	return err
}

// Totals implements catalog.Store.
func (db *DB) Totals(ctx context.Context, channelID int64) (catalog.Totals, error) {
	var t catalog.Totals
	err := db.read(ctx, func(tx *sql.Tx) (err error) {
		err = tx.QueryRowContext(ctx, `SELECT `+sums+` FROM package p WHERE p.channel_id = $1`, channelID).Scan(sumsOf(&t)...)
		if err != nil {
			return fmt.Errorf("totals: %w", err)
		}
		t.Subdirs, err = collect(ctx, tx, func(r *sql.Rows, s *string) error { return r.Scan(s) },
			`SELECT DISTINCT subdir FROM generation WHERE channel_id = $1 ORDER BY 1`, channelID)
		return err
	})
	return t, err
}

// sums are the totals over package p; a cast, because PostgreSQL adds integers up to a decimal.
const sums = `count(*), coalesce(CAST(sum(p.artifacts) AS BIGINT), 0), coalesce(CAST(sum(p.by_ci) AS BIGINT), 0),
	coalesce(CAST(sum(p.attested) AS BIGINT), 0), coalesce(CAST(sum(p.imported) AS BIGINT), 0), coalesce(CAST(sum(p.bytes) AS BIGINT), 0), max(p.updated_us)`

func sumsOf(t *catalog.Totals) []any {
	return []any{&t.Packages, &t.Artifacts, &t.ByCI, &t.Attested, &t.Imported, &t.Bytes, when{&t.LastAt}}
}

// Summaries implements catalog.Store. What came last is found by one index seek a channel.
func (db *DB) Summaries(ctx context.Context, channels []int64) ([]catalog.Summary, error) {
	if len(channels) == 0 {
		return nil, nil
	}
	var p params
	return collect(ctx, db.reader, func(r *sql.Rows, s *catalog.Summary) error {
		return r.Scan(append([]any{&s.ChannelID, &s.LastName, &s.LastVersion}, sumsOf(&s.Totals)...)...)
	}, `SELECT c.id, a.name, a.version, `+sums+` FROM channel c JOIN package p ON p.channel_id = c.id
		JOIN artifact a ON a.id = (SELECT max(v.id) FROM artifact v WHERE v.channel_id = c.id AND v.listed > 0 AND v.deleted_us IS NULL)
		WHERE c.id IN (`+in(&p, channels)+`) GROUP BY c.id, a.name, a.version ORDER BY c.id`, p.args...)
}

// existsAtOnce bounds the parameters of one statement.
const existsAtOnce = 500

// Existing implements catalog.Store.
func (db *DB) Existing(ctx context.Context, channelID int64, keys []string, hidden bool) ([]string, error) {
	var out []string
	for len(keys) > 0 {
		n := min(len(keys), existsAtOnce)
		var p params
		channel := p.add(channelID)
		either := make([]string, n)
		for i, k := range keys[:n] {
			subdir, filename, _ := strings.Cut(k, "/")
			either[i] = `(subdir = ` + p.add(subdir) + ` AND filename = ` + p.add(filename) + `)`
		}
		query := `SELECT subdir || '/' || filename FROM artifact WHERE channel_id = ` + channel + ` AND (` + strings.Join(either, " OR ") + `)`
		if !hidden {
			query += ` AND listed > 0 AND deleted_us IS NULL`
		}
		query += ` ORDER BY 1`
		found, err := collect(ctx, db.reader, func(r *sql.Rows, s *string) error { return r.Scan(s) }, query, p.args...)
		if err != nil {
			return nil, fmt.Errorf("existing: %w", err)
		}
		out, keys = append(out, found...), keys[n:]
	}
	return out, nil
}
