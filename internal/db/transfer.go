package db

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"sluice/internal/conda"
	"sluice/internal/exporting"
)

// Stored implements exporting.Store.
func (db *DB) Stored(ctx context.Context, channelID int64, d conda.Subdir, filenames []string) (map[string]exporting.Stored, error) {
	type row struct {
		name string
		sum  []byte
		size int64
		at   time.Time
		// sidecar is empty where there are no attestations.
		sidecar []byte
	}
	out := make(map[string]exporting.Stored, len(filenames))
	for names := range slices.Chunk(filenames, digestsAtOnce) {
		var p params
		rows, err := collect(ctx, db.reader, func(r *sql.Rows, v *row) error { return r.Scan(&v.name, &v.sum, &v.size, when{&v.at}, &v.sidecar) },
			`SELECT filename, sha256, size, created_us, sidecar_sha256 FROM artifact WHERE channel_id = `+p.add(channelID)+` AND subdir = `+p.add(d.String())+
				` AND filename IN (`+in(&p, names)+`) AND deleted_us IS NULL`, p.args...)
		if err != nil {
			return nil, fmt.Errorf("stored artifacts: %w", err)
		}
		for _, r := range rows {
			out[r.name] = exporting.Stored{SHA256: [32]byte(r.sum), Size: r.size, UploadedAt: r.at, Attested: len(r.sidecar) > 0}
		}
	}
	return out, nil
}
