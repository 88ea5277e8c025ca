package db

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"sluice/internal/conda"
	"sluice/internal/exporting"
	"sluice/internal/index"
)

// Places implements exporting.Store.
func (db *DB) Places(ctx context.Context, channelID int64) ([]index.Place, error) {
	return collect(ctx, db.reader, func(r *sql.Rows, p *index.Place) (err error) {
		var label, subdir string
		if err := r.Scan(&label, &subdir); err != nil {
			return err
		}
		p.ChannelID = channelID
		if p.Label, err = conda.ParseLabel(label); err != nil {
			return err
		}
		p.Subdir, err = conda.ParseSubdir(subdir)
		return err
	}, `SELECT label, subdir FROM generation WHERE channel_id = $1 ORDER BY label, subdir`, channelID)
}

// Stored implements exporting.Store.
func (db *DB) Stored(ctx context.Context, channelID int64, d conda.Subdir, filenames []string) (map[string]exporting.Stored, error) {
	type row struct {
		name string
		sum  []byte
		size int64
		at   time.Time
	}
	out := make(map[string]exporting.Stored, len(filenames))
	for names := range slices.Chunk(filenames, digestsAtOnce) {
		var p params
		rows, err := collect(ctx, db.reader, func(r *sql.Rows, v *row) error { return r.Scan(&v.name, &v.sum, &v.size, when{&v.at}) },
			`SELECT filename, sha256, size, created_us FROM artifact WHERE channel_id = `+p.add(channelID)+` AND subdir = `+p.add(d.String())+
				` AND filename IN (`+in(&p, names)+`) AND deleted_us IS NULL`, p.args...)
		if err != nil {
			return nil, fmt.Errorf("stored artifacts: %w", err)
		}
		for _, r := range rows {
			out[r.name] = exporting.Stored{SHA256: [32]byte(r.sum), Size: r.size, UploadedAt: r.at}
		}
	}
	return out, nil
}
