package db

import (
	"context"
	"database/sql"
	"fmt"

	"sluice/internal/catalog"
	"sluice/internal/conda"
	"sluice/internal/index"
)

// Labels implements catalog.Store. It reads the sums of the index, so its cost is that of the labels and subdirs.
func (db *DB) Labels(ctx context.Context, channelID int64) ([]catalog.Label, error) {
	var p params
	channel, removed := p.add(channelID), p.add(string(index.Removed))
	packages := in(&p, []string{string(index.TarBz2), string(index.Conda), string(index.TarBz2V3), string(index.CondaV3)})
	out, err := collect(ctx, db.reader, func(r *sql.Rows, l *catalog.Label) (err error) {
		var name string
		if err := r.Scan(&name, &l.Files, &l.Yanked, when{&l.ChangedAt}); err != nil {
			return err
		}
		l.Name, err = conda.ParseLabel(name)
		return err
	}, `SELECT g.label,
			CAST(sum((SELECT coalesce(sum(s.members), 0) FROM series s WHERE s.channel_id = g.channel_id AND s.label = g.label AND s.subdir = g.subdir
				AND s.series IN (`+packages+`))) AS BIGINT),
			CAST(sum((SELECT coalesce(sum(s.members), 0) FROM series s WHERE s.channel_id = g.channel_id AND s.label = g.label AND s.subdir = g.subdir
				AND s.series = `+removed+`)) AS BIGINT),
			max(g.committed_us)
		FROM generation g WHERE g.channel_id = `+channel+` AND g.number > 0 GROUP BY g.label ORDER BY CASE WHEN g.label = 'main' THEN 0 ELSE 1 END, g.label`, p.args...)
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	return out, nil
}
