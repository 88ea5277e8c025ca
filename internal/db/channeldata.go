package db

import (
	"context"
	"database/sql"
	"fmt"

	"sluice/internal/conda"
	"sluice/internal/conda/repodata"
	"sluice/internal/index"
)

// Generations implements index.Store.
func (db *DB) Generations(ctx context.Context, l index.Label) ([]index.Generation, error) {
	return generationsOf(ctx, db.reader, l)
}

// generationsOf leaves out the places that a transaction has locked, and in which it then listed nothing.
func generationsOf(ctx context.Context, q queryer, l index.Label) ([]index.Generation, error) {
	out, err := collect(ctx, q, func(r *sql.Rows, g *index.Generation) error {
		var chain []byte
		err := r.Scan(&g.Number, &chain, when{&g.CommittedAt})
		copy(g.Chain[:], chain)
		return err
	}, `SELECT number, chain, committed_us FROM generation WHERE channel_id = $1 AND label = $2 AND number > 0 ORDER BY subdir`, l.ChannelID, l.Name.String())
	if err != nil {
		return nil, fmt.Errorf("generations of a label: %w", err)
	}
	return out, nil
}

// Bounds of one FreshenChannelData: names that are looked at, and artifacts that are read of them, but for those of the
// last name.
const (
	freshNames     = 200
	freshArtifacts = 1000
)

// FreshenChannelData implements index.Store. A name that another transaction is about is left to whoever comes next,
// for two that wait for one another would both be in the way of uploads.
func (db *DB) FreshenChannelData(ctx context.Context, l index.Label) (more bool, err error) {
	stale := `SELECT name FROM channeldata WHERE channel_id = $1 AND label = $2 AND stale = 1 ORDER BY name LIMIT $3`
	name := func(r *sql.Rows, s *string) error { return r.Scan(s) }
	staleNames, err := collect(ctx, db.reader, name, stale, l.ChannelID, l.Name.String(), 1)
	if err != nil || len(staleNames) == 0 {
		return false, err
	}
	err = db.write(ctx, func(tx *sql.Tx) error {
		names, err := collect(ctx, tx, name, stale+db.skipLocked, l.ChannelID, l.Name.String(), freshNames)
		if err != nil {
			return fmt.Errorf("stale names: %w", err)
		}
		more = len(names) == freshNames
		left := freshArtifacts
		for _, n := range names {
			if left <= 0 {
				more = true
				return nil
			}
			read, err := freshen(ctx, tx, l, n)
			if err != nil {
				return err
			}
			left -= read
		}
		return nil
	})
	return more, err
}

// freshen makes the member of a name anew, or removes it when the label shows nothing of that name any more. It
// returns how many artifacts it read.
func freshen(ctx context.Context, tx *sql.Tx, l index.Label, name string) (int, error) {
	all, err := channelArtifacts(ctx, tx, l, name)
	if err != nil {
		return 0, err
	}
	if len(all) == 0 {
		_, err = tx.ExecContext(ctx, `DELETE FROM channeldata WHERE channel_id = $1 AND label = $2 AND name = $3`, l.ChannelID, l.Name.String(), name)
	} else {
		_, err = tx.ExecContext(ctx, `UPDATE channeldata SET stale = 0, member = $4 WHERE channel_id = $1 AND label = $2 AND name = $3`,
			l.ChannelID, l.Name.String(), name, repodata.ChannelDataMember(name, all))
	}
	if err != nil {
		return 0, fmt.Errorf("freshen channeldata: %w", err)
	}
	return len(all), nil
}

// channelArtifacts reads what channeldata.json says of each artifact of a name that a label shows.
func channelArtifacts(ctx context.Context, q queryer, l index.Label, name string) ([]repodata.ChannelArtifact, error) {
	out, err := collect(ctx, q, func(r *sql.Rows, a *repodata.ChannelArtifact) error {
		var subdir string
		var patch conda.Patch
		err := r.Scan(&a.Version, &a.BuildNumber, &a.TimestampMS, &subdir, &a.License, &a.Traits, jsonText{&a.RunExports}, jsonText{&a.About}, jsonText{&patch})
		if err != nil {
			return err
		}
		if patch.License != nil {
			a.License = *patch.License
		}
		if patch.RunExports != nil {
			a.RunExports = *patch.RunExports
		}
		a.Subdir, err = conda.ParseSubdir(subdir)
		return err
	}, `SELECT a.version, a.build_number, a.timestamp_ms, a.subdir, a.license, a.traits, a.run_exports, a.about, a.patch
		FROM artifact a JOIN record r ON r.artifact_id = a.id WHERE a.channel_id = $1 AND r.label = $2 AND a.name = $3 AND r.shown = 1`,
		l.ChannelID, l.Name.String(), name)
	if err != nil {
		return nil, fmt.Errorf("artifacts of a name: %w", err)
	}
	return out, nil
}

// namesAtOnce is how many members are read at once.
const namesAtOnce = 500

// ChannelData implements index.Store. What became stale since it was freshened is made from the same state, and not
// kept.
func (db *DB) ChannelData(ctx context.Context, l index.Label, take func(member []byte)) (s index.Summary, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		if s.Generations, err = generationsOf(ctx, tx, l); err != nil {
			return err
		}
		if s.Subdirs, err = listingSubdirs(ctx, tx, l); err != nil {
			return err
		}
		last, n := "", namesAtOnce
		for n == namesAtOnce && err == nil {
			last, n, err = takeMembers(ctx, tx, l, last, take)
		}
		return err
	})
	return s, err
}

// takeMembers hands over the next members after a name. It returns the last name, and how many it looked at.
func takeMembers(ctx context.Context, tx *sql.Tx, l index.Label, after string, take func(member []byte)) (last string, n int, err error) {
	type row struct {
		name   string
		stale  bool
		member []byte
	}
	rows, err := collect(ctx, tx, func(r *sql.Rows, v *row) error { return r.Scan(&v.name, &v.stale, &v.member) },
		`SELECT name, stale, member FROM channeldata WHERE channel_id = $1 AND label = $2 AND name > $3 ORDER BY name LIMIT $4`,
		l.ChannelID, l.Name.String(), after, namesAtOnce)
	if err != nil {
		return "", 0, fmt.Errorf("members of channeldata: %w", err)
	}
	for _, r := range rows {
		last = r.name
		if r.stale {
			all, err := channelArtifacts(ctx, tx, l, r.name)
			if err != nil {
				return "", 0, err
			}
			if len(all) == 0 {
				continue
			}
			r.member = repodata.ChannelDataMember(r.name, all)
		}
		take(r.member)
	}
	return last, len(rows), nil
}

// listingSubdirs are the subdirs in which a label lists something.
func listingSubdirs(ctx context.Context, tx *sql.Tx, l index.Label) ([]conda.Subdir, error) {
	out, err := collect(ctx, tx, func(r *sql.Rows, d *conda.Subdir) (err error) {
		var s string
		if err := r.Scan(&s); err != nil {
			return err
		}
		*d, err = conda.ParseSubdir(s)
		return err
	}, `SELECT DISTINCT subdir FROM series WHERE channel_id = $1 AND label = $2 AND series IN ($3, $4, $5, $6) AND members > 0 ORDER BY subdir`,
		l.ChannelID, l.Name.String(), string(index.TarBz2), string(index.Conda), string(index.TarBz2V3), string(index.CondaV3))
	if err != nil {
		return nil, fmt.Errorf("subdirs of a label: %w", err)
	}
	return out, nil
}
