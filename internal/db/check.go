package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"sluice/internal/check"
	"sluice/internal/conda/repodata"
	"sluice/internal/index"
)

// CountArtifacts implements check.Artifacts.
func (db *DB) CountArtifacts(ctx context.Context, channelID int64) (n int64, err error) {
	err = db.reader.QueryRowContext(ctx, `SELECT count(*) FROM artifact WHERE channel_id = $1`, channelID).Scan(&n)
	return n, err
}

// ArtifactsAfter implements check.Artifacts.
func (db *DB) ArtifactsAfter(ctx context.Context, channelID, after int64, limit int) (out []check.Artifact, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		out, err = collect(ctx, tx, scanChecked, `SELECT id, subdir, filename, sha256, md5, size, index_json, run_exports, about, traits, schema_version, depends, build_number,
				timestamp_ms, license, patch, listed, yanked_us, deleted_us, purged_us, sidecar_sha256
			FROM artifact WHERE channel_id = $1 AND id > $2 ORDER BY id LIMIT $3`, channelID, after, limit)
		if err != nil {
			return fmt.Errorf("artifacts to check: %w", err)
		}
		return addListings(ctx, tx, out)
	})
	return out, err
}

func scanChecked(r *sql.Rows, a *check.Artifact) error {
	var sum, md, sidecar []byte
	var patch string
	var number int64
	var revision int
	var yanked, deleted, purged time.Time
	err := r.Scan(&a.ID, &a.Subdir, &a.File, &sum, &md, &a.Size, &a.RawIndex, doubtful{&a.RunExports}, doubtful{&a.About}, &a.Traits, &revision, doubtful{&a.Depends}, &number,
		&a.TimestampMS, &a.License, &patch, &a.Listed, when{&yanked}, when{&deleted}, when{&purged}, &sidecar)
	if err != nil {
		return err
	}
	copy(a.SHA256[:], sum)
	copy(a.MD5[:], md)
	copy(a.Sidecar[:], sidecar)
	a.BuildNumber, a.V3 = uint64(number), revision != 0
	a.Yanked, a.Deleted, a.Purged = !yanked.IsZero(), !deleted.IsZero(), !purged.IsZero()
	if err := unmarshal([]byte(patch), &a.Patch); err != nil {
		a.Unpatchable = "a correction that cannot be read: " + err.Error()
	}
	return nil
}

// doubtful reads a column of JSON that may be broken, as nothing then: what it should hold shows that.
type doubtful struct{ v any }

// Scan takes what jsonText takes, and never fails.
func (d doubtful) Scan(src any) error {
	_ = jsonText(d).Scan(src)
	return nil
}

// addListings reads what labels say of artifacts, which are in order of their numbers.
func addListings(ctx context.Context, tx *sql.Tx, all []check.Artifact) error {
	type row struct {
		id int64
		check.Listing
	}
	at := make(map[int64]*check.Artifact, len(all))
	ids := make([]int64, len(all))
	for i := range all {
		ids[i], at[all[i].ID] = all[i].ID, &all[i]
	}
	for some := range slices.Chunk(ids, digestsAtOnce) {
		var p params
		rows, err := collect(ctx, tx, func(r *sql.Rows, v *row) error {
			return r.Scan(&v.id, &v.Label, &v.Subdir, &v.Series, &v.File, &v.Name, when{&v.IndexedAt}, &v.Member, &v.ShardMember, &v.RunExports, &v.Shown, &v.TakenOut)
		}, `SELECT artifact_id, label, subdir, series, filename, name, indexed_us, member, shard_member, run_exports, shown, taken_out FROM record
			WHERE artifact_id IN (`+in(&p, some)+`) ORDER BY artifact_id, label`, p.args...)
		if err != nil {
			return fmt.Errorf("records to check: %w", err)
		}
		for _, r := range rows {
			at[r.id].Records = append(at[r.id].Records, r.Listing)
		}
	}
	return nil
}

// LinesAfter implements check.Artifacts.
func (db *DB) LinesAfter(ctx context.Context, channelID int64, after string, limit int) (out []check.Line, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		out = nil
		names, err := firstOf(ctx, tx, limit, []string{
			`SELECT name FROM package WHERE channel_id = $1 AND name > $2 ORDER BY name LIMIT $3`,
			`SELECT DISTINCT name FROM artifact WHERE channel_id = $1 AND name > $2 AND listed > 0 AND deleted_us IS NULL ORDER BY name LIMIT $3`,
		}, channelID, after, limit)
		if err != nil {
			return fmt.Errorf("packages to check: %w", err)
		}
		for _, name := range names {
			l := check.Line{Name: name}
			stored, err := storedLine(ctx, tx, channelID, name)
			if err != nil {
				return err
			}
			expected, err := countLine(ctx, tx, channelID, name)
			if err != nil {
				return err
			}
			l.Stored, l.Expected = stored.String(), expected.String()
			out = append(out, l)
		}
		return nil
	})
	return out, err
}

// firstOf merges the names that several queries give, each in order, and keeps the first of them.
func firstOf(ctx context.Context, q queryer, limit int, queries []string, args ...any) ([]string, error) {
	seen := map[string]bool{}
	for _, query := range queries {
		some, err := collect(ctx, q, func(r *sql.Rows, s *string) error { return r.Scan(s) }, query, args...)
		if err != nil {
			return nil, err
		}
		for _, s := range some {
			seen[s] = true
		}
	}
	names := slices.Sorted(maps.Keys(seen))
	return names[:min(limit, len(names))], nil
}

// Places implements check.Index and exporting.Store.
func (db *DB) Places(ctx context.Context, channelID int64) ([]index.Place, error) {
	return collect(ctx, db.reader, func(r *sql.Rows, p *index.Place) error {
		var label, subdir string
		if err := r.Scan(&label, &subdir); err != nil {
			return err
		}
		var err error
		*p, err = parsePlace(channelID, label, subdir)
		return err
	}, `SELECT label, subdir FROM generation WHERE channel_id = $1 UNION SELECT DISTINCT label, subdir FROM record WHERE channel_id = $1
		UNION SELECT DISTINCT label, subdir FROM piece WHERE channel_id = $1 UNION SELECT DISTINCT label, subdir FROM shard WHERE channel_id = $1 ORDER BY 1, 2`, channelID)
}

// State implements check.Index.
func (db *DB) State(ctx context.Context, p index.Place) (check.State, error) {
	s := check.State{Stored: map[index.Series]index.Totals{}, Summed: map[index.Series]index.Totals{}}
	err := db.read(ctx, func(tx *sql.Tx) error {
		g, ok, err := generation(ctx, tx, p, "")
		if err != nil {
			return err
		}
		s.Number, s.Found = g.Number, ok
		if err := readTotals(ctx, tx, p, s.Stored); err != nil {
			return err
		}
		s.Newest, err = sumPieces(ctx, tx, p, s.Summed)
		return err
	})
	return s, err
}

// sumPieces sums the pieces of every series, and returns the highest generation of any.
func sumPieces(ctx context.Context, q queryer, p index.Place, into map[index.Series]index.Totals) (newest int64, err error) {
	type sums struct {
		series index.Series
		index.Totals
		newest int64
	}
	rows, err := collect(ctx, q, func(r *sql.Rows, s *sums) error {
		return r.Scan(&s.series, &s.Pieces, &s.Members, &s.RawLen, &s.BlockLen, &s.newest)
	}, `SELECT series, count(*), CAST(sum(members) AS BIGINT), CAST(sum(raw_len) AS BIGINT), CAST(sum(block_len) AS BIGINT), max(generation) FROM piece
		WHERE channel_id = $1 AND label = $2 AND subdir = $3 GROUP BY series`, p.ChannelID, p.Label.String(), p.Subdir.String())
	if err != nil {
		return 0, fmt.Errorf("sums of pieces: %w", err)
	}
	for _, s := range rows {
		into[s.series], newest = s.Totals, max(newest, s.newest)
	}
	return newest, nil
}

// PiecesFrom implements check.Index.
func (db *DB) PiecesFrom(ctx context.Context, p index.Place, s index.Series, key string, limit int) (check.Run, error) {
	var out check.Run
	err := db.read(ctx, func(tx *sql.Tx) error {
		out = check.Run{Next: afterAll}
		var err error
		out.Pieces, err = collect(ctx, tx, func(r *sql.Rows, v *check.Piece) error {
			return r.Scan(&v.First, &v.Generation, &v.Members, &v.RawLen, &v.BlockLen, &v.Block, &v.Bytes)
		}, `SELECT p.first_key, p.generation, p.members, p.raw_len, p.block_len, p.block_id, b.bytes FROM piece p LEFT JOIN block b ON b.id = p.block_id
			WHERE p.channel_id = $1 AND p.label = $2 AND p.subdir = $3 AND p.series = $4 AND p.first_key >= coalesce((SELECT max(q.first_key) FROM piece q
				WHERE q.channel_id = $1 AND q.label = $2 AND q.subdir = $3 AND q.series = $4 AND q.first_key <= $5), $5)
			ORDER BY p.first_key LIMIT $6`, p.ChannelID, p.Label.String(), p.Subdir.String(), string(s), key, limit+1)
		if err != nil {
			return fmt.Errorf("pieces to check: %w", err)
		}
		if len(out.Pieces) > limit {
			out.Next, out.More, out.Pieces = out.Pieces[limit].First, true, out.Pieces[:limit]
		}
		from := key
		if len(out.Pieces) > 0 {
			from = min(key, out.Pieces[0].First)
		}
		members, err := membersOf(ctx, tx, p, s, from, out.Next, math.MaxInt32)
		for _, m := range members {
			out.Members = append(out.Members, check.Member{Key: m.key, Bytes: m.member})
		}
		return err
	})
	return out, err
}

// NamesAfter implements check.Index.
func (db *DB) NamesAfter(ctx context.Context, p index.Place, after string, limit int) (out []check.Name, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		out = nil
		const place = ` WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND name > $4 AND `
		names, err := firstOf(ctx, tx, limit, []string{
			`SELECT name FROM shard` + place + `superseded_us IS NULL ORDER BY name LIMIT $5`,
			`SELECT DISTINCT name FROM record` + place + `shown > 0 ORDER BY name LIMIT $5`,
		}, p.ChannelID, p.Label.String(), p.Subdir.String(), after, limit)
		if err != nil {
			return fmt.Errorf("names to check: %w", err)
		}
		for _, name := range names {
			n := check.Name{Name: name}
			has, err := readContents(ctx, tx, p, name)
			if err != nil {
				return err
			}
			n.Members, n.Records = has.members(), has.records()
			if n.SHA256, n.Bytes, err = currentShard(ctx, tx, p, name); err != nil {
				return err
			}
			if err := readTold(ctx, tx, index.Label{ChannelID: p.ChannelID, Name: p.Label}, &n); err != nil {
				return err
			}
			out = append(out, n)
		}
		return nil
	})
	return out, err
}

// readTold reads what channeldata.json says of a name, and what it should say.
func readTold(ctx context.Context, q queryer, l index.Label, n *check.Name) error {
	var stale bool
	err := q.QueryRowContext(ctx, `SELECT stale, member FROM channeldata WHERE channel_id = $1 AND label = $2 AND name = $3`, l.ChannelID, l.Name.String(), n.Name).Scan(&stale, &n.Told)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		n.Untold = n.Records > len(n.Members.Removed)
		return nil
	case err != nil:
		return fmt.Errorf("member of channeldata: %w", err)
	case stale:
		n.Told = nil
		return nil
	}
	all, err := channelArtifacts(ctx, q, l, n.Name)
	switch {
	case err != nil: // something of an artifact cannot be read, which is told of the artifact
		n.Told = nil
		return ctx.Err()
	case len(all) > 0:
		n.TellIt = repodata.ChannelDataMember(n.Name, all)
	}
	return nil
}

// currentShard is the shard of a name; nil for none.
func currentShard(ctx context.Context, q queryer, p index.Place, name string) (sum, bytes []byte, err error) {
	type row struct{ sum, bytes []byte }
	rows, err := collect(ctx, q, func(r *sql.Rows, v *row) error { return r.Scan(&v.sum, &v.bytes) },
		`SELECT sha256, bytes FROM shard WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND name = $4 AND superseded_us IS NULL`,
		p.ChannelID, p.Label.String(), p.Subdir.String(), name)
	if err != nil {
		return nil, nil, fmt.Errorf("shard of a name: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil, nil
	}
	return rows[0].sum, rows[0].bytes, nil
}

// ShardsOf implements check.Index.
func (db *DB) ShardsOf(ctx context.Context, p index.Place, name string) ([]check.StoredShard, error) {
	return db.storedShards(ctx, p, `name = $4 ORDER BY CASE WHEN superseded_us IS NULL THEN 0 ELSE 1 END, superseded_us DESC`, name)
}

// SupersededAfter implements check.Index.
func (db *DB) SupersededAfter(ctx context.Context, p index.Place, after []byte, limit int) ([]check.StoredShard, error) {
	return db.storedShards(ctx, p, `superseded_us IS NOT NULL AND sha256 > $4 ORDER BY sha256 LIMIT $5`, append([]byte{}, after...), limit)
}

func (db *DB) storedShards(ctx context.Context, p index.Place, which string, args ...any) ([]check.StoredShard, error) {
	out, err := collect(ctx, db.reader, func(r *sql.Rows, s *check.StoredShard) error {
		return r.Scan(&s.Name, &s.SHA256, &s.Bytes, &s.Superseded)
	},
		`SELECT name, sha256, bytes, CASE WHEN superseded_us IS NULL THEN 0 ELSE 1 END FROM shard WHERE channel_id = $1 AND label = $2 AND subdir = $3 AND `+which,
		append([]any{p.ChannelID, p.Label.String(), p.Subdir.String()}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("shards to check: %w", err)
	}
	return out, nil
}

// straysAtOnce bounds what of each kind is told.
const straysAtOnce = 1000

// Strays implements check.Index.
func (db *DB) Strays(ctx context.Context, channelID int64) (check.Strays, error) {
	var out check.Strays
	number := func(r *sql.Rows, n *int64) error { return r.Scan(n) }
	err := db.read(ctx, func(tx *sql.Tx) (err error) {
		out.Blocks, err = collect(ctx, tx, number, `SELECT id FROM block WHERE channel_id = $1 AND id NOT IN (SELECT block_id FROM piece WHERE channel_id = $1)
			AND id NOT IN (SELECT id FROM dropped_block) ORDER BY id LIMIT $2`, channelID, straysAtOnce)
		if err != nil {
			return fmt.Errorf("stray blocks: %w", err)
		}
		out.Dropped, err = collect(ctx, tx, number, `SELECT block_id FROM piece WHERE channel_id = $1 AND block_id IN (SELECT id FROM dropped_block) ORDER BY block_id LIMIT $2`,
			channelID, straysAtOnce)
		if err != nil {
			return fmt.Errorf("dropped blocks: %w", err)
		}
		return nil
	})
	return out, err
}

// Named implements check.Store.
func (db *DB) Named(ctx context.Context, sum [32]byte) (bool, error) {
	var n int
	err := db.reader.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM (SELECT 1 FROM artifact WHERE sha256 = $1 AND purged_us IS NULL LIMIT 1) AS one)
		+ (SELECT count(*) FROM doubt WHERE sha256 = $1)`, sum[:]).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("is a blob named: %w", err)
	}
	return n > 0, nil
}
